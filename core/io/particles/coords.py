"""DeepETPicker's ``.coords``: rows of ``x y z``, ``class x y z`` or ``class x y z score``, in voxels from 0.

Source: DeepETPicker 0b3f8cb, utils/coord_gen.py and test.py. The original reads blanks only and cuts decimals off; files made
for it are read as they are meant, and with commas, tabs, a header or decimals as well. The same rows, without a class and perhaps
with the number of a filament, come from crYOLO and TomoTwin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from core.errors import AmbiguousFormatError, ConfigError, FileFormatError
from core.io.atomic import atomic_path, make_folder
from core.io.particles.checks import class_ids, is_number, numbers, positions, scores
from core.io.particles.delimited import header_of, read_delimited
from core.io.particles.files import file_for_each
from core.io.particles.formats import Fidelity, Format, Layout, Options
from core.io.particles.text import lines, read_text, separator, split
from core.io.particles.values import ReadPicks, Unit, Written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from core.io.particles.checks import Column
    from core.io.particles.formats import Head, ReadOrder, WriteOrder
    from core.io.particles.values import TomogramPicks

    Layouts: TypeAlias = dict[int, tuple[str, ...]]

_LAYOUTS: Layouts = {3: ("x", "y", "z"), 4: ("class", "x", "y", "z"), 5: ("class", "x", "y", "z", "score")}
_CRYOLO: Layouts = {3: ("x", "y", "z"), 4: ("x", "y", "z", "filament")}
_OF_FOUR = {"coords": "class x y z for DeepETPicker", "cryolo": "x y z filament for crYOLO", "imod-text": "contour x y z for IMOD"}
_OF_THREE = {"coords": "voxels from 0 for DeepETPicker", "imod-text": "whole voxels from 0.5 for IMOD"}
_OF_FIVE = {"coords": "class x y z score for DeepETPicker", "imod-text": "object contour x y z for IMOD"}


@dataclass(frozen=True, kw_only=True)
class CoordsOptions(Options):
    """Which columns there are.

    Attributes
    ----------
    columns : Literal["class x y z score", "class x y z", "x y z"]
        DeepETPicker trains on ``x y z`` or ``class x y z`` and writes scores as the last of five.
    decimals : int
        Digits behind the point, up to 9; 0 writes whole numbers as the published program does.
    """

    columns: Literal["class x y z score", "class x y z", "x y z"] = "class x y z"
    decimals: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.decimals <= 9:
            raise ConfigError(f"The option decimals must be between 0 and 9, not {self.decimals}.")


def looks_like_coords(head: Head) -> bool:
    """Tell whether a text starts with a row of 3 to 5 numbers, perhaps below a header that names nothing we know.

    Parameters
    ----------
    head : Head
        The beginning of the file.

    Returns
    -------
    bool
        True for what `read_coords` can make sense of.
    """
    for _, line in list(lines(head.text))[:2]:
        fields = split(line, separator(line))
        if all(is_number(field) for field in fields):
            return len(fields) in _LAYOUTS
    return False


def read_coords(path: Path, order: ReadOrder) -> ReadPicks:
    """Read rows of numbers as DeepETPicker means them.

    Parameters
    ----------
    path : Path
        The file.
    order : ReadOrder
        Unless the format was named, four columns are refused, and three or five that may be IMOD's.

    Returns
    -------
    ReadPicks
        All rows, positions with their decimals.

    Raises
    ------
    FileFormatError
        If the file cannot be read, holds no rows, or a row is wrong; `AmbiguousFormatError` where only the user can tell.
    """
    return _read(path, order, _LAYOUTS)


def read_cryolo(path: Path, order: ReadOrder) -> ReadPicks:
    """Read rows of ``x y z`` with or without the number of a filament.

    Parameters
    ----------
    path : Path
        The file.
    order : ReadOrder
        How.

    Returns
    -------
    ReadPicks
        All rows; filaments are among the extras.

    Raises
    ------
    FileFormatError
        If the file cannot be read, holds no rows, or a row is wrong.
    """
    return _read(path, order, _CRYOLO)


def _read(path: Path, order: ReadOrder, layouts: Layouts) -> ReadPicks:
    text = read_text(path)
    if header_of(text) is not None:
        return read_delimited(path, order)
    rows, notices = _rows(path, text)
    layout = _layout(path, rows, layouts)
    places = [number for number, _ in rows]
    content = dict(zip(layout, zip(*(fields for _, fields in rows), strict=True), strict=True))
    if not order.named:
        _certain(path, len(layout))
    values = {name: numbers(path, words, places, name) for name, words in content.items()}
    if not order.named and len(layout) == 5:
        _certain_score(path, values)
    if not order.named and len(layout) == 3 and path.suffix.lower() != ".coords":
        _certain_centre(path, values)
    return ReadPicks(
        positions=positions(path, [values[axis] for axis in "xyz"], places),
        unit=order.unit or Unit.VOXEL,
        class_ids=class_ids(path, values["class"], places) if "class" in values else None,
        scores=scores(path, values["score"], places) if "score" in values else None,
        extras={"filament": values["filament"]} if "filament" in values else {},
        notices=notices,
    )


def _certain(path: Path, count: int) -> None:
    if count == 4:
        raise _ambiguous(path, "4 columns", _OF_FOUR)


def _certain_score(path: Path, values: dict[str, Column]) -> None:
    """Refuse five columns that look like object, contour, x, y and z: two of whole numbers first, and none of scores last."""
    whole = all((values[name] == values[name].round()).all() and (values[name] >= 0).all() for name in ("class", "x"))
    if whole and (values["score"] > 1).any():
        raise _ambiguous(path, "5 columns", _OF_FIVE)


def _certain_centre(path: Path, values: dict[str, Column]) -> None:
    """Refuse three columns in which every x and y ends in .5 and every z is whole, as IMOD has the centres of voxels."""
    halves = all((values[axis] % 1 == 0.5).all() for axis in "xy")
    if halves and (values["z"] % 1 == 0).all():
        raise _ambiguous(path, "3 columns, x and y ending in .5 and z whole", _OF_THREE)


def _ambiguous(path: Path, what: str, meanings: dict[str, str]) -> AmbiguousFormatError:
    listed = ", or ".join(f"{meaning} (format {name})" for name, meaning in meanings.items())
    return AmbiguousFormatError(f"{path} has {what}, which may be {listed}; say which it is.", tuple(meanings))


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


def _layout(path: Path, rows: list[tuple[int, list[str]]], layouts: Layouts) -> tuple[str, ...]:
    count = len(rows[0][1])
    if count not in layouts:
        listed = " or ".join(f"{number} ({' '.join(names)})" for number, names in layouts.items())
        raise FileFormatError(f"{path}, line {rows[0][0]}: expected columns {listed}, not {count}.")
    for number, fields in rows:
        if len(fields) != count:
            raise FileFormatError(f"{path}, line {number}: expected {count} columns as in the lines before, not {len(fields)}.")
    return layouts[count]


def _fidelity(options: Options) -> Fidelity:
    chosen = options if isinstance(options, CoordsOptions) else CoordsOptions()
    rounded = 0.5 * 10.0**-chosen.decimals
    return Fidelity(classes="class" in chosen.columns, scores="score" in chosen.columns, rounding=rounded)


def write_coords(path: Path, order: WriteOrder) -> Written:
    """Write a file for each tomogram, separated by tabs.

    Parameters
    ----------
    path : Path
        The file for a single tomogram; with several, a folder named like it without suffix gets one file each.
    order : WriteOrder
        With `CoordsOptions`.

    Returns
    -------
    Written
        One file for each tomogram.

    Raises
    ------
    PickerError
        If a file cannot be written.
    """
    options = order.options if isinstance(order.options, CoordsOptions) else CoordsOptions()
    pieces = file_for_each(path, order.parts)
    for piece, part in zip(pieces, order.parts, strict=True):
        make_folder(piece.path.parent)
        with atomic_path(piece.path) as temporary:
            temporary.write_text("".join(_lines(part, options)), encoding="utf-8", newline="\n")
    return Written(files=tuple(piece.path for piece in pieces), pieces=tuple(piece for piece in pieces))


def _lines(part: TomogramPicks, options: CoordsOptions) -> Iterator[str]:
    table, columns = part.table, options.columns.split()
    with_class, with_score = "class" in columns, "score" in columns
    row = "\t".join(["%d"] * with_class + [f"%.{options.decimals}f"] * 3 + ["%.6g"] * with_score) + "\n"
    for number, (z, y, x), score in zip(table.class_ids.tolist(), table.positions.tolist(), table.scores.tolist(), strict=True):
        yield row % ((number,) * with_class + (x, y, z) + (score,) * with_score)


COORDS = Format(
    name="coords",
    title="DeepETPicker",
    suffixes=(".coords", ".txt"),
    recognises=looks_like_coords,
    read=read_coords,
    write=write_coords,
    options=CoordsOptions,
    layout=Layout.EACH,
    fidelity=_fidelity,
    hint="Put the files into the folder of coordinates, each named like its tomogram.",
)
CRYOLO_COORDS = Format(
    name="cryolo",
    title="crYOLO and TomoTwin coordinates",
    suffixes=(".coords",),
    recognises=lambda _head: False,  # looks like DeepETPicker's
    read=read_cryolo,
)
