"""Masks and segmentations that come as volumes, at whatever binning of the same field of view."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import binary_erosion
from scipy.spatial import cKDTree

from core.errors import ConfigError
from core.grids import Alignment, Mapping, mapping
from core.messages import Notice, Progress

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from core.messages import Message
    from core.tomogram import Box, Tomogram
    from core.types import BoolArray, Positions, Shape, Voxels

MANY = 500_000  # points of a surface, beyond which neighbours are taken together
_SLACK = 0.02  # part of an extent by which two fields of view may differ unmentioned


@dataclass(frozen=True, slots=True, eq=False)
class VolumeMask:
    """Voxels of another volume that are above 0, eight to a byte.

    Attributes
    ----------
    bits : ndarray
        (z, y, ceil(x / 8)) uint8, as `numpy.packbits` makes them.
    shape : Shape
        (z, y, x) extents of the other volume.
    grid : Mapping
        From voxels of the tomogram to voxels of the other volume.
    keep : bool
        True: what lies on these voxels counts; False: everything else.
    """

    bits: NDArray[np.uint8] = field(repr=False)
    shape: Shape
    grid: Mapping
    keep: bool = True

    def covers(self, positions: Positions) -> BoolArray:
        """Tell which positions lie on a voxel above 0; outside of the other volume there is none.

        Parameters
        ----------
        positions : Positions
            (n, 3) zyx voxels of the tomogram.

        Returns
        -------
        BoolArray
            (n,) True on it.
        """
        index = np.rint(self.grid.apply(positions)).astype(np.int64)
        within = ((index >= 0) & (index < self.shape)).all(axis=1)
        z, y, x = index[within].T
        found = np.zeros(len(positions), np.bool_)
        found[within] = (self.bits[z, y, x >> 3] >> (7 - (x & 7)).astype(np.uint8)) & 1
        return found

    def inside(self, positions: Positions) -> BoolArray:
        """Tell which positions count."""
        return np.asarray(self.covers(positions) == self.keep, np.bool_)

    def touches(self, box: Box) -> bool:
        """Tell whether picks may count in a box."""
        corners = self.grid.apply(np.array([box.low, np.asarray(box.high) - 1], float))
        low = np.floor(corners[0]).astype(int)
        high = np.ceil(corners[1]).astype(int) + 1
        beyond = bool((low < 0).any() or (high > self.shape).any())
        low, high = np.maximum(low, 0), np.minimum(high, self.shape)
        if (low >= high).any():
            return not self.keep
        part = self.bits[low[0] : high[0], low[1] : high[1], low[2] >> 3 : (high[2] + 7) >> 3]
        if self.keep:
            return bool(part.any())
        whole = np.unpackbits(part, axis=2)[:, :, low[2] & 7 : (low[2] & 7) + high[2] - low[2]]
        return beyond or not bool(whole.all())


@dataclass(frozen=True, slots=True, eq=False)
class Segmented:
    """What lies near to, or far from, a segmentation.

    Attributes
    ----------
    segmentation : VolumeMask
        Its voxels.
    surface : Positions
        (n, 3) zyx voxels of the tomogram, where its outermost voxels lie.
    reach : Voxels
        What is near, in voxels of the tomogram.
    keep : bool
        True: what is near counts; False: what is far.
    """

    segmentation: VolumeMask
    surface: Positions = field(repr=False)
    reach: Voxels
    keep: bool
    _tree: list[cKDTree] = field(default_factory=list, repr=False, compare=False)  # made when first needed

    def away(self, positions: Positions, most: Voxels) -> NDArray[np.float64]:
        """Return how far positions lie from the segmentation.

        Parameters
        ----------
        positions : Positions
            (n, 3) zyx voxels of the tomogram.
        most : Voxels
            Beyond this, infinity is returned.

        Returns
        -------
        ndarray
            (n,) distances in voxels of the tomogram; 0 on it.
        """
        found = np.full(len(positions), np.inf)
        if len(self.surface):  # there is none where all is segmented
            if not self._tree:
                self._tree.append(cKDTree(self.surface, balanced_tree=False, compact_nodes=False))
            found = np.asarray(self._tree[0].query(positions, distance_upper_bound=np.nextafter(most, np.inf))[0])
        return np.where(self.segmentation.covers(positions), 0.0, found)

    def inside(self, positions: Positions) -> BoolArray:
        """Tell which positions count."""
        return np.asarray((self.away(positions, self.reach) <= self.reach) == self.keep, np.bool_)

    def touches(self, box: Box) -> bool:
        """Tell whether picks may count in a box."""
        if not self.keep:
            return True
        middle = (np.asarray(box.low) + np.asarray(box.high) - 1) / 2
        reach = self.reach + float(np.linalg.norm(np.asarray(box.shape) / 2))
        return bool(self.away(middle[None], reach)[0] <= reach)


def volume_mask(tomogram: Tomogram, other: Tomogram, keep: bool = True) -> Generator[Message, None, VolumeMask]:
    """Take another volume of the same field of view as a mask, as a job that reads it once, section by section.

    Parameters
    ----------
    tomogram : Tomogram
        What is masked.
    other : Tomogram
        The mask; outer faces are taken to lie together, whatever its binning.
    keep : bool
        As for `VolumeMask`.

    Yields
    ------
    Message
        Progress, and a notice where the fields of view differ.

    Returns
    -------
    VolumeMask
        Held in memory, a bit a voxel.

    Raises
    ------
    ConfigError
        If the binning cannot be told, or nothing in the other volume is above 0.
    """
    grid = mapping(tomogram, other, Alignment.FACES)
    far = grid.apply(np.asarray(tomogram.shape, float)[None] - 0.5)[0] + 0.5
    away = np.abs(far - other.shape) / other.shape
    if away.max() > _SLACK:
        axis = "zyx"[int(away.argmax())]
        yield Notice(text=f"The mask {other.id} covers another extent than {tomogram.id} along {axis} (by {away.max():.0%}).")
    depth, height, width = other.shape
    bits = np.empty((depth, height, -(-width // 8)), np.uint8)
    for z in range(depth):
        bits[z] = np.packbits(np.asarray(other.data[z]) > 0, axis=1)
        if z % 16 == 0:
            yield Progress(stage="Reading the mask", done=z, total=depth)
    if not bits.any():
        raise ConfigError(
            f"No voxel of the mask {other.path or other.id} is above 0: choose a volume in which something is marked."
        )
    return VolumeMask(bits, other.shape, grid, keep)


def near_segmentation(segmentation: VolumeMask, reach: Voxels, keep: bool) -> Generator[Message, None, Segmented]:
    """Make the mask of what is near to, or far from, a segmentation, as a job.

    Parameters
    ----------
    segmentation : VolumeMask
        As `volume_mask` returns it.
    reach : Voxels
        What is near, in voxels of the tomogram.
    keep : bool
        As for `Segmented`.

    Yields
    ------
    Message
        Progress.

    Returns
    -------
    Segmented
        Right to a voxel of the segmentation.
    """
    depth, _, width = segmentation.shape
    places = []
    for z in range(depth):
        first, last = max(0, z - 1), min(depth, z + 2)
        slab = np.unpackbits(segmentation.bits[first:last], axis=2, count=width).astype(np.bool_)
        rim = slab[z - first] & ~binary_erosion(slab, border_value=1)[z - first]
        y, x = np.nonzero(rim)
        places.append(np.column_stack([np.full(len(y), z), y, x]))
        if z % 16 == 0:
            yield Progress(stage="Measuring distances", done=z, total=depth)
    surface = segmentation.grid.inverse().apply(np.concatenate(places).astype(np.float64))
    if len(surface) > MANY:  # as many as one in each cube of a tenth of the distance
        cell = max(1.0, reach / 10)
        surface = surface[np.unique((surface // cell).astype(np.int64), axis=0, return_index=True)[1]]
    return Segmented(segmentation, surface, reach, keep)
