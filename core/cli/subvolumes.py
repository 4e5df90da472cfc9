"""Commands for what lies around particles: average."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from core.cli.options import Json, Names
from core.cli.report import Report, table
from core.errors import ConfigError
from core.particles import Status

if TYPE_CHECKING:
    from core.averaging import Average, AverageConfig
    from core.particles import ClassSpec
    from core.project import Project

Which = Annotated[Literal["accepted", "candidate", "rejected", "all"], typer.Option(help="Which particles.")]
ClassName = Annotated[
    str | None, typer.Option("--class", metavar="NAME", help="Class; may be left out where there is one.", show_default=False)
]
Top = Annotated[int, typer.Option(min=0, help="Only so many of the highest score; 0 for all.")]


def average(
    project: Annotated[Path, typer.Argument(help="Project folder.")],
    out: Annotated[Path, typer.Option(help="MRC file to write; NAME_decoy.mrc and NAME.png appear beside it.")],
    class_name: ClassName = None,
    status: Which = "accepted",
    top: Top = 0,
    tomogram: Names = None,
    box: Annotated[int, typer.Option(help="Edge in voxels, even; 0 for twice the diameter.")] = 0,
    rounds: Annotated[int, typer.Option(help="Centre particles on the average so many times.")] = 0,
    about_z: Annotated[bool, typer.Option("--about-z", help="Average over rotations about z.")] = False,
    tilts: Annotated[tuple[float, float], typer.Option(help="Lowest and highest tilt about y in degrees.")] = (-60.0, 60.0),
    no_wedge: Annotated[bool, typer.Option("--no-wedge", help="Take no notice of the missing wedge.")] = False,
    seed: Annotated[int, typer.Option(help="Decides where decoys lie.")] = 0,
    as_json: Json = False,
) -> None:
    """Average particles as they lie, beside as many random places, to see whether there is something.

    Where both averages look alike, the picks are no better than chance. Nothing is turned, so that detail is lost on purpose.

    [bold]Example:[/]  deepetpicker average ribosomes --class ribosome --status candidate --top 200 --out average.mrc
    """
    from core.averaging import AverageConfig

    if out.suffix.lower() not in (".mrc", ".map"):
        raise ConfigError(f"An average is written as .mrc or .map, not {out.name!r}; choose such a name.")
    report = Report(as_json)
    how = AverageConfig(box=box, rounds=rounds, about_z=about_z, tilts=None if no_wedge else tilts, seed=seed)
    spec, made = _made(report, project, class_name, None if status == "all" else Status[status.upper()], top, tomogram, how)
    files = _written(made, out, f"{spec.name}: {made.count} {'' if status == 'all' else status} particles".replace("  ", " "))
    if made.mirrored:
        report.note(f"{made.mirrored} of {made.count} boxes reach past a face of the tomogram, where it was mirrored.")
    values = {"class": spec.name, "count": made.count, "signal": made.signal, "moved": made.moved, "files": list(map(str, files))}
    values |= {"radii": made.radii.tolist(), "profile": made.profile.tolist(), "decoy_profile": made.decoy_profile.tolist()}
    rows = [(spec.name, made.count, f"{made.signal:.2f}", f"{made.moved:.0f}")]
    report.result(
        values,
        table("", ("class", "particles", "particles : decoys", "moved by (Å)"), rows),
        f"Written: {', '.join(map(str, files))}",
    )


def _made(
    report: Report,
    folder: Path,
    class_name: str | None,
    status: Status | None,
    top: int,
    names: list[str] | None,
    how: AverageConfig,
) -> tuple[ClassSpec, Average]:
    from core.averaging import average as averaged
    from core.gathering import chosen_particles, chosen_tomograms
    from core.project import Project

    with Project.open(folder) as work:
        spec = only_class(work, class_name)
        tomograms = [work.tomogram(name) for name in chosen_tomograms(work, names)]
        chosen = chosen_particles(work, names, [spec.id], status, top)
        known = [work.store.table(tomogram.id).positions for tomogram in tomograms]
    parts = [(tomogram, part.positions) for tomogram, part in zip(tomograms, chosen, strict=True)]
    return spec, report.follow(averaged(parts, spec.diameter, how, known))


def only_class(project: Project, name: str | None) -> ClassSpec:
    """Return a class by its name, or the only one.

    Parameters
    ----------
    project : Project
        An open project.
    name : str | None
        Which; None for the only one.

    Returns
    -------
    ClassSpec
        The class.

    Raises
    ------
    PickerError
        If there is none of this name, or there are several and none is named.
    """
    from core.gathering import chosen_classes

    specs = chosen_classes(project, [name]) if name else list(project.store.classes())
    if len(specs) != 1:
        known = ", ".join(spec.name for spec in specs) or "none yet"
        raise ConfigError(f"Say which class with --class; classes: {known}.")
    return specs[0]


def _written(made: Average, out: Path, title: str) -> list[Path]:
    from core.portrait import write_average

    return write_average(made, out, title)
