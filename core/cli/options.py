"""Options that several commands share, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from core.config import DeviceName, ReviewConfig
from core.config import Preset as PresetName
from core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.particles import ClassSpec

BUDGET, SETTINGS, MANY = "Training budget", "Settings", "Many tomograms"

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

Workers: TypeAlias = Annotated[
    int | None,
    typer.Option(min=1, help="Processes, or jobs of a cluster; one for each GPU when left out.", rich_help_panel=MANY),
]
Scheduler: TypeAlias = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Dask scheduler with workers, such as tcp://node:8786.", rich_help_panel=MANY)
]
Cluster: TypeAlias = Annotated[Literal["slurm"] | None, typer.Option(help="Hand jobs in to SLURM.", rich_help_panel=MANY)]
ClusterConfig: TypeAlias = Annotated[
    Path | None, typer.Option(metavar="FILE", help="YAML file: queue, walltime, cores, memory, gpus.", rich_help_panel=MANY)
]

ByClass: TypeAlias = Annotated[
    list[str] | None, typer.Option(metavar="CLASS=VALUE", help="With --status shown; repeatable.", show_default=False)
]


RuleName: TypeAlias = Annotated[
    Literal["half", "radius", "shrec", "czii"],
    typer.Option(help="What is right: within half the particle's radius, within its radius, as SHREC 2021, as CZII 2024 counts."),
]
PickOrigin: TypeAlias = Annotated[
    str | None,
    typer.Argument(help="CSV of picks (class,x,y,z[,score]); of a project: candidates, a run of picking or a file."),
]
Both: TypeAlias = Annotated[
    tuple[str, str] | None,
    typer.Option(metavar="A B", help="Set two of these side by side instead, neither being right.", show_default=False),
]
Folds: TypeAlias = Annotated[
    int | None,
    typer.Option(min=2, help="Cross-validate: so many trainings, each scored on a slab it never saw.", show_default=False),
]
Occupancy: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="With shrec: volume of particle numbers, in the order of the reference file.", show_default=False),
]


def refuse_idle(given: Mapping[str, object], where: str) -> None:
    """Refuse options that would have no effect, rather than let somebody believe that they had.

    Parameters
    ----------
    given : Mapping[str, object]
        By what the user knows them as; None and False for those that were not given.
    where : str
        What they do not go with.

    Raises
    ------
    typer.BadParameter
        If there are any.
    """
    idle = [name for name, value in given.items() if value is not None and value is not False]
    if idle:
        raise typer.BadParameter(f"{', '.join(idle)} cannot go with {where}")


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
