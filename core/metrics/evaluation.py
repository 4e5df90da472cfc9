"""The picks of one tomogram against its references, class by class and together."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from core.metrics.assessing import assess
from core.metrics.cases import Case
from core.metrics.rules import HALF
from core.particles import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.metrics.summary import Figures
    from core.particles import ClassSpec, ParticleTable
    from core.types import Angstrom


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
    case = Case(truth=truth, picks=picks, voxel_size=voxel_size)
    found = assess([case], classes, replace(HALF, reach=radius)).cut(thresholds)
    result = {spec.id: found.figures(class_id=spec.id) for spec in classes}
    held = np.unique(truth.class_ids[truth.statuses != Status.REJECTED])
    scored = [result[c.id].f1 for c in classes if c.id in held]
    return Evaluation(
        classes=tuple(classes),
        figures=result,
        pooled=found.figures(),
        mean_class_f1=float(np.mean(scored)) if scored else 0.0,
        radius=radius,
        voxel_size=voxel_size,
    )
