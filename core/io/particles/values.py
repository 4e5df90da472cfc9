"""Particles on their way in and out: what a file says, and what a tomogram's voxels are in other units."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import isfinite
from typing import TYPE_CHECKING, Self

import numpy as np

from core.errors import ConfigError, FileFormatError

if TYPE_CHECKING:
    from pathlib import Path

    from core.particles import ParticleTable
    from core.tomogram import Tomogram
    from core.types import Angstrom, BoolArray, FloatArray, IntArray, Positions, Shape


class Unit(StrEnum):
    """What the numbers of a file count; all from 0 at the centre of the first voxel, except ``CENTRED``."""

    VOXEL = "voxel"
    """Voxels of the tomogram."""
    ANGSTROM = "angstrom"
    """Å."""
    CENTRED = "centred"
    """Å from the centre of the tomogram, as RELION 5 has it."""
    PIXEL = "pixel"
    """Pixels of the tilt series, as RELION 4 and 5 have it."""


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
    """

    pixel_size: Angstrom
    size: Shape | None = None

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
    """

    voxel_size: Angstrom
    shape: Shape
    tilt_series: TiltSeriesGeometry | None = None

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

    def _scale(self, unit: Unit) -> tuple[float, Positions]:
        """Units per voxel, and where the first voxel lies in them, (3,) zyx."""
        nowhere = np.zeros(3)
        if unit is Unit.VOXEL:
            return 1.0, nowhere
        if not self.voxel_size > 0:
            raise FileFormatError(
                "These coordinates take the voxel size of the tomogram, which its file does not tell; give it in Å."
            )
        if unit is Unit.ANGSTROM:
            return self.voxel_size, nowhere
        if unit is Unit.PIXEL:
            return self.voxel_size / self._pixel_size(), nowhere
        return self.voxel_size, -self._unbinned_size() / 2

    def _pixel_size(self) -> Angstrom:
        if self.tilt_series is None:
            raise FileFormatError("These coordinates count pixels of the tilt series; give its pixel size in Å.")
        return self.tilt_series.pixel_size

    def _unbinned_size(self) -> Positions:
        """(3,) zyx extents of the unbinned tomogram in Å."""
        if self.tilt_series is None or self.tilt_series.size is None:
            return np.asarray(self.shape) * self.voxel_size
        return np.asarray(self.tilt_series.size) * self.tilt_series.pixel_size


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPicks:
    """What a file of particles says, before anybody knows which tomogram and classes are meant.

    Attributes
    ----------
    positions : Positions
        (n, 3) zyx, finite, in `unit`.
    unit : Unit
        What the positions count.
    class_ids : IntArray | None
        (n,) classes by number, where the file has them.
    class_names : tuple[str, ...] | None
        (n,) classes by name, where the file has them.
    scores : FloatArray | None
        (n,) scores, NaN where one is missing.
    tomograms : tuple[str, ...] | None
        (n,) names of tomograms, where the file has them.
    notices : tuple[str, ...]
        What was odd and the user should know.
    """

    positions: Positions = field(repr=False)
    unit: Unit = Unit.VOXEL
    class_ids: IntArray | None = field(default=None, repr=False)
    class_names: tuple[str, ...] | None = field(default=None, repr=False)
    scores: FloatArray | None = field(default=None, repr=False)
    tomograms: tuple[str, ...] | None = field(default=None, repr=False)
    notices: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.positions)

    def select(self, rows: BoolArray) -> Self:
        """Return the rows that a mask names.

        Parameters
        ----------
        rows : BoolArray
            (n,) mask.

        Returns
        -------
        ReadPicks
            Those rows, in the same order.
        """
        chosen = np.flatnonzero(rows)
        return replace(
            self,
            positions=self.positions[chosen],
            class_ids=None if self.class_ids is None else self.class_ids[chosen],
            class_names=None if self.class_names is None else tuple(self.class_names[row] for row in chosen),
            scores=None if self.scores is None else self.scores[chosen],
            tomograms=None if self.tomograms is None else tuple(self.tomograms[row] for row in chosen),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TomogramPicks:
    """The particles of one tomogram on their way to a file.

    Attributes
    ----------
    name : str
        What the tomogram shall be called in the file.
    table : ParticleTable
        The particles.
    frame : Frame
        What turns their voxels into other units.
    """

    name: str
    table: ParticleTable
    frame: Frame

    @classmethod
    def of(
        cls, tomogram: Tomogram, table: ParticleTable, *, tilt_series: TiltSeriesGeometry | None = None, name: str | None = None
    ) -> Self:
        """Take name, voxel size and shape from a tomogram.

        Parameters
        ----------
        tomogram : Tomogram
            The tomogram.
        table : ParticleTable
            Its particles.
        tilt_series : TiltSeriesGeometry | None
            Where it is known.
        name : str | None
            Another name than the tomogram's.

        Returns
        -------
        TomogramPicks
            Ready to be written.
        """
        frame = Frame(voxel_size=tomogram.voxel_size, shape=tomogram.shape, tilt_series=tilt_series)
        return cls(name=name or tomogram.id, table=table, frame=frame)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What an export left.

    Attributes
    ----------
    files : tuple[Path, ...]
        What was written; the first is the one to hand to other programs.
    notices : tuple[str, ...]
        What the user should know.
    """

    files: tuple[Path, ...]
    notices: tuple[str, ...] = ()
