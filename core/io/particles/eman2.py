"""EMAN2: boxes in the info file of each tomogram, and boxes as text.

Source: EMAN2 f9e8fc6, e2spt_boxer.py, e2spt_boxer_convnet.py and EMAN2.py (info_name). With apix_unbin in the file, boxes count
unbinned pixels from the voxel N // 2 of the tomogram; without it, voxels from the first.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from core.errors import FileFormatError, PickerError
from core.io.atomic import atomic_path, make_folder
from core.io.particles.checks import is_number
from core.io.particles.coords import COORDS
from core.io.particles.eman2info import (
    BOXES,
    ENDING,
    MANUAL,
    METHOD,
    SCORE,
    SHORTEST,
    apix_of,
    boxes_of,
    info_name,
    info_of,
    merge,
    names_of,
    number_of,
)
from core.io.particles.formats import Format, Layout, Need
from core.io.particles.text import lines, read_text
from core.io.particles.values import Piece, ReadPicks, Unit, Written

if TYPE_CHECKING:
    from pathlib import Path

    from core.io.particles.formats import Head, ReadOrder, WriteOrder


def is_info(head: Head) -> bool:
    """Tell whether a file is an info file of EMAN2 with boxes, or may be one by its name.

    Parameters
    ----------
    head : Head
        The beginning of the file.

    Returns
    -------
    bool
        True for EMAN2.
    """
    start = head.text.lstrip()
    return start.startswith("{") and (f'"{BOXES}"' in start or head.path.name.endswith(ENDING))


def is_box(head: Head) -> bool:
    """Tell whether a file has rows of numbers and is called ``.box``.

    Parameters
    ----------
    head : Head
        The beginning of the file.

    Returns
    -------
    bool
        True for EMAN.
    """
    words = next((line for _, line in lines(head.text)), "").split()
    return head.path.suffix.lower() == ".box" and bool(words) and all(map(is_number, words))


def read_eman2(path: Path, _order: ReadOrder) -> ReadPicks:
    """Read the boxes of all classes of an info file.

    Parameters
    ----------
    path : Path
        The file.
    _order : ReadOrder
        How; there is nothing to choose.

    Returns
    -------
    ReadPicks
        In Å from the middle of the tomogram where the file has apix_unbin, else in voxels. Boxes that were placed by hand have no
        score.

    Raises
    ------
    FileFormatError
        If the file is no such file, has no boxes, or a box makes no sense.
    """
    info = info_of(path)
    boxes = boxes_of(path, info)
    if not boxes:
        raise FileFormatError(f"{path} has no boxes of particles ({BOXES}).")
    try:
        places = np.array([box[:SHORTEST] for box in boxes], np.float64)[:, ::-1]
        scores = np.array([float(box[SCORE]) if len(box) > SCORE else 0.0 for box in boxes])
        numbers = [number_of(box) for box in boxes]
    except (TypeError, ValueError, OverflowError) as exc:
        raise FileFormatError(f"{path} has a box that is not x, y, z, method, score and class ({exc}); correct it.") from exc
    if not (np.isfinite(places).all() and (np.abs(scores) < np.finfo(np.float32).max).all()):
        raise FileFormatError(f"{path} has a box with a position or score that is not a finite number; correct it.")
    by_hand = np.array([len(box) <= METHOD or str(box[METHOD]) == MANUAL for box in boxes])
    scores[by_hand & (scores == 0)] = np.nan
    names, apix = names_of(info), apix_of(path, info)
    named = bool(names) or any(numbers)
    return ReadPicks(
        positions=places if apix is None else places * apix,
        unit=Unit.VOXEL if apix is None else Unit.MIDDLE,
        class_names=tuple(names.get(number, f"class {number}") for number in numbers) if named else None,
        scores=scores.astype(np.float32) if np.isfinite(scores).any() else None,
    )


def write_eman2(path: Path, order: WriteOrder) -> Written:
    """Put boxes into info files, in place of those of the same classes; all else in the files stays.

    Parameters
    ----------
    path : Path
        The info file of a single tomogram; several go into its folder under EMAN2's names.
    order : WriteOrder
        What.

    Returns
    -------
    Written
        The files.

    Raises
    ------
    PickerError
        If two tomograms would have the same file, or one that is there cannot be read or written.
    """
    files = [path] if len(order.parts) == 1 else [path.with_name(info_name(part.name)) for part in order.parts]
    if len({str(file).lower() for file in files}) < len(files):
        raise PickerError("Two tomograms would have the same info file in EMAN2; give one of them another name.")
    notices: dict[str, None] = {}
    merged = []
    for file, part in zip(files, order.parts, strict=True):
        info = info_of(file) if file.exists() else {}
        notices |= dict.fromkeys(merge(file, info, part, order.classes))
        merged.append(info)
    for file, info in zip(files, merged, strict=True):
        make_folder(file.parent)
        with atomic_path(file) as temporary:
            temporary.write_text(json.dumps(info), encoding="utf-8")
    if len(files) == 1 and path.name != info_name(order.parts[0].name):
        notices[f"EMAN2 looks for the boxes in info/{info_name(order.parts[0].name)}; give the file this name there."] = None
    pieces = tuple(Piece(path=file, tomogram=part.name) for file, part in zip(files, order.parts, strict=True))
    return Written(files=tuple(files), pieces=pieces, notices=tuple(notices))


def read_box(path: Path, order: ReadOrder) -> ReadPicks:
    """Read boxes as text: x, y and z of the centre in voxels.

    Parameters
    ----------
    path : Path
        The file.
    order : ReadOrder
        How.

    Returns
    -------
    ReadPicks
        In voxels.

    Raises
    ------
    FileFormatError
        If the file has other than three columns, or a row is wrong.
    """
    words = next((line for _, line in lines(read_text(path))), "").split()
    if len(words) in (4, 5):
        raise FileFormatError(f"{path} has {len(words)} columns, as boxes in images have (x y width height); expected x y z.")
    if len(words) != SHORTEST or COORDS.read is None:
        raise FileFormatError(f"{path} has {len(words)} columns; expected x y z.")
    return COORDS.read(path, replace(order, named=True, options=COORDS.options()))


EMAN2 = Format(
    name="eman2",
    title="EMAN2",
    suffixes=(".json",),
    recognises=is_info,
    read=read_eman2,
    write=write_eman2,
    layout=Layout.MERGED,
    stays=lambda path: f"{path.name} is there already: its boxes of the same classes are replaced, all else in it stays.",
    needs=frozenset({Need.VOXEL_SIZE, Need.PIXEL_SIZE}),
    hint="Give the info file of the tomogram in the folder info of the project; EMAN2 shows the boxes in e2spt_boxer.py.",
)
EMAN_BOX = Format(
    name="box",
    title="EMAN2 boxes as text",
    suffixes=(".box",),
    recognises=is_box,
    read=read_box,
)
