"""Options of commands that read and write particles for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from core.cli.report import Report
    from core.config import ReviewConfig
    from core.io.particles import TiltSeriesGeometry
    from core.project import Project
    from core.tomogram import Mask
    from core.types import Shape

_PANEL = "Formats of other programs (docs/formats.md)"

FileFormat: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="Such as relion5, warp, coords or csv; any other word lists all. Found out when left out.",
        rich_help_panel=_PANEL,
    ),
]
FormatOptions: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--option", metavar="NAME=VALUE", help="A choice of the format, such as centre=S/2-1; repeatable.", rich_help_panel=_PANEL
    ),
]
TomogramsStar: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--tomograms-star",
        metavar="FILE",
        help="RELION's tomograms.star, for pixel size and unbinned size of tilt series.",
        rich_help_panel=_PANEL,
    ),
]
OtherNames: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--name", metavar="TOMOGRAM=NAME", help="What the other program calls a tomogram; repeatable.", rich_help_panel=_PANEL
    ),
]

NameThere: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="What the file calls the tomogram, if otherwise; its number, where the file has numbers."),
]
Numbers: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--number",
        metavar="TOMOGRAM=N",
        help="Number of a tomogram, for Dynamo, STOPGAP and motive lists; repeatable.",
        rich_help_panel=_PANEL,
    ),
]
UnbinnedSizes: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--unbinned-size",
        metavar="[TOMOGRAM=]X,Y,Z",
        help="Size of the unbinned tomogram in pixels of the tilt series, of all or of one; repeatable. Goes with --pixel-size.",
        rich_help_panel=_PANEL,
    ),
]


def other_names(words: Iterable[str] | None, known: Sequence[str]) -> dict[str, str]:
    """Read what the other program calls tomograms.

    Parameters
    ----------
    words : Iterable[str] | None
        Such as ``TS_01=Position_1``.
    known : Sequence[str]
        The tomograms that are meant.

    Returns
    -------
    dict[str, str]
        By tomogram.

    Raises
    ------
    ConfigError
        If one is none such.
    """
    found = {}
    for word in words or ():
        tomogram, equals, name = word.partition("=")
        if not equals or not name or tomogram not in known:
            raise ConfigError(f"Expected one of the tomograms and its name there, such as {known[0]}=TS_01, not {word!r}.")
        found[tomogram] = name
    return found


def numbers_of(words: Iterable[str] | None, known: Sequence[str]) -> dict[str, int]:
    """Read the numbers of tomograms.

    Parameters
    ----------
    words : Iterable[str] | None
        Such as ``TS_01=7``.
    known : Sequence[str]
        The tomograms that are meant.

    Returns
    -------
    dict[str, int]
        By tomogram.

    Raises
    ------
    ConfigError
        If a word is none such.
    """
    found = {}
    for word in words or ():
        tomogram, _, number = word.rpartition("=")
        if tomogram not in known or not (number.isascii() and number.isdigit() and len(number) < 10 and int(number)):
            raise ConfigError(f"Expected one of the tomograms and its number from 1 on, such as {known[0]}=1, not {word!r}.")
        found[tomogram] = int(number)
    return found


def _sizes_of(words: Iterable[str] | None, known: Sequence[str]) -> dict[str, Shape]:
    from core.io.particles.tomograms import unbinned_size

    found: dict[str, Shape] = {}
    for word in sorted(words or (), key=lambda word: "=" in word):  # what is said of one goes before what is said of all
        tomogram, equals, size = word.rpartition("=")
        if equals and tomogram not in known:
            raise ConfigError(f"Expected one of the tomograms and its size, such as {known[0]}=3840,3712,1200, not {word!r}.")
        found |= dict.fromkeys([tomogram] if equals else known, unbinned_size(size))
    return found


def tilt_series_of(
    tomograms: Sequence[str],
    pixel_size: float | None,
    tomograms_star: Path | None,
    names: dict[str, str],
    sizes: Iterable[str] | None = None,
) -> dict[str, TiltSeriesGeometry]:
    """Find what is known of tilt series.

    Parameters
    ----------
    tomograms : Sequence[str]
        The tomograms.
    pixel_size : float | None
        Å per pixel, the same for all.
    tomograms_star : Path | None
        RELION's file, which tells more.
    names : dict[str, str]
        What it calls tomograms, where otherwise than expected.
    sizes : Iterable[str] | None
        Unbinned sizes of all tomograms or of one, such as ``TS_01=3840,3712,1200``.

    Returns
    -------
    dict[str, TiltSeriesGeometry]
        By tomogram; empty where nothing was told.

    Raises
    ------
    PickerError
        If something is told twice or makes no sense, the file cannot be read or lacks one of the tomograms.
    """
    from core.io.particles.tomograms import geometry_told

    found = _sizes_of(sizes, tomograms)
    return geometry_told(tomograms, pixel_size=pixel_size, tomograms_star=tomograms_star, names=names, sizes=found)


def format_options(words: Iterable[str] | None, format: str | None) -> dict[str, Any]:
    """Read the choices of a format.

    Parameters
    ----------
    words : Iterable[str] | None
        Such as ``centre=S/2-1``.
    format : str | None
        The format as the user named it.

    Returns
    -------
    dict[str, Any]
        By name.

    Raises
    ------
    ConfigError
        If the format was not named or has no such option.
    """
    from core.io.particles.registry import format_named

    if not words:
        return {}
    if format is None:
        raise ConfigError("An option belongs to a format; give --format with --option.")
    return format_named(format).parsed(words)


def export_shown(
    report: Report,
    project: Project,
    out: Path,
    names: list[str],
    ids: list[int] | None,
    reviews: dict[int, ReviewConfig],
    series: Mapping[str, TiltSeriesGeometry],
    called: Mapping[str, str],
    numbers: Mapping[str, int],
    format: str | None,
    option: list[str] | None,
    masks: Mapping[str, Mask],
) -> None:
    """Export what the window shows: the accepted, and the candidates that count.

    Parameters
    ----------
    report : Report
        Who is told.
    project : Project
        An open project.
    out, names, ids, reviews, series, called, numbers, format, option, masks
        File, tomograms, classes, what is asked of candidates, tilt series, other names, numbers, format and its choices, as read,
        and masks by name of the tomogram.

    Raises
    ------
    PickerError
        As `core.delivery.deliver`.
    """
    from core.delivery import deliver

    if ids is not None and len(ids) > 1:
        raise typer.BadParameter("--status shown goes with one --class, or with all classes")
    done = deliver(
        project,
        out,
        format,
        tomogram_ids=names,
        class_id=None if ids is None else ids[0],
        reviews=reviews,
        tilt_series=series,
        names=called,
        numbers=numbers,
        masks=masks,
        options=format_options(option, format),
    )
    for notice in done.notices:
        report.note(notice)
    files = [str(path) for path in done.files]
    report.result({"exported": done.count, "files": files}, f"Exported {done.count} particles to {', '.join(files)}.")
