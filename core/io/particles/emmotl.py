"""Motive lists in EM files, as AV3, TOM, Artiatomi and cryoCAT have them: twenty numbers for each particle.

Source: Artiatomi wiki, Motivelist; cryoCAT 0.7.1, cryomotl.py; ArtiaX 799208e. Whole pixels from 1 and the rest as a shift. The
header is 512 bytes: the machine, two unused bytes, the kind of numbers, and three extents.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from core.errors import FileFormatError, PickerError
from core.io.atomic import atomic_path, make_folder
from core.io.particles.formats import Format, Need
from core.io.particles.numbered import NumberedRows, gather
from core.io.particles.text import read_bytes
from core.io.particles.values import Piece, Written

if TYPE_CHECKING:
    from pathlib import Path

    from core.io.particles.formats import Head, ReadOrder, WriteOrder
    from core.io.particles.values import ReadPicks

_HEADER = 512
_ROWS = 20
_PC, _FLOAT = 6, 5
_BIG_ENDIAN = (0, 3, 5)  # OS-9, SGI and Mac
_KINDS = {2: "i2", 4: "i4", 5: "f4", 9: "f8"}
_LARGEST = 2**24
_EXTRAS = {"geom1": 1, "geom2": 2, "subtomo_id": 3, "object_id": 5, "subtomo_mean": 6, "geom3": 13, "geom4": 14, "geom5": 15}
"""Rows that nothing else holds, counted from 0, by their names in AV3 and cryoCAT."""


class _Header(NamedTuple):
    """What the numbers are, and x, y and z extents."""

    kind: np.dtype[np.generic]
    extents: tuple[int, int, int]


def _header(raw: bytes) -> _Header | None:
    if len(raw) < _HEADER or raw[3] not in _KINDS:
        return None
    order = ">" if raw[0] in _BIG_ENDIAN else "<"
    x, y, z = struct.unpack_from(f"{order}3i", raw, 4)
    return _Header(np.dtype(order + _KINDS[raw[3]]), (x, y, z))


def is_em_motl(head: Head) -> bool:
    """Tell whether an EM file has 20 numbers for each particle.

    Parameters
    ----------
    head : Head
        The beginning of the file.

    Returns
    -------
    bool
        False for volumes.
    """
    if head.path.suffix.lower() != ".em":
        return False
    found = _header(head.raw)
    return found is not None and found.extents[0] == _ROWS and found.extents[2] == 1


def read_em_motl(path: Path, _order: ReadOrder) -> ReadPicks:
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
        If the file is no motive list, is cut, or a number in it makes no sense.
    """
    content = read_bytes(path)
    found = _header(content)
    if found is None or found.extents[0] != _ROWS or found.extents[2] != 1 or found.extents[1] < 1:
        raise FileFormatError(f"{path} is not a motive list; expected an EM file of {_ROWS} numbers for each particle.")
    count = _ROWS * found.extents[1]
    if (len(content) - _HEADER) // found.kind.itemsize < count:
        raise FileFormatError(f"{path} is cut short: its header tells of {found.extents[1]} particles; get the whole file.")
    with np.errstate(invalid="ignore"):  # damaged numbers are refused below
        table = np.frombuffer(content, found.kind, count, _HEADER).reshape(-1, _ROWS).astype(np.float64)
    rows = NumberedRows(
        places=table[:, 7:10],
        shifts=table[:, 10:13],
        angles=-table[:, [17, 18, 16]],
        scores=table[:, 0],
        classes=table[:, 19],
        tomograms=table[:, 4],
        extras={name: table[:, place] for name, place in _EXTRAS.items()},
    )
    return rows.picks(path)


def write_em_motl(path: Path, order: WriteOrder) -> Written:
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
        If two tomograms have the same number or one has a very large one, or the file cannot be written.
    """
    gathered = gather(order.parts, tuple(_EXTRAS))
    largest = max(*gathered.numbers, int(gathered.class_ids.max()))
    if largest > _LARGEST:
        raise PickerError(f"An EM file holds whole numbers up to {_LARGEST} only, not {largest}; give tomograms smaller numbers.")
    whole = np.rint(gathered.positions)
    table = np.zeros((len(gathered), _ROWS), "<f4")
    for name, column in gathered.extras.items():
        table[:, _EXTRAS[name]] = column
    table[:, 0], table[:, 3], table[:, 4] = gathered.scores, gathered.serial("subtomo_id"), gathered.tomograms
    if "object_id" not in gathered.extras:
        table[:, 5] = np.arange(1, len(gathered) + 1)
    table[:, 7:10], table[:, 10:13] = whole + 1, gathered.positions - whole
    table[:, [17, 18, 16]] = -gathered.angles
    table[:, 19] = gathered.class_ids
    head = struct.pack("<4B3i", _PC, 0, 0, _FLOAT, _ROWS, len(table), 1).ljust(_HEADER, b"\0")
    make_folder(path.parent)
    with atomic_path(path) as temporary:
        temporary.write_bytes(head + (table + np.float32(0)).tobytes())
    names = tuple(str(number) for number in gathered.numbers)
    return Written(files=(path,), pieces=(Piece(path=path),), names=names, notices=gathered.notices)


EM_MOTL = Format(
    name="em-motl",
    title="AV3, TOM, Artiatomi and cryoCAT",
    suffixes=(".em",),
    recognises=is_em_motl,
    read=read_em_motl,
    write=write_em_motl,
    wants=frozenset({Need.NUMBER}),
    called=None,
    hint="Give the file as the motive list; tomograms are known by their numbers.",
)
