"""What the voxels of a tomogram are in other units, and back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from core.errors import ConfigError, FileFormatError
from core.grids import near_binning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.types import Angstrom, Positions, Shape


ROUNDING = 2.0  # voxels of the tomogram by which binning and trimming may change its extent


class Unit(StrEnum):
    """What the numbers of a file count; all from 0 at the centre of the first voxel, unless told otherwise."""

    VOXEL = "voxel"
    """Voxels of the tomogram."""
    ANGSTROM = "angstrom"
    """Å."""
    CENTRED = "centred"
    """Å from the centre of the tomogram, S/2 of the unbinned size S, as RELION 5 has it."""
    CENTRED_EARLY = "centred-1"
    """The same from S/2 - 1, as the napari picker of RELION 5 has it."""
    PIXEL = "pixel"
    """Pixels of the tilt series, as RELION 4 and 5 have it."""
    MIDDLE = "middle"
    """Å from the voxel N // 2 of the tomogram with N voxels, as EMAN2 has it."""
    FRACTION = "fraction"
    """Parts of the extent of the tomogram, from 0 to 1, as template matching in Warp has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TiltSeriesGeometry:
    """The images that a tomogram was made of.

    Attributes
    ----------
    pixel_size : Angstrom
        Å per pixel of the tilt series, unbinned.
    size : Shape | None
        (z, y, x) extents of the unbinned tomogram in these pixels (rlnTomoSizeZ/Y/X); None to take those of the tomogram
        times its binning, which rounding may have changed.
    typed : bool
        Whether somebody typed the size, so that it has to fit the tomogram; that of a file may differ on purpose.
    """

    pixel_size: Angstrom
    size: Shape | None = None
    typed: bool = False

    def __post_init__(self) -> None:
        if not (isfinite(self.pixel_size) and self.pixel_size > 0):
            raise ConfigError(f"The pixel size of a tilt series must be above 0 Å, not {self.pixel_size}.")
        if self.size is not None and min(self.size) < 1:
            raise ConfigError(f"The size of the unbinned tomogram must be three numbers above 0, not {self.size}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What turns the voxels of a tomogram into other units and back.

    Attributes
    ----------
    voxel_size : Angstrom
        Å per voxel; 0 where it is not known.
    shape : Shape
        (z, y, x) extents in voxels.
    tilt_series : TiltSeriesGeometry | None
        Where it is known.

    Raises
    ------
    ConfigError
        If a typed size of the unbinned tomogram does not fit this one.
    """

    voxel_size: Angstrom
    shape: Shape
    tilt_series: TiltSeriesGeometry | None = None

    def __post_init__(self) -> None:
        series = self.tilt_series
        if series is None or series.size is None or not series.typed or not self.voxel_size > 0:
            return
        binning = self.voxel_size / series.pixel_size
        expected = np.asarray(self.shape) * binning
        if (np.abs(np.asarray(series.size) - expected) > ROUNDING * max(binning, 1.0)).any():
            told, fitting = (", ".join(f"{extent:.0f}" for extent in size[::-1]) for size in (series.size, tuple(expected)))
            raise ConfigError(
                f"The unbinned size {told} (x, y, z) does not fit this tomogram, which at a binning of {binning:.4g} comes from "
                f"about {fitting} pixels; check the order of the three numbers and the pixel size of the tilt series."
            )

    def doubts(self) -> Iterator[str]:
        """Say what does not go together.

        Yields
        ------
        str
            Where the unbinned size that a file tells is about 2, 4 or 8 times as large, or small, as the tomogram.
        """
        series = self.tilt_series
        if series is None or series.size is None or not self.voxel_size > 0:
            return
        ratios = np.asarray(series.size) * series.pixel_size / (np.asarray(self.shape) * self.voxel_size)
        factor = near_binning(float(ratios[1:].mean()))  # z is often cut
        if factor is not None:
            told = ", ".join(f"{extent:.0f}" for extent in series.size[::-1])
            yield (
                f"The unbinned size {told} (x, y, z) at {series.pixel_size:g} Å is about {factor:g} times the extent of the "
                f"tomogram: is its voxel size of {self.voxel_size:g} Å, or the pixel size, that of another binning?"
            )

    def to_voxels(self, positions: Positions, unit: Unit) -> Positions:
        """Turn positions of a file into voxels.

        Parameters
        ----------
        positions : Positions
            (n, 3) zyx in `unit`.
        unit : Unit
            What they count.

        Returns
        -------
        Positions
            (n, 3) zyx voxels.

        Raises
        ------
        FileFormatError
            If this takes a voxel or pixel size that is not known.
        """
        scale, origin = self._scale(unit)
        return (positions - origin) / scale

    def from_voxels(self, positions: Positions, unit: Unit) -> Positions:
        """Turn voxels into positions for a file.

        Parameters
        ----------
        positions : Positions
            (n, 3) zyx voxels.
        unit : Unit
            What they shall count.

        Returns
        -------
        Positions
            (n, 3) zyx in `unit`.

        Raises
        ------
        FileFormatError
            If this takes a voxel or pixel size that is not known.
        """
        scale, origin = self._scale(unit)
        return positions * scale + origin

    def _scale(self, unit: Unit) -> tuple[float | Positions, Positions]:
        """Units per voxel, one or (3,) zyx, and where the first voxel lies in them, (3,) zyx."""
        nowhere, extents = np.zeros(3), np.asarray(self.shape, np.float64)
        if unit is Unit.VOXEL:
            return 1.0, nowhere
        if unit is Unit.FRACTION:
            return 1 / extents, nowhere
        if not self.voxel_size > 0:
            raise FileFormatError(
                "These coordinates take the voxel size of the tomogram, which its file does not tell; give it in Å."
            )
        if unit is Unit.ANGSTROM:
            return self.voxel_size, nowhere
        if unit is Unit.MIDDLE:
            return self.voxel_size, -(extents // 2) * self.voxel_size
        if unit is Unit.PIXEL:
            return self.voxel_size / self._pixel_size(), nowhere
        early = self._pixel_size() if unit is Unit.CENTRED_EARLY else 0.0
        return self.voxel_size, early - self._unbinned_size() / 2

    def _pixel_size(self) -> Angstrom:
        if self.tilt_series is None:
            raise FileFormatError("These coordinates count pixels of the tilt series; give its pixel size in Å.")
        return self.tilt_series.pixel_size

    def _unbinned_size(self) -> Positions:
        """(3,) zyx extents of the unbinned tomogram in Å."""
        if self.tilt_series is None or self.tilt_series.size is None:
            return np.asarray(self.shape) * self.voxel_size
        return np.asarray(self.tilt_series.size) * self.tilt_series.pixel_size
