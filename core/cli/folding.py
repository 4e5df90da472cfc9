"""Cross-validation on the command line."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

from core.cli.masking import masks_told, project_masks
from core.cli.report import Report, table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from core.config import RunConfig
    from core.metrics import Rule
    from core.project import Project

PARTIAL = (
    "Not every particle is annotated, so that only recall and distance are measured: "
    "whether a pick elsewhere is right is not known."
)


def cross_validate(
    report: Report,
    folder: Path,
    count: int,
    rule: Rule,
    classes: Sequence[str] | None,
    tomograms: Sequence[str] | None,
    steps: int | None,
    minutes: float | None,
    mask: Sequence[str] | None,
) -> None:
    """Train and score once for every slab of what is annotated, and tell what came.

    Parameters
    ----------
    report : Report
        Where to.
    folder : Path
        Of the project.
    count : int
        How many folds.
    rule : Rule
        What counts as right.
    classes, tomograms : Sequence[str] | None
        Which; None for all.
    steps, minutes : int | None, float | None
        Budget of each training, in place of the project's.
    mask : Sequence[str] | None
        As for `core.cli.masking.mask_configs`.
    """
    from core.folds import cross_validate as folded
    from core.gathering import chosen_classes, examples
    from core.project import Project

    with Project.open(folder) as project:
        learnt, specs = examples(project, tomograms), chosen_classes(project, classes)
        config = _settings(report, project, steps, minutes)
        masks = project_masks(report, project, [one.tomogram.id for one in learnt], mask)
        run = project.new_run("folds")
    found = report.follow(folded(learnt, specs, config, count, rule, run, folder / "cache", masks))
    at, complete = found.counted, found.counted.complete
    if masks:
        report.note(f"Within the masks only: {masks_told(masks)}.")
    if not complete:
        report.note(PARTIAL)
    rows, values = [], {}
    for name, number in [*((spec.name, spec.id) for spec in specs), *([("all", None)] if len(specs) > 1 else [])]:
        figures, area = at.figures(class_id=number), found.everything.figures(class_id=number).average_precision
        known = (figures.precision, at.score(figures), area) if complete else (None, None, None)
        rows.append((name, figures.truth, figures.hits, figures.recall, *known, figures.error))
        words = ("truth", "hits", "recall", "precision", "score", "average_precision", "error_voxels")
        values[name] = dict(zip(words, rows[-1][1:], strict=True))
    header = ("class", "truth", "hits", "recall", "prec.", rule.score, "AP", "error/vox")
    said = f"An estimate by cross-validation: {count} trainings, each scored on a slab that it never saw. Runs: {run}"
    told = {"folds": count, "complete": complete, "rule": rule.name, "run": str(run), "classes": values}
    report.result(told, table("", header, rows), said)


def _settings(report: Report, project: Project, steps: int | None, minutes: float | None) -> RunConfig:
    """Return the settings that are kept with a project, or the usual ones, with another budget if one is given."""
    from core.config import RunConfig
    from core.settings import SETTINGS, Settings, load_settings

    path = project.folder / SETTINGS
    kept, notices = load_settings(path) if path.exists() else (Settings(), ())
    for notice in notices:
        report.note(notice)
    config = RunConfig(**{one.name: getattr(kept, one.name) for one in fields(RunConfig)})
    if steps is None and minutes is None:
        return config
    return replace(config, train=replace(config.train, steps=steps or 0, minutes=minutes or 0.0))
