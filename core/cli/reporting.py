"""The command that writes a report on a project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.masking import Masking, mask_configs
from core.cli.options import Json, Names
from core.cli.report import Report

if TYPE_CHECKING:
    from core.masks import MaskConfig


def page(
    project: Annotated[Path, typer.Argument(help="Project folder.")],
    out: Annotated[Path, typer.Option(help="HTML file to write; it holds all its pictures.")] = Path("report.html"),
    figures: Annotated[Path | None, typer.Option(help="Folder for the figures as PNG and SVG, too.", show_default=False)] = None,
    tomogram: Names = None,
    mask: Masking = None,
    as_json: Json = False,
) -> None:
    """Write a report on a project as one page of HTML: data, network, settings, curves, gallery, averages, counts.

    Masks that are kept with the project hold unless others are given with --mask.

    [bold]Example:[/]  deepetpicker report ribosomes --out report.html --figures figures
    """
    from core.report import write_report

    told = Report(as_json)
    files = told.follow(write_report(project, out, figures, tomogram, _configs(project, mask) if mask else None))
    also = f" {len(files) - 1} figures are in {figures}." if figures is not None else ""
    told.result({"report": str(out), "figures": [str(path) for path in files[1:]]}, f"The report is written to {out}.{also}")


def _configs(folder: Path, words: list[str]) -> dict[str, MaskConfig]:
    from core.project import Project

    with Project.open(folder) as project:
        return mask_configs(words, [record.id for record in project.store.tomograms()], folder)
