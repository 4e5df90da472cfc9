"""A tomogram: where its voxels are, how large one is, and how to look at a part of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from core.types import Angstrom, BoolArray, FloatArray, IntArray, Positions, Shape, Volume

TOGETHER = 8  # sections along x that are read at once: memory gives so many neighbours for little more than the price of one


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


class Mask(Protocol):
    """Where in a tomogram picks are wanted, whatever it is made of."""

    def touches(self, box: Box) -> bool:
        """Tell whether picks may count in a box.

        Parameters
        ----------
        box : Box
            A part of the tomogram.

        Returns
        -------
        bool
            False only where none can.
        """

    def inside(self, positions: Positions) -> BoolArray:
        """Tell which positions count.

        Parameters
        ----------
        positions : Positions
            (n, 3) zyx voxels of the tomogram.

        Returns
        -------
        BoolArray
            (n,) True where a pick counts.
        """


@dataclass(frozen=True, slots=True)
class Level:
    """A smaller copy of a tomogram, for display only: positions always count voxels of the tomogram itself.

    Attributes
    ----------
    data : Volume
        (z, y, x) voxels.
    factor : tuple[float, float, float]
        (z, y, x) voxels of the tomogram along one voxel of the copy.
    offset : tuple[float, float, float]
        (z, y, x) where the centre of the copy's first voxel lies in the tomogram; (factor - 1) / 2 for means of blocks.
    """

    data: Volume = field(repr=False, compare=False)
    factor: tuple[float, float, float]
    offset: tuple[float, float, float]


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
        (z, y, x) voxels as stored, possibly big-endian, memory-mapped or read part by part.
    notices : tuple[str, ...]
        What the reader found odd and the user should know.
    origin : tuple[float, float, float]
        (z, y, x) in Å, where the file puts the centre of its first voxel; positions know nothing of it.
    levels : tuple[Level, ...]
        Smaller copies that the file brings along, finest first.
    """

    id: str
    path: Path | None
    voxel_size: Angstrom
    data: Volume = field(repr=False, compare=False)
    notices: tuple[str, ...] = ()
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    levels: tuple[Level, ...] = field(default=(), repr=False, compare=False)

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
        indices = [_mirrored(a, n, extent) for a, n, extent in zip(start, shape, self.shape, strict=True)]
        box = tuple(slice(int(i.min()), int(i.max()) + 1) for i in indices)
        part = np.asarray(self.data[box])
        for axis, (index, read) in enumerate(zip(indices, box, strict=True)):
            if start[axis] < 0 or start[axis] + shape[axis] > self.shape[axis]:
                part = np.take(part, index - read.start, axis)
        return part.astype(np.float32)


def _mirrored(start: int, count: int, extent: int) -> IntArray:
    """Return the numbers of consecutive voxels of a volume that stands between two mirrors."""
    index = np.arange(start, start + count, dtype=np.int64) % (2 * extent)
    return np.minimum(index, 2 * extent - 1 - index)


class Columns:
    """The voxels between two places along x, with their neighbours kept for the next page.

    Parameters
    ----------
    tomogram : Tomogram
        Where they are read.
    """

    def __init__(self, tomogram: Tomogram) -> None:
        self._tomogram, self._start = tomogram, 0
        self._kept = np.empty((0, 0, 0), np.float32)

    def read(self, first: int, last: int) -> NDArray[Any]:
        """Return a part of the tomogram.

        Parameters
        ----------
        first, last : int
            The first voxel along x, and the one behind the last.

        Returns
        -------
        ndarray
            (z, y, at most last - first).
        """
        if not self._start <= first <= last <= self._start + self._kept.shape[2]:
            self._start = first // TOGETHER * TOGETHER
            stop = -(-last // TOGETHER) * TOGETHER
            self._kept = np.array(self._tomogram.data[:, :, self._start : stop])
        return self._kept[:, :, first - self._start : last - self._start]


def parsed_box(text: str, shape: tuple[int, int, int]) -> Box:
    """Read a part of a tomogram such as ``10:90,:128,:``.

    Parameters
    ----------
    text : str
        Ranges of z, y and x in voxels; an end that is left out is the end of the tomogram.
    shape : tuple[int, int, int]
        (z, y, x) extents of the tomogram.

    Returns
    -------
    Box
        Cut off at the faces of the tomogram.

    Raises
    ------
    ConfigError
        If the text is none such, or the part is empty.
    """
    ranges = [part.split(":") for part in text.split(",")]
    try:
        pairs = [
            (max(0, int(low) if low.strip() else 0), min(extent, int(high) if high.strip() else extent))
            for (low, high), extent in zip(ranges, shape, strict=True)
        ]
        (z0, z1), (y0, y1), (x0, x1) = pairs
        return Box((z0, y0, x0), (z1, y1, x1))
    except ValueError as exc:
        raise ConfigError(
            f"Expected a part as z0:z1,y0:y1,x0:x1 in voxels, within {shape} and not empty, such as 10:90,:128,:, not {text!r}."
        ) from exc
