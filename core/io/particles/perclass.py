"""Files that hold one class of one tomogram each, and names of tilt series that are unlike each other."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from core.errors import PickerError
from core.io.atomic import atomic_path, make_folder, safe_name
from core.io.particles.names import tilt_series_name
from core.io.particles.starwriting import of_classes
from core.io.particles.values import Piece, Written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from core.io.particles.formats import WriteOrder
    from core.io.particles.values import TomogramPicks
    from core.particles import ClassSpec


def series_names(parts: Sequence[TomogramPicks]) -> tuple[str, ...]:
    """Return the names of tilt series.

    Parameters
    ----------
    parts : Sequence[TomogramPicks]
        The particles of each tomogram.

    Returns
    -------
    tuple[str, ...]
        One for each part.

    Raises
    ------
    PickerError
        If two would be the same.
    """
    names = [tilt_series_name(part.name) for part in parts]
    for name, count in Counter(names).items():
        if count > 1:
            raise PickerError(f"{count} tomograms would be called {name!r} there; give each the name of its tilt series.")
    return tuple(names)


def each_of_classes(path: Path, order: WriteOrder) -> Iterator[tuple[Piece, TomogramPicks]]:
    """Divide what shall be written by tomogram and class.

    Parameters
    ----------
    path : Path
        The file for one tomogram and class. The name of the class is added where there are several; several tomograms go to a
        folder named like the file without suffix.
    order : WriteOrder
        What shall be written.

    Yields
    ------
    tuple[Piece, TomogramPicks]
        The file, and the particles that go into it.

    Raises
    ------
    PickerError
        If two tomograms would have the same file.
    """
    used: set[str] = set()
    for number, one, parts in of_classes(path, order):
        for part in (part for part in parts if len(part)):
            stem = f"{safe_name(part.name)}{one.stem.removeprefix(path.stem)}"
            file = one if len(order.parts) == 1 else path.with_suffix("") / f"{stem}{path.suffix}"
            if str(file).lower() in used:
                raise PickerError("Two tomograms would be written to files of the same name; give one of them another name.")
            used.add(str(file).lower())
            yield Piece(path=file, tomogram=part.name, class_id=number), part


def spec_of(order: WriteOrder, class_id: int | None) -> ClassSpec:
    """Return the class that a file holds.

    Parameters
    ----------
    order : WriteOrder
        With the classes.
    class_id : int | None
        Of the piece.

    Returns
    -------
    ClassSpec
        With name, diameter and colour.

    Raises
    ------
    PickerError
        If there is no such class.
    """
    found = next((spec for spec in order.classes if spec.id == class_id), None)
    if found is None:
        raise PickerError(f"There are particles of class {class_id}, which is not among the classes; add it with its diameter.")
    return found


def write_text(path: Path, lines: Iterable[str]) -> None:
    """Write lines to a file, whole or not at all; its folder is made.

    Parameters
    ----------
    path : Path
        The file.
    lines : Iterable[str]
        With their line ends.

    Raises
    ------
    PickerError
        If it cannot be written.
    """
    make_folder(path.parent)
    with atomic_path(path) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8", newline="\n")


def write_each(path: Path, order: WriteOrder, lines: Callable[[TomogramPicks], Iterable[str]]) -> Written:
    """Write a file for each tomogram and class.

    Parameters
    ----------
    path : Path
        As for `each_of_classes`.
    order : WriteOrder
        What shall be written.
    lines : Callable[[TomogramPicks], Iterable[str]]
        Makes the lines of a file.

    Returns
    -------
    Written
        The files.

    Raises
    ------
    PickerError
        If a file cannot be written.
    """
    pieces = []
    for piece, part in each_of_classes(path, order):
        write_text(piece.path, lines(part))
        pieces.append(piece)
    return Written(files=tuple(piece.path for piece in pieces), pieces=tuple(pieces))
