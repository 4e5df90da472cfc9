"""Handing particles over to other programs: chosen, written, read back and compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.errors import PickerError
from core.io.atomic import safe_name
from core.io.particles import TiltSeriesGeometry, TomogramPicks, read_particles, write_parts
from core.particles import Status
from core.review import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from core.config import ReviewConfig
    from core.particles import ClassSpec, ParticleTable
    from core.project import Project
    from core.tomogram import Tomogram
    from core.types import Angstrom

TOLERANCE = 0.01  # voxels


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What was handed over.

    Attributes
    ----------
    files : tuple[Path, ...]
        What was written; the first is the one to hand on.
    count : int
        Particles in them.
    notices : tuple[str, ...]
        What the user should know.
    """

    files: tuple[Path, ...]
    count: int
    notices: tuple[str, ...] = ()


def chosen(
    table: ParticleTable,
    class_id: int | None,
    reviews: Mapping[int, ReviewConfig] | None,
    classes: Sequence[ClassSpec],
    tomogram: Tomogram,
) -> ParticleTable:
    """Choose what is handed over.

    Parameters
    ----------
    table : ParticleTable
        All particles of a tomogram.
    class_id : int | None
        Only this class; None for all.
    reviews : Mapping[int, ReviewConfig] | None
        With them, the candidates that count are taken beside the accepted, as `core.review.shown` has it; None takes the
        accepted only.
    classes : Sequence[ClassSpec]
        The classes of the project.
    tomogram : Tomogram
        Where they lie.

    Returns
    -------
    ParticleTable
        In the same order.
    """
    rows = table.statuses == Status.ACCEPTED
    if reviews is not None:
        counted = shown(table, reviews, {spec.id: spec for spec in classes}, tomogram.shape, tomogram.voxel_size)
        rows = counted & (table.statuses != Status.REJECTED)
    if class_id is not None:
        rows = rows & (table.class_ids == class_id)
    return table.select(rows)


def deliver(
    project: Project,
    path: Path,
    format: str,
    *,
    tomogram_ids: Sequence[str],
    class_id: int | None = None,
    reviews: Mapping[int, ReviewConfig] | None = None,
    pixel_size: Angstrom | None = None,
) -> Delivered:
    """Write particles of a project and check that the files say the same.

    Parameters
    ----------
    project : Project
        Where they are.
    path : Path
        The file.
    format : str
        As for `core.io.particles.write_parts`.
    tomogram_ids : Sequence[str]
        Which tomograms.
    class_id, reviews : int | None, Mapping[int, ReviewConfig] | None
        As for `chosen`.
    pixel_size : Angstrom | None
        Of the unbinned tilt series, for formats that count in it.

    Returns
    -------
    Delivered
        Files and count.

    Raises
    ------
    PickerError
        If there is nothing to write, a file cannot be written or does not read back within a hundredth of a voxel.
    """
    series = None if pixel_size is None else TiltSeriesGeometry(pixel_size=pixel_size)
    parts, classes = [], project.store.classes()
    for name in tomogram_ids:
        table = project.store.table(name)
        if not len(table):
            continue  # its file may be away
        tomogram = project.tomogram(name)
        table = chosen(table, class_id, reviews, classes, tomogram)
        if len(table):
            parts.append(TomogramPicks.of(tomogram, table, tilt_series=series))
    if not parts:
        raise PickerError("There are no particles to export; accept some first, or lower the threshold.")
    written = write_parts(path, parts, classes, format=format)
    for part in parts:
        _compare(written.files, part, format, len(parts))
    count = sum(len(part.table) for part in parts)
    return Delivered(files=written.files, count=count, notices=written.notices)


def _compare(files: Sequence[Path], part: TomogramPicks, format: str, parts: int) -> None:
    """Read files back and look for every particle of a tomogram, except where the writer has done so itself."""
    back = []
    for file in (file for file in files if file.suffix != ".star"):
        found = read_particles(file, format=format)
        if found.tomograms is None and parts > 1 and file.stem != safe_name(part.name):
            continue
        mine = np.ones(len(found), np.bool_) if found.tomograms is None else np.array([n == part.name for n in found.tomograms])
        back.append(part.frame.to_voxels(found.positions[mine], found.unit))
    if not back:
        return
    positions, wanted = np.concatenate(back), part.table.positions
    # every writer keeps the order
    if len(positions) != len(wanted) or np.abs(positions - wanted).max(initial=0.0) > TOLERANCE:
        raise PickerError(f"What was written for {part.name!r} does not read back as it should; do not use it, and report this.")
