"""Which reader and writer a file of particles goes to: as told, else by what it holds, else by what it is called."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from core.errors import AmbiguousFormatError, ConfigError, FileFormatError, PickerError
from core.io.atomic import all_or_nothing
from core.io.particles.collecting import uncollected
from core.io.particles.comparing import compare
from core.io.particles.formats import Head, Need, Options, ReadOrder, WriteOrder
from core.io.particles.known import FORMATS, READABLE, WRITABLE
from core.io.particles.refused import refuse
from core.io.particles.values import TomogramPicks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from core.io.particles.formats import Format
    from core.io.particles.values import ReadPicks, TiltSeriesGeometry, Unit, Written
    from core.particles import ClassSpec, ParticleTable
    from core.tomogram import Tomogram

    Choices: TypeAlias = Mapping[str, Any] | Options | None

MOST_DOUBTS = 6  # that are told at once

__all__ = [
    "FORMATS",
    "READABLE",
    "WRITABLE",
    "format_named",
    "format_of",
    "missing",
    "read_particles",
    "write_particles",
    "write_parts",
]


def read_particles(path: Path, *, format: str | None = None, unit: Unit | None = None, options: Choices = None) -> ReadPicks:
    """Read a file of particles.

    Parameters
    ----------
    path : Path
        The file.
    format : str | None
        One of ``FORMATS`` that reads, by name; None to find out.
    unit : Unit | None
        What its numbers count, where the file does not tell; None for what the format usually means.
    options : Mapping[str, Any] | Options | None
        Choices of the format, by name or as a value of its class; None for what is usual.

    Returns
    -------
    ReadPicks
        All rows.

    Raises
    ------
    FileFormatError
        If the file cannot be read, its format is unknown, or a row is wrong; `AmbiguousFormatError`, which carries the formats to
        choose from, where what the file holds means different things in different programs.
    ConfigError
        If there is no such format or option.
    """
    told = None if format is None else format_named(format, READABLE)
    refuse(Head(path))
    chosen = told or format_of(path)
    order = ReadOrder(named=told is not None, unit=unit, options=chosen.chosen(options))
    try:
        # a recogniser saw only the beginning of the file, and READABLE holds what can be read
        with uncollected():
            return chosen.read(path, order)  # type: ignore[misc]
    except AmbiguousFormatError as exc:
        raise AmbiguousFormatError(str(exc), tuple(known.name for known in READABLE if known.name in exc.formats)) from None


def write_particles(
    path: Path,
    table: ParticleTable,
    classes: Sequence[ClassSpec],
    tomogram: Tomogram,
    *,
    format: str | None = None,
    tilt_series: TiltSeriesGeometry | None = None,
    name: str | None = None,
    options: Choices = None,
) -> Written:
    """Write the particles of one tomogram.

    Parameters
    ----------
    path : Path
        The file; its ending decides the format unless it is told.
    table : ParticleTable
        The particles.
    classes : Sequence[ClassSpec]
        Their classes.
    tomogram : Tomogram
        Where they lie.
    format : str | None
        One of ``FORMATS`` that writes, by name.
    tilt_series : TiltSeriesGeometry | None
        Needed for formats that count in its pixels.
    name : str | None
        Another name for the tomogram than its own.
    options : Mapping[str, Any] | Options | None
        As for `write_parts`.

    Returns
    -------
    Written
        Files and notices.

    Raises
    ------
    PickerError
        If the format is unknown, lacks what it needs, or a file cannot be written.
    """
    part = TomogramPicks.of(tomogram, table, tilt_series=tilt_series, name=name)
    return write_parts(path, [part], classes, format=format, options=options)


def write_parts(
    path: Path,
    parts: Sequence[TomogramPicks],
    classes: Sequence[ClassSpec],
    *,
    format: str | None = None,
    options: Choices = None,
) -> Written:
    """Write the particles of many tomograms, read the files back and compare.

    Parameters
    ----------
    path : Path
        The file; its ending decides the format unless it is told. Which other files are made, the format's layout says.
    parts : Sequence[TomogramPicks]
        The particles of each tomogram; those without any are left out.
    classes : Sequence[ClassSpec]
        Their classes.
    format : str | None
        One of ``FORMATS`` that writes, by name.
    options : Mapping[str, Any] | Options | None
        Choices of the format, by name or as a value of its class; None for what is usual.

    Returns
    -------
    Written
        Files and notices.

    Raises
    ------
    PickerError
        If there are no particles, the format is unknown or lacks what it needs, a file cannot be written, or does not read back
        to within a hundredth of a voxel and what the format rounds. Every file is then as it was before.
    """
    chosen = format_to_write(path, format)
    if chosen.write is None:
        raise ConfigError(f"The format {chosen.name} can be read only; those that can be written are: {_listing(WRITABLE)}.")
    filled = tuple(part for part in parts if len(part))
    if not filled:
        raise PickerError("There are no particles to export; accept some first, or lower the threshold.")
    for need, part in missing(chosen.needs, filled):
        raise PickerError(f"For {chosen.title}, {need} must be known, and for {part.name!r} it is not; give it.")
    order = WriteOrder(parts=filled, classes=classes, options=chosen.chosen(options))
    with uncollected(), all_or_nothing():
        written = chosen.write(path, order)
        compare(chosen, written, order)
    return replace(written, notices=(*written.notices, *_doubts(filled)))


def _doubts(parts: Sequence[TomogramPicks]) -> tuple[str, ...]:
    told = [doubt for part in parts for doubt in part.doubts]
    more = (f"There is more of this kind, {len(told)} doubts in all.",) if len(told) > MOST_DOUBTS else ()
    return (*told[:MOST_DOUBTS], *more)


def missing(needs: frozenset[Need], parts: Sequence[TomogramPicks]) -> list[tuple[Need, TomogramPicks]]:
    """Say what must be asked for before particles can be written.

    Parameters
    ----------
    needs : frozenset[Need]
        ``needs`` or ``wants`` of a format.
    parts : Sequence[TomogramPicks]
        The particles of each tomogram.

    Returns
    -------
    list[tuple[Need, TomogramPicks]]
        What is not known of which tomogram.
    """
    return [(need, part) for part in parts for need in Need if need in needs and not _known(need, part)]


def _known(need: Need, part: TomogramPicks) -> bool:
    series = part.frame.tilt_series
    return {
        Need.VOXEL_SIZE: part.frame.voxel_size > 0,
        Need.PIXEL_SIZE: series is not None,
        Need.UNBINNED_SIZE: series is not None and series.size is not None,
        Need.NUMBER: part.number is not None,
    }[need]


def format_named(name: str, among: Sequence[Format] = FORMATS) -> Format:
    """Find a format.

    Parameters
    ----------
    name : str
        As users name it.
    among : Sequence[Format]
        Those that count.

    Returns
    -------
    Format
        Of this name.

    Raises
    ------
    ConfigError
        If there is none.
    """
    found = next((known for known in among if known.name == name), None)
    if found is None:
        raise ConfigError(f"There is no format {name!r} here; there are: {_listing(among)}.")
    return found


def format_of(path: Path) -> Format:
    """Find out what a file is, by its beginning and then by its ending.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Format
        That reads it, if the user does not say otherwise.

    Raises
    ------
    FileFormatError
        If the file cannot be read or is none that is known.
    """
    head, suffix = Head(path), path.suffix.lower()
    found = next((known for known in READABLE if known.recognises(head)), None)
    found = found or next((known for known in READABLE if suffix in known.suffixes), None)
    if found is None:
        raise FileFormatError(f"{path} is not a file of particles that is known; these are: {_listing(READABLE)}.")
    return found


def format_to_write(path: Path, format: str | None = None) -> Format:
    """Choose what a file will be written as.

    Parameters
    ----------
    path : Path
        The file; its ending decides unless the format is told.
    format : str | None
        As users name it.

    Returns
    -------
    Format
        One that writes.

    Raises
    ------
    ConfigError
        If there is none of this name, or the ending is that of none.
    """
    if format is not None:
        return format_named(format, WRITABLE)
    found = next((known for known in WRITABLE if path.suffix.lower() in known.suffixes), None)
    if found is None:
        listed = _listing(WRITABLE)
        raise ConfigError(f"The ending of {path.name} names no format; use one of these endings or give the format: {listed}.")
    return found


def _listing(formats: Sequence[Format]) -> str:
    return "; ".join(f"{known.name} ({known.title}: {', '.join(known.suffixes)})" for known in formats)
