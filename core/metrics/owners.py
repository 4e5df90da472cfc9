"""Which particle a pick lies in, as SHREC 2021 counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.metrics.matching import Reals
    from core.particles import ParticleTable
    from core.types import BoolArray, IntArray, Positions, Volume


def owners(
    truth: ParticleTable, picks: ParticleTable, reaches: Mapping[int, float], occupancy: Volume | None, counted: BoolArray
) -> tuple[IntArray, Reals]:
    """Give each particle to the first pick that lies in it.

    Parameters
    ----------
    truth : ParticleTable
        (t,) references that count.
    picks : ParticleTable
        (n,) picks, best score first.
    reaches : Mapping[int, float]
        Radius of each class id in voxels, which stands for the particle's volume where there is no occupancy volume.
    occupancy : Volume | None
        (z, y, x) number of the reference that fills a voxel, from 1; 0 for none.
    counted : BoolArray
        Which of the references that the occupancy volume numbers are in `truth`.

    Returns
    -------
    partners : IntArray
        (n,) row of the reference, -1 where a pick lies in none, or not as the first.
    distances : NDArray[np.float64]
        (n,) to the centre of that reference in voxels, NaN where there is none.

    Raises
    ------
    ConfigError
        If the occupancy volume names a reference that there is not.
    """
    inside = _in_balls(truth, picks, reaches) if occupancy is None else _in_volume(picks.positions, occupancy, counted)
    partners = np.full(len(picks), -1, np.int64)
    rows = np.flatnonzero(inside >= 0)
    _, first = np.unique(inside[rows], return_index=True)
    partners[rows[first]] = inside[rows[first]]
    distances = np.full(len(picks), np.nan)
    hit = partners >= 0
    distances[hit] = np.linalg.norm(picks.positions[hit] - truth.positions[partners[hit]], axis=1)
    return partners, distances


def _in_balls(truth: ParticleTable, picks: ParticleTable, reaches: Mapping[int, float]) -> IntArray:
    """Return the nearest of the references within whose radius a pick lies, -1 for none."""
    inside, nearest = np.full(len(picks), -1, np.int64), np.full(len(picks), np.inf)
    for number, reach in reaches.items():
        rows = np.flatnonzero(truth.class_ids == number)
        if not len(rows) or not len(picks):
            continue
        away, found = (np.atleast_1d(one) for one in cKDTree(truth.positions[rows]).query(picks.positions))
        nearer = (away <= reach) & (away < nearest)
        inside[nearer], nearest[nearer] = rows[found[nearer]], away[nearer]
    return inside


def _in_volume(positions: Positions, occupancy: Volume, counted: BoolArray) -> IntArray:
    if not len(positions):
        return np.zeros(0, np.int64)
    voxels = np.clip(np.round(positions).astype(int), 0, np.array(occupancy.shape) - 1)
    # one voxel at a time: a volume on disk is never read as a whole
    numbers = np.array([int(occupancy[z, y, x]) for z, y, x in voxels.tolist()], np.int64)
    if len(numbers) and numbers.max() > len(counted):
        raise ConfigError(
            f"The occupancy volume names particle {numbers.max()}, but the reference has {len(counted)}: "
            "give the volume that belongs to it."
        )
    rows = np.concatenate([[-1], np.where(counted, np.cumsum(counted) - 1, -1)])
    return np.asarray(rows[np.maximum(numbers, 0)], np.int64)
