"""One-to-one matching of picks to references, best score first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.types import BoolArray, IntArray, Positions, Voxels

Reals: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Picks of one class after matching, best score first, without those that neutral references excuse.

    Attributes
    ----------
    scores : NDArray[np.float64]
        (n,) scores; NaN where a pick has none, which ranks as 0 but passes every threshold.
    hits : BoolArray
        (n,) True where the pick was matched to a reference.
    distances : NDArray[np.float64]
        (n,) distance to the matched reference in voxels, NaN where no hit.
    truth : int
        Number of references that should have been found.
    """

    scores: Reals = field(repr=False)
    hits: BoolArray = field(repr=False)
    distances: Reals = field(repr=False)
    truth: int


def rank(truth: Positions, picks: Positions, scores: Reals, reach: Voxels, neutral: Positions | None = None) -> Ranking:
    """Match picks of one class to references, one-to-one and best score first.

    Parameters
    ----------
    truth : Positions
        (t, 3) zyx references to be found, in voxels.
    picks : Positions
        (n, 3) zyx picks in voxels.
    scores : NDArray
        (n,) score of each pick, higher is better; NaN ranks as 0.
    reach : Voxels
        Largest distance of a hit to its reference, in voxels.
    neutral : Positions | None
        (m, 3) zyx references that need not be found: a pick that matches only one of these is left out.

    Returns
    -------
    Ranking
        The picks that count, best score first; equal scores keep their order.
    """
    order = best_first(np.asarray(scores, np.float64))
    picks, scores = np.asarray(picks, np.float64).reshape(-1, 3)[order], np.asarray(scores, np.float64)[order]
    distances, _ = match(truth, picks, reach)
    counts = np.ones(len(picks), np.bool_)
    if neutral is not None:
        missed = np.flatnonzero(np.isnan(distances))
        counts[missed] = np.isnan(match(neutral, picks[missed], reach)[0])
    return Ranking(scores[counts], ~np.isnan(distances[counts]), distances[counts], len(truth))


def best_first(scores: Reals) -> IntArray:
    """Return the order in which picks are matched.

    Parameters
    ----------
    scores : NDArray[np.float64]
        (n,) scores; NaN ranks as 0.

    Returns
    -------
    IntArray
        (n,) row numbers, best score first, equal ones as they came.
    """
    return np.asarray(np.argsort(-np.nan_to_num(scores), kind="stable"), np.int64)


def passes(scores: Reals, threshold: float) -> BoolArray:
    """Tell which picks a threshold keeps.

    Parameters
    ----------
    scores : NDArray[np.float64]
        (n,) scores; NaN passes every threshold, because there is nothing to judge it by.
    threshold : float
        Least score.

    Returns
    -------
    BoolArray
        (n,) True for the picks that are kept.
    """
    return np.asarray(np.nan_to_num(scores, nan=np.inf) >= threshold, np.bool_)


def match(references: Positions, picks: Positions, reach: Voxels) -> tuple[Reals, IntArray]:
    """Match picks in their order, each to the nearest reference that no earlier pick has taken.

    Parameters
    ----------
    references : Positions
        (t, 3) zyx voxels.
    picks : Positions
        (n, 3) zyx voxels, the best first.
    reach : Voxels
        Largest distance of a match.

    Returns
    -------
    distances : NDArray[np.float64]
        (n,) distance to the matched reference in voxels, NaN where there is none.
    partners : IntArray
        (n,) row of that reference, -1 where there is none.
    """
    distances, partners = np.full(len(picks), np.nan), np.full(len(picks), -1, np.int64)
    if not (len(references) and len(picks)):
        return distances, partners
    pairs = cKDTree(picks).sparse_distance_matrix(cKDTree(references), reach, output_type="ndarray")
    taken = np.zeros(len(references), np.bool_)
    for k in np.lexsort((pairs["j"], pairs["v"], pairs["i"])):
        pick, reference = pairs["i"][k], pairs["j"][k]
        if partners[pick] < 0 and not taken[reference]:
            taken[reference], distances[pick], partners[pick] = True, pairs["v"][k], reference
    return distances, partners


def pooled(rankings: Sequence[Ranking]) -> Ranking:
    """Put rankings together, as if all picks were of one tomogram and class.

    Parameters
    ----------
    rankings : Sequence[Ranking]
        Any number.

    Returns
    -------
    Ranking
        Best score first.
    """
    if not rankings:
        return Ranking(np.zeros(0), np.zeros(0, np.bool_), np.zeros(0), 0)
    order = best_first(np.concatenate([one.scores for one in rankings]))
    scores, hits, distances = (
        np.concatenate([getattr(one, name) for one in rankings])[order] for name in ("scores", "hits", "distances")
    )
    return Ranking(scores, hits, distances, sum(one.truth for one in rankings))
