"""What an export has to know of each tomogram: as somebody typed it, else as it would be taken, and where that comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from core.io.particles.formats import Need
from core.io.particles.names import found_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.io.particles.formats import Format
    from core.io.particles.frames import TiltSeriesGeometry
    from core.tomogram import Tomogram
    from core.types import Angstrom, Shape

STAR = "tomograms.star"


class Asked(StrEnum):
    """What is asked of each tomogram; the value says what it is."""

    NAME = "name"
    NUMBER = "number"
    SIZE = "unbinned size"
    PIXEL_SIZE = "pixel size"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What will be taken.

    Attributes
    ----------
    text : str
        As people type it, sizes as ``X,Y,Z``; empty where nothing is known.
    source : str
        Where it comes from; empty where somebody typed it.
    fixed : bool
        Whether a file tells it, so that nobody may say otherwise.
    """

    text: str
    source: str = ""
    fixed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A tomogram on its way to a file.

    Attributes
    ----------
    tomogram : str
        Its own name.
    answers : Mapping[Asked, Answer]
        To what the format asks for; nothing else.
    """

    tomogram: str
    answers: Mapping[Asked, Answer] = field(default_factory=dict)


def entries_of(
    format: Format,
    tomograms: Sequence[Tomogram],
    *,
    names: Mapping[str, str],
    numbers: Mapping[str, int],
    sizes: Mapping[str, str],
    pixel_size: Angstrom | None = None,
    told: Mapping[str, TiltSeriesGeometry] | None = None,
) -> tuple[Entry, ...]:
    """Say what will be taken for each tomogram.

    Parameters
    ----------
    format : Format
        What will be written.
    tomograms : Sequence[Tomogram]
        Those that go into the files.
    names, numbers, sizes : Mapping[str, str], Mapping[str, int], Mapping[str, str]
        What somebody typed, by tomogram; sizes as ``X,Y,Z``.
    pixel_size : Angstrom | None
        Of all tilt series, as typed.
    told : Mapping[str, TiltSeriesGeometry] | None
        What a ``tomograms.star`` tells, by tomogram.

    Returns
    -------
    tuple[Entry, ...]
        One for each tomogram.
    """
    asked = format.needs | format.wants
    found, source = found_numbers([names.get(one.id, one.id) for one in tomograms] if format.called else [t.id for t in tomograms])
    entries = []
    for one, number in zip(tomograms, found, strict=True):
        answers: dict[Asked, Answer] = {}
        series = (told or {}).get(one.id)
        if format.called is not None:
            typed = names.get(one.id)
            answers[Asked.NAME] = Answer(text=typed) if typed else Answer(text=format.called(one.id), source="the tomogram")
        if Need.NUMBER in asked:
            given = numbers.get(one.id)
            answers[Asked.NUMBER] = Answer(text=str(number), source=source) if given is None else Answer(text=str(given))
        if Need.UNBINNED_SIZE in asked:
            answers[Asked.SIZE] = _size(one, sizes.get(one.id), pixel_size, series)
        if Need.PIXEL_SIZE in asked and series is not None:
            answers[Asked.PIXEL_SIZE] = Answer(text=f"{series.pixel_size:.6g}", source=STAR, fixed=True)
        entries.append(Entry(tomogram=one.id, answers=answers))
    return tuple(entries)


def _size(tomogram: Tomogram, typed: str | None, pixel_size: Angstrom | None, series: TiltSeriesGeometry | None) -> Answer:
    if series is not None and series.size is not None:
        return Answer(text=_spoken(series.size), source=STAR, fixed=True)
    if typed:
        return Answer(text=typed)
    pixel = pixel_size if series is None else series.pixel_size
    if not pixel or not tomogram.voxel_size > 0:
        return Answer(text="", source="the pixel size, once it is given")
    z, y, x = (round(extent * tomogram.voxel_size / pixel) for extent in tomogram.shape)
    return Answer(text=_spoken((z, y, x)), source="the size of the tomogram times its binning")


def _spoken(size: Shape) -> str:
    return ",".join(str(extent) for extent in reversed(size))


def all_numbers(entries: Sequence[Entry], typed: Mapping[str, int] | None = None) -> dict[str, int]:
    """Return the numbers to hand over: those of all tomograms, as an `Entry` has them, once one of them is typed.

    Parameters
    ----------
    entries : Sequence[Entry]
        As `entries_of` returns.
    typed : Mapping[str, int] | None
        By tomogram; those of other tomograms do not count. None to return all numbers in any case.

    Returns
    -------
    dict[str, int]
        By tomogram; empty where none is typed or the format takes none, so that the writer finds the same ones.
    """
    shown = {entry.tomogram: int(entry.answers[Asked.NUMBER].text) for entry in entries if Asked.NUMBER in entry.answers}
    return shown if typed is None or shown.keys() & typed.keys() else {}
