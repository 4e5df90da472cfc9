"""The picks of one tomogram against its references, class by class and together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import ConfigError
from core.metrics.matching import Ranking, best_first, passes, rank
from core.metrics.summary import Figures, figures
from core.particles import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.particles import ClassSpec, ParticleTable
    from core.types import Angstrom, Voxels


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Figures of all classes of one tomogram.

    Attributes
    ----------
    classes : tuple[ClassSpec, ...]
        The classes that were scored.
    figures : dict[int, Figures]
        Figures of each class id.
    pooled : Figures
        Figures of all classes together; hits are still matched class by class.
    mean_class_f1 : float
        Mean F1 of the classes that the truth holds, 0..1.
    radius : float
        Reach of a reference in particle radii.
    voxel_size : Angstrom
        Å per voxel.
    """

    classes: tuple[ClassSpec, ...]
    figures: dict[int, Figures]
    pooled: Figures
    mean_class_f1: float
    radius: float
    voxel_size: Angstrom

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON, classes by their names.

        Returns
        -------
        dict
            ``classes`` (figures by class name), ``pooled``, ``mean_class_f1``, ``radius`` and ``voxel_size``.
        """
        return {
            "classes": {spec.name: self._plain(self.figures[spec.id]) for spec in self.classes},
            "pooled": self._plain(self.pooled),
            "mean_class_f1": self.mean_class_f1,
            "radius": self.radius,
            "voxel_size": self.voxel_size,
        }

    def _plain(self, figures: Figures) -> dict[str, Any]:
        values = asdict(figures)
        error = values.pop("error")
        return values | {"error_voxels": error, "error_angstrom": None if error is None else error * self.voxel_size}


def evaluate(
    truth: ParticleTable,
    picks: ParticleTable,
    classes: Sequence[ClassSpec],
    voxel_size: Angstrom,
    radius: float = 0.5,
    thresholds: Mapping[int, float] | None = None,
) -> Evaluation:
    """Score the picks of one tomogram against its references.

    Parameters
    ----------
    truth : ParticleTable
        References: accepted ones are to be found, candidates are neutral, rejected ones are ignored.
    picks : ParticleTable
        Picks of the same tomogram; their status does not matter.
    classes : Sequence[ClassSpec]
        The classes to score.
    voxel_size : Angstrom
        Å per voxel of the tomogram.
    radius : float
        Reach of a reference in particle radii.
    thresholds : Mapping[int, float] | None
        Least score of each class id; a class left out counts all its picks.

    Returns
    -------
    Evaluation
        Figures by class, pooled, and the mean F1.

    Raises
    ------
    ConfigError
        If the voxel size is unknown.
    """
    if not (np.isfinite(voxel_size) and voxel_size > 0):
        raise ConfigError(f"Scoring needs the voxel size in Å (above 0), not {voxel_size}; give it when opening the tomogram.")
    least = thresholds or {}
    rankings = {c.id: _rank_class(truth, picks, c.id, radius * c.diameter / 2 / voxel_size, least.get(c.id)) for c in classes}
    result = {id_: figures(ranking) for id_, ranking in rankings.items()}
    held = np.unique(truth.class_ids[truth.statuses != Status.REJECTED])
    scored = [result[c.id].f1 for c in classes if c.id in held]
    return Evaluation(
        classes=tuple(classes),
        figures=result,
        pooled=figures(_pool(list(rankings.values()))),
        mean_class_f1=float(np.mean(scored)) if scored else 0.0,
        radius=radius,
        voxel_size=voxel_size,
    )


def _rank_class(truth: ParticleTable, picks: ParticleTable, class_id: int, reach: Voxels, least: float | None) -> Ranking:
    references = truth.select(truth.class_ids == class_id)
    found = picks.select(picks.class_ids == class_id)
    scores = found.scores.astype(np.float64)
    kept = np.ones(len(found), np.bool_) if least is None else passes(scores, least)
    wanted = references.positions[references.statuses == Status.ACCEPTED]
    neutral = references.positions[references.statuses == Status.CANDIDATE]
    return rank(wanted, found.positions[kept], scores[kept], reach, neutral)


def _pool(rankings: list[Ranking]) -> Ranking:
    if not rankings:
        return Ranking(np.zeros(0), np.zeros(0, np.bool_), np.zeros(0), 0)
    scores = np.concatenate([r.scores for r in rankings])
    order = best_first(scores)
    hits = np.concatenate([r.hits for r in rankings])[order]
    distances = np.concatenate([r.distances for r in rankings])[order]
    return Ranking(scores[order], hits, distances, sum(r.truth for r in rankings))
