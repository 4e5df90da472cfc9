"""Picking F1 on the held-back part, and the calibration and thresholds that come with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from core.calibration import best_expected_threshold, calibrated, fit_calibration
from core.messages import Progress
from core.metrics import Ranking, best_threshold, figures, rank
from core.particles import ParticleTable, Status
from core.sampling import accepted_truth
from core.scanning import Found, scan, targets

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from core.config import RunConfig
    from core.inference import Scanner
    from core.messages import Message
    from core.particles import ClassSpec
    from core.sampling import Ground

MATCH = 0.5  # reach of a hit in particle radii


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a network is worth on held-back data.

    Attributes
    ----------
    f1, average_precision : float
        Means over the classes, the F1 at each class's best threshold.
    calibration : dict[int, tuple[float, float]]
        For each class id, slope and offset of the score's logit.
    thresholds : dict[int, float]
        For each class id, the threshold of the calibrated score that promises the best F1.
    """

    f1: float
    average_precision: float
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
    rankings: dict[int, list[Ranking]] = {spec.id: [] for spec in classes}
    for part in held:
        picks = yield from _picks(look, part, classes, config)
        for spec in classes:
            rankings[spec.id].append(_ranking(part, picks, spec))
    pooled = {class_id: _pooled(parts) for class_id, parts in rankings.items()}
    calibration = {class_id: fit_calibration(ranking) for class_id, ranking in pooled.items()}
    precisions = [figures(ranking).average_precision or 0.0 for ranking in pooled.values()]
    return Verdict(
        f1=float(np.mean([best_threshold(ranking)[1] for ranking in pooled.values()])),
        average_precision=float(np.mean(precisions)),
        calibration=calibration,
        thresholds={class_id: _threshold(ranking, calibration[class_id]) for class_id, ranking in pooled.items()},
    )


def _threshold(ranking: Ranking, calibration: tuple[float, float]) -> float:
    """Choose a threshold; without a single known false pick, half of what the known particles typically score."""
    scores = calibrated(ranking.scores, calibration)
    if ranking.hits.all():
        return float(np.median(scores)) / 2 if len(scores) else 0.5
    return best_expected_threshold(scores, ranking.truth)


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


def _ranking(part: Ground, picks: ParticleTable, spec: ClassSpec) -> Ranking:
    truth = accepted_truth(part.example, [spec])
    found = picks.select(picks.class_ids == spec.id)
    neutral = truth.positions[truth.statuses == Status.CANDIDATE]
    reach = MATCH * spec.diameter / 2 / part.example.tomogram.voxel_size
    wanted = truth.positions[truth.statuses == Status.ACCEPTED]
    ranking = rank(wanted, found.positions, found.scores.astype(np.float64), reach, neutral)
    return ranking if part.example.complete else _known(ranking, found, part, spec)


def _known(ranking: Ranking, found: ParticleTable, part: Ground, spec: ClassSpec) -> Ranking:
    """Leave out the picks of which nobody said whether they are right: where not every particle was clicked, most are."""
    rejected = part.example.particles.positions[part.rejected]
    radius = spec.diameter / 2 / part.example.tomogram.voxel_size
    wrong = rank(rejected, found.positions, found.scores.astype(np.float64), radius)
    hits = Ranking(ranking.scores[ranking.hits], ranking.hits[ranking.hits], ranking.distances[ranking.hits], ranking.truth)
    misses = Ranking(wrong.scores[wrong.hits], ~wrong.hits[wrong.hits], wrong.distances[wrong.hits] * np.nan, 0)
    return _pooled([hits, misses])


def _pooled(parts: Sequence[Ranking]) -> Ranking:
    scores = np.concatenate([r.scores for r in parts])
    order = np.argsort(-scores, kind="stable")
    return Ranking(
        scores[order],
        np.concatenate([r.hits for r in parts])[order],
        np.concatenate([r.distances for r in parts])[order],
        sum(r.truth for r in parts),
    )
