"""CSV and TSV with a header: columns by name, voxels or Å."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from core.errors import FileFormatError
from core.io.atomic import atomic_path
from core.io.particles.checks import class_ids, numbers, positions, scores
from core.io.particles.formats import Format
from core.io.particles.text import read_text, records, separator
from core.io.particles.values import Piece, ReadPicks, Unit, Written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from core.io.particles.checks import Column
    from core.io.particles.formats import Head, ReadOrder, WriteOrder
    from core.io.particles.values import Extras, TomogramPicks

HEADER = ("tomogram", "class", "class_id", "x", "y", "z", "score", "x_angstrom", "y_angstrom", "z_angstrom")

_PLACE = r"(?:coordinates?|coords?|positions?|pos|centre|center)"
_AXIS = re.compile(rf"(?:{_PLACE}_?)?([xyz])(?:_?{_PLACE})?(?:_(?:(v(?:o?x|oxels?)|px|pixels?)|(a|å|ang|angst|angstroms?)))?")
_WORDS = {
    "class_id": {"class_id", "classid", "class_number", "label_id"},
    "class": {"class", "class_name", "label", "particle_type", "type", "object", "object_name"},
    "score": {"score", "confidence", "probability"},
    "tomogram": {"tomogram", "tomogram_id", "tomogram_name", "tomo", "tomo_name", "tomo_id", "experiment", "run", "run_name"},
}


_OTHERS = ({"experiment", "particle_type"}, {"pos_x", "shift_x", "phi"})
"""Columns that tell programs which count otherwise; they have formats of their own."""


class Header(NamedTuple):
    """The line that names the columns: what separates them, the line number from 1, and the names."""

    mark: str | None
    line: int
    fields: list[str]


def columns(fields: Sequence[str]) -> dict[str, int]:
    """Find the columns that a header names.

    Parameters
    ----------
    fields : Sequence[str]
        The words of the header.

    Returns
    -------
    dict[str, int]
        Column numbers of ``class``, ``class_id``, ``score``, ``tomogram`` and ``x``, ``x voxel``, ``x angstrom`` and so on; the
        first wins where there are two.
    """
    found: dict[str, int] = {}
    for number, field in enumerate(fields):
        meaning = _meaning(re.sub(r"[^a-z0-9å]+", "_", field.lower()).strip("_"))
        if meaning is not None:
            found.setdefault(meaning, number)
    return found


def _meaning(word: str) -> str | None:
    axis = _AXIS.fullmatch(word)
    if axis is not None:
        unit = f" {Unit.VOXEL}" if axis[2] else f" {Unit.ANGSTROM}" if axis[3] else ""
        return axis[1] + unit
    return next((meaning for meaning, words in _WORDS.items() if word in words), None)


def header_of(text: str) -> Header | None:
    """Find the header of a table.

    Parameters
    ----------
    text : str
        The text, or its beginning.

    Returns
    -------
    Header | None
        None where the first line that says something is not a header, nor is a comment before it.
    """
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        words = line.strip().lstrip("#").strip()
        if len(words) > csv.field_size_limit():
            return None
        mark = separator(words)
        fields = words.split() if mark is None else next(csv.reader([words], delimiter=mark, skipinitialspace=True))
        if _axes(columns(fields)):
            return Header(mark, number, fields)
        if words and not line.lstrip().startswith("#"):
            return None
    return None


def _axes(found: dict[str, int]) -> list[str]:
    """Which kinds of coordinates are complete, as endings of the column names."""
    return [end for end in ("", f" {Unit.VOXEL}", f" {Unit.ANGSTROM}") if all(axis + end in found for axis in "xyz")]


def is_delimited(head: Head) -> bool:
    """Tell whether a text starts with a header that names x, y and z.

    Parameters
    ----------
    head : Head
        The beginning of the file.

    Returns
    -------
    bool
        True for what `read_delimited` reads and no other program has made.
    """
    header = header_of(head.text)
    return header is not None and not any(others <= set(header.fields) for others in _OTHERS)


def read_delimited(path: Path, order: ReadOrder) -> ReadPicks:
    """Read a table whose header names its columns, in any order and separated by comma, semicolon, tab or blanks.

    Parameters
    ----------
    path : Path
        The file.
    order : ReadOrder
        Its unit is what columns x, y, z count; None for voxels, or Å where the header says so.

    Returns
    -------
    ReadPicks
        All rows.

    Raises
    ------
    FileFormatError
        If the file cannot be read, has no header with x, y and z, no rows, or a row that is wrong.
    """
    text = read_text(path)
    header = header_of(text)
    if header is None:
        raise FileFormatError(f"{path} has no header with columns x, y and z; add one, or give the format coords if there is none.")
    return _picks(_Table(path, header, list(records(path, text, header.mark, header.line + 1))), order.unit)


class _Table:
    """Columns of words by what they mean."""

    def __init__(self, path: Path, header: Header, rows: list[tuple[int, list[str]]]) -> None:
        if not rows:
            raise FileFormatError(f"{path} holds a header but no coordinates; choose a file with particles.")
        expected = len(header.fields)
        for number, fields in rows:
            if len(fields) != expected:
                raise FileFormatError(f"{path}, line {number}: expected {expected} columns as in the header, not {len(fields)}.")
        self.path = path
        self.header = header
        self.found = columns(header.fields)
        self.places = [number for number, _ in rows]
        self._content = list(zip(*(fields for _, fields in rows), strict=True))
        self._decimal_comma = header.mark == ";"

    def words(self, meaning: str) -> tuple[str, ...] | None:
        return self._content[self.found[meaning]] if meaning in self.found else None

    def extras(self) -> Extras:
        """Columns that nothing else holds; other units of the positions are no such thing."""
        used = set(self.found.values())
        return {name: np.array(self._content[n], object) for n, name in enumerate(self.header.fields) if n not in used and name}

    def numbers(self, meaning: str, missing: str = "") -> Column | None:
        words = self.words(meaning)
        if words is None:
            return None
        if self._decimal_comma:
            words = tuple(word.replace(",", ".") for word in words)
        return numbers(self.path, [word or missing for word in words], self.places, meaning)


def _picks(table: _Table, unit: Unit | None) -> ReadPicks:
    path, places = table.path, table.places
    ending, counted = _counted(path, table.found, unit)
    xyz = [column for axis in "xyz" if (column := table.numbers(axis + ending)) is not None]
    ids, given = table.numbers("class_id"), table.numbers("score", missing="nan")
    return ReadPicks(
        positions=positions(path, xyz, places),
        unit=counted,
        class_ids=None if ids is None else class_ids(path, ids, places),
        class_names=table.words("class"),
        scores=None if given is None else scores(path, given, places),
        tomograms=table.words("tomogram"),
        extras=table.extras(),
    )


def _counted(path: Path, found: dict[str, int], unit: Unit | None) -> tuple[str, Unit]:
    endings = _axes(found)
    wanted = unit or Unit.VOXEL
    if f" {wanted}" in endings:
        return f" {wanted}", wanted
    if "" in endings:
        return "", wanted
    if unit is None:
        return endings[0], Unit(endings[0].strip())
    raise FileFormatError(f"{path} names its columns x_{endings[0].strip()}, which is not {unit}; leave the unit out.")


def write_delimited(path: Path, order: WriteOrder) -> Written:
    """Write one table with a header: positions in voxels as they are, in Å to the thousandth where the voxel size is known.

    Parameters
    ----------
    path : Path
        The file; separated by tabs if it ends in ``.tsv``, else by commas.
    order : WriteOrder
        What.

    Returns
    -------
    Written
        The one file.

    Raises
    ------
    PickerError
        If the file cannot be written.
    """
    names = {spec.id: spec.name for spec in order.classes}
    filled = [part for part in order.parts if len(part)]
    others = [name for name in filled[0].extras if name not in HEADER and all(name in part.extras for part in filled)]
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", lineterminator="\n")
    writer.writerow((*HEADER, *others))
    for part in filled:
        rows = _rows(part, names)
        if others:
            more = zip(*(part.extras[name].tolist() for name in others), strict=True)
            rows = ((*row, *words) for row, words in zip(rows, more, strict=True))
        writer.writerows(rows)
    with atomic_path(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8", newline="\n")
    return Written(files=(path,), pieces=(Piece(path=path),))


def _rows(part: TomogramPicks, names: dict[int, str]) -> Iterator[tuple[object, ...]]:
    table, known = part.table, part.frame.voxel_size > 0
    angstrom = part.frame.from_voxels(table.positions, Unit.ANGSTROM) if known else table.positions
    ids = table.class_ids.tolist()
    written = ["" if np.isnan(score) else str(score) for score in table.scores]
    for number, (z, y, x), score, place in zip(ids, table.positions.tolist(), written, angstrom[:, ::-1].tolist(), strict=True):
        in_angstrom = [f"{value:.3f}" if known else "" for value in place]
        yield part.name, names.get(number, str(number)), number, x, y, z, score, *in_angstrom


CSV = Format(
    name="csv",
    title="Table with a header (voxels and Å)",
    suffixes=(".csv", ".tsv"),
    recognises=is_delimited,
    read=read_delimited,
    write=write_delimited,
    hint="Columns x, y and z are voxels from 0; those in Å end in _angstrom.",
)
