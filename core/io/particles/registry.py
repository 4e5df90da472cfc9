"""Which reader and writer a file of particles goes to: as told, else by what it holds, else by what it is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import ConfigError, FileFormatError
from core.io.particles.coords import looks_like_coords, read_coords, write_coords
from core.io.particles.delimited import header_of, read_delimited, write_delimited
from core.io.particles.relion5 import write_relion5
from core.io.particles.star import looks_like_star, read_star
from core.io.particles.text import read_head
from core.io.particles.values import TomogramPicks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from core.io.particles.values import ReadPicks, TiltSeriesGeometry, Unit, Written
    from core.particles import ClassSpec, ParticleTable
    from core.tomogram import Tomogram


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A kind of file of particles.

    Attributes
    ----------
    name : str
        What users name it by.
    title : str
        What users call it.
    suffixes : tuple[str, ...]
        Lower-case endings of its file names; the first format with an ending writes it.
    recognises : Callable[[str], bool]
        Whether a text is of this kind, from its first 4096 bytes.
    read : Callable[[Path, bool, Unit | None], ReadPicks]
        Read it, given whether the user named the format, and what its numbers count where the user told.
    write : Callable[[Path, Sequence[TomogramPicks], Sequence[ClassSpec]], Written]
        Write it.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    recognises: Callable[[str], bool]
    read: Callable[[Path, bool, Unit | None], ReadPicks]
    write: Callable[[Path, Sequence[TomogramPicks], Sequence[ClassSpec]], Written]


FORMATS = (
    Format(
        name="relion5",
        title="RELION STAR",
        suffixes=(".star",),
        recognises=looks_like_star,
        read=read_star,
        write=write_relion5,
    ),
    Format(
        name="csv",
        title="table with a header",
        suffixes=(".csv", ".tsv"),
        recognises=lambda head: header_of(head) is not None,
        read=read_delimited,
        write=write_delimited,
    ),
    Format(
        name="coords",
        title="DeepETPicker coordinates",
        suffixes=(".coords", ".txt"),
        recognises=looks_like_coords,
        read=read_coords,
        write=lambda path, parts, _classes: write_coords(path, parts),
    ),
)


def read_particles(path: Path, *, format: str | None = None, unit: Unit | None = None) -> ReadPicks:
    """Read a file of particles.

    Parameters
    ----------
    path : Path
        The file.
    format : str | None
        ``coords``, ``csv`` or ``relion5``; None to find out.
    unit : Unit | None
        What its numbers count, where the file does not tell; None for what the format usually means.

    Returns
    -------
    ReadPicks
        All rows.

    Raises
    ------
    FileFormatError
        If the file cannot be read, its format is unknown or in doubt, or a row is wrong.
    ConfigError
        If there is no such format.
    """
    chosen = _chosen(format, path) or _guessed(path)
    return chosen.read(path, format is not None, unit)


def write_particles(
    path: Path,
    table: ParticleTable,
    classes: Sequence[ClassSpec],
    tomogram: Tomogram,
    *,
    format: str | None = None,
    tilt_series: TiltSeriesGeometry | None = None,
    name: str | None = None,
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
        ``coords``, ``csv`` or ``relion5``.
    tilt_series : TiltSeriesGeometry | None
        Needed for ``relion5``.
    name : str | None
        Another name for the tomogram than its own.

    Returns
    -------
    Written
        Files and notices.

    Raises
    ------
    PickerError
        If the format is unknown, lacks what it needs, or a file cannot be written.
    """
    return write_parts(path, [TomogramPicks.of(tomogram, table, tilt_series=tilt_series, name=name)], classes, format=format)


def write_parts(path: Path, parts: Sequence[TomogramPicks], classes: Sequence[ClassSpec], *, format: str | None = None) -> Written:
    """Write the particles of many tomograms.

    Parameters
    ----------
    path : Path
        The file; its ending decides the format unless it is told. Formats with a file for each tomogram say what else they make.
    parts : Sequence[TomogramPicks]
        The particles of each tomogram.
    classes : Sequence[ClassSpec]
        Their classes.
    format : str | None
        ``coords``, ``csv`` or ``relion5``.

    Returns
    -------
    Written
        Files and notices.

    Raises
    ------
    PickerError
        If the format is unknown, lacks what it needs, or a file cannot be written.
    """
    chosen = _chosen(format, path) or _by_suffix(path)
    if chosen is None:
        raise ConfigError(f"The ending of {path.name} names no format; use one of these endings or give the format: {_listing()}.")
    return chosen.write(path, parts, classes)


def _chosen(name: str | None, path: Path) -> Format | None:
    if name is None:
        return None
    found = next((known for known in FORMATS if known.name == name), None)
    if found is None:
        raise ConfigError(f"There is no format {name!r} for {path.name}; there are: {_listing()}.")
    return found


def _by_suffix(path: Path) -> Format | None:
    return next((known for known in FORMATS if path.suffix.lower() in known.suffixes), None)


def _guessed(path: Path) -> Format:
    head = read_head(path)
    found = next((known for known in FORMATS if known.recognises(head)), None) or _by_suffix(path)
    if found is None:
        raise FileFormatError(f"{path} is not a file of particles that is known; these are: {_listing()}.")
    return found


def _listing() -> str:
    return "; ".join(f"{known.name} ({known.title}: {', '.join(known.suffixes)})" for known in FORMATS)
