"""The slab between the two surfaces of a lamella or of the ice, given as planes or found by where the texture ends.

Outside the specimen a tomogram holds noise and streaks only: after averaging to about 30 Å, the variance in small areas is lower
there. For each tile of the field of view, the profile of this variance along z is fitted by a box (low, high, low), and a plane is
laid through the ends of the boxes such that tiles that stand out count little.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import median_filter
from scipy.optimize import least_squares

from core.messages import Progress

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from core.messages import Message
    from core.tomogram import Box, Tomogram
    from core.types import Angstrom, BoolArray, Positions, Voxels

GRAIN: Angstrom = 30.0  # to which voxels are averaged before the texture is measured
AREA = 8  # grains along an edge of the areas within which the variance is measured
TILES = 5  # along the longer edge of the field of view
STEP = 0.1  # by which the logarithm of the variance must change at a surface; below it, no surface is believed
CONSENSUS, UNANIMITY = 1 / 3, 0.65  # parts of all tiles, and of those with a surface, that must lie within `NEAR` of the plane
NEAR: Angstrom = 100.0
THINNEST = 0.2  # of the depth of the tomogram: what is thinner is a layer of something within it


@dataclass(frozen=True, slots=True)
class Surface:
    """A plane z = height + slope_y * (y - middle_y) + slope_x * (x - middle_x), in voxels.

    Attributes
    ----------
    height : Voxels
        z in the middle of the field of view.
    slope_y, slope_x : float
        Voxels along z for each along y and x.
    middle : tuple[Voxels, Voxels]
        (y, x) of the middle of the field of view.
    """

    height: Voxels
    slope_y: float
    slope_x: float
    middle: tuple[Voxels, Voxels]

    def at(self, positions: Positions) -> NDArray[np.float64]:
        """Return its z where positions lie.

        Parameters
        ----------
        positions : Positions
            (n, 3) zyx voxels.

        Returns
        -------
        ndarray
            (n,) z in voxels.
        """
        beside = positions[:, 1:] - self.middle
        return np.asarray(self.height + beside @ np.array([self.slope_y, self.slope_x]), np.float64)

    def tilts(self) -> tuple[float, float]:
        """Return how it rises along y and x in degrees."""
        return math.degrees(math.atan(self.slope_y)), math.degrees(math.atan(self.slope_x))


@dataclass(frozen=True, slots=True)
class Slab:
    """What lies between two surfaces; a surface that is None was not seen within the tomogram, and cuts nothing.

    Attributes
    ----------
    low, high : Surface | None
        At the smaller and at the larger z.
    margin : Voxels
        How far inside of them picks begin to count; negative to count some outside.
    """

    low: Surface | None
    high: Surface | None
    margin: Voxels = 0.0

    def inside(self, positions: Positions) -> BoolArray:
        """Tell which positions lie between the surfaces."""
        keep = np.ones(len(positions), np.bool_)
        if self.low is not None:
            keep &= positions[:, 0] >= self.low.at(positions) + self.margin
        if self.high is not None:
            keep &= positions[:, 0] <= self.high.at(positions) - self.margin
        return keep

    def touches(self, box: Box) -> bool:
        """Tell whether a box reaches into the slab: a plane is farthest from a box at one of its corners."""
        last = np.asarray(box.high) - 1
        corners = np.array(np.meshgrid(*zip(box.low, last, strict=True), indexing="ij"), float).reshape(3, -1).T
        below = self.low is not None and bool((corners[:, 0] < self.low.at(corners) + self.margin).all())
        above = self.high is not None and bool((corners[:, 0] > self.high.at(corners) - self.margin).all())
        return not (below or above)


def given_slab(tomogram: Tomogram, low: Voxels, high: Voxels, tilt_y: float, tilt_x: float, margin: Voxels = 0.0) -> Slab:
    """Make a slab from what the user says.

    Parameters
    ----------
    tomogram : Tomogram
        Where it lies.
    low, high : Voxels
        z of the surfaces in the middle of the field of view; 0 as `high` for the last section.
    tilt_y, tilt_x : float
        How both rise along y and x, in degrees.
    margin : Voxels
        As for `Slab`.

    Returns
    -------
    Slab
        Between two parallel planes.
    """
    slopes = math.tan(math.radians(tilt_y)), math.tan(math.radians(tilt_x))
    middle = _middle(tomogram)
    upper = high if high > 0 else float(tomogram.shape[0] - 1)
    return Slab(Surface(low, *slopes, middle), Surface(upper, *slopes, middle), margin)


def _middle(tomogram: Tomogram) -> tuple[Voxels, Voxels]:
    return (tomogram.shape[1] - 1) / 2, (tomogram.shape[2] - 1) / 2


def find_slab(tomogram: Tomogram) -> Generator[Message, None, Slab]:
    """Find the surfaces of a lamella or of the ice, as a job.

    Parameters
    ----------
    tomogram : Tomogram
        Read once, section by section; with an unknown voxel size, voxels of 10 Å are supposed.

    Yields
    ------
    Message
        Progress.

    Returns
    -------
    Slab
        Without a surface where fewer than a third of the tiles agree on one: the specimen then fills the tomogram up to that
        face, or what surrounds it has the same texture.
    """
    grain = max(1, min(round(GRAIN / (tomogram.voxel_size or 10.0)), tomogram.shape[0] // 8 or 1))
    texture = yield from _texture(tomogram, grain)
    tiles = _tiles(texture)
    # faces between grains, in voxels, whose centres are at whole numbers; NaN where there is none
    ends = np.array([_box(profile) for profile, _, _ in tiles], np.float64) * grain - 0.5
    extents = np.array(tomogram.shape[1:]) / texture.shape[1:]
    places = (np.array([(y, x) for _, y, x in tiles]) + 0.5) * extents - 0.5
    near = NEAR / (tomogram.voxel_size or 10.0)
    low, high = (_agreed(heights, places, _middle(tomogram), near) for heights in ends.T)
    return Slab(low, high)


def _agreed(
    heights: NDArray[np.float64], places: NDArray[np.float64], middle: tuple[Voxels, Voxels], near: Voxels
) -> Surface | None:
    """Return the plane through the ends of tiles, if enough of all of them lie on it."""
    seen = np.isfinite(heights)
    if seen.sum() < CONSENSUS * len(heights):
        return None
    plane = _plane(heights[seen], places[seen] - middle, middle)
    away = np.abs(plane.at(np.column_stack([heights, places])) - heights)
    least = max(CONSENSUS * len(heights), UNANIMITY * seen.sum())
    return plane if (away[seen] <= near).sum() >= least else None


def _texture(tomogram: Tomogram, grain: int) -> Generator[Message, None, NDArray[np.float64]]:
    """Measure the logarithm of the variance of (z, area, area), over averaged voxels."""
    depth = tomogram.shape[0] // grain
    rows, columns = (max(1, n // (grain * AREA)) for n in tomogram.shape[1:])
    texture = np.empty((depth, rows, columns))
    for z in range(depth):
        slab = np.nan_to_num(np.asarray(tomogram.data[z * grain : (z + 1) * grain]).mean(axis=0, dtype=np.float64))
        height, width = (n // (count * grain) for n, count in zip(slab.shape, (rows, columns), strict=True))
        slab = slab[: rows * height * grain, : columns * width * grain]
        grains = slab.reshape(rows * height, grain, columns * width, grain).mean(axis=(1, 3))
        variance = grains.reshape(rows, height, columns, width).var(axis=(1, 3))
        texture[z] = np.log(np.maximum(variance, 1e-12))
        yield Progress(stage="Looking for the surfaces", done=z + 1, total=depth)
    return texture


def _tiles(texture: NDArray[np.float64]) -> list[tuple[NDArray[np.float64], float, float]]:
    """Average areas to tiles by their median, which gold beads do not move; (profile along z, y, x) in areas."""
    rows, columns = texture.shape[1:]
    size = max(1, math.ceil(max(rows, columns) / TILES))
    tiles = []
    for y in range(0, rows, size):
        for x in range(0, columns, size):
            part = texture[:, y : y + size, x : x + size]
            profile = np.median(part.reshape(len(texture), -1), axis=1)
            middle = y + (part.shape[1] - 1) / 2, x + (part.shape[2] - 1) / 2
            tiles.append((median_filter(profile, 3, mode="nearest"), *middle))
    return tiles


def _box(profile: NDArray[np.float64]) -> tuple[float, float]:
    """Fit low, high, low to a profile by least squares; return before which value it rises and falls, NaN where it does not.

    An end is believed where the texture beyond it is poorer by `STEP` and by four times what chance makes of it.
    """
    n, sums, squares = len(profile), np.append(0.0, profile.cumsum()), np.append(0.0, (profile**2).cumsum())
    best, ends = math.inf, (0, n)
    thin = max(3, round(THINNEST * n))
    for first in range(n - thin + 1):
        last = np.arange(first + thin, n + 1)
        inner = (sums[last] - sums[first]) / (last - first)
        outside = n - (last - first)
        outer = (sums[-1] - sums[last] + sums[first]) / np.maximum(outside, 1)
        cost = squares[-1] - inner**2 * (last - first) - outer**2 * outside
        cost[(outer > inner) & (outside > 0)] = math.inf
        at = int(cost.argmin())
        if cost[at] < best - 1e-12:
            best, ends = float(cost[at]), (first, int(last[at]))
    spread = math.sqrt(max(best, 1e-12) / max(n - 4, 1))
    inner = profile[ends[0] : ends[1]]
    rises = _believed(profile[: ends[0]], inner, spread)
    falls = _believed(profile[ends[1] :], inner, spread)
    return (ends[0] if rises else math.nan), (ends[1] if falls else math.nan)


def _believed(outer: NDArray[np.float64], inner: NDArray[np.float64], spread: float) -> bool:
    if len(outer) < 2:
        return False
    step = float(inner.mean() - outer.mean())
    return step > max(STEP, 4 * spread * math.sqrt(1 / len(outer) + 1 / len(inner)))


def _plane(heights: NDArray[np.float64], beside: NDArray[np.float64], middle: tuple[Voxels, Voxels]) -> Surface:
    """Lay a plane through places so that those which stand out count little; with fewer than six, a level one."""
    if len(heights) < 6:
        return Surface(float(np.median(heights)), 0.0, 0.0, middle)
    begin = np.array([np.median(heights), 0.0, 0.0])
    design = np.column_stack([np.ones(len(heights)), beside])
    spread = max(1.0, 1.4826 * float(np.median(np.abs(heights - begin[0]))))

    def away(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((design @ values - heights) / spread, np.float64)

    found = least_squares(away, begin, loss="cauchy", x_scale=np.array([1, 1e-2, 1e-2])).x
    return Surface(float(found[0]), float(found[1]), float(found[2]), middle)
