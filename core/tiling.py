"""Overlapping tiles that cover a volume, each responsible for its own core."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from core.tomogram import Box


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


def plan(region: Box, tile: int, overlap: int, stride: int, fixed: bool = False) -> list[Tile]:
    """Cut a region into tiles, section by section, row by row.

    Tiles start at multiples of the network's stride from each other, so that its pooling grid is the same in every tile and
    a voxel far enough from the edges gets the same value whichever tile it is computed in.

    Parameters
    ----------
    region : Box
        What must be covered.
    tile : int
        Largest edge of a tile in voxels, overlap included; a multiple of `stride` above twice the overlap.
    overlap : int
        Context on each side in voxels; twice it must be a multiple of `stride`.
    stride : int
        Pooling stride of the network.
    fixed : bool
        Give every tile the full edge, whatever it reaches into; else tiles are evened out and cut to what they must cover.

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
    100 voxels, tiles of 64 with 8 of context and stride 8: cores of at most 48 voxels are evened out to 40, 40 and 20.

    >>> tiles = plan(Box((0, 0, 0), (100, 40, 40)), 64, 8, 8)
    >>> [(t.outer.low[0], t.core.low[0], t.core.high[0], t.outer.high[0]) for t in tiles]
    [(-8, 0, 40, 48), (32, 40, 80, 88), (72, 80, 100, 112)]
    """
    if tile % stride or 2 * overlap % stride or tile <= 2 * overlap:
        raise ValueError(f"tile {tile} and twice the overlap {overlap} must be multiples of {stride}, and the tile larger")
    cut = _full if fixed else _even
    axes = [cut(a, b, tile, overlap, stride) for a, b in zip(region.low, region.high, strict=True)]
    return [_tile(z, y, x) for z, y, x in itertools.product(*axes)]


Interval = tuple[int, int, int, int]  # outer start, core start, core end, outer end along one axis


def _tile(z: Interval, y: Interval, x: Interval) -> Tile:
    return Tile(Box((z[0], y[0], x[0]), (z[3], y[3], x[3])), Box((z[1], y[1], x[1]), (z[2], y[2], x[2])))


def _full(low: int, high: int, tile: int, overlap: int, stride: int) -> list[Interval]:
    corners = range(low // stride * stride, high, tile - 2 * overlap)
    return [(a - overlap, max(a, low), min(a + tile - 2 * overlap, high), a - overlap + tile) for a in corners]


def _even(low: int, high: int, tile: int, overlap: int, stride: int) -> list[Interval]:
    start = low // stride * stride
    room = tile - 2 * overlap
    pieces = -(-(high - start) // room)
    step = _up((high - start) / pieces, stride)
    corners = range(start, high, step)
    return [(a - overlap, max(a, low), min(a + step, high), _up(min(a + step, high), stride) + overlap) for a in corners]


def _up(value: float, stride: int) -> int:
    return int(-(-value // stride)) * stride
