"""DeepETPicker's ``.coords``: rows of ``x y z``, ``class x y z`` or ``class x y z score``, in voxels from 0.

Source: DeepETPicker 0b3f8cb, utils/coord_gen.py and test.py. The original reads blanks only and cuts decimals off; files made
for it are read as they are meant, and with commas, tabs, a header or decimals as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import FileFormatError
from core.io.atomic import atomic_path, make_folder, safe_name
from core.io.particles.checks import class_ids, is_number, numbers, positions, scores
from core.io.particles.delimited import header_of, read_delimited
from core.io.particles.text import lines, read_text, separator, split
from core.io.particles.values import ReadPicks, Unit, Written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from core.io.particles.values import TomogramPicks

_LAYOUTS = {3: ("x", "y", "z"), 4: ("class", "x", "y", "z"), 5: ("class", "x", "y", "z", "score")}


def looks_like_coords(head: str) -> bool:
    """Tell whether a text starts with a row of 3 to 5 numbers, perhaps below a header that names nothing we know.

    Parameters
    ----------
    head : str
        The beginning of the text.

    Returns
    -------
    bool
        True for what `read_coords` can make sense of.
    """
    for _, line in list(lines(head))[:2]:
        fields = split(line, separator(line))
        if all(is_number(field) for field in fields):
            return len(fields) in _LAYOUTS
    return False


def read_coords(path: Path, named: bool, unit: Unit | None = None) -> ReadPicks:
    """Read rows of numbers.

    Parameters
    ----------
    path : Path
        The file.
    named : bool
        Whether the user named the format: without it, four columns are refused because crYOLO writes ``x y z filament``.
    unit : Unit | None
        What the positions count; None for voxels.

    Returns
    -------
    ReadPicks
        All rows, positions with their decimals.

    Raises
    ------
    FileFormatError
        If the file cannot be read, holds no rows, or a row is wrong.
    """
    text = read_text(path)
    if header_of(text) is not None:
        return read_delimited(path, named, unit)
    rows, notices = _rows(path, text)
    layout = _layout(path, rows, named)
    places = [number for number, _ in rows]
    content = dict(zip(layout, zip(*(fields for _, fields in rows), strict=True), strict=True))
    values = {name: numbers(path, words, places, name) for name, words in content.items()}
    return ReadPicks(
        positions=positions(path, [values[axis] for axis in "xyz"], places),
        unit=unit or Unit.VOXEL,
        class_ids=class_ids(path, values["class"], places) if "class" in values else None,
        scores=scores(path, values["score"], places) if "score" in values else None,
        notices=notices,
    )


def _rows(path: Path, text: str) -> tuple[list[tuple[int, list[str]]], tuple[str, ...]]:
    told = list(lines(text))
    mark = separator(told[-1][1]) if told else None
    rows = [(number, split(line, mark)) for number, line in told]
    notices: tuple[str, ...] = ()
    if rows and not any(is_number(field) or field[:1] in "+-.0123456789" for field in rows[0][1]):
        notices = (f"The first line of {path.name} names no columns x, y and z; they are taken in the usual order.",)
        rows = rows[1:]
    if not rows:
        raise FileFormatError(f"{path} holds no coordinates; expected lines of x y z, class x y z or class x y z score.")
    return rows, notices


def _layout(path: Path, rows: list[tuple[int, list[str]]], named: bool) -> tuple[str, ...]:
    count = len(rows[0][1])
    if count not in _LAYOUTS:
        raise FileFormatError(
            f"{path}, line {rows[0][0]}: expected 3 columns (x y z), 4 (class x y z) or 5 (class x y z score), not {count}."
        )
    for number, fields in rows:
        if len(fields) != count:
            raise FileFormatError(f"{path}, line {number}: expected {count} columns as in the lines before, not {len(fields)}.")
    if count == 4 and not named:
        raise FileFormatError(
            f"{path} has 4 columns, which are class x y z for DeepETPicker but x y z filament for crYOLO; give the format coords "
            "for the first, or remove the last column for the second."
        )
    return _LAYOUTS[count]


def write_coords(
    path: Path,
    parts: Sequence[TomogramPicks],
    *,
    decimals: int | None = None,
    with_class: bool = True,
    with_score: bool = False,
) -> Written:
    """Write a file for each tomogram, separated by tabs.

    Parameters
    ----------
    path : Path
        The file for a single tomogram; with several, a folder named like it without suffix gets one file each.
    parts : Sequence[TomogramPicks]
        The particles of each tomogram.
    decimals : int | None
        None keeps every digit; 0 writes whole numbers as the published program does.
    with_class, with_score : bool
        Which columns to write beside x, y, z; a score takes the class with it.

    Returns
    -------
    Written
        One file for each tomogram.

    Raises
    ------
    PickerError
        If a file cannot be written.
    """
    if with_score and not with_class:
        raise ValueError("a score column needs the class column before it, or four columns would be misread")
    files = [path] if len(parts) == 1 else [path.with_suffix("") / f"{safe_name(part.name)}.coords" for part in parts]
    for file, part in zip(files, parts, strict=True):
        make_folder(file.parent)
        text = "".join(_lines(part, decimals, with_class, with_score))
        with atomic_path(file) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
    return Written(files=tuple(files))


def _lines(part: TomogramPicks, decimals: int | None, with_class: bool, with_score: bool) -> Iterator[str]:
    table = part.table
    xyz = table.positions[:, ::-1].tolist()
    for number, place, score in zip(table.class_ids.tolist(), xyz, table.scores, strict=True):
        words = [repr(value) if decimals is None else f"{value:.{decimals}f}" for value in place]
        yield "\t".join([str(number)] * with_class + words + [str(score)] * with_score) + "\n"
