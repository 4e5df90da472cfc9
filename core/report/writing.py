"""The report itself, as a job: facts and pictures gathered, laid out by a template, written whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment

from core import __version__
from core.assessment import confront
from core.errors import PickerError
from core.gathering import chosen_tomograms
from core.io.atomic import atomic_path, make_folder
from core.messages import Notice, Progress
from core.metrics import RULES, assess
from core.origins import ACCEPTED, CANDIDATES, Origin, pick_runs
from core.plots import evaluation_figures, save_figures
from core.project import Project
from core.report import facts, pictures, repeating
from core.settings import SETTINGS, Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

    from core.config import ReviewConfig
    from core.masks import MaskConfig
    from core.messages import Message
    from core.metrics import Assessment
    from core.particles import ClassSpec
    from core.report.facts import Looked

TEMPLATE = "report.html.jinja"


def write_report(
    folder: Path,
    out: Path,
    figures: Path | None = None,
    names: Sequence[str] | None = None,
    masks: Mapping[str, MaskConfig] | None = None,
) -> Generator[Message, None, list[Path]]:
    """Write a report on a project, which may be open elsewhere, since it is only read.

    Parameters
    ----------
    folder : Path
        Of the project.
    out : Path
        The HTML file.
    figures : Path | None
        Folder for the figures as files of their own, PNG and where they are drawn SVG; None for none.
    names : Sequence[str] | None
        Which tomograms; None for all that the project uses.
    masks : Mapping[str, MaskConfig] | None
        Within which picks are counted and scored, by tomogram; None for those that are kept with the project.

    Yields
    ------
    Message
        Progress.

    Returns
    -------
    list[Path]
        The report, and the figures.

    Raises
    ------
    PickerError
        If the project cannot be read or a file cannot be written; no report is left half-written.
    """
    if out.is_dir():
        raise PickerError(f"Expected a file for the report, but {out} is a folder; choose another name.")
    make_folder(out.absolute().parent)
    with Project.open(folder) as project:
        if figures is not None:
            make_folder(figures)
        before = _changed(figures)
        yield Progress(stage="Reading the project", done=0.0, total=1.0)
        content = yield from _content(project, out, figures, chosen_tomograms(project, names), masks)
    yield Progress(stage="Writing the report", done=0.0, total=1.0)
    source = (files("resources") / TEMPLATE).read_text(encoding="utf-8")
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(source).render(**content)
    with atomic_path(out) as path:
        path.write_text(page, encoding="utf-8")
    return [out, *(path for path, time in sorted(_changed(figures).items()) if before.get(path) != time)]


def _changed(folder: Path | None) -> dict[Path, int]:
    """Return when each file of a folder was changed, in ns."""
    return {} if folder is None else {path: path.stat().st_mtime_ns for path in folder.iterdir()}


def _content(
    project: Project, out: Path, figures: Path | None, names: Sequence[str], masks: Mapping[str, MaskConfig] | None
) -> Generator[Message, None, dict[str, Any]]:
    settings = yield from _settings(project.folder / SETTINGS)
    if masks is not None:
        settings = replace(settings, masks=dict(masks))
    reviews = facts.reviews_of(settings, project.store.classes())
    looked = yield from facts.look(project, names, reviews, settings.masks)
    used = {number for one in looked for number in one.table.class_ids.tolist()}
    classes = [spec for spec in project.store.classes() if spec.id in used]
    data = yield from _data(looked)
    yield Progress(stage="Reading the network", done=0.0, total=1.0)
    network = facts.network_of(project)
    sections = []
    for spec in classes:
        strips = yield from pictures.gallery(looked, spec, reviews[spec.id])
        average = yield from pictures.averaged(looked, spec)
        portrait = "" if average is None else pictures.average_figure(average, spec, figures)
        mirrored = 0 if average is None else average.mirrored
        sections.append({"spec": spec, "strips": strips, "average": portrait, "mirrored": mirrored, "review": reviews[spec.id]})
    yield Progress(stage="Drawing", done=0.0, total=1.0)
    measured = _measured(project, looked, reviews, figures)
    scores = pictures.score_figure(looked, classes, reviews)
    estimate = None if measured else pictures.estimate_figure(looked, classes)
    for name, figure in (("scores", scores), ("estimate", estimate)):
        if figure is not None and figures is not None:
            save_figures({name: figure}, figures)
    return {
        "name": project.folder.absolute().name,
        "when": datetime.now().astimezone(),
        "version": __version__,
        "looked": looked,
        "classes": classes,
        "counts": facts.counts(looked, classes),
        "total": sum(len(one.counted) for one in looked),
        "masked": [one for one in looked if one.mask is not None],
        "data": data,
        "overview": pictures.overview(looked, classes, figures),
        "sections": sections,
        "measured": measured,
        "scores": "" if scores is None else pictures.inline(scores),
        "estimate": "" if estimate is None else pictures.inline(estimate),
        "network": network,
        "worth": "" if network is None else facts.worth(network),
        "training": "" if network is None else pictures.training_curve(network, figures),
        "settings": repeating.settings_rows(settings),
        "versions": repeating.versions(),
        "commands": repeating.commands(project, network, reviews, names, out, settings.masks),
    }


def _settings(path: Path) -> Generator[Message, None, Settings]:
    settings, notices = load_settings(path) if path.exists() else (Settings(), ())
    for notice in notices:
        yield Notice(text=notice)
    return settings


def _data(looked: Sequence[Looked]) -> Generator[Message, None, list[dict[str, Any]]]:
    rows = []
    for done, one in enumerate(looked):
        yield Progress(stage="Reading tomograms", done=float(done), total=float(len(looked)))
        tomogram = one.tomogram
        rows.append({"tomogram": tomogram, "complete": one.complete, "digest": facts.fingerprint(tomogram.path)})
    return rows


def _measured(
    project: Project, looked: Sequence[Looked], reviews: Mapping[int, ReviewConfig], figures: Path | None
) -> dict[str, Any] | None:
    """Score the latest run against the accepted particles; None where that cannot be."""
    runs = pick_runs(project)
    picks = Origin("run", runs[0]) if runs else CANDIDATES
    try:
        masks = {one.tomogram.id: one.mask for one in looked if one.mask is not None}
        both = confront(project, picks, ACCEPTED, [one.tomogram.id for one in looked], masks=masks)
    except PickerError:
        return None
    if not any(len(case.picks) for case in both.cases):
        return None
    thresholds = {number: review.threshold for number, review in reviews.items()}
    found = assess(both.cases, both.classes, RULES["half"])
    drawn = evaluation_figures(found, thresholds)
    if figures is not None:
        save_figures(drawn, figures)
    return {
        "picks": picks.title,
        "rule": found.rule.title,
        "notices": both.notices,
        "complete": found.complete,
        "rows": _figures(found, thresholds, both.classes),
        "figures": [pictures.inline(figure) for figure in drawn.values()],
    }


def _figures(found: Assessment, thresholds: Mapping[int, float], classes: Sequence[ClassSpec]) -> list[dict[str, Any]]:
    several = [("all together", None)] if len(classes) > 1 else []
    return [
        {
            "name": name,
            "at": found.figures(thresholds, number),
            "threshold": None if number is None else thresholds[number],
            "area": found.figures(class_id=number).average_precision,
            "best": found.best(number),
        }
        for name, number in [*((spec.name, spec.id) for spec in classes), *several]
    ]
