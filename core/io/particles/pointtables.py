"""Tables of points as napari saves a layer, and as ArtiaX reads them.

Source: napari 0.9.2, napari_builtins: data units of the layer in the order z, y, x; the layer's scale is not in the file. ArtiaX
799208e, artiax_file_formats.html: tab-separated, with shifts and the angles phi, the, psi, and numbers in all other columns.
"""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from core.errors import FileFormatError
from core.io.particles.angles import DYNAMO, from_euler, to_euler
from core.io.particles.checks import class_ids, numbers, positions, scores
from core.io.particles.files import file_for_each
from core.io.particles.formats import Fidelity, Format, Layout
from core.io.particles.perclass import write_text
from core.io.particles.text import read_text, records
from core.io.particles.values import ReadPicks, Unit, Written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from core.io.particles.checks import Column
    from core.io.particles.formats import Head, ReadOrder, WriteOrder
    from core.io.particles.values import TomogramPicks

_AXES = ("axis-0", "axis-1", "axis-2")
_PLACED, _SHIFTS, _ANGLES = ("pos_x", "pos_y", "pos_z"), ("shift_x", "shift_y", "shift_z"), ("phi", "the", "psi")


def _header(text: str, mark: str) -> list[str]:
    return [word.strip().strip('"') for word in text.partition("\n")[0].split(mark)]


def is_napari(head: Head) -> bool:
    """Tell whether a table was saved by napari.

    Parameters
    ----------
    head : Head
        The beginning of the file.

    Returns
    -------
    bool
        True where the header names axes by number.
    """
    return set(_AXES) <= set(_header(head.text, ","))


def is_artiax(head: Head) -> bool:
    """Tell whether a table is ArtiaX's own.

    Parameters
    ----------
    head : Head
        The beginning of the file.

    Returns
    -------
    bool
        True where the header has positions, shifts and angles.
    """
    return {*_PLACED, *_SHIFTS, *_ANGLES} <= set(_header(head.text, "\t"))


class _Table:
    """The columns of a file by their names."""

    def __init__(self, path: Path, mark: str, needed: tuple[str, ...]) -> None:
        text = read_text(path)
        header = _header(text, mark)
        missing = [name for name in needed if name not in header]
        if missing:
            raise FileFormatError(f"{path}: expected the columns {', '.join(needed)}, but {', '.join(missing)} is missing.")
        rows = list(records(path, text, mark, 2))
        for number, fields in rows:
            if len(fields) != len(header):
                raise FileFormatError(f"{path}, line {number}: expected {len(header)} columns as in the header, not {len(fields)}.")
        if not rows:
            raise FileFormatError(f"{path} holds a header but no points; choose a file with particles.")
        self.path, self.header, self.places = path, header, [number for number, _ in rows]
        self.words = dict(zip(header, zip(*(fields for _, fields in rows), strict=True), strict=False))

    def numbers(self, name: str) -> Column:
        return numbers(self.path, [word or "nan" for word in self.words[name]], self.places, name)

    def placed(self, xyz: tuple[str, ...]) -> Column:
        return positions(self.path, [self.numbers(name) for name in xyz], self.places)

    def told(self, unit: Unit, placed: Column, used: tuple[str, ...]) -> ReadPicks:
        ids = class_ids(self.path, self.numbers("class_id"), self.places) if "class_id" in self.words else None
        given = scores(self.path, self.numbers("score"), self.places) if "score" in self.words else None
        others = [name for name in self.words if name and name not in (*used, "class_id", "class", "score", "index")]
        return ReadPicks(
            positions=placed,
            unit=unit,
            class_ids=ids,
            class_names=self.words.get("class"),
            scores=given,
            extras={name: np.array(self.words[name], object) for name in others},
        )


def read_napari(path: Path, order: ReadOrder) -> ReadPicks:
    """Read the points of a layer.

    Parameters
    ----------
    path : Path
        The file.
    order : ReadOrder
        Its unit is what a data unit of the layer is; None for voxels.

    Returns
    -------
    ReadPicks
        With features as extras, but for those called class, class_id and score.

    Raises
    ------
    FileFormatError
        If the file cannot be read, has other than three axes, or a row is wrong.
    """
    table = _Table(path, ",", _AXES)
    if "axis-3" in table.words:
        raise FileFormatError(f"{path} has points with more than three axes; save a layer with z, y and x only.")
    return table.told(order.unit or Unit.VOXEL, table.placed(_AXES[::-1]), _AXES)


def read_artiax(path: Path, order: ReadOrder) -> ReadPicks:
    """Read a table of ArtiaX.

    Parameters
    ----------
    path : Path
        The file.
    order : ReadOrder
        Its unit is what positions and shifts count; None for voxels.

    Returns
    -------
    ReadPicks
        With orientations.

    Raises
    ------
    FileFormatError
        If the file cannot be read, or a row is wrong.
    """
    table = _Table(path, "\t", (*_PLACED, *_SHIFTS, *_ANGLES))
    angles = np.column_stack([table.numbers(name) for name in _ANGLES])
    moved, used = table.placed(_SHIFTS), (*_PLACED, *_SHIFTS, *_ANGLES)
    with np.errstate(over="ignore"):
        placed = table.placed(_PLACED) + moved
    if not np.isfinite(placed).all():
        raise FileFormatError(f"{path}: positions and shifts are too large; correct them.")
    found = table.told(order.unit or Unit.VOXEL, placed, used)
    # phi, the, psi turn the particle; its turn back is -psi, -the, -phi
    return replace(found, orientations=from_euler(-angles[:, ::-1], DYNAMO)) if angles.any() else found


def write_napari(path: Path, order: WriteOrder) -> Written:
    """Write a layer of points for each tomogram, with class and score as features.

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
        If a file cannot be written.
    """
    words = {spec.id: spec.name for spec in order.classes}
    pieces = file_for_each(path, order.parts)
    for piece, part in zip(pieces, order.parts, strict=True):
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("index", *_AXES, "class", "class_id", "score"))
        rows = zip(part.table.positions.tolist(), part.table.class_ids.tolist(), part.table.scores.tolist(), strict=True)
        for row, (zyx, number, score) in enumerate(rows):
            writer.writerow((row, *zyx, words.get(number, str(number)), number, "" if np.isnan(score) else f"{score:.7g}"))
        write_text(piece.path, [text.getvalue()])
    told = "Points are voxels: give the layer the same scale as the image in napari."
    return Written(files=tuple(piece.path for piece in pieces), pieces=tuple(pieces), notices=(told,))


def write_artiax(path: Path, order: WriteOrder) -> Written:
    """Write a table for each tomogram, with the number of the class, and the score where all particles have one.

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
        If a file cannot be written.
    """
    pieces = file_for_each(path, order.parts)
    for piece, part in zip(pieces, order.parts, strict=True):
        write_text(piece.path, _artiax_lines(part))
    told = "Positions are voxels from 0: give ArtiaX the voxel size of the tomogram as the pixel size of the list."
    return Written(files=tuple(piece.path for piece in pieces), pieces=tuple(pieces), notices=(told,))


def _artiax_lines(part: TomogramPicks) -> Iterator[str]:
    turned = np.zeros((len(part), 3)) if part.orientations is None else -to_euler(part.orientations, DYNAMO)[:, ::-1] + 0.0
    scored = bool(np.isfinite(part.table.scores).all())
    yield "\t".join((*_PLACED, *_SHIFTS, *_ANGLES, "class_id", *(("score",) if scored else ()))) + "\n"
    rows = zip(
        part.table.positions.tolist(), turned.tolist(), part.table.class_ids.tolist(), part.table.scores.tolist(), strict=True
    )
    for (z, y, x), (phi, the, psi), number, score in rows:
        ending = f"\t{score:.7g}\n" if scored else "\n"
        yield f"{x:.4f}\t{y:.4f}\t{z:.4f}\t0\t0\t0\t{phi:.4f}\t{the:.4f}\t{psi:.4f}\t{number}{ending}"


NAPARI = Format(
    name="napari",
    title="napari points",
    suffixes=(".csv",),
    recognises=is_napari,
    read=read_napari,
    write=write_napari,
    layout=Layout.EACH,
    hint="Drop the file onto napari; z, y and x in voxels.",
)
ARTIAX = Format(
    name="artiax",
    title="ArtiaX",
    suffixes=(".tsv",),
    recognises=is_artiax,
    read=read_artiax,
    write=write_artiax,
    layout=Layout.EACH,
    fidelity=lambda _options: Fidelity(partial_scores=False),
    hint="Open the file as a generic particle list in ArtiaX.",
)
