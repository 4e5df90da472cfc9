"""Commands for volumes: convert, link."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.cli.options import Json, VoxelSize
from core.cli.report import Report
from core.errors import PickerError

if TYPE_CHECKING:
    from collections.abc import Generator

    from core.messages import Message
    from core.tomogram import Tomogram


def convert(
    source: Annotated[Path, typer.Argument(help="Tomogram of any format that is read.")],
    out: Annotated[Path, typer.Argument(help="What to write; .zarr makes an OME-Zarr folder, .mrc, .rec or .map an MRC file.")],
    voxel_size: VoxelSize = None,
    as_json: Json = False,
) -> None:
    """Write a tomogram as MRC or OME-Zarr, part by part.

    [bold]Example:[/]  deepetpicker convert TS_01.mrc TS_01.ome.zarr
    """
    from core.io.volumes import open_tomogram, writing_zarr

    report = Report(as_json)
    tomogram = open_tomogram(source, voxel_size=voxel_size)
    for notice in tomogram.notices:
        report.note(notice)
    if out.resolve() == source.resolve():
        raise PickerError(f"{out} is the tomogram itself; choose another name to write to.")
    if out.suffix.lower() == ".zarr":
        report.follow(writing_zarr(out, tomogram.data, tomogram.voxel_size))
    elif out.suffix.lower() in (".mrc", ".rec", ".map"):
        report.follow(_writing_mrc(out, tomogram))
    else:
        raise PickerError(f"{out} should end in .zarr, .mrc, .rec or .map, which decides what is written; choose such a name.")
    report.result({"written": str(out), "shape_zyx": list(tomogram.shape)}, f"Written: {out}")


def _writing_mrc(out: Path, tomogram: Tomogram) -> Generator[Message, None, None]:
    import numpy as np

    from core.io.volumes import mrc_writer
    from core.messages import Progress

    with mrc_writer(out, tomogram.shape, tomogram.data.dtype, tomogram.voxel_size) as writer:
        for z in range(tomogram.shape[0]):
            writer.write(np.asarray(tomogram.data[z : z + 1]))
            yield Progress(stage="Writing MRC", done=z + 1, total=tomogram.shape[0])


def link(
    project: Annotated[Path, typer.Argument(help="Project folder.")],
    tomogram: Annotated[str, typer.Argument(help="A tomogram of it.")],
    to: Annotated[str, typer.Argument(help="Another one of the same tilt series: at another binning, filtered, denoised.")],
    alignment: Annotated[
        Literal["faces", "first", "middle"],
        typer.Option(help="What their grids share: outer faces (block means), the first voxel, or voxel n/2."),
    ] = "faces",
    carry: Annotated[bool, typer.Option("--carry", help="Copy the accepted particles of TOMOGRAM to TO as well.")] = False,
    as_json: Json = False,
) -> None:
    """Link two tomograms of one tilt series, so that particles of one can be carried over to the other.

    [bold]Example:[/]  deepetpicker link ribosomes TS_01_bin8 TS_01_bin4 --carry
    """
    from core.grids import Alignment
    from core.project import Project, linking

    report = Report(as_json)
    with Project.open(project) as work:
        notices = [] if to in linking.linked(work, tomogram) else list(linking.link(work, tomogram, to, Alignment(alignment)))
        found = linking.between(work, tomogram, to)
        values: dict[str, Any] = {"scale_zyx": list(found.scale), "offset_zyx": list(found.offset)}
        said = f"{to} = {tomogram} * {found.scale[0]:g} + ({', '.join(f'{one:g}' for one in found.offset)}) voxels (z, y, x)"
        if carry:
            ids, more = linking.carry_over(work, tomogram, to)
            notices += more
            values["carried"] = len(ids)
            said += f"; {len(ids)} particles carried over"
    for notice in notices:
        report.note(notice)
    report.result(values, f"{said}.")
