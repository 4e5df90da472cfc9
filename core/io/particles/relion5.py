"""STAR files that RELION 5's job Import Coordinates reads.

Source: RELION 73f0a3c, tomogram_set.cpp, particle_set.cpp and import_coordinates.cpp. A centred coordinate is
``(i b - S/2) p`` with the voxel index i, the binning b, the unbinned size S and the pixel size p of the tilt series.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core.errors import PickerError
from core.io.particles.formats import Format, Layout, Need, Options
from core.io.particles.names import star_names, tilt_series_name
from core.io.particles.star import CENTRED, FILE, NAME, Meaning, blocks_of, is_star, read_star
from core.io.particles.starwriting import Columns, filled, of_classes, star_fidelity, write_star
from core.io.particles.values import Piece, Unit, Written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from core.io.particles.formats import Head, ReadOrder, WriteOrder
    from core.io.particles.values import ReadPicks, TomogramPicks


@dataclass(frozen=True, kw_only=True)
class Relion5Options(Options):
    """How RELION 5 counts.

    Attributes
    ----------
    centre : Literal["S/2", "S/2-1"]
        Where the centre of the tomogram is, in pixels of the tilt series: RELION's jobs take half the unbinned size S; its napari
        picker writes one pixel less.
    relion_folder : str
        The folder that RELION runs in, to which the list then names its files relative; empty for full paths.
    """

    centre: Literal["S/2", "S/2-1"] = "S/2"
    relion_folder: str = ""


def _unit(options: Options) -> Unit:
    return Unit.CENTRED_EARLY if isinstance(options, Relion5Options) and options.centre == "S/2-1" else Unit.CENTRED


def is_relion5(head: Head) -> bool:
    """Tell whether a file has centred coordinates, or lists files of particles.

    Parameters
    ----------
    head : Head
        The beginning of the file.

    Returns
    -------
    bool
        True for what only RELION 5 writes, and lists, which RELION 4 reads too.
    """
    return is_star(head.text) and (CENTRED[0] in head.text or FILE in head.text)


def read_relion5(path: Path, order: ReadOrder) -> ReadPicks:
    """Read particles of RELION 5, or a list of files with them.

    Parameters
    ----------
    path : Path
        The file.
    order : ReadOrder
        With `Relion5Options`.

    Returns
    -------
    ReadPicks
        As `core.io.particles.star.read_star` returns.

    Raises
    ------
    FileFormatError
        If the file cannot be read.
    """
    return read_star(path, Meaning(corner=None, centred=_unit(order.options)), order.unit)


def write_relion5(path: Path, order: WriteOrder) -> Written:
    """Write what RELION 5's job Import Coordinates reads: a list, and a file of particles for each tomogram beside it.

    The list is written even for a single tomogram, because RELION takes a single file for a list. Where particles of several
    classes are given, each class gets a list of its own.

    Parameters
    ----------
    path : Path
        The list; the other files go to a folder of the same name without suffix.
    order : WriteOrder
        With `Relion5Options`; a name of a tomogram is shortened to that of the tilt series.

    Returns
    -------
    Written
        The lists first, then the files of particles.

    Raises
    ------
    PickerError
        If a name is impossible or taken twice, or a file cannot be written.
    """
    names = star_names(order.parts)
    folder = order.options.relion_folder if isinstance(order.options, Relion5Options) else ""
    lists, files = [], []
    for number, one, parts in of_classes(path, order):
        lists.append(Piece(path=one, class_id=number))
        files += _write_list(one, filled(parts, names), _unit(order.options), folder)
    listed = tuple(piece.path for piece in lists)
    return Written(files=(*listed, *files), notices=tuple(_notices(order.parts)), pieces=tuple(lists), names=names)


def _notices(parts: Sequence[TomogramPicks]) -> Iterator[str]:
    unsure = [part.name for part in parts if part.frame.tilt_series is not None and part.frame.tilt_series.size is None]
    if unsure:
        yield (
            f"The unbinned size of {', '.join(unsure)} is not known and was taken as the tomogram's size times its binning; "
            "if RELION has another one (rlnTomoSizeX/Y/Z), give it or RELION's tomograms.star, or the picks are off by half the "
            "difference."
        )


def _write_list(path: Path, parts: list[tuple[str, TomogramPicks]], unit: Unit, relion_folder: str) -> list[Path]:
    import pandas as pd

    columns = Columns([part for _, part in parts])
    files = [path.with_suffix("") / f"{name}.star" for name, _ in parts]
    for file, (name, part) in zip(files, parts, strict=True):
        placed = part.frame.from_voxels(part.table.positions, unit)
        write_star(file, "particles", columns.table(part, CENTRED, placed, {NAME: name}))
    told = [_as_told(file, relion_folder) for file in files]
    write_star(path, "coordinate_files", pd.DataFrame({NAME: [name for name, _ in parts], FILE: told}))
    if list(blocks_of(path)[0][FILE]) != told:
        raise PickerError(f"The list {path} does not read back as it was written; choose a folder without unusual characters.")
    return files


def _as_told(file: Path, relion_folder: str) -> str:
    return (Path(os.path.relpath(file, relion_folder)) if relion_folder else file.absolute()).as_posix()


RELION5 = Format(
    name="relion5",
    title="RELION 5",
    suffixes=(".star",),
    recognises=is_relion5,
    read=read_relion5,
    write=write_relion5,
    called=tilt_series_name,
    options=Relion5Options,
    reading=("centre",),
    layout=Layout.LIST,
    needs=frozenset({Need.VOXEL_SIZE, Need.PIXEL_SIZE}),
    wants=frozenset({Need.UNBINNED_SIZE}),
    by_class=True,
    fidelity=star_fidelity,
    hint="In RELION's job Import Coordinates, give the list as the coordinate file.",
)
