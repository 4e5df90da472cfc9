"""From raw scores to scores that mean a probability, and the threshold that goes with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from core.metrics import Ranking
    from core.types import FloatArray

IDENTITY = (1.0, 0.0)
PRIOR = 4.0  # weight of the identity against the evidence, in candidates
LEAST = 1e-4  # raw scores are kept this far from 0 and 1


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


def best_expected_threshold(scores: ArrayLike, truth: int) -> float:
    """Choose the threshold with the best F1 that calibrated scores promise.

    With few held-back particles the best measured F1 hangs on one or two of them. The F1 expected from the scores themselves,
    2 · Σ p / (picks + truth), is smooth, and where the scores are calibrated it is best at the same place (Lipton et al. 2014,
    doi 10.1007/978-3-662-44851-9_15).

    Parameters
    ----------
    scores : ArrayLike
        Calibrated scores of all candidates of one class on held-back data.
    truth : int
        How many particles there are.

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
