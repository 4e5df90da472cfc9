"""Points as text for IMOD's point2model, and from its model2point.

Source: IMOD, manual pages of model2point and point2model. Columns before x, y and z are the numbers of object and contour; the
centre of a pixel is at 0.5 in x and y, and at a whole number in z.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from core.errors import FileFormatError
from core.io.atomic import atomic_path, make_folder
from core.io.particles.checks import class_ids, positions
from core.io.particles.files import file_for_each
from core.io.particles.formats import Fidelity, Format, Layout, Options
from core.io.particles.imodfile import ModelOptions, first_voxel
from core.io.particles.rows import read_rows, rows_of
from core.io.particles.text import read_text
from core.io.particles.values import ReadPicks, Unit, Written

if TYPE_CHECKING:
    from pathlib import Path

    from core.io.particles.formats import Head, ReadOrder, WriteOrder

_LAYOUTS = {3: ("x", "y", "z"), 4: ("contour", "x", "y", "z"), 5: ("object", "contour", "x", "y", "z")}
_DECIMALS = 3


@dataclass(frozen=True, kw_only=True)
class ImodTextOptions(ModelOptions):
    """Which columns there are.

    Attributes
    ----------
    columns : Literal["object contour x y z", "contour x y z", "x y z"]
        Classes are kept as numbers of objects; ``x y z`` is what point2model takes for a single one.
    first_voxel : Literal["0.5 0.5 0", "0.5 0.5 0.5", "0 0 0"]
        The centre of the first voxel, x y z: as IMOD's sources have it, half a section higher, or at 0 throughout. Change it where
        3dmod shows the points beside the particles.
    """

    columns: Literal["object contour x y z", "contour x y z", "x y z"] = "object contour x y z"


def _columns(options: Options) -> list[str]:
    return (options if isinstance(options, ImodTextOptions) else ImodTextOptions()).columns.split()


def _never(_head: Head) -> bool:
    return False  # looks like DeepETPicker's


def read_imod_text(path: Path, order: ReadOrder) -> ReadPicks:
    """Read points.

    Parameters
    ----------
    path : Path
        The file.
    order : ReadOrder
        How.

    Returns
    -------
    ReadPicks
        In voxels; objects are classes, contours are among the extras.

    Raises
    ------
    FileFormatError
        If the file cannot be read, has another number of columns, or a row is wrong.
    """
    table = read_rows(path, read_text(path))
    if table.shape[1] not in _LAYOUTS:
        listed = " or ".join(f"{count} ({' '.join(names)})" for count, names in _LAYOUTS.items())
        raise FileFormatError(f"{path} has {table.shape[1]} columns; expected {listed}.")
    column = dict(zip(_LAYOUTS[table.shape[1]], table.T, strict=True))
    rows = range(1, len(table) + 1)
    notices: tuple[str, ...] = ()
    if "object" in column and (column["object"] == 0).any():
        column["object"] = column["object"] + 1
        notices = ("Objects are counted from 0 in the file; they are classes 1, 2, 3 … here.",)
    return ReadPicks(
        positions=positions(path, [column[axis] for axis in "xyz"], rows) - first_voxel(order.options)[::-1],
        unit=order.unit or Unit.VOXEL,
        class_ids=class_ids(path, column["object"], rows) if "object" in column else None,
        extras={"contour": column["contour"]} if "contour" in column else {},
        notices=notices,
    )


def write_imod_text(path: Path, order: WriteOrder) -> Written:
    """Write a file for each tomogram.

    Parameters
    ----------
    path : Path
        The file for a single tomogram; with several, a folder named like it without suffix gets one file each.
    order : WriteOrder
        With `ImodTextOptions`.

    Returns
    -------
    Written
        The files.

    Raises
    ------
    PickerError
        If a file cannot be written.
    """
    pieces = file_for_each(path, order.parts)
    for piece, part in zip(pieces, order.parts, strict=True):
        content: dict[str, Any] = {"object": part.table.class_ids, "contour": np.ones(len(part), np.int64)}
        content |= dict(zip("xyz", (part.table.positions[:, ::-1] + first_voxel(order.options)).T, strict=True))
        forms = {"object": "%6d", "contour": "%6d"}
        chosen = [(forms.get(name, f"%12.{_DECIMALS}f"), content[name]) for name in _columns(order.options)]
        make_folder(piece.path.parent)
        with atomic_path(piece.path) as temporary:
            temporary.write_text("".join(rows_of(chosen)), encoding="utf-8", newline="\n")
    return Written(files=tuple(piece.path for piece in pieces), pieces=tuple(pieces))


def _fidelity(options: Options) -> Fidelity:
    return Fidelity(classes="object" in _columns(options), scores=False, rounding=0.5 * 10.0**-_DECIMALS)


IMOD_TEXT = Format(
    name="imod-text",
    title="IMOD points as text",
    suffixes=(".txt", ".pts"),
    recognises=_never,
    read=read_imod_text,
    write=write_imod_text,
    options=ImodTextOptions,
    reading=("first_voxel",),
    layout=Layout.EACH,
    fidelity=_fidelity,
    hint="Run point2model -scat -sphere RADIUS -image TOMOGRAM FILE MODEL.",
)
