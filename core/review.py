"""Which candidates count as picks: by score, distance and place, as views that never compute a pick again.

What is seen, what is accepted all at once and what is exported go through the same functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from core.config import ReviewConfig
from core.particles import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from core.particles import ClassSpec, ParticleTable
    from core.tomogram import Mask
    from core.types import Angstrom, BoolArray, FloatArray, IntArray, Positions, Shape, Voxels

NEARNESS = 0.5  # particle diameters within which two positions mean the same particle
REFUSED = 0.25  # diameters around a rejected pick where none is asked about again; its neighbour may be the right one


def shown(
    table: ParticleTable,
    reviews: Mapping[int, ReviewConfig],
    classes: Mapping[int, ClassSpec],
    shape: Shape,
    voxel_size: Angstrom,
    mask: Mask | None = None,
) -> BoolArray:
    """Tell which particles are seen: all that were judged, and the candidates that count.

    Parameters
    ----------
    table : ParticleTable
        n particles of one tomogram.
    reviews : Mapping[int, ReviewConfig]
        What is asked of the candidates of each class id; a class that is not in it has the defaults.
    classes : Mapping[int, ClassSpec]
        The classes by id; of one that is not in it, neighbours are not thinned out.
    shape : Shape
        (z, y, x) extents of the tomogram in voxels.
    voxel_size : Angstrom
        Å per voxel; where it is not known, 1 is taken.
    mask : Mask | None
        Candidates outside of it do not count; None for no such limit.

    Returns
    -------
    BoolArray
        (n,) False for candidates that do not count.
    """
    return above(table, reviews) & placed(table, reviews, classes, shape, voxel_size, mask)


def above(table: ParticleTable, reviews: Mapping[int, ReviewConfig]) -> BoolArray:
    """Tell which particles reach the threshold of their class.

    Parameters
    ----------
    table : ParticleTable
        n particles of one tomogram.
    reviews : Mapping[int, ReviewConfig]
        As for `shown`.

    Returns
    -------
    BoolArray
        (n,) False for candidates below it; one without a score is never below.
    """
    candidate = table.statuses == Status.CANDIDATE
    low = np.zeros(len(table), np.bool_)
    for number, rows in _classes_of(table):
        low |= rows & (table.scores < reviews.get(number, ReviewConfig()).threshold)
    return np.asarray(~(candidate & low), np.bool_)


def placed(
    table: ParticleTable,
    reviews: Mapping[int, ReviewConfig],
    classes: Mapping[int, ClassSpec],
    shape: Shape,
    voxel_size: Angstrom,
    mask: Mask | None = None,
) -> BoolArray:
    """Tell which particles lie within the mask, and far enough from the faces of the tomogram and from better ones.

    This does not depend on the thresholds: whoever hides a candidate has a higher score, so that a threshold which hides it
    hides both. A slider can therefore keep the result and ask `above` alone.

    Parameters
    ----------
    table, reviews, classes, shape, voxel_size, mask : ParticleTable, Mapping, Mapping, Shape, Angstrom, Mask | None
        As for `shown`.

    Returns
    -------
    BoolArray
        (n,) False for candidates in the margin or outside of the mask, for those that lie on a judged particle of their class and
        so ask for nothing, and for those too near an accepted particle of their class or a better candidate of it that is kept.
    """
    candidate = table.statuses == Status.CANDIDATE
    keep = outstanding(table, classes, voxel_size)
    keep &= ~masked(table, mask)
    for number, mine in _classes_of(table):
        review = reviews.get(number, ReviewConfig())
        if review.edge > 0:
            upper = np.asarray(shape) - 1 - review.edge
            inside = ((table.positions >= review.edge) & (table.positions <= upper)).all(axis=1)
            keep &= ~(mine & candidate & ~inside)
        if review.min_distance > 0 and number in classes:
            rows = np.flatnonzero(mine & keep & (table.statuses != Status.REJECTED))
            reach = review.min_distance * classes[number].diameter / (voxel_size or 1.0)
            keep[rows] = apart(table.positions[rows], table.scores[rows], reach, ~candidate[rows])
    return keep


def masked(table: ParticleTable, mask: Mask | None) -> BoolArray:
    """Tell which candidates a mask takes out; what was judged stays, wherever it lies.

    Parameters
    ----------
    table, mask : ParticleTable, Mask | None
        As for `shown`.

    Returns
    -------
    BoolArray
        (n,) True for these.
    """
    found = np.asarray(table.statuses == Status.CANDIDATE, np.bool_)
    found[found] = False if mask is None else ~mask.inside(table.positions[found])
    return found


def outstanding(table: ParticleTable, classes: Mapping[int, ClassSpec], voxel_size: Angstrom) -> BoolArray:
    """Tell which particles stand for themselves: a candidate on a judged particle of its class asks for nothing any more.

    Parameters
    ----------
    table : ParticleTable
        n particles of one tomogram.
    classes, voxel_size : Mapping, Angstrom
        As for `shown`.

    Returns
    -------
    BoolArray
        (n,) False for candidates that lie on an accepted or rejected particle of their class.
    """
    keep = np.ones(len(table), np.bool_)
    candidate = table.statuses == Status.CANDIDATE
    if candidate.any():
        keep[candidate] = ~_judged(table.select(candidate), table, classes, voxel_size)
    return keep


def unjudged(
    found: ParticleTable,
    known: ParticleTable,
    reviews: Mapping[int, ReviewConfig],
    classes: Mapping[int, ClassSpec],
    shape: Shape,
    voxel_size: Angstrom,
    mask: Mask | None = None,
) -> BoolArray:
    """Tell which picks are seen beside what is known already, before they are kept.

    Parameters
    ----------
    found : ParticleTable
        n candidates.
    known : ParticleTable
        Particles of the same tomogram; candidates among them do not count.
    reviews, classes, shape, voxel_size, mask : Mapping, Mapping, Shape, Angstrom, Mask | None
        As for `shown`.

    Returns
    -------
    BoolArray
        (n,) False for candidates that do not count, and for those that lie on a judged particle of their class.
    """
    return shown(found, reviews, classes, shape, voxel_size, mask) & ~_judged(found, known, classes, voxel_size)


def _judged(found: ParticleTable, known: ParticleTable, classes: Mapping[int, ClassSpec], voxel_size: Angstrom) -> BoolArray:
    """Tell which lie where somebody has decided already."""
    accepted, rejected = (known.select(known.statuses == status) for status in (Status.ACCEPTED, Status.REJECTED))
    return taken(found, accepted, classes, voxel_size) | taken(found, rejected, classes, voxel_size, REFUSED)


def doubtful(scores: FloatArray) -> IntArray:
    """Put candidates in the order in which a judgement tells most: even chances first (uncertainty sampling).

    Lewis & Gale 1994, doi 10.1007/978-1-4471-2099-5_1.

    Parameters
    ----------
    scores : FloatArray
        (n,) calibrated scores, which are probabilities of being right.

    Returns
    -------
    IntArray
        (n,) rows; among equals the first comes first.
    """
    return np.argsort(np.abs(np.asarray(scores, float) - 0.5), kind="stable")


def _classes_of(table: ParticleTable) -> Iterator[tuple[int, BoolArray]]:
    for number in np.flatnonzero(np.bincount(table.class_ids)).tolist():
        yield number, table.class_ids == number


def apart(positions: Positions, scores: FloatArray, distance: Voxels, settled: BoolArray | None = None) -> BoolArray:
    """Keep the best of every group that is too close together.

    Parameters
    ----------
    positions : Positions
        (n, 3) zyx voxels.
    scores : FloatArray
        (n,) the higher, the better; NaN is better than any number.
    distance : Voxels
        Whoever is nearer than this to a better one that is kept is dropped.
    settled : BoolArray | None
        (n,) which are kept in any case and come before all others; None for none.

    Returns
    -------
    BoolArray
        (n,) True for those that are kept: the same as going through them from the best to the worst. Among equals the first wins.
    """
    keep = np.ones(len(positions), np.bool_)
    if distance <= 0 or len(positions) < 2:
        return keep
    settled = np.zeros(len(positions), np.bool_) if settled is None else settled
    tree = cKDTree(positions, balanced_tree=False, compact_nodes=False)
    pairs = tree.query_pairs(np.nextafter(distance, 0), output_type="ndarray")
    better, worse = _ordered(pairs, scores, settled)
    while len(better):
        undecided = np.zeros(len(positions), np.bool_)
        undecided[worse] = True
        keep[worse[~undecided[better]]] = False
        rest = keep[better] & keep[worse]
        better, worse = better[rest], worse[rest]
    return keep


def _ordered(pairs: IntArray, scores: FloatArray, settled: BoolArray) -> tuple[IntArray, IntArray]:
    """Put the better of each pair first, and leave out pairs of settled ones."""
    value = np.where(settled, np.inf, np.where(np.isnan(scores), np.finfo(np.float32).max, scores))
    rank = np.empty(len(value), np.int64)
    rank[np.argsort(-value, kind="stable")] = np.arange(len(value))
    one, two = pairs[~settled[pairs].all(axis=1)].T
    first = rank[one] < rank[two]
    return np.where(first, one, two), np.where(first, two, one)


def taken(
    found: ParticleTable,
    known: ParticleTable,
    classes: Mapping[int, ClassSpec],
    voxel_size: Angstrom,
    nearness: float = NEARNESS,
) -> BoolArray:
    """Tell which particles lie on a known one of the same class.

    Parameters
    ----------
    found : ParticleTable
        n particles.
    known : ParticleTable
        Others of the same tomogram.
    classes : Mapping[int, ClassSpec]
        The classes by id; a class that is not in it is not compared.
    voxel_size : Angstrom
        Å per voxel; where it is not known, 1 is taken.
    nearness : float
        Two are the same up to this distance, in particle diameters.

    Returns
    -------
    BoolArray
        (n,) True for those.
    """
    same = np.zeros(len(found), np.bool_)
    for number in np.unique(known.class_ids).tolist():
        mine, rows = known.positions[known.class_ids == number], np.flatnonzero(found.class_ids == number)
        if number not in classes or not len(rows):
            continue
        reach = nearness * classes[number].diameter / (voxel_size or 1.0)
        away, _ = cKDTree(mine).query(found.positions[rows], distance_upper_bound=np.nextafter(reach, np.inf))
        same[rows] = away <= reach
    return same
