"""Options that several commands share, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from core.config import DeviceName, ReviewConfig
from core.config import Preset as PresetName
from core.errors import ConfigError
from core.tomogram import Box

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.particles import ClassSpec

BUDGET, SETTINGS = "Training budget", "Settings"

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Write the result as one JSON document; progress goes to stderr.")]
ConfigFile: TypeAlias = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="TOML file with settings.", rich_help_panel=SETTINGS)
]
Assignments: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="GROUP.NAME=VALUE", help="Any setting, such as train.batch=4; repeatable.", rich_help_panel=SETTINGS
    ),
]
Minutes: TypeAlias = Annotated[
    float | None, typer.Option(help="Train for so many minutes at most.", rich_help_panel=BUDGET, show_default=False)
]
Steps: TypeAlias = Annotated[
    int | None, typer.Option(help="Train for so many steps at most.", rich_help_panel=BUDGET, show_default=False)
]
Preset: TypeAlias = Annotated[PresetName | None, typer.Option(help="Which network.", rich_help_panel=SETTINGS)]
Seed: TypeAlias = Annotated[int | None, typer.Option(help="Seed of everything random.", rich_help_panel=SETTINGS)]
Device: TypeAlias = Annotated[DeviceName | None, typer.Option(help="Where to compute.", rich_help_panel=SETTINGS)]
VoxelSize: TypeAlias = Annotated[
    float | None, typer.Option(help="Å per voxel, in place of what the file says.", metavar="Å", show_default=False)
]
PixelSize: TypeAlias = Annotated[
    float | None, typer.Option(metavar="Å", help="Unbinned pixel size of the tilt series, for RELION.", show_default=False)
]
Classes: TypeAlias = Annotated[list[str] | None, typer.Option("--class", metavar="NAME", help="Only this class; repeatable.")]
Names: TypeAlias = Annotated[list[str] | None, typer.Option("--tomogram", metavar="NAME", help="Only this tomogram; repeatable.")]


ByClass: TypeAlias = Annotated[
    list[str] | None, typer.Option(metavar="CLASS=VALUE", help="With --status shown; repeatable.", show_default=False)
]


def reviews_of(asked: Mapping[str, list[str] | None], classes: Sequence[ClassSpec]) -> dict[int, ReviewConfig]:
    """Read what is asked of the candidates of each class.

    Parameters
    ----------
    asked : Mapping[str, list[str] | None]
        By field of `ReviewConfig`, words such as ``ribosome=0.7``.
    classes : Sequence[ClassSpec]
        The classes of the project.

    Returns
    -------
    dict[int, ReviewConfig]
        By class id.

    Raises
    ------
    ConfigError
        If a word is none such, or a value is out of range.
    """
    numbers, values = {spec.name: spec.id for spec in classes}, dict[int, dict[str, float]]()
    for field, words in asked.items():
        for word in words or ():
            name, _, value = word.rpartition("=")
            try:
                values.setdefault(numbers[name], {})[field] = float(value)
            except (KeyError, ValueError) as exc:
                known = ", ".join(numbers) or "none yet"
                raise ConfigError(f"Expected a class and a number, such as ribosome=0.7, not {word!r}; classes: {known}.") from exc
    return {number: ReviewConfig(**fields) for number, fields in values.items()}


def parsed_box(text: str, shape: tuple[int, int, int]) -> Box:
    """Read a part of a tomogram such as ``10:90,:128,:``.

    Parameters
    ----------
    text : str
        Ranges of z, y and x in voxels; an end that is left out is the end of the tomogram.
    shape : tuple[int, int, int]
        (z, y, x) extents of the tomogram.

    Returns
    -------
    Box
        Cut off at the faces of the tomogram.

    Raises
    ------
    ConfigError
        If the text is none such, or the part is empty.
    """
    ranges = [part.split(":") for part in text.split(",")]
    try:
        pairs = [
            (max(0, int(low) if low.strip() else 0), min(extent, int(high) if high.strip() else extent))
            for (low, high), extent in zip(ranges, shape, strict=True)
        ]
        (z0, z1), (y0, y1), (x0, x1) = pairs
        return Box((z0, y0, x0), (z1, y1, x1))
    except ValueError as exc:
        raise ConfigError(
            f"Expected a part as z0:z1,y0:y1,x0:x1 in voxels, within {shape} and not empty, such as 10:90,:128,:, not {text!r}."
        ) from exc
