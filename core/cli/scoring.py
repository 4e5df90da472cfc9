"""The command that scores picks, or sets two sets of them side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.comparing import compare_sets
from core.cli.folding import cross_validate
from core.cli.masking import PROJECT, Masking, project_masks
from core.cli.options import Both, Classes, Folds, Json, Minutes, Names, Occupancy, PickOrigin, RuleName, Steps, refuse_idle
from core.cli.report import Report, table
from core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from core.metrics import Assessment, Evaluation, Figures, Rule
    from core.project import Project

HEADER = ("class", "truth", "picks", "hits", "prec.", "recall", "F1", "AP", "error/vox")


def evaluate(
    truth: Annotated[Path, typer.Argument(help="CSV of references (class,x,y,z,diameter_voxels[,tier]) or a project folder.")],
    picks: PickOrigin = None,
    rule: RuleName = "half",
    reference: Annotated[
        str, typer.Option(help="Of a project: accepted, a file of particles, a run, or the folder of another project.")
    ] = "accepted",
    compare: Both = None,
    folds: Folds = None,
    radius: Annotated[
        float | None, typer.Option(help="A pick is right within so many particle radii, in place of the rule's.", min=0.0)
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="Ignore picks that score lower.", show_default=False)] = None,
    classes: Classes = None,
    tomogram: Names = None,
    occupancy: Occupancy = None,
    mask: Masking = None,
    plots: Annotated[Path | None, typer.Option(help="Folder for every curve as PNG and SVG.", show_default=False)] = None,
    steps: Steps = None,
    minutes: Minutes = None,
    as_json: Json = False,
) -> None:
    """Score picks against references: precision, recall, F1, average precision, distance, best threshold, confusion of classes.

    Of a project, picked candidates are scored against accepted particles, within the part that is annotated completely where one
    was given. Masks that are kept with the project hold, as in a report, unless others are given with --mask, or --mask none.

    [bold]Example:[/]  deepetpicker evaluate truth.csv picks.csv --rule czii

    [bold]Example:[/]  deepetpicker evaluate ribosomes 20260131-174500-pick --reference expert.star --plots figures
    """
    from core.metrics import rule_named
    from core.project import Project

    report = Report(as_json)
    counted = rule_named(rule) if radius is None else replace(rule_named(rule), reach=radius)
    if truth.is_file():
        if picks is None:
            raise typer.BadParameter("a file of references goes with a file of picks")
        elsewhere = {"--compare": compare, "--folds": folds, "--tomogram": tomogram, "--steps": steps, "--minutes": minutes}
        refuse_idle(elsewhere | {"--reference": reference != "accepted", "--mask": mask}, "a file of references")
        found = _of_files(truth, Path(picks), counted, classes, occupancy)
        _tell(report, found, threshold, plots, apart=False)
        return
    within = mask or [PROJECT]
    scored: dict[str, object] = {"a set of picks": picks, "--reference": reference != "accepted", "--threshold": threshold}
    scored |= {"--occupancy": occupancy, "--plots": plots}
    if folds:
        refuse_idle(scored | {"--compare": compare}, "--folds")
        cross_validate(report, truth, folds, counted, classes, tomogram, steps, minutes, within)
        return
    refuse_idle({"--steps": steps, "--minutes": minutes}, "scoring without --folds")
    with Project.open(truth) as project:
        if compare:
            refuse_idle(scored, "--compare")
            compare_sets(report, project, compare, counted, classes, tomogram, within)
            return
        found = _of_project(report, project, picks or "candidates", reference, counted, classes, tomogram, occupancy, within)
    _tell(report, found, threshold, plots, apart=True)


def _tell(report: Report, found: Assessment, threshold: float | None, plots: Path | None, *, apart: bool) -> None:
    """Show and write what was found; of files, as of the one tomogram that they are about."""
    cut = {} if threshold is None else dict.fromkeys((spec.id for spec in found.classes), threshold)
    at = found.cut(cut)
    names = found.tomograms
    shown = [rule_table(name if apart else "", at, name) for name in names]
    if len(names) > 1:
        shown.append(rule_table("all tomograms", at))
    best = {spec.name: found.best(spec.id) for spec in found.classes}
    score = found.rule.score
    shown.append(table("", ("class", "best threshold", f"{score} there"), [(name, *one) for name, one in best.items()]))
    if len(found.classes) > 1:
        shown.append(_confusion_table(found, cut))
    overall = f"{found.rule.title} Mean {score} of the classes, by their weights: {found.overall(cut):.3f}."
    values: dict[str, Any] = {"tomograms": {name: _plain(at, name) for name in names}} if apart else _plain(at, names[0])
    values |= {"rule": found.rule.name, "overall": found.overall(cut), "confusion": _confusion(found, cut)}
    values["best_thresholds"] = {name: {"threshold": one[0], "score": one[1]} for name, one in best.items()}
    if apart:
        values["all"] = _plain(at, None)
    if plots is not None:
        from core.io.atomic import make_folder
        from core.plots import evaluation_figures, save_figures

        make_folder(plots)
        values["plots"] = [str(path) for path in save_figures(evaluation_figures(found, cut), plots)]
        overall += f" Plots are in {plots}."
    report.result(values, *shown, overall)


def _plain(found: Assessment, name: str | None) -> dict[str, Any]:
    """Return the figures of a tomogram, or of all, as plain data."""
    from dataclasses import asdict

    sizes = {one.case.voxel_size for one in found.judged if name in (None, one.case.truth.tomogram_id)}
    size = sizes.pop() if len(sizes) == 1 else None

    def plain(class_id: int | None) -> dict[str, Any]:
        values = asdict(found.figures(class_id=class_id, tomogram=name))
        error = values.pop("error")
        return values | {"error_voxels": error, "error_angstrom": None if error is None or size is None else error * size}

    apart = {spec.name: plain(spec.id) for spec in found.classes}
    scored = [one["f1"] for one in apart.values() if one["truth"]]
    mean = sum(scored) / len(scored) if scored else 0.0
    return {"classes": apart, "pooled": plain(None), "mean_class_f1": mean, "radius": found.rule.reach, "voxel_size": size}


def _confusion(found: Assessment, cut: dict[int, float]) -> dict[str, dict[str, int]]:
    names = [spec.name for spec in found.classes]
    counts = found.confusion(cut).tolist()
    columns = [*names, "nothing"]
    return {name: dict(zip(columns, row, strict=True)) for name, row in zip([*names, "no pick"], counts, strict=True)}


def _confusion_table(found: Assessment, cut: dict[int, float]) -> Table:
    rows = _confusion(found, cut)
    return table("Picks (rows) on references (columns)", ("class", *rows["no pick"]), [(n, *r.values()) for n, r in rows.items()])


def rule_table(title: str, found: Assessment, name: str | None = None) -> Table:
    """Lay out the figures of a tomogram.

    Parameters
    ----------
    title : str
        What was scored.
    found : Assessment
        The figures.
    name : str | None
        The tomogram; None for all together.

    Returns
    -------
    Table
        A row for each class, and one for all if there are several.
    """
    rows = [_row(spec.name, found.figures(class_id=spec.id, tomogram=name), found.rule) for spec in found.classes]
    if len(rows) > 1:
        rows.append(_row("all", found.figures(tomogram=name), found.rule))
    header = tuple(found.rule.score if word == "F1" else word for word in HEADER)
    return table(title, header, rows)


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


def _row(name: str, found: Figures, rule: Rule | None = None) -> tuple[object, ...]:
    score = found.f4 if rule is not None and rule.beta == 4 else found.f1
    return (name, found.truth, found.picks, found.hits, found.precision, found.recall, score, found.average_precision, found.error)


def _of_files(truth: Path, picks: Path, rule: Rule, wanted: Sequence[str] | None, occupancy: Path | None) -> Assessment:
    from core.io.references import read_references, read_scored
    from core.metrics import Case, assess

    references, specs = read_references(truth)
    unknown = sorted(set(wanted or ()) - {spec.name for spec in specs})
    if unknown:
        raise ConfigError(f"{truth} holds no class {', '.join(unknown)}; it holds {', '.join(spec.name for spec in specs)}.")
    chosen = [spec for spec in specs if not wanted or spec.name in wanted]
    case = Case(truth=references, picks=read_scored(picks, specs), voxel_size=None, occupancy=_volume(occupancy))
    return assess([case], chosen, rule)


def _volume(path: Path | None) -> Any:
    from core.io.volumes import open_tomogram

    return None if path is None else open_tomogram(path).data


def _of_project(
    report: Report,
    project: Project,
    picks: str,
    reference: str,
    rule: Rule,
    wanted: Sequence[str] | None,
    names: Sequence[str] | None,
    occupancy: Path | None,
    mask: Sequence[str] | None,
) -> Assessment:
    from core.assessment import confront
    from core.gathering import chosen_classes, chosen_tomograms
    from core.metrics import assess
    from core.origins import origin_named

    specs = chosen_classes(project, wanted)
    chosen = chosen_tomograms(project, names)
    if occupancy is not None and (len(chosen) != 1 or reference == "accepted"):
        raise typer.BadParameter("--occupancy goes with one tomogram and a file of references in whose order it counts")
    volumes = {} if occupancy is None else {chosen[0]: _volume(occupancy)}
    only = specs[0].id if wanted and len(specs) == 1 else None
    tried, known = origin_named(project, picks), origin_named(project, reference)
    masks = project_masks(report, project, chosen, mask)
    found = confront(project, tried, known, chosen, class_id=only, occupancy=volumes, masks=masks)
    for notice in found.notices:
        report.note(notice)
    return assess(found.cases, specs if wanted else found.classes, rule)
