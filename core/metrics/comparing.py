"""Two sets of picks of one tomogram side by side."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.metrics.matching import Reals
    from core.particles import ClassSpec, ParticleTable
    from core.types import Angstrom, IntArray, Positions


class Kind(IntEnum):
    """How two sets agree on a particle."""

    SAME = 0
    OTHER_CLASS = 1
    ONLY_A = 2
    ONLY_B = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Every particle of two sets, once.

    Attributes
    ----------
    a, b : ParticleTable
        The sets.
    kinds : IntArray
        (n,) values of `Kind`.
    rows_a, rows_b : IntArray
        (n,) rows of the sets, -1 where one has none.
    distances : NDArray[np.float64]
        (n,) voxels between the two, NaN where one has none.
    """

    a: ParticleTable = field(repr=False)
    b: ParticleTable = field(repr=False)
    kinds: IntArray = field(repr=False)
    rows_a: IntArray = field(repr=False)
    rows_b: IntArray = field(repr=False)
    distances: Reals = field(repr=False)

    @property
    def positions(self) -> Positions:
        """(n, 3) zyx voxels: of A where it has one, else of B."""
        places = np.empty((len(self.kinds), 3))
        has = self.rows_a >= 0
        places[has] = self.a.positions[self.rows_a[has]]
        places[~has] = self.b.positions[self.rows_b[~has]]
        return places

    def count(self, kind: Kind) -> int:
        """Return how many particles are of a kind."""
        return int((self.kinds == kind).sum())

    @property
    def agreement(self) -> float:
        """Twice the particles that are the same over those of both sets together, which is F1 of one against the other, 0..1."""
        both = len(self.a) + len(self.b)
        return 2 * self.count(Kind.SAME) / both if both else 0.0


def compare(a: ParticleTable, b: ParticleTable, classes: Sequence[ClassSpec], voxel_size: Angstrom, reach: float) -> Comparison:
    """Pair the particles of two sets, the nearest first; neither set is the reference of the other.

    Parameters
    ----------
    a, b : ParticleTable
        Sets of the same tomogram, with the same numbers of classes.
    classes : Sequence[ClassSpec]
        The classes; particles of others are left out.
    voxel_size : Angstrom
        Å per voxel, above 0.
    reach : float
        Largest distance of a pair in radii of the larger of their classes.

    Returns
    -------
    Comparison
        Pairs of one class first, then pairs of different ones, then those that only one set has; each kind in the order of A.
    """
    radii = {spec.id: spec.diameter / 2 / voxel_size for spec in classes}
    a, b = (one.select(np.isin(one.class_ids, list(radii))) for one in (a, b))
    partner, away = np.full(len(a), -1, np.int64), np.full(len(a), np.nan)
    if len(a) and len(b):
        most = reach * max(radii.values())
        pairs = cKDTree(a.positions).sparse_distance_matrix(cKDTree(b.positions), most, output_type="ndarray")
        sizes = np.array([radii[int(number)] for number in a.class_ids]), np.array([radii[int(number)] for number in b.class_ids])
        pairs = pairs[pairs["v"] <= reach * np.maximum(sizes[0][pairs["i"]], sizes[1][pairs["j"]])]
        differ, taken = a.class_ids[pairs["i"]] != b.class_ids[pairs["j"]], np.zeros(len(b), np.bool_)
        for k in np.lexsort((pairs["j"], pairs["i"], pairs["v"], differ)):
            i, j = pairs["i"][k], pairs["j"][k]
            if partner[i] < 0 and not taken[j]:
                partner[i], away[i], taken[j] = j, pairs["v"][k], True
    matched, alone = np.flatnonzero(partner >= 0), np.flatnonzero(partner < 0)
    only_b = np.setdiff1d(np.arange(len(b)), partner[matched])
    other = a.class_ids[matched] != b.class_ids[partner[matched]]
    rows = np.concatenate([matched[~other], matched[other], alone])
    counts = (int((~other).sum()), int(other.sum()), len(alone), len(only_b))
    return Comparison(
        a=a,
        b=b,
        kinds=np.repeat(np.array(list(Kind), np.int64), counts),
        rows_a=np.concatenate([rows, np.full(len(only_b), -1)]),
        rows_b=np.concatenate([partner[rows], only_b]),
        distances=np.concatenate([away[rows], np.full(len(only_b), np.nan)]),
    )
