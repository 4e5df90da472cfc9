"""STAR files of RELION 3 and 4, and plain ones.

Source: RELION 4.0.2, import_particles.cpp; RELION 3.1.4, prepare_subtomo.cpp. RELION 4 counts pixels of the unbinned tilt series,
RELION 3 voxels of the tomogram, both from the centre of the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.io.particles.formats import Format, Layout, Need
from core.io.particles.names import star_names, tilt_series_name
from core.io.particles.star import CORNER, NAME, Meaning, is_star, read_star
from core.io.particles.starwriting import Columns, filled, of_classes, star_fidelity, write_star
from core.io.particles.values import Piece, Unit, Written

if TYPE_CHECKING:
    from pathlib import Path

    from core.io.particles.formats import Head, ReadOrder, WriteOrder
    from core.io.particles.values import ReadPicks


def is_relion4(head: Head) -> bool:
    """Tell whether a file names tilt series and has coordinates from the corner.

    Parameters
    ----------
    head : Head
        The beginning of the file.

    Returns
    -------
    bool
        True for RELION 4.
    """
    return is_star(head.text) and CORNER[0] in head.text and NAME in head.text


def is_plain(head: Head) -> bool:
    """Tell whether a file has coordinates from the corner and names no tilt series.

    Parameters
    ----------
    head : Head
        The beginning of the file.

    Returns
    -------
    bool
        True for RELION 3, DeepETPicker's converter and many others.
    """
    return is_star(head.text) and CORNER[0] in head.text


def read_relion4(path: Path, order: ReadOrder) -> ReadPicks:
    """Read particles that count pixels of the tilt series.

    Parameters
    ----------
    path : Path
        The file, or a list of files.
    order : ReadOrder
        How.

    Returns
    -------
    ReadPicks
        As `core.io.particles.star.read_star` returns.

    Raises
    ------
    FileFormatError
        If the file cannot be read.
    """
    return read_star(path, Meaning(corner=Unit.PIXEL if order.named else None), order.unit)


def read_relion3(path: Path, order: ReadOrder) -> ReadPicks:
    """Read particles that count voxels of the tomogram.

    Parameters
    ----------
    path : Path
        The file.
    order : ReadOrder
        How.

    Returns
    -------
    ReadPicks
        As `core.io.particles.star.read_star` returns.

    Raises
    ------
    FileFormatError
        If the file cannot be read.
    """
    return read_star(path, Meaning(corner=Unit.VOXEL if order.named else None), order.unit)


def write_relion4(path: Path, order: WriteOrder) -> Written:
    """Write what RELION 4's job Import reads: one file with the particles of all tomograms, for each class.

    Parameters
    ----------
    path : Path
        The file; with several classes, each gets one with its name.
    order : WriteOrder
        What; a name of a tomogram is shortened to that of the tilt series.

    Returns
    -------
    Written
        The files.

    Raises
    ------
    PickerError
        If a name is impossible or taken twice, or a file cannot be written.
    """
    import pandas as pd

    names = star_names(order.parts)
    pieces = []
    for number, one, parts in of_classes(path, order):
        columns = Columns(parts)
        tables = [
            columns.table(part, CORNER, part.frame.from_voxels(part.table.positions, Unit.PIXEL), {NAME: name})
            for name, part in filled(parts, names)
        ]
        write_star(one, "particles", pd.concat(tables, ignore_index=True))
        pieces.append(Piece(path=one, class_id=number))
    return Written(files=tuple(piece.path for piece in pieces), pieces=tuple(pieces), names=names)


def write_relion3(path: Path, order: WriteOrder) -> Written:
    """Write plain files of x, y and z in voxels, one for each tomogram and class.

    Parameters
    ----------
    path : Path
        The file for a single tomogram; with several, a folder named like it without suffix gets one file each.
    order : WriteOrder
        What.

    Returns
    -------
    Written
        The files.

    Raises
    ------
    PickerError
        If a name is impossible or taken twice, or a file cannot be written.
    """
    names = star_names(order.parts)
    pieces = []
    for number, one, parts in of_classes(path, order):
        columns = Columns(parts)
        for name, part in filled(parts, names):
            file = one if len(parts) == 1 else path.with_suffix("") / f"{name}{one.stem.removeprefix(path.stem)}{path.suffix}"
            write_star(file, "", columns.table(part, CORNER, part.table.positions, {}))
            pieces.append(Piece(path=file, tomogram=name, class_id=number))
    return Written(files=tuple(piece.path for piece in pieces), pieces=tuple(pieces), names=names)


RELION4 = Format(
    name="relion4",
    title="RELION 4",
    suffixes=(".star",),
    recognises=is_relion4,
    read=read_relion4,
    write=write_relion4,
    called=tilt_series_name,
    needs=frozenset({Need.VOXEL_SIZE, Need.PIXEL_SIZE}),
    by_class=True,
    fidelity=star_fidelity,
    hint="In RELION's job Import coordinates, give the file as the input.",
)
RELION3 = Format(
    name="relion3",
    title="RELION 3 and plain STAR",
    suffixes=(".star",),
    recognises=is_plain,
    read=read_relion3,
    write=write_relion3,
    called=tilt_series_name,
    layout=Layout.EACH,
    by_class=True,
    fidelity=star_fidelity,
    hint="Put each file beside its tomogram, named like it.",
)
