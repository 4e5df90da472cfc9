"""The command that scores picks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.options import Classes, Json, Names
from core.cli.report import Report, table
from core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.table import Table

    from core.metrics import Evaluation, Figures
    from core.project import Project

HEADER = ("class", "truth", "picks", "hits", "prec.", "recall", "F1", "AP", "error/vox")


def evaluate(
    truth: Annotated[Path, typer.Argument(help="CSV of references (class,x,y,z,diameter_voxels[,tier]) or a project folder.")],
    picks: Annotated[Path | None, typer.Argument(help="CSV of picks (class,x,y,z[,score]); not with a project.")] = None,
    radius: Annotated[float, typer.Option(help="A pick is right within so many particle radii.", min=0.0)] = 0.5,
    threshold: Annotated[float | None, typer.Option(help="Ignore picks that score lower.", show_default=False)] = None,
    classes: Classes = None,
    tomogram: Names = None,
    as_json: Json = False,
) -> None:
    """Score picks against references: precision, recall, F1, average precision, distance.

    Of a project, picked candidates are scored against accepted particles, within the part that is annotated completely where one
    was given.

    [bold]Example:[/]  deepetpicker evaluate truth.csv picks.csv --radius 0.5
    """
    from core.project import Project

    report = Report(as_json)
    if picks is not None:
        evaluation = _of_files(truth, picks, radius, threshold, classes)
        report.result(evaluation.as_dict(), figures_table("", evaluation))
        return
    with Project.open(truth) as project:
        found = dict(_of_project(report, project, tomogram, radius, threshold, classes))
    tables = [figures_table(name, evaluation) for name, evaluation in found.items()]
    report.result({"tomograms": {name: evaluation.as_dict() for name, evaluation in found.items()}}, *tables)


def figures_table(title: str, evaluation: Evaluation) -> Table:
    """Lay out the figures of an evaluation.

    Parameters
    ----------
    title : str
        What was scored.
    evaluation : Evaluation
        The figures.

    Returns
    -------
    Table
        A row for each class, and one for all if there are several.
    """
    rows = [_row(spec.name, evaluation.figures[spec.id]) for spec in evaluation.classes]
    if len(rows) > 1:
        rows.append(_row("all", evaluation.pooled))
    return table(title, HEADER, rows)


def _row(name: str, found: Figures) -> tuple[object, ...]:
    figures = (found.precision, found.recall, found.f1, found.average_precision, found.error)
    return (name, found.truth, found.picks, found.hits, *figures)


def _of_files(truth: Path, picks: Path, radius: float, threshold: float | None, wanted: Sequence[str] | None) -> Evaluation:
    import numpy as np

    from core.io.references import read_references, read_scored
    from core.metrics import evaluate

    references, specs = read_references(truth)
    unknown = sorted(set(wanted or ()) - {spec.name for spec in specs})
    if unknown:
        raise ConfigError(f"{truth} holds no class {', '.join(unknown)}; it holds {', '.join(spec.name for spec in specs)}.")
    chosen = [spec for spec in specs if not wanted or spec.name in wanted]
    # scores are kept in single precision, so the threshold must be rounded like them to keep a score that equals it
    cut = None if threshold is None else dict.fromkeys((spec.id for spec in chosen), float(np.float32(threshold)))
    return evaluate(references, read_scored(picks, specs), chosen, 1.0, radius, cut)


def _of_project(
    report: Report,
    project: Project,
    names: Sequence[str] | None,
    radius: float,
    threshold: float | None,
    wanted: Sequence[str] | None,
) -> Iterator[tuple[str, Evaluation]]:
    import numpy as np

    from core.gathering import chosen_classes, chosen_tomograms
    from core.metrics import evaluate
    from core.particles import Status

    specs = chosen_classes(project, wanted)
    cut = None if threshold is None else dict.fromkeys((spec.id for spec in specs), float(np.float32(threshold)))
    for name in chosen_tomograms(project, names):
        record, table, tomogram = project.store.tomogram(name), project.store.table(name), project.tomogram(name)
        if not record.complete:
            report.note(f"{name} is not annotated completely, so some picks that count as false may be right.")
        table = table.select((record.region or tomogram.box).contains(table.positions))
        truth, picks = table.select(table.statuses == Status.ACCEPTED), table.select(table.statuses == Status.CANDIDATE)
        if len(truth):
            yield name, evaluate(truth, picks, specs, tomogram.voxel_size, radius, cut)
