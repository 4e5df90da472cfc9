"""Evaluation as jobs on a project that may be open elsewhere, since it is only read: scores, differences, estimates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.assessment import confront, inside, masks_within, side_by_side
from core.errors import ProjectError
from core.gathering import chosen_tomograms
from core.messages import Progress
from core.metrics import assess
from core.origins import gather
from core.project import Project

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

    from core.masks import MaskConfig
    from core.messages import Message
    from core.metrics import Assessment, Comparison, Rule
    from core.origins import Origin
    from core.types import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """What an evaluation in the background returns.

    Attributes
    ----------
    found : Assessment
        Picks and references, matched.
    notices : tuple[str, ...]
        What should be known when the figures are read.
    """

    found: Assessment
    notices: tuple[str, ...]


def evaluating(
    folder: Path,
    picks: Origin,
    reference: Origin,
    rule: Rule,
    names: Sequence[str] | None = None,
    masks: Mapping[str, MaskConfig] | None = None,
) -> Generator[Message, None, Evaluated]:
    """Score picks of a project as a job; the project may be open elsewhere, since it is only read.

    Parameters
    ----------
    folder : Path
        Of the project.
    picks, reference, rule, names : Origin, Origin, Rule, Sequence[str] | None
        As for `confront` and `core.metrics.assess`.
    masks : Mapping[str, MaskConfig] | None
        As for `masks_within`.

    Yields
    ------
    Message
        Progress.

    Returns
    -------
    Evaluated
        Figures at any threshold.
    """
    yield Progress(stage="Scoring", done=0.0, total=1.0)
    with Project.open(folder) as project:
        made = yield from masks_within(project, names, masks or {})
        both = confront(project, picks, reference, names, masks=made)
    return Evaluated(found=assess(both.cases, both.classes, rule), notices=both.notices)


def comparing(
    folder: Path,
    a: Origin,
    b: Origin,
    reach: float,
    names: Sequence[str] | None = None,
    masks: Mapping[str, MaskConfig] | None = None,
) -> Generator[Message, None, dict[str, Comparison]]:
    """Set two origins side by side as a job, as `evaluating` scores.

    Parameters
    ----------
    folder : Path
        Of the project.
    a, b, reach, names : Origin, Origin, float, Sequence[str] | None
        As for `side_by_side`, with all classes.
    masks : Mapping[str, MaskConfig] | None
        As for `masks_within`.

    Yields
    ------
    Message
        Progress.

    Returns
    -------
    dict[str, Comparison]
        By tomogram.
    """
    yield Progress(stage="Comparing", done=0.0, total=1.0)
    with Project.open(folder) as project:
        made = yield from masks_within(project, names, masks or {})
        return side_by_side(project, a, b, project.store.classes(), reach, names, made)


def promised(
    folder: Path, picks: Origin, names: Sequence[str] | None = None, masks: Mapping[str, MaskConfig] | None = None
) -> Generator[Message, None, dict[int, FloatArray]]:
    """Gather the calibrated scores of picks as a job, to estimate from where there is no reference.

    Parameters
    ----------
    folder : Path
        Of the project.
    picks, names : Origin, Sequence[str] | None
        As for `confront`.
    masks : Mapping[str, MaskConfig] | None
        As for `masks_within`.

    Yields
    ------
    Message
        Progress.

    Returns
    -------
    dict[int, FloatArray]
        By class id, for `core.calibration.estimated_curve`.

    Raises
    ------
    ProjectError
        If the picks have no scores.
    """
    yield Progress(stage="Gathering scores", done=0.0, total=1.0)
    with Project.open(folder) as project:
        made = yield from masks_within(project, names, masks or {})
        tables = [inside(one, made) for one in gather(project, picks, chosen_tomograms(project, names)).tables.values()]
    ids = np.concatenate([table.class_ids for table in tables])
    scores = np.concatenate([table.scores for table in tables])
    kept = np.isfinite(scores)
    if not kept.any():
        raise ProjectError(f"There is nothing to estimate from: {picks.title} have no scores. Pick first, or choose a run.")
    return {int(number): scores[kept & (ids == number)] for number in np.unique(ids[kept])}
