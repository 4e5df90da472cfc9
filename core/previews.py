"""What an export would write and what an import would bring, before either happens."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from core.delivery import parts_of
from core.io.particles import read_particles
from core.io.particles.previewing import preview_parts
from core.io.particles.registry import format_named, format_of
from core.io.particles.values import Frame
from core.project.importing import classes_of, doubts, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from core.config import ReviewConfig
    from core.io.particles import TiltSeriesGeometry
    from core.io.particles.previewing import Preview
    from core.io.particles.registry import Choices
    from core.io.particles.values import ReadPicks, Unit
    from core.particles import ClassSpec
    from core.project import Project
    from core.types import Angstrom, IntArray, Positions


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """A particle as an import would add it.

    Attributes
    ----------
    said : str
        What the file calls the tomogram; empty where it does not tell.
    class_name : str
        Its class in the project.
    x, y, z : float
        Voxels of the tomogram.
    score : float
        NaN where there is none.
    inside : bool
        Whether it lies in the tomogram.
    """

    said: str
    class_name: str
    x: float
    y: float
    z: float
    score: float
    inside: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What an import would bring.

    Attributes
    ----------
    format : str
        Name of the format, as told or found out.
    count : int
        Particles for the tomogram, those outside included.
    outside : int
        How many of them lie outside it.
    elsewhere : int
        Rows that the file has for other tomograms.
    rows : tuple[Landing, ...]
        The first few.
    notices : tuple[str, ...]
        What is odd and the user should know.
    """

    format: str
    count: int
    outside: int
    elsewhere: int
    rows: tuple[Landing, ...]
    notices: tuple[str, ...]


def preview_delivery(
    project: Project,
    path: Path,
    format: str,
    *,
    tomogram_ids: Sequence[str],
    class_id: int | None = None,
    reviews: Mapping[int, ReviewConfig] | None = None,
    pixel_size: Angstrom | None = None,
    tilt_series: Mapping[str, TiltSeriesGeometry] | None = None,
    names: Mapping[str, str] | None = None,
    numbers: Mapping[str, int] | None = None,
    options: Choices = None,
) -> Preview:
    """Tell which files `core.delivery.deliver` would write, and how they begin.

    Parameters
    ----------
    project, path, format, tomogram_ids, class_id, reviews, pixel_size, tilt_series, names, numbers, options
        As for `core.delivery.deliver`; `path` is not touched.

    Returns
    -------
    Preview
        Files and first lines.

    Raises
    ------
    PickerError
        As the export itself would.
    """
    parts = parts_of(
        project,
        tomogram_ids=tomogram_ids,
        class_id=class_id,
        reviews=reviews,
        pixel_size=pixel_size,
        tilt_series=tilt_series,
        names=names,
        numbers=numbers,
    )
    return preview_parts(path, parts, project.store.classes(), format=format, options=options)


def preview_import(
    project: Project,
    path: Path,
    tomogram_id: str,
    *,
    format: str | None = None,
    unit: Unit | None = None,
    class_id: int | None = None,
    scale: float = 1.0,
    tilt_series: TiltSeriesGeometry | None = None,
    name: str | None = None,
    options: Choices = None,
    rows: int = 5,
) -> Arrival:
    """Tell what `core.project.Project.import_particles` would add; the project stays as it is.

    Parameters
    ----------
    project, path, tomogram_id, format, unit, class_id, scale, tilt_series, name, options
        As for `core.project.Project.import_particles`.
    rows : int
        How many particles are shown.

    Returns
    -------
    Arrival
        Counts, and the first particles as they would land.

    Raises
    ------
    PickerError
        If the file cannot be read or does not fit the tomogram and classes.
    """
    tomogram, classes = project.tomogram(tomogram_id), project.store.classes()
    known = format_of(path) if format is None else format_named(format)
    everything = read_particles(path, format=format, unit=unit, options=options)
    picks = rows_of(everything, tomogram_id, name)
    frame = Frame(voxel_size=tomogram.voxel_size, shape=tomogram.shape, tilt_series=tilt_series)
    positions = picks.voxels(frame) * scale
    inside = tomogram.box.contains(positions)
    landings = _landings(picks, positions, classes_of(picks, classes, class_id), inside.tolist(), classes)
    return Arrival(
        format=known.name,
        count=len(picks),
        outside=int(np.count_nonzero(~inside)),
        elsewhere=len(everything) - len(picks),
        rows=tuple(islice(landings, rows)),
        notices=tuple(doubts(picks, positions, frame)),
    )


def _landings(
    picks: ReadPicks, positions: Positions, class_ids: IntArray, inside: list[bool], classes: Sequence[ClassSpec]
) -> Iterator[Landing]:
    words = {spec.id: spec.name for spec in classes}
    for row, (z, y, x) in enumerate(positions):
        yield Landing(
            said="" if picks.tomograms is None else picks.tomograms[row],
            class_name=words[int(class_ids[row])],
            x=float(x),
            y=float(y),
            z=float(z),
            score=float("nan") if picks.scores is None else float(picks.scores[row]),
            inside=inside[row],
        )
