"""Precision, recall, F1 and their kin from matched picks, at one threshold or at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from core.metrics.matching import passes

if TYPE_CHECKING:
    from core.metrics.matching import Ranking, Reals
    from core.types import BoolArray, Voxels

NEUTRAL_THRESHOLD = 0.5
"""The threshold that stands where no threshold gives a hit."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one set of picks is worth.

    Attributes
    ----------
    truth, picks, hits : int
        References to find, picks that count, and picks that were matched.
    precision, recall, f1, f4 : float
        0..1; 0 where they are undefined. F4 weighs recall 16 times and so rewards over-picking.
    average_precision : float
        Area under the interpolated precision-recall curve of these picks, 0..1.
    error : float | None
        Mean distance of the hits to their references in voxels; None without hits.
    """

    truth: int
    picks: int
    hits: int
    precision: float
    recall: float
    f1: float
    f4: float
    average_precision: float
    error: Voxels | None


@dataclass(frozen=True, slots=True)
class Curve:
    """Precision, recall and F1 at every distinct score as threshold, strictest first; all arrays are (m,)."""

    thresholds: Reals = field(repr=False)
    precision: Reals = field(repr=False)
    recall: Reals = field(repr=False)
    f1: Reals = field(repr=False)


def figures(ranking: Ranking, threshold: float | None = None) -> Figures:
    """Sum up a ranking, or the part of it that scores at least a threshold.

    Parameters
    ----------
    ranking : Ranking
        Matched picks.
    threshold : float | None
        Picks that score lower do not count; None counts all.

    Returns
    -------
    Figures
        The figures of these picks.
    """
    kept = np.ones(len(ranking.scores), np.bool_) if threshold is None else passes(ranking.scores, threshold)
    hits, n_picks = ranking.hits[kept], int(kept.sum())
    n_hits = int(hits.sum())
    precision = n_hits / n_picks if n_picks else 0.0
    recall = n_hits / ranking.truth if ranking.truth else 0.0
    return Figures(
        truth=ranking.truth,
        picks=n_picks,
        hits=n_hits,
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / (precision + recall) if n_hits else 0.0,
        f4=17 * precision * recall / (16 * precision + recall) if n_hits else 0.0,
        average_precision=_average_precision(hits, ranking.truth),
        error=float(np.mean(ranking.distances[kept][hits])) if n_hits else None,
    )


def f1_curve(ranking: Ranking, beta: float = 1.0) -> Curve:
    """Return precision, recall and F1 at every threshold that makes a difference.

    Parameters
    ----------
    ranking : Ranking
        Matched picks; a NaN score counts as 0.
    beta : float
        Recall counts beta squared times as much as precision: with another beta than 1, F-beta stands in the place of F1.

    Returns
    -------
    Curve
        One entry for each distinct score, strictest first; a threshold keeps all picks that score as much or more.
    """
    scores = np.nan_to_num(ranking.scores)
    last = np.flatnonzero(np.append(np.diff(scores) < 0, len(scores) > 0))  # ties are kept or dropped together
    hits, picks = np.cumsum(ranking.hits)[last], last + 1.0
    return Curve(
        thresholds=scores[last],
        precision=hits / picks,
        recall=hits / max(ranking.truth, 1),
        f1=(1 + beta**2) * hits / (picks + beta**2 * ranking.truth),
    )


def best_threshold(ranking: Ranking, beta: float = 1.0) -> tuple[float, float]:
    """Find the threshold with the highest F1, or F-beta.

    The threshold lies midway between the last score that is kept and the next lower one (or 0 if there is none), so
    that it suits other picks of the same kind, too; among equal F1 the strictest wins.

    Parameters
    ----------
    ranking : Ranking
        Matched picks.
    beta : float
        As for `f1_curve`.

    Returns
    -------
    threshold : float
        0.5 if no threshold gives a hit.
    f1 : float
        F1 of the picks that score at least the threshold, 0..1.
    """
    if not ranking.hits.any():
        return NEUTRAL_THRESHOLD, 0.0
    curve = f1_curve(ranking, beta)
    best = int(np.argmax(curve.f1))
    kept = float(curve.thresholds[best])
    dropped = float(curve.thresholds[best + 1]) if best + 1 < len(curve.thresholds) else min(0.0, kept)
    middle = (kept + dropped) / 2
    return (middle if middle > dropped else kept), float(curve.f1[best])


def _average_precision(hits: BoolArray, truth: int) -> float:
    if not truth or not len(hits):
        return 0.0
    found = np.cumsum(hits)
    precision = found / np.arange(1, len(hits) + 1)
    interpolated = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(interpolated[hits]) / truth)
