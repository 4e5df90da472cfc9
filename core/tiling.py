"""Overlapping tiles that cover a volume, each responsible for its own core."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.tomogram import Box

if TYPE_CHECKING:
    from core.types import Shape


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of the volume that the network sees at once.

    Attributes
    ----------
    outer : Box
        What is fed to the network; may reach past the volume, where it is mirrored.
    core : Box
        The part whose result is kept; the cores of all tiles cover the volume once.
    """

    outer: Box
    core: Box

    @property
    def inner(self) -> tuple[slice, slice, slice]:
        """Where the core lies within the outer box."""
        z, y, x = (slice(c - a, d - a) for a, c, d in zip(self.outer.low, self.core.low, self.core.high, strict=True))
        return z, y, x


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """How tiles are laid.

    Attributes
    ----------
    overlap : int
        Context on each side in voxels; twice it is a multiple of `stride`.
    stride : int
        Pooling stride of the network. Tiles start and end at multiples of it, so that its pooling grid is the same in every tile
        and a voxel far enough from the edges gets the same value whichever tile it is computed in.
    fixed : bool
        Give every tile the full edge, whatever it reaches into.
    volume : Shape | None
        (z, y, x) extents of the volume, if context beyond its faces is to be spared.
    outside : int
        How far context may reach past the volume, in voxels.
    """

    overlap: int
    stride: int
    fixed: bool = False
    volume: Shape | None = None
    outside: int = 0

    def reach(self, region: Box) -> Box:
        """Return what the tiles of a region see together, context included."""
        low, high = [a - self.overlap for a in region.low], [b + self.overlap for b in region.high]
        if self.volume is not None:
            low = [max(a, -self.outside) for a in low]
            high = [min(b, n + self.outside) for b, n in zip(high, self.volume, strict=True)]
        s = self.stride
        return Box((low[0] // s * s, low[1] // s * s, low[2] // s * s), (_up(high[0], s), _up(high[1], s), _up(high[2], s)))

    def count(self, length: int, edge: int) -> int:
        """Return how many tiles of an edge cover a length."""
        return 1 + max(-(-(length - edge) // (edge - 2 * self.overlap)), 0)

    def edge(self, length: int, count: int) -> int:
        """Return the edge that so many tiles need to cover a length."""
        return _up((length + 2 * self.overlap * (count - 1)) / count, self.stride)


def plan(region: Box, tile: Shape, grid: Grid) -> list[Tile]:
    """Cut a region into tiles, section by section, row by row.

    Parameters
    ----------
    region : Box
        What must be covered.
    tile : Shape
        (z, y, x) largest extents of a tile in voxels, overlap included; multiples of the stride, above twice the overlap.
    grid : Grid
        How they are laid: evened out, and no larger than they must be.

    Returns
    -------
    list[Tile]
        In z, y, x order.

    Raises
    ------
    ValueError
        If the numbers do not fit together.

    Examples
    --------
    100 voxels, tiles of up to 64 with 8 of context: together they see 120, which three of 56 cover, 32 to 40 apart.

    >>> tiles = plan(Box((0, 0, 0), (100, 40, 40)), (64, 64, 64), Grid(overlap=8, stride=8))
    >>> [(t.outer.low[0], t.core.low[0], t.core.high[0], t.outer.high[0]) for t in tiles]
    [(-8, 0, 36, 48), (24, 36, 68, 80), (56, 68, 100, 112)]
    """
    stride, overlap = grid.stride, grid.overlap
    if any(n % stride or n <= 2 * overlap for n in tile) or 2 * overlap % stride:
        raise ValueError(f"tile {tile} and twice the overlap {overlap} must be multiples of {stride}, and the tile larger")
    reach = grid.reach(region)
    axes = [_spread(region, reach, axis, tile[axis], grid) for axis in range(3)]
    return [_tile(z, y, x) for z, y, x in itertools.product(*axes)]


def best_shape(region: Box, voxels: int, grid: Grid, tallest: int = 2**40) -> Shape:
    """Find the tile with which the fewest voxels are computed twice.

    Parameters
    ----------
    region : Box
        What must be covered.
    voxels : int
        How many a tile may hold.
    grid : Grid
        How tiles are laid.
    tallest : int
        Sections that the cores of a row of tiles may have.

    Returns
    -------
    Shape
        (z, y, x) extents; the smallest possible where none is small enough.
    """
    least = _up(2 * grid.overlap + 1, grid.stride)
    choices = []
    for length in grid.reach(region).shape:
        edges = {max(grid.edge(length, n), least) for n in range(1, 41)} | {least}
        choices.append([(edge, edge * grid.count(length, edge)) for edge in sorted(edges)])
    choices[0] = [(edge, total) for edge, total in choices[0] if edge <= max(tallest + 2 * grid.overlap, least)]
    shapes = [((z[0], y[0], x[0]), z[1] * y[1] * x[1]) for z, y, x in itertools.product(*choices)]
    fitting = [entry for entry in shapes if math.prod(entry[0]) <= voxels]
    return min(fitting, key=lambda entry: (entry[1], -math.prod(entry[0])))[0] if fitting else (least, least, least)


def halves(tile: Tile, grid: Grid) -> list[Tile]:
    """Cut a tile in two across the longest axis of its core.

    Parameters
    ----------
    tile : Tile
        What is too large.
    grid : Grid
        How much context is kept where it is cut.

    Returns
    -------
    list[Tile]
        Lower and upper half, each smaller than the tile; none if that cannot be.
    """
    axis = max(range(3), key=lambda a: tile.core.shape[a])
    low, high, start, end = tile.core.low[axis], tile.core.high[axis], tile.outer.low[axis], tile.outer.high[axis]
    cut, context = start + _up((low + high) / 2 - start, grid.stride), _up(grid.overlap, grid.stride)
    if grid.fixed or not low < cut < high or cut + context >= end or cut - context <= start:
        return []
    return [
        Tile(_with(tile.outer, axis, start, cut + context), _with(tile.core, axis, low, cut)),
        Tile(_with(tile.outer, axis, cut - context, end), _with(tile.core, axis, cut, high)),
    ]


Interval = tuple[int, int, int, int]  # outer start, core start, core end, outer end along one axis


def _tile(z: Interval, y: Interval, x: Interval) -> Tile:
    return Tile(Box((z[0], y[0], x[0]), (z[3], y[3], x[3])), Box((z[1], y[1], x[1]), (z[2], y[2], x[2])))


def _spread(region: Box, reach: Box, axis: int, edge: int, grid: Grid) -> list[Interval]:
    low, length = reach.low[axis], reach.shape[axis]
    count = grid.count(length, edge)
    edge = edge if grid.fixed else grid.edge(length, count)
    spare = length - edge
    if count == 1:  # nothing to spread; what a fixed tile has too much lies on both sides
        starts = [low + spare // 2 // grid.stride * grid.stride]
    else:
        starts = [low + spare * i // (count - 1) // grid.stride * grid.stride for i in range(count)]
    cuts = [(a + edge + b) // 2 for a, b in itertools.pairwise(starts)]
    return [
        (start, core_low, core_high, start + edge)
        for start, core_low, core_high in zip(starts, [region.low[axis], *cuts], [*cuts, region.high[axis]], strict=True)
    ]


def _with(box: Box, axis: int, low: int, high: int) -> Box:
    lows, highs = list(box.low), list(box.high)
    lows[axis], highs[axis] = low, high
    return replace(box, low=(lows[0], lows[1], lows[2]), high=(highs[0], highs[1], highs[2]))


def _up(value: float, stride: int) -> int:
    return int(-(-value // stride)) * stride
