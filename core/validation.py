"""Picking F1 on the held-back part, and the calibration and thresholds that come with it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from core.calibration import (
    IDENTITY,
    best_expected_threshold,
    calibrated,
    expected_f1,
    expected_number,
    fit_calibration,
    fit_presence,
)
from core.losses import POSITIVE_WEIGHT
from core.messages import Notice, Progress
from core.metrics import Ranking, best_threshold, figures, rank
from core.particles import ParticleTable, Status
from core.sampling import accepted_truth
from core.scanning import Found, scan, targets
from core.tomogram import Box

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from core.config import Loss, RunConfig
    from core.inference import Scanner
    from core.messages import Message
    from core.metrics.matching import Reals
    from core.particles import ClassSpec
    from core.sampling import Ground
    from core.types import BoolArray, Positions, Voxels

FEW = 5  # known hits, with fewer of which they say nothing about the number of particles
DISAGREE = 2.0  # times as many particles as the loss's own probabilities promise, and these do not hold
MOST_LOOKED_AT = 40_000_000  # voxels of a tomogram in which a network is looked at where nothing is held back
MATCH = 0.5  # reach of a hit in particle radii


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a network is worth on held-back data.

    Attributes
    ----------
    f1, average_precision : float
        Means over the classes that are held back, the F1 at each class's best threshold. Where not every particle was clicked,
        only picks that are known to be right or wrong count.
    expected : float
        F1 that the calibrated scores promise at the thresholds, mean over the classes.
    calibration : dict[int, tuple[float, float]]
        For each class id, slope and offset of the score's logit; where not all is annotated they follow from the loss, unless
        the clicks let expect far more particles than that.
    thresholds : dict[int, float]
        For each class id, the threshold of the calibrated score that promises the best F1.
    """

    f1: float
    average_precision: float
    expected: float
    calibration: dict[int, tuple[float, float]]
    thresholds: dict[int, float]


def validate(
    look: Scanner, held: Sequence[Ground], classes: Sequence[ClassSpec], config: RunConfig
) -> Generator[Message, None, Verdict]:
    """Pick the held-back regions and compare with what is annotated there.

    Parameters
    ----------
    look : Scanner
        The network.
    held : Sequence[Ground]
        Held-back regions with their particles.
    classes : Sequence[ClassSpec]
        What to look for.
    config : RunConfig
        Label size and picking.

    Yields
    ------
    Message
        Progress.

    Returns
    -------
    Verdict
        Figures, calibration and thresholds.
    """
    evidence: dict[int, list[_Evidence]] = {spec.id: [] for spec in classes}
    for part in held:
        picks = yield from _picks(look, part, classes, config)
        for spec in classes:
            evidence[spec.id].append(_evidence(part, picks, spec))
    pooled = {class_id: _pooled(parts) for class_id, parts in evidence.items()}
    judged = {class_id: _calibration_and_threshold(known, config.train.loss) for class_id, known in pooled.items()}
    scored = [known.ranking for known in pooled.values() if known.ranking.truth]
    return Verdict(
        f1=float(np.mean([best_threshold(ranking)[1] for ranking in scored])) if scored else 0.0,
        average_precision=float(np.mean([figures(ranking).average_precision for ranking in scored])) if scored else 0.0,
        expected=float(np.mean([_promised(pooled[class_id], *judged[class_id]) for class_id in pooled])),
        calibration={class_id: calibration for class_id, (calibration, _) in judged.items()},
        thresholds={class_id: threshold for class_id, (_, threshold) in judged.items()},
    )


def unmeasured(classes: Sequence[ClassSpec], loss: Loss) -> Verdict:
    """Judge a network without looking at anything.

    Parameters
    ----------
    classes : Sequence[ClassSpec]
        What it finds.
    loss : Loss
        What it was trained with.

    Returns
    -------
    Verdict
        The calibration that follows from the loss, and even chances as the threshold; its figures are not numbers.
    """
    ids = [spec.id for spec in classes]
    nothing = math.nan
    return Verdict(
        f1=nothing,
        average_precision=nothing,
        expected=nothing,
        calibration=dict.fromkeys(ids, _by_the_loss(loss)),
        thresholds=dict.fromkeys(ids, 0.5),
    )


def looked_at(part: Ground) -> Ground:
    """Cut a region down to what can be scanned soon.

    Parameters
    ----------
    part : Ground
        With at least one accepted particle.

    Returns
    -------
    Ground
        With a region of about `MOST_LOOKED_AT` voxels at most, around the middle of its clicks.
    """
    box = part.example.box
    side = math.isqrt(MOST_LOOKED_AT // box.shape[0])
    middle = np.median(part.example.accepted.positions, axis=0)
    low, high = list(box.low), list(box.high)
    for axis in (1, 2):
        if box.shape[axis] > side:
            low[axis] = int(np.clip(middle[axis] - side / 2, box.low[axis], box.high[axis] - side))
            high[axis] = low[axis] + side
    region = Box((low[0], low[1], low[2]), (high[0], high[1], high[2]))
    return replace(part, example=replace(part.example, region=region))


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What is known of the picks of one class: those that are right or wrong, and the scores of those that may be either."""

    ranking: Ranking
    unknown: Reals


def _calibration_and_threshold(known: _Evidence, loss: Loss) -> tuple[tuple[float, float], float]:
    if not len(known.unknown):
        calibration = fit_calibration(known.ranking)
        return calibration, best_expected_threshold(calibrated(known.ranking.scores, calibration), known.ranking.truth)
    calibration = _by_the_loss(loss)
    candidates = np.concatenate([known.ranking.scores[known.ranking.hits], known.unknown])
    if known.ranking.hits.sum() >= FEW:
        number = expected_number(known.ranking, known.unknown)
        if number > DISAGREE * calibrated(candidates, calibration).sum():  # learnt by heart, clicks score higher: fewer say nothing
            calibration = fit_presence(known.ranking, known.unknown, number)
    scores = calibrated(np.concatenate([known.ranking.scores, known.unknown]), calibration)
    return calibration, best_expected_threshold(scores, float(scores.sum()))


def _promised(known: _Evidence, calibration: tuple[float, float], threshold: float) -> float:
    return expected_f1(calibrated(np.concatenate([known.ranking.scores, known.unknown]), calibration), threshold)


def _by_the_loss(loss: Loss) -> tuple[float, float]:
    """Take back that the cross-entropy counts a particle's voxels more often; what is left is a probability."""
    return (1.0, -math.log(POSITIVE_WEIGHT)) if loss == "mixed" else IDENTITY


def _picks(look: Scanner, part: Ground, classes: Sequence[ClassSpec], config: RunConfig) -> Generator[Message, None, ParticleTable]:
    tomogram = part.example.tomogram
    wanted = targets(classes, tomogram.voxel_size, config.label, replace(config.pick, nms="graded"))
    steps = scan(part.prepared, look, wanted, part.example.box)
    while True:
        try:
            message = next(steps)
        except StopIteration as stop:
            found: Found = stop.value
            return found.table(tomogram.id, wanted)
        if isinstance(message, Progress):
            yield replace(message, stage="Validating")
        elif isinstance(message, Notice):
            yield message


def _evidence(part: Ground, picks: ParticleTable, spec: ClassSpec) -> _Evidence:
    truth = accepted_truth(part.example, [spec])
    found = picks.select(picks.class_ids == spec.id)
    wanted, neutral = (truth.positions[truth.statuses == status] for status in (Status.ACCEPTED, Status.CANDIDATE))
    radius = spec.diameter / 2 / part.example.tomogram.voxel_size
    if part.example.complete:
        return _Evidence(_ranked(wanted, found, MATCH * radius, neutral), np.zeros(0))
    rejected = part.example.particles.positions[part.rejected]
    wrong = _near(found.positions, rejected, radius) & ~_near(found.positions, wanted, MATCH * radius)
    ranking = _ranked(wanted, found.select(~wrong), MATCH * radius, neutral)
    known = _kept(ranking, ranking.hits)
    return _Evidence(_joined([known, _ranked(wanted[:0], found.select(wrong), 0.0, neutral[:0])]), ranking.scores[~ranking.hits])


def _ranked(wanted: Positions, found: ParticleTable, reach: Voxels, neutral: Positions) -> Ranking:
    return rank(wanted, found.positions, found.scores.astype(np.float64), reach, neutral)


def _near(positions: Positions, others: Positions, distance: Voxels) -> BoolArray:
    if not len(others):
        return np.zeros(len(positions), np.bool_)
    return np.asarray(cKDTree(others).query(positions)[0] <= distance, np.bool_)


def _kept(ranking: Ranking, rows: BoolArray) -> Ranking:
    return Ranking(ranking.scores[rows], ranking.hits[rows], ranking.distances[rows], ranking.truth)


def _pooled(parts: Sequence[_Evidence]) -> _Evidence:
    return _Evidence(_joined([part.ranking for part in parts]), np.concatenate([part.unknown for part in parts]))


def _joined(parts: Sequence[Ranking]) -> Ranking:
    scores = np.concatenate([r.scores for r in parts])
    order = np.argsort(-scores, kind="stable")
    return Ranking(
        scores[order],
        np.concatenate([r.hits for r in parts])[order],
        np.concatenate([r.distances for r in parts])[order],
        sum(r.truth for r in parts),
    )
