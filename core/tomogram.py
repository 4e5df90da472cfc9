"""A tomogram: where its voxels are, how large one is, and how to look at a part of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from core.types import Angstrom, BoolArray, FloatArray, Positions, Shape, Volume


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a tomogram.

    Attributes
    ----------
    low, high : Shape
        (z, y, x) first voxel, and the voxel after the last.
    """

    low: Shape
    high: Shape

    def __post_init__(self) -> None:
        if any(a >= b for a, b in zip(self.low, self.high, strict=True)):
            raise ValueError(f"a box needs low < high on every axis, got {self.low} to {self.high}")

    @property
    def shape(self) -> Shape:
        """(z, y, x) extents in voxels."""
        z, y, x = (b - a for a, b in zip(self.low, self.high, strict=True))
        return z, y, x

    def contains(self, positions: Positions) -> BoolArray:
        """Tell which positions lie inside, the outermost half voxel included.

        Parameters
        ----------
        positions : Positions
            (n, 3) zyx voxels.

        Returns
        -------
        BoolArray
            (n,) True where the position lies within the box; NaN is outside.
        """
        low, high = np.asarray(self.low) - 0.5, np.asarray(self.high) - 0.5
        return np.asarray(((positions >= low) & (positions < high)).all(axis=1), np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tomogram:
    """A volume with its name and scale; the voxels stay on disk until a part is asked for.

    Attributes
    ----------
    id : str
        Name within the project, by default the file's name without its suffix.
    path : Path | None
        The file; None for a volume made in memory.
    voxel_size : Angstrom
        Edge of a voxel in Å; 0 when neither the file nor the user has told.
    data : Volume
        (z, y, x) voxels as stored, possibly big-endian and memory-mapped.
    notices : tuple[str, ...]
        What the reader found odd and the user should know.
    """

    id: str
    path: Path | None
    voxel_size: Angstrom
    data: Volume = field(repr=False, compare=False)
    notices: tuple[str, ...] = ()

    @property
    def shape(self) -> Shape:
        """(z, y, x) extents in voxels."""
        z, y, x = self.data.shape
        return z, y, x

    @property
    def box(self) -> Box:
        """The whole of it."""
        return Box((0, 0, 0), self.shape)

    def block(self, start: Shape, shape: Shape) -> FloatArray:
        """Read a box as native float32, reflected where it reaches past the volume.

        Parameters
        ----------
        start : Shape
            (z, y, x) first voxel; may be negative.
        shape : Shape
            (z, y, x) extents in voxels.

        Returns
        -------
        FloatArray
            The box, of exactly this shape.
        """
        low = np.asarray(start)
        high = low + np.asarray(shape)
        inner_low = np.clip(low, 0, np.asarray(self.shape) - 1)
        inner_high = np.clip(high, 1, self.shape)
        box = tuple(slice(int(a), int(b)) for a, b in zip(inner_low, inner_high, strict=True))
        part = np.asarray(self.data[box]).astype(np.float32)
        before, after = inner_low - low, high - inner_high
        if not (before.any() or after.any()):
            return part
        padding = [(max(int(a), 0), max(int(b), 0)) for a, b in zip(before, after, strict=True)]
        padded = np.pad(part, padding, mode="symmetric")
        # a box that starts beyond the far face, or ends before the near one, keeps only its own extent
        crop = tuple(slice(max(int(-a), 0), max(int(-a), 0) + n) for a, n in zip(before, shape, strict=True))
        return np.ascontiguousarray(padded[crop])
