"""The command that looks at masks and sets them, and masks for the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from core.cli.options import Json, Names
from core.cli.report import Report, table
from core.errors import ConfigError, ProjectError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from core.masks import MaskConfig, Masks
    from core.particles import ParticleTable
    from core.project import Project
    from core.settings import Settings

PROJECT = "project"

Masking: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--mask",
        metavar="[TOMOGRAM:]MASK[.NAME=VALUE]",
        help="Only where masks let picks count: slab, volume, membrane, gold, such as gold.diameter=15; "
        "or project, for those that are kept with it; or none; repeatable.",
        show_default=False,
    ),
]


def mask_configs(words: Sequence[str] | None, tomograms: Sequence[str], folder: Path | None = None) -> dict[str, MaskConfig]:
    """Read masks from the command line.

    Parameters
    ----------
    words : Sequence[str] | None
        As for `core.masks.words.masks_said`; ``project`` among them for what is kept with a project.
    tomograms : Sequence[str]
        Names of all tomograms that there are.
    folder : Path | None
        Of the project, if there is one.

    Returns
    -------
    dict[str, MaskConfig]
        By name of the tomogram.

    Raises
    ------
    ConfigError
        If a word is not understood, or the settings of the project cannot be read.
    """
    from core.masks.words import masks_said

    known: dict[str, MaskConfig] = {}
    if folder is not None and PROJECT in (words or ()):
        known = _kept(folder)
    return masks_said([word for word in words or () if word != PROJECT or folder is None], known, tomograms)


def _kept(folder: Path) -> dict[str, MaskConfig]:
    """Read the masks of a project; of its other settings it does not matter whether they are understood."""
    from core.settings import SETTINGS, load_settings

    path = folder / SETTINGS
    if not path.exists():
        return {}
    settings, notices = load_settings(path)
    lost = not settings.masks and "[masks." in path.read_text(encoding="utf-8", errors="replace")
    if notices and (lost or any("masks" in notice.replace(str(path), "") for notice in notices)):
        raise ConfigError(f"Masks are kept with the settings of the project. {notices[0]} Correct or remove that file.")
    return dict(settings.masks)


def _settings(folder: Path) -> Settings:
    """Read the settings of a project; what is not understood would be no mask, or be lost when they are written."""
    from core.settings import SETTINGS, Settings, load_settings

    settings, notices = load_settings(folder / SETTINGS) if (folder / SETTINGS).exists() else (Settings(), ())
    if notices:
        raise ConfigError(f"Masks are kept with the settings of the project. {notices[0]} Correct or remove that file.")
    return settings


def _all(project: Project) -> list[str]:
    return [record.id for record in project.store.tomograms()]


def project_masks(report: Report, project: Project, names: Iterable[str], words: Sequence[str] | None) -> dict[str, Masks]:
    """Work out the masks of tomograms of a project.

    Parameters
    ----------
    report : Report
        Who is told of the progress.
    project : Project
        An open project.
    names : Iterable[str]
        Which tomograms.
    words : Sequence[str] | None
        As for `mask_configs`.

    Returns
    -------
    dict[str, Masks]
        Of those tomograms that have any.

    Raises
    ------
    PickerError
        As `core.masks.masks_of`.
    """
    return _worked_out(report, project, names, mask_configs(words, _all(project), project.folder))


def masks_told(masks: Mapping[str, Masks]) -> str:
    """Say which masks hold where.

    Parameters
    ----------
    masks : Mapping[str, Masks]
        By name of the tomogram.

    Returns
    -------
    str
        Part of a sentence.
    """
    said = [f"{name}: {', '.join(one.parts)}" for name, one in masks.items()]
    return "; ".join([*said[:3], *(["and others"] if len(said) > 3 else [])])


def _worked_out(report: Report, project: Project, names: Iterable[str], configs: Mapping[str, MaskConfig]) -> dict[str, Masks]:
    from core.masks import config_for, masks_of

    wanted = [name for name in names if config_for(configs, name).active]
    cache = project.folder / "cache"
    return {name: report.follow(masks_of(project.tomogram(name), config_for(configs, name), cache)) for name in wanted}


def mask(
    project: Annotated[Path, typer.Argument(help="Project folder.")],
    masks: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="[TOMOGRAM:]MASK[.NAME=VALUE]",
            help="Switch a mask on, or change it, and keep that with the project: gold, slab.margin=50, TS_01:slab.low=40, "
            "gold.on=false, TS_01:none; repeatable.",
        ),
    ] = None,
    tomogram: Names = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write where picks count as NAME_mask.mrc, for other programs.")
    ] = None,
    reject: Annotated[
        bool, typer.Option("--reject", help="Reject the candidates that are masked, so that the next training learns from them.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what the masks of a project take out, or set them: lamella slab, mask volume, membrane distance, gold beads.

    Masks hide candidates and are not exported with --status shown; nothing is computed again.

    [bold]Example:[/]  deepetpicker mask ribosomes --set slab --set gold.diameter=10

    [bold]Example:[/]  deepetpicker mask ribosomes --set volume.path=masks/{tomogram}.mrc --reject
    """
    from core.curation import reject_masked
    from core.gathering import chosen_tomograms
    from core.masks.words import masks_said
    from core.project import Project

    report = Report(as_json)
    with Project.open(project) as work:
        names = chosen_tomograms(work, tomogram)
        if masks and work.notice:
            raise ProjectError(f"Masks cannot be kept. {work.notice}")
        configs = masks_said(masks or (), _kept(work.folder), _all(work))
        found = _worked_out(report, work, names, configs)
        if masks:  # only what could be worked out
            _keep(work.folder, configs)
        values: dict[str, Any] = {}
        for name in names:
            values[name] = _counts(work.store.table(name), found.get(name))
            if reject and name in found:
                values[name]["rejected"] = reject_masked(work.store, name, found[name])
            if out is not None and name in found:
                values[name]["file"] = str(_written(report, work, name, found[name], out))
    rows = [(name, part, told["found"], told["hidden"]) for name, one in values.items() for part, told in one["masks"].items()]
    totals = [f"{name}: {one['hidden']} of {one['candidates']} candidates are masked." for name, one in values.items()]
    report.result({"tomograms": values}, table("", ("tomogram", "mask", "found", "hides"), rows), *totals)


def _keep(folder: Path, configs: dict[str, MaskConfig]) -> None:
    from core.settings import SETTINGS, save_settings

    save_settings(replace(_settings(folder), masks=configs), folder / SETTINGS)


def _counts(particles: ParticleTable, masks: Masks | None) -> dict[str, Any]:
    from core.masks.describing import described
    from core.particles import Status
    from core.review import masked

    candidates = particles.select(particles.statuses == Status.CANDIDATE)
    parts = {} if masks is None else masks.hidden(candidates.positions)
    told = {} if masks is None else {name: described(part) for name, part in masks.parts.items()}
    return {
        "candidates": len(candidates),
        "hidden": int(masked(candidates, masks).sum()),
        "masks": {name: {"found": told[name], "hidden": int(rows.sum())} for name, rows in parts.items()},
    }


def _written(report: Report, project: Project, name: str, masks: Masks, folder: Path) -> Path:
    from core.io.atomic import make_folder, safe_name
    from core.masks.describing import write_mask

    make_folder(folder)
    path = folder / f"{safe_name(name)}_mask.mrc"
    report.follow(write_mask(path, masks, project.tomogram(name)))
    return path
