"""PEET: a model of IMOD with the positions, and a motive list with shifts, angles, scores and classes of its points.

Source: PEET's motive lists as ArtiaX 799208e reads them. Where PEET has the centre of a pixel is not documented; unless the option
says otherwise, IMOD's rule is taken, as the model is drawn in IMOD.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import FileFormatError
from core.io.atomic import atomic_path, make_folder
from core.io.particles.angles import DYNAMO, to_euler
from core.io.particles.files import file_for_each
from core.io.particles.formats import Format, Layout, Need
from core.io.particles.imod import model_of, object_of, placed
from core.io.particles.imodfile import ModelOptions, model_bytes, parse_model
from core.io.particles.numbered import NumberedRows
from core.io.particles.rows import read_rows, rows_of
from core.io.particles.text import read_bytes, read_text
from core.io.particles.values import Piece, Written

if TYPE_CHECKING:
    from pathlib import Path

    from core.io.particles.formats import Head, ReadOrder, WriteOrder
    from core.io.particles.values import ReadPicks, TomogramPicks
    from core.types import IntArray

_HEADER = (
    "CCC,reserved,reserved,pIndex,wedgeWT,NA,NA,NA,NA,NA,"
    "xOffset,yOffset,zOffset,NA,NA,reserved,EulerZ(1),EulerZ(3),EulerX(2),reserved"
)
_COLUMNS = 20
_TOLD = (
    "Where PEET has the centre of a pixel is not documented: the option first_voxel says where the first one is taken to be, "
    "as IMOD has it (0.5 0.5 0) if nothing else is chosen."
)


def is_peet(head: Head) -> bool:
    """Tell whether a file is a motive list of PEET.

    Parameters
    ----------
    head : Head
        The beginning of the file.

    Returns
    -------
    bool
        By its header.
    """
    return head.text.lstrip().startswith("CCC,")


def read_peet(path: Path, order: ReadOrder) -> ReadPicks:
    """Read a motive list with the model beside it.

    Parameters
    ----------
    path : Path
        The motive list or the model; the other one has the same name but for ``.csv`` or ``.mod``.
    order : ReadOrder
        With `ModelOptions`.

    Returns
    -------
    ReadPicks
        In voxels, with shifts; orientations unless all angles are 0.

    Raises
    ------
    FileFormatError
        If one of the two is missing, cannot be read, or they do not fit each other.
    """
    model, listing = path.with_suffix(".mod"), path.with_suffix(".csv")
    for file in (model, listing):
        if not file.is_file():
            raise FileFormatError(f"PEET has {path.name} and {file.name} side by side, and the latter is missing; put it there.")
    points, notices = placed(model, parse_model(model, read_bytes(model)), order.options)
    table = read_rows(listing, "#" + read_text(listing).lstrip(), ",")
    if table.shape[1] < _COLUMNS:
        raise FileFormatError(f"{listing} has {table.shape[1]} columns; a motive list of PEET has {_COLUMNS}.")
    rows = NumberedRows(
        places=points[_numbers(listing, table[:, 3], len(points))],
        shifts=table[:, 10:13],
        angles=-table[:, [17, 18, 16]],
        scores=table[:, 0],
        classes=table[:, 19],
        tomograms=np.zeros(len(table)),
        base=0,
    )
    return rows.picks(listing, notices=(*notices, _TOLD))


def _numbers(path: Path, told: np.ndarray, count: int) -> IntArray:
    """Which point each row is about: by pIndex, else the rows in turn."""
    right = (told >= 1) & (told <= count) & (told == np.floor(told))
    if right.all() and len(np.unique(told)) == len(told):
        return np.asarray(told, np.int64) - 1
    if len(told) == count:
        return np.arange(count)
    raise FileFormatError(f"{path} has {len(told)} particles and its model {count} points; put the two that belong together there.")


def write_peet(path: Path, order: WriteOrder) -> Written:
    """Write a model and a motive list for each tomogram.

    Parameters
    ----------
    path : Path
        The model of a single tomogram; with several, a folder named like it without suffix gets two files each.
    order : WriteOrder
        With `ModelOptions`.

    Returns
    -------
    Written
        The files; motive lists are what to read.

    Raises
    ------
    PickerError
        If a file cannot be written.
    """
    files, pieces = [], []
    for piece, part in zip(file_for_each(path.with_suffix(".mod"), order.parts), order.parts, strict=True):
        listing = piece.path.with_suffix(".csv")
        make_folder(listing.parent)
        with atomic_path(piece.path) as temporary:
            one = object_of(part, "", None, order.options, values=False)
            temporary.write_bytes(model_bytes(model_of(part, (one,))))
        with atomic_path(listing) as temporary:
            temporary.write_text(_listing(part), encoding="utf-8", newline="\n")
        files += [piece.path, listing]
        pieces.append(Piece(path=listing, tomogram=part.name))
    notices = [_TOLD]
    if any(np.isnan(part.table.scores).any() for part in order.parts):
        notices.append("Particles without a score have 1 in the column CCC.")
    return Written(files=tuple(files), pieces=tuple(pieces), notices=tuple(notices))


def _listing(part: TomogramPicks) -> str:
    columns: list[Any] = [0] * _COLUMNS
    scores = part.table.scores
    columns[0] = np.where(np.isfinite(scores), scores, 1.0)
    columns[3], columns[4], columns[19] = np.arange(1, len(part) + 1), 1, part.table.class_ids
    if part.orientations is not None:
        angles = -to_euler(part.orientations, DYNAMO) + 0.0
        columns[17], columns[18], columns[16] = angles.T
    return _HEADER + "\n" + "".join(rows_of([("%.9g", column) for column in columns], ","))


PEET = Format(
    name="peet",
    title="PEET",
    suffixes=(".mod",),
    recognises=is_peet,
    read=read_peet,
    write=write_peet,
    options=ModelOptions,
    reading=("first_voxel",),
    layout=Layout.EACH,
    wants=frozenset({Need.VOXEL_SIZE}),
    hint="In PEET give the models as Model and the .csv files as initial motive lists.",
)
