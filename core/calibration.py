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
FEWEST = 10  # candidates that a curve is fitted to where not all is known
LARGEST_PART = 0.95  # of the candidates that may be right
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


def expected_number(known: Ranking, unknown: Reals) -> float:
    """Expect how many particles there are from how clicks rank among the candidates.

    Clicks are a sample of all particles: where half of them score above a threshold, so do about half of all particles, and these
    are at most as many as there are candidates above it. Of all thresholds that half the found clicks pass, the one that allows
    the fewest particles counts.

    Parameters
    ----------
    known : Ranking
        Raw scores of the candidates of which it is known whether they are right, and how many clicks there are.
    unknown : Reals
        (m,) raw scores of the others.

    Returns
    -------
    float
        Number of particles, found or not; 0 where no click was found.
    """
    clicked = np.sort(known.scores[known.hits])[::-1]
    if not len(clicked):
        return 0.0
    candidates = np.sort(np.concatenate([clicked, unknown]))
    above = len(candidates) - np.searchsorted(candidates, clicked, side="left")
    allowed = above * known.truth / np.arange(1, len(clicked) + 1)
    return float(allowed[(len(clicked) - 1) // 2 :].min())


def fit_presence(known: Ranking, unknown: Reals, number: float) -> tuple[float, float]:
    """Fit the logistic curve where particles are known only by clicks.

    The probabilities add up to the particles that are among the candidates, and the mean logit of the particles is that of the
    clicks: the logistic regression of presence-only data with a known number (Ward et al. 2009,
    doi 10.1111/j.1541-0420.2008.01116.x), regularised towards no change of the slope.

    Parameters
    ----------
    known : Ranking
        Raw scores of the candidates of which it is known whether they are right, and how many clicks there are.
    unknown : Reals
        (m,) raw scores of the others.
    number : float
        Of all particles, from `expected_number`.

    Returns
    -------
    tuple[float, float]
        Slope, above 0, and offset of the logit; no change where no click was found or there are few candidates.
    """
    scores = np.concatenate([known.scores, unknown])
    hits = int(known.hits.sum())
    if len(scores) < FEWEST or not hits:
        return IDENTITY
    x = logit(np.clip(scores, LEAST, 1 - LEAST))
    found = min(number * hits / known.truth, LARGEST_PART * len(x))
    typical = float(x[: len(known.scores)][known.hits].mean())

    def cost(parameters: np.ndarray) -> float:
        log_slope, offset = parameters
        slope = np.exp(log_slope)
        return float(np.logaddexp(0, slope * x + offset).sum() - found * (slope * typical + offset) + PRIOR / 2 * log_slope**2)

    log_slope, offset = minimize(cost, np.zeros(2), method="Nelder-Mead").x
    return float(np.exp(log_slope)), float(offset)


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
