"""Motive lists of STOPGAP.

Source: STOPGAP 8a2d577, sg_get_motl_fields.m, sg_motl_read.m and extract_parse_subtomo_positions.m. Whole pixels from 1, as MATLAB
counts, and what is left of the position as a shift; sixteen columns, five of them whole numbers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import FileFormatError
from core.io.atomic import atomic_path, make_folder
from core.io.particles.formats import Format, Need
from core.io.particles.numbered import NumberedRows, gather
from core.io.particles.rows import rows_of
from core.io.particles.star import blocks_of
from core.io.particles.values import Piece, Written

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from core.io.particles.checks import Column
    from core.io.particles.formats import Head, ReadOrder, WriteOrder
    from core.io.particles.values import ReadPicks

_BLOCK = "stopgap_motivelist"
_COLUMNS = re.findall(
    r"\w+",
    "motl_idx tomo_num object subtomo_num halfset orig_x orig_y orig_z score x_shift y_shift z_shift phi psi the class",
)
_WHOLE = ("motl_idx", "tomo_num", "object", "subtomo_num", "orig_x", "orig_y", "orig_z", "class")
_EXTRAS = ("motl_idx", "object", "subtomo_num", "halfset")


def is_motive_list(head: Head) -> bool:
    """Tell whether a file is a motive list of STOPGAP.

    Parameters
    ----------
    head : Head
        The beginning of the file.

    Returns
    -------
    bool
        True where its data block begins.
    """
    return f"data_{_BLOCK}" in head.text


def read_stopgap(path: Path, _order: ReadOrder) -> ReadPicks:
    """Read a motive list.

    Parameters
    ----------
    path : Path
        The file.
    _order : ReadOrder
        How; there is nothing to choose.

    Returns
    -------
    ReadPicks
        In voxels, with shifts; orientations unless all angles are 0.

    Raises
    ------
    FileFormatError
        If the file cannot be read, lacks a column, or holds something that is not a number.
    """
    block = next((block for block in blocks_of(path) if {"orig_x", "orig_y", "orig_z"} <= set(block)), None)
    if block is None or len(block) == 0:
        raise FileFormatError(f"{path} holds no particles of STOPGAP; expected a table with orig_x, orig_y and orig_z.")
    phi, psi, the = (_column(path, block, name) for name in ("phi", "psi", "the"))
    rows = NumberedRows(
        places=np.column_stack([_column(path, block, f"orig_{axis}") for axis in "xyz"]),
        shifts=np.column_stack([_column(path, block, f"{axis}_shift") for axis in "xyz"]),
        angles=-np.column_stack([psi, the, phi]),
        scores=_column(path, block, "score"),
        classes=_column(path, block, "class"),
        tomograms=_column(path, block, "tomo_num"),
        extras={name: np.asarray(block[name]) for name in _EXTRAS if name in block},
    )
    return rows.picks(path)


def _column(path: Path, block: pd.DataFrame, name: str) -> Column:
    if name not in block:
        return np.zeros(len(block))
    try:
        values = np.asarray(block[name], np.float64)
    except (ValueError, TypeError, OverflowError) as exc:
        raise FileFormatError(f"{path}: the column {name} holds something that is not a number ({exc}); correct it.") from exc
    if values.ndim != 1:
        raise FileFormatError(f"{path} has the column {name} more than once; remove all but one.")
    return values


def write_stopgap(path: Path, order: WriteOrder) -> Written:
    """Write one motive list with all tomograms.

    Parameters
    ----------
    path : Path
        The file.
    order : WriteOrder
        What.

    Returns
    -------
    Written
        The file.

    Raises
    ------
    PickerError
        If two tomograms have the same number, or the file cannot be written.
    """
    gathered = gather(order.parts, _EXTRAS)
    whole = np.rint(gathered.positions)
    content: dict[str, Any] = {"object": 1} | dict(gathered.extras)
    content |= {"motl_idx": np.arange(1, len(gathered) + 1), "subtomo_num": gathered.serial("subtomo_num")}
    content |= {"tomo_num": gathered.tomograms, "class": gathered.class_ids, "score": gathered.scores}
    content["halfset"] = _halves(order)
    content |= dict(zip(("orig_x", "orig_y", "orig_z"), whole.T + 1, strict=True))
    content |= dict(zip(("x_shift", "y_shift", "z_shift"), (gathered.positions - whole).T, strict=True))
    content |= dict(zip(("psi", "the", "phi"), -gathered.angles.T + 0.0, strict=True))
    forms = dict.fromkeys(_WHOLE, "%d") | {"halfset": "%s", "score": "%.9g"}
    head = f"\ndata_{_BLOCK}\n\nloop_\n" + "".join(f"_{name}\n" for name in _COLUMNS)
    make_folder(path.parent)
    with atomic_path(path) as temporary:
        rows = "".join(rows_of([(forms.get(name, "%.6f"), content[name]) for name in _COLUMNS]))
        temporary.write_text(head + rows, encoding="utf-8", newline="\n")
    names = tuple(str(number) for number in gathered.numbers)
    return Written(files=(path,), pieces=(Piece(path=path),), names=names, notices=gathered.notices)


def _halves(order: WriteOrder) -> np.ndarray:
    told = [part.extras.get("halfset", np.zeros(0)) for part in order.parts]
    halves = np.concatenate([np.asarray(column, object) for column in told])
    count = sum(len(part) for part in order.parts)
    if len(halves) == count and set(halves.tolist()) <= {"A", "B"}:
        return halves
    return np.resize(np.array(["A", "B"], object), count)


STOPGAP = Format(
    name="stopgap",
    title="STOPGAP",
    suffixes=(".star",),
    recognises=is_motive_list,
    read=read_stopgap,
    write=write_stopgap,
    wants=frozenset({Need.NUMBER}),
    called=None,
    hint="Give the file as the motive list; the numbers of tomograms must be those of the wedge list.",
)
