"""Commands for what lies around particles: average, extract."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from core.cli.options import Json, Names
from core.cli.report import Report, table
from core.errors import ConfigError
from core.particles import Status

if TYPE_CHECKING:
    from core.particles import ClassSpec, ParticleTable
    from core.project import Project
    from core.tomogram import Tomogram
    from core.types import Positions

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
    from core.averaging import average as averaged
    from core.io.atomic import make_folder
    from core.portrait import write_average

    if out.suffix.lower() not in (".mrc", ".map"):
        raise ConfigError(f"An average is written as .mrc or .map, not {out.name!r}; choose such a name.")
    make_folder(out.absolute().parent)  # before the work, not after it
    report = Report(as_json)
    how = AverageConfig(box=box, rounds=rounds, about_z=about_z, tilts=None if no_wedge else tilts, seed=seed)
    spec, tomograms, chosen, known = _chosen(project, class_name, status, top, tomogram)
    parts = [(one, part.positions) for one, part in zip(tomograms, chosen, strict=True)]
    made = report.follow(averaged(parts, spec.diameter, how, known))
    files = write_average(made, out, f"{spec.name}: {made.count} {'' if status == 'all' else status} particles".replace("  ", " "))
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


def extract(
    project: Annotated[Path, typer.Argument(help="Project folder.")],
    out: Annotated[Path, typer.Option(help="Folder to make, or to replace if it is one of an earlier extraction.")],
    class_name: ClassName = None,
    status: Which = "accepted",
    top: Top = 0,
    tomogram: Names = None,
    kind: Annotated[Literal["mrc", "stack", "zarr"], typer.Option(help="A file each, or one for each tomogram.")] = "mrc",
    box: Annotated[int, typer.Option(help="Edge in voxels as they are written, even; 0 for twice the diameter.")] = 0,
    binning: Annotated[int, typer.Option(help="Mean of cubes of so many voxels on an edge.")] = 1,
    invert: Annotated[bool, typer.Option("--invert", help="Change the sign: RELION wants particles bright.")] = False,
    normalise: Annotated[bool, typer.Option("--normalise", help="Surroundings to zero mean and unit deviation.")] = False,
    faces: Annotated[Literal["pad", "leave"], typer.Option(help="Boxes past a face: fill up with the mean, or leave out.")] = "pad",
    as_json: Json = False,
) -> None:
    """Cut particles out as sub-volumes, with a STAR file that points to them.

    Voxels keep their values and their type unless --binning, --invert or --normalise is given. Boxes are cut at whole voxels.

    [bold]Example:[/]  deepetpicker extract ribosomes --class ribosome --out subtomograms --invert --normalise
    """
    from core.extraction import ExtractConfig
    from core.extraction import extract as extracted

    report = Report(as_json)
    how = ExtractConfig(kind=kind, box=box, binning=binning, invert=invert, normalise=normalise, faces=faces)
    spec, tomograms, chosen, _ = _chosen(project, class_name, status, top, tomogram)
    done = report.follow(extracted(list(zip(tomograms, chosen, strict=True)), spec.diameter, out, how))
    if done.padded:
        report.note(f"{done.padded} of {done.count} boxes reach past a face and were filled up with the mean of what is inside.")
    if done.left_out:
        report.note(
            f"{done.left_out} of {done.count + done.left_out} particles were left out: they or their boxes reach past a face."
        )
    values = {"class": spec.name, "count": done.count, "padded": done.padded, "left_out": done.left_out, "box": done.edge}
    report.result(
        values | {"star": str(done.star)}, f"Cut out {done.count} particles in boxes of {done.edge} voxels; list: {done.star}"
    )


def _chosen(
    folder: Path, class_name: str | None, status: str, top: int, names: list[str] | None
) -> tuple[ClassSpec, list[Tomogram], list[ParticleTable], list[Positions]]:
    """Return the class, the tomograms, which of its particles are wanted in each, and where any particle lies."""
    from core.gathering import chosen_particles, chosen_tomograms
    from core.project import Project

    with Project.open(folder) as work:
        spec = only_class(work, class_name)
        tomograms = [work.tomogram(name) for name in chosen_tomograms(work, names)]
        wanted = None if status == "all" else Status[status.upper()]
        chosen = chosen_particles(work, names, [spec.id], wanted, top)
        return spec, tomograms, chosen, [work.store.table(tomogram.id).positions for tomogram in tomograms]


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
