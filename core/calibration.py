"""From raw scores to scores that mean a probability, and the threshold that goes with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from core.metrics import Curve

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from core.metrics import Ranking
    from core.metrics.matching import Reals
    from core.types import FloatArray

IDENTITY = (1.0, 0.0)
FEWEST = 10  # candidates that a mixture is fitted to
ROUNDS = 200  # of expectation-maximisation, far more than it takes
TINY = 1e-3
PRIOR = 4.0  # weight of the identity against the evidence, in candidates
LEAST = 1e-3  # raw scores are kept this far from 0 and 1: the score map tells no finer ones apart near 1


def fit_calibration(ranking: Ranking) -> tuple[float, float]:
    """Fit a logistic curve to which candidates were hits (Platt 1999, regularised towards no change).

    Parameters
    ----------
    ranking : Ranking
        Raw scores of the candidates of one class on held-back data, and whether they were hits.

    Returns
    -------
    tuple[float, float]
        Slope, above 0 so that the order stays, and offset of the logit.
    """
    if not ranking.hits.any() or ranking.hits.all():
        return IDENTITY
    x = logit(np.clip(ranking.scores, LEAST, 1 - LEAST))
    y = ranking.hits.astype(float)

    def cost(parameters: np.ndarray) -> float:
        log_slope, offset = parameters
        z = np.exp(log_slope) * x + offset
        return float(np.logaddexp(0, z).sum() - (y * z).sum() + PRIOR / 2 * (log_slope**2 + offset**2 / 4))

    log_slope, offset = minimize(cost, np.zeros(2), method="Nelder-Mead").x
    return float(np.exp(log_slope)), float(offset)


def fit_mixture(known: Ranking, unknown: Reals) -> tuple[float, float]:
    """Fit the logistic curve where most candidates are neither known to be right nor wrong.

    The logits of right and of wrong candidates are taken as two normal distributions of the same width, for which the
    probability of being right is a logistic curve of the logit; expectation-maximisation finds them, with the known candidates
    fixed (McLachlan & Peel 2000, Finite Mixture Models).

    Parameters
    ----------
    known : Ranking
        Raw scores of the candidates of which it is known.
    unknown : Reals
        (m,) raw scores of the others.

    Returns
    -------
    tuple[float, float]
        Slope, above 0, and offset of the logit; no change where there are too few candidates to tell two kinds apart.
    """
    scores = np.concatenate([known.scores, unknown])
    if len(scores) < FEWEST or not known.hits.any():
        return IDENTITY
    x = logit(np.clip(scores, LEAST, 1 - LEAST))
    fixed = np.concatenate([known.hits.astype(float), np.full(len(unknown), np.nan)])
    right = np.where(np.isnan(fixed), x > np.median(x), fixed)
    slope, offset = IDENTITY
    for _ in range(ROUNDS):
        share = (right.sum() + 1) / (len(x) + 2)
        high, low = np.average(x, weights=right + TINY), np.average(x, weights=1 - right + TINY)
        variance = np.mean(right * (x - high) ** 2 + (1 - right) * (x - low) ** 2) + TINY
        slope = (high - low) / variance
        offset = logit(share) - slope * (high + low) / 2
        right = np.where(np.isnan(fixed), expit(slope * x + offset), fixed)
    return (float(slope), float(offset)) if slope > 0 else IDENTITY


def calibrated(raw: ArrayLike, calibration: tuple[float, float]) -> FloatArray:
    """Turn raw scores into calibrated ones.

    Parameters
    ----------
    raw : ArrayLike
        Scores 0..1.
    calibration : tuple[float, float]
        Slope and offset of the logit, from `fit_calibration`.

    Returns
    -------
    FloatArray
        Scores 0..1 in the same order.
    """
    slope, offset = calibration
    return np.asarray(expit(slope * logit(np.clip(np.asarray(raw, float), LEAST, 1 - LEAST)) + offset), np.float32)


def expected_f1(scores: ArrayLike, threshold: float) -> float:
    """Expect an F1 from calibrated scores alone.

    Parameters
    ----------
    scores : ArrayLike
        Calibrated scores of all candidates of one class.
    threshold : float
        From which score on candidates count.

    Returns
    -------
    float
        2 · Σ p / (picks + truth) with the sum over the picks, and Σ p of all candidates for the truth; 0 without candidates.
    """
    p = np.asarray(scores, float)
    picked = p[p >= threshold]
    return float(2 * picked.sum() / (len(picked) + p.sum())) if len(p) else 0.0


def estimated_curve(scores: ArrayLike) -> Curve:
    """Expect precision, recall and F1 from calibrated scores alone, where nothing is known to compare with.

    Parameters
    ----------
    scores : ArrayLike
        Calibrated scores of all candidates of one class.

    Returns
    -------
    Curve
        One entry for each distinct score, strictest first. The truth is taken to be the sum of all scores, so that particles which
        are no candidate at all are not among the missed.
    """
    p = np.sort(np.asarray(scores, float)[np.isfinite(scores)])[::-1]
    last = np.flatnonzero(np.append(np.diff(p) < 0, len(p) > 0))
    right, picks, truth = np.cumsum(p)[last], last + 1.0, p.sum() or 1.0
    return Curve(thresholds=p[last], precision=right / picks, recall=right / truth, f1=2 * right / (picks + truth))


def best_expected_threshold(scores: ArrayLike, truth: float) -> float:
    """Choose the threshold with the best F1 that calibrated scores promise.

    With few held-back particles the best measured F1 hangs on one or two of them. The F1 expected from the scores themselves,
    2 · Σ p / (picks + truth), is smooth, and where the scores are calibrated it is best at the same place (Lipton et al. 2014,
    doi 10.1007/978-3-662-44851-9_15).

    Parameters
    ----------
    scores : ArrayLike
        Calibrated scores of all candidates of one class on held-back data.
    truth : float
        How many particles there are, or are expected to be.

    Returns
    -------
    float
        0..1; 0.5 where there is nothing to choose from.
    """
    p = np.sort(np.asarray(scores, float))[::-1]
    if not len(p) or not truth:
        return 0.5
    expected = 2 * np.cumsum(p) / (np.arange(1, len(p) + 1) + truth)
    last = int(np.argmax(expected))
    below = p[last + 1] if last + 1 < len(p) else 0.0
    return float((p[last] + below) / 2)
