"""Gold beads: by far the most extreme compact things in a tomogram, dark or bright, and what lies on them is no particle."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter, label, maximum_filter
from scipy.spatial import cKDTree

from core.filters import binned
from core.messages import Progress

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from core.messages import Message
    from core.tomogram import Box, Tomogram
    from core.types import Angstrom, BoolArray, FloatArray, Positions, Voxels

ACROSS = 5  # voxels along a bead while it is looked for
EXTREME = 20.0  # robust standard deviations of the filtered volume; the darkest particles stay below 14 in our tomograms
SHARE = 0.4  # of the strongest bead, which the others must reach
LARGEST = 3.0  # diameters along what is still a bead; beyond, it is a crack, carbon or ice
_SAMPLES = 2**21


@dataclass(frozen=True, slots=True, eq=False)
class Beads:
    """Spheres around gold beads, where no pick counts.

    Attributes
    ----------
    positions : Positions
        (n, 3) zyx voxels of their centres.
    reach : Voxels
        Radius of the spheres.
    """

    positions: Positions = field(repr=False)
    reach: Voxels

    def inside(self, positions: Positions) -> BoolArray:
        """Tell which positions lie on no bead."""
        if not len(self.positions) or not len(positions):
            return np.ones(len(positions), np.bool_)
        away, _ = cKDTree(self.positions).query(positions, distance_upper_bound=np.nextafter(self.reach, np.inf))
        return np.asarray(away > self.reach, np.bool_)

    def touches(self, box: Box) -> bool:
        """Tell whether picks may count in a box: a bead is smaller than what is computed at once."""
        return True


def find_beads(tomogram: Tomogram, diameter: Angstrom) -> Generator[Message, None, Positions]:
    """Find gold beads, as a job.

    The tomogram is averaged until a bead is five voxels across, and filtered for things of that size by a difference of Gaussians.
    Beads are the peaks, of either sign, beyond 20 robust standard deviations and two fifths of the strongest one; peaks nearer than
    one and a half diameters to a stronger one are its fringes.

    Parameters
    ----------
    tomogram : Tomogram
        Read once; with an unknown voxel size, voxels of 10 Å are supposed.
    diameter : Angstrom
        Of the beads.

    Yields
    ------
    Message
        Progress.

    Returns
    -------
    Positions
        (n, 3) zyx voxels of their centres, the strongest first.
    """
    across = diameter / (tomogram.voxel_size or 10.0)
    factor = max(1, min(int(across / ACROSS), min(tomogram.shape)))
    yield Progress(stage="Looking for gold beads", done=0, total=4)
    volume = np.nan_to_num(binned(tomogram.data, factor))
    yield Progress(stage="Looking for gold beads", done=1, total=4)
    strength = gaussian_filter(volume, 0.3 * across / factor) - gaussian_filter(volume, 0.7 * across / factor)
    yield Progress(stage="Looking for gold beads", done=2, total=4)
    sample = strength.reshape(-1)[:: max(1, strength.size // _SAMPLES)]
    middle = np.median(sample)
    spread = max(1.4826 * float(np.median(np.abs(sample - middle))), 1e-12)
    strength = np.abs(strength - middle) / np.float32(spread)
    yield Progress(stage="Looking for gold beads", done=3, total=4)
    found = _peaks(strength, across / factor)
    return np.asarray(found * factor + (factor - 1) / 2, np.float64)


def _peaks(strength: FloatArray, across: Voxels) -> NDArray[np.float64]:
    least = max(EXTREME, SHARE * float(strength.max(initial=0)))
    strong = strength >= least
    parts, count = label(strong)
    sizes = np.bincount(parts.reshape(-1), minlength=count + 1)
    compact = sizes <= (LARGEST * across) ** 3
    compact[0] = False
    width = max(3, 2 * int(across / 2) + 1)
    places = np.argwhere(strong & compact[parts] & (strength == maximum_filter(strength, width)))
    places = places[np.argsort(-strength[tuple(places.T)], kind="stable")]
    kept: list[NDArray[np.int64]] = []
    for place in places:
        if all(np.linalg.norm(place - other) >= 1.5 * across for other in kept):
            kept.append(place)
    return np.array([_centre(strength, place, across / 2) for place in kept]).reshape(-1, 3)


def _centre(strength: FloatArray, place: NDArray[np.int64], radius: Voxels) -> NDArray[np.float64]:
    """Return the centre of mass of what is at least half as strong around a peak."""
    low = np.maximum(place - max(1, round(radius)), 0)
    part = strength[tuple(slice(a, p + max(1, round(radius)) + 1) for a, p in zip(low, place, strict=True))]
    weights = np.maximum(part - part.max() / 2, 0)
    grid = np.indices(part.shape).reshape(3, -1)
    return np.asarray(low + (grid * weights.reshape(-1)).sum(axis=1) / weights.sum(), np.float64)
