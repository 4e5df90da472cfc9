"""Commands that move things in and out of projects: new, import, export, info."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from core.cli.formats import (
    FileFormat,
    FormatOptions,
    NameThere,
    Numbers,
    OtherNames,
    TomogramsStar,
    UnbinnedSizes,
    export_shown,
    format_options,
    numbers_of,
    other_names,
    tilt_series_of,
)
from core.cli.masking import Masking, project_masks
from core.cli.options import ByClass, Classes, Json, Names, PixelSize, VoxelSize, reviews_of
from core.cli.report import Report
from core.errors import ConfigError
from core.particles import ClassSpec, Status
from core.tomogram import parsed_box

if TYPE_CHECKING:
    from core.io.particles.values import Written
    from core.project import Imported, Project
    from core.tomogram import Box, Tomogram

Choice = Literal["accepted", "candidate", "rejected"]
Which = Annotated[
    Literal["accepted", "candidate", "rejected", "all", "shown"],
    typer.Option(help="Which particles; shown: the accepted, and the candidates that count by the three options below."),
]


def new(
    project: Annotated[Path, typer.Argument(help="Project folder; made if it is missing.")],
    tomograms: Annotated[list[Path] | None, typer.Argument(help="Tomogram files; they stay where they are.")] = None,
    voxel_size: VoxelSize = None,
    region: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=z0:z1,y0:y1,x0:x1",
            help="Part of a tomogram in which every particle is annotated, in voxels; a missing end means the face.",
        ),
    ] = None,
    classes: Annotated[
        list[str] | None, typer.Option("--class", metavar="NAME=Å", help="Kind of particle with its diameter; repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Create a project, or add tomograms, classes and annotated parts to one.

    [bold]Example:[/]  deepetpicker new ribosomes TS_01.mrc TS_02.mrc --voxel-size 10 --class ribosome=250
    """
    from core.cli.describe import describe_project
    from core.io.volumes import open_tomogram
    from core.project import Project
    from core.project.folder import DATABASE

    report = Report(as_json)
    # everything is looked at before anything is made, so that a wrong word leaves no half-filled project
    opened = [open_tomogram(path, voxel_size=voxel_size) for path in tomograms or ()]
    diameters = [_diameter(text) for text in classes or ()]
    parts = dict(_named_part(text) for text in region or ())
    boxes = {tomogram.id: parsed_box(parts[tomogram.id], tomogram.shape) for tomogram in opened if tomogram.id in parts}
    exists = (project / DATABASE).exists()
    with Project.open(project) if exists else Project.create(project) as work:
        for tomogram in opened:
            _add(report, work, tomogram, voxel_size, boxes.get(tomogram.id))
        for name in parts.keys() - boxes.keys():
            box = parsed_box(parts[name], work.tomogram(name).shape)
            work.store.update_tomogram(replace(work.store.tomogram(name), region=box, complete=True))
        for name, diameter in diameters:
            _class_of(work, name, diameter)
        values, shown = describe_project(work)
    report.result(values, *shown)


def _diameter(text: str) -> tuple[str, float]:
    name, _, diameter = text.rpartition("=")
    try:
        return name, float(diameter)
    except ValueError as exc:
        raise ConfigError(f"Expected a class with its diameter in Å, such as ribosome=250, not {text!r}.") from exc


def _named_part(text: str) -> tuple[str, str]:
    name, equals, part = text.rpartition("=")
    if not equals:
        raise ConfigError(f"Expected a part of a tomogram, such as TS_01=:,0:150,:, not {text!r}.")
    return name, part


def _add(report: Report, project: Project, tomogram: Tomogram, voxel_size: float | None, box: Box | None) -> None:
    for notice in tomogram.notices:
        report.note(f"{tomogram.id}: {notice}")
    if tomogram.path is not None:
        project.add_tomogram(tomogram.path, voxel_size=voxel_size, region=box, complete=box is not None)


def _class_of(project: Project, name: str, diameter: float | None) -> int:
    """Return the id of a class, which is added if the project has none of this name."""
    known = next((spec for spec in project.store.classes() if spec.name == name), None)
    if known is None and diameter is None:
        raise ConfigError(f"The project has no class {name!r}; give its diameter in Å too, and it will be added.")
    if known is not None and diameter not in (None, known.diameter):
        raise ConfigError(
            f"Class {name!r} has a diameter of {known.diameter:g} Å already; leave the diameter out or choose another name."
        )
    if known is not None:
        return known.id
    spec = ClassSpec(id=project.store.next_class_id(), name=name, diameter=diameter or 0.0)
    project.store.add_class(spec)
    return spec.id


def import_particles(
    project: Annotated[Path, typer.Argument(help="Project folder.")],
    file: Annotated[Path, typer.Argument(help="File of particles: STAR, coords, CSV or TSV with a header and more.")],
    tomogram: Annotated[str, typer.Option(metavar="NAME", help="The tomogram that they lie in.")],
    class_name: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="Class of all of them; left out, the file tells.")
    ] = None,
    diameter: Annotated[float | None, typer.Option(metavar="Å", help="Diameter of the class, if it is new.")] = None,
    status: Annotated[
        Choice, typer.Option(help="Accepted ones train, candidates are neutral, rejected ones are not particles.")
    ] = "accepted",
    outside: Annotated[
        Literal["drop", "keep"] | None, typer.Option(help="What to do with positions outside; left out, they are refused.")
    ] = None,
    scale: Annotated[float, typer.Option(help="Factor from the file's voxels to the tomogram's, such as 0.5.")] = 1.0,
    unit: Annotated[
        Literal["voxel", "angstrom", "centred", "centred-1", "pixel", "middle", "fraction"] | None,
        typer.Option(help="What the numbers count, if not what is usual."),
    ] = None,
    pixel_size: PixelSize = None,
    name: NameThere = None,
    format: FileFormat = None,
    option: FormatOptions = None,
    tomograms_star: TomogramsStar = None,
    unbinned_size: UnbinnedSizes = None,
    as_json: Json = False,
) -> None:
    """Import particle centres from a file.

    [bold]Example:[/]  deepetpicker import ribosomes clicks.csv --tomogram TS_01 --class ribosome --diameter 250
    """
    from core.io.particles.values import Unit
    from core.project import Project

    report = Report(as_json)
    series = tilt_series_of([tomogram], pixel_size, tomograms_star, {tomogram: name} if name else {}, unbinned_size)
    with Project.open(project) as work:
        work.store.tomogram(tomogram)
        done = work.import_particles(
            file,
            tomogram,
            format=format,
            unit=None if unit is None else Unit(unit),
            class_id=None if class_name is None else _class_of(work, class_name, diameter),
            scale=scale,
            outside=outside,
            tilt_series=series.get(tomogram),
            name=name,
            status=Status[status.upper()],
            options=format_options(option, format),
        )
    for notice in done.notices:
        report.note(notice)
    report.result({"imported": len(done.ids), "dropped": done.dropped, "elsewhere": done.elsewhere}, _said(done, tomogram))


def _said(done: Imported, tomogram: str) -> str:
    said = f"Imported {len(done.ids)} particles into {tomogram}"
    said += f", left out {done.dropped} outside" if done.dropped else ""
    return said + (f", {done.elsewhere} of other tomograms." if done.elsewhere else ".")


def export(
    project: Annotated[Path, typer.Argument(help="Project folder.")],
    out: Annotated[Path, typer.Option(help="File to write; its ending decides the format: .csv, .tsv, .star, .coords.")],
    status: Which = "accepted",
    threshold: ByClass = None,
    min_distance: ByClass = None,
    edge: ByClass = None,
    mask: Masking = None,
    tomogram: Names = None,
    classes: Classes = None,
    pixel_size: PixelSize = None,
    format: FileFormat = None,
    option: FormatOptions = None,
    tomograms_star: TomogramsStar = None,
    unbinned_size: UnbinnedSizes = None,
    name: OtherNames = None,
    number: Numbers = None,
    as_json: Json = False,
) -> None:
    """Export particles for other programs.

    A candidate that lies on an accepted or rejected particle was decided with it, and is never exported.
    With --status shown, candidates of a class count from a score on (--threshold ribosome=0.7), at a distance in diameters from
    better ones (--min-distance), so many voxels away from the tomogram's faces (--edge), and where masks let them (--mask).

    [bold]Example:[/]  deepetpicker export ribosomes --status candidate --out picks.star --tomograms-star tomograms.star
    """
    from core.gathering import chosen_classes, chosen_tomograms
    from core.project import Project

    report = Report(as_json)
    with Project.open(project) as work:
        names = chosen_tomograms(work, tomogram)
        ids = [spec.id for spec in chosen_classes(work, classes)] if classes else None
        called, numbers = other_names(name, names), numbers_of(number, names)
        series = tilt_series_of(names, pixel_size, tomograms_star, called, unbinned_size)
        asked = {"threshold": threshold, "min_distance": min_distance, "edge": edge}
        if status == "shown":
            reviews = reviews_of(asked, work.store.classes())
            masks = project_masks(report, work, names, mask)
            export_shown(report, work, out, names, ids, reviews, series, called, numbers, format, option, masks)
            return
        if any(asked.values()) or mask:
            raise typer.BadParameter("--threshold, --min-distance, --edge and --mask go with --status shown")
        wanted = None if status == "all" else Status[status.upper()]
        tally = _tally(work, names, ids, wanted)
        written = work.export_particles(
            out,
            tomogram_ids=names,
            class_ids=ids,
            status=wanted,
            format=format,
            tilt_series=series,
            names=called,
            numbers=numbers,
            options=format_options(option, format),
        )
    _tell_exported(report, written, *tally)


def _tell_exported(report: Report, written: Written, exported: int, left: int) -> None:
    for notice in written.notices:
        report.note(notice)
    if left:
        report.note(f"{left} candidates were not exported; add --status candidate to export picks that nobody has judged yet.")
    files = [str(path) for path in written.files]
    report.result({"exported": exported, "files": files}, f"Exported {exported} particles to {', '.join(files)}.")


def _tally(project: Project, names: list[str], ids: list[int] | None, wanted: Status | None) -> tuple[int, int]:
    """Return how many particles are exported, and how many open candidates are not."""
    taken = [project.to_export(name, ids, wanted) for name in names]
    left = [] if wanted in (None, Status.CANDIDATE) else [project.to_export(name, ids, Status.CANDIDATE) for name in names]
    return sum(map(len, taken)), sum(map(len, left))


def info(
    file: Annotated[Path, typer.Argument(help="Tomogram, project folder, trained network or file of particles.")],
    voxel_size: VoxelSize = None,
    as_json: Json = False,
) -> None:
    """Say what is in a file: size, voxel size, statistics, classes, thresholds, and what is odd.

    [bold]Example:[/]  deepetpicker info TS_01.mrc
    """
    from core.cli import describe
    from core.io.particles.registry import FORMATS
    from core.io.volumes import is_tomogram_folder, open_tomogram

    report = Report(as_json)
    if file.is_dir() and not is_tomogram_folder(file):
        from core.project import Project

        with Project.open(file) as project:
            values, shown = describe.describe_project(project)
    elif file.suffix.lower() == ".pt":
        values, shown = describe.describe_checkpoint(file)
    elif file.suffix.lower() in {suffix for known in FORMATS for suffix in known.suffixes}:
        values, shown = describe.describe_particles(file)
    else:
        values, shown = describe.describe_tomogram(open_tomogram(file, voxel_size=voxel_size), report)
    report.result(values, *shown)
