"""Handing particles over to other programs: chosen, written, read back and compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import PickerError
from core.io.particles import TiltSeriesGeometry, TomogramPicks, write_parts
from core.particles import Status
from core.review import outstanding, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from core.config import ReviewConfig
    from core.io.particles.registry import Choices
    from core.particles import ClassSpec, ParticleTable
    from core.project import Project
    from core.tomogram import Mask, Tomogram
    from core.types import Angstrom


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
    status: Status | None = Status.ACCEPTED,
    mask: Mask | None = None,
) -> ParticleTable:
    """Choose what is handed over.

    Parameters
    ----------
    table : ParticleTable
        All particles of a tomogram.
    class_id : int | None
        Only this class; None for all.
    reviews : Mapping[int, ReviewConfig] | None
        With them, the candidates that count are taken beside the accepted, as `core.review.shown` has it; None for what
        `status` says.
    classes : Sequence[ClassSpec]
        The classes of the project.
    tomogram : Tomogram
        Where they lie.
    status : Status | None
        Those that are taken without `reviews`; None for all. Candidates that lie on a judged particle never are.
    mask : Mask | None
        With `reviews`, candidates outside of it do not count.

    Returns
    -------
    ParticleTable
        In the same order.
    """
    known = {spec.id: spec for spec in classes}
    if reviews is None:
        rows = outstanding(table, known, tomogram.voxel_size)
        rows = rows if status is None else rows & (table.statuses == status)
    else:
        counted = shown(table, reviews, known, tomogram.shape, tomogram.voxel_size, mask)
        rows = counted & (table.statuses != Status.REJECTED)
    if class_id is not None:
        rows = rows & (table.class_ids == class_id)
    return table.select(rows)


def deliver(
    project: Project,
    path: Path,
    format: str | None,
    *,
    tomogram_ids: Sequence[str],
    class_id: int | None = None,
    reviews: Mapping[int, ReviewConfig] | None = None,
    status: Status | None = Status.ACCEPTED,
    pixel_size: Angstrom | None = None,
    tilt_series: Mapping[str, TiltSeriesGeometry] | None = None,
    names: Mapping[str, str] | None = None,
    numbers: Mapping[str, int] | None = None,
    masks: Mapping[str, Mask] | None = None,
    options: Choices = None,
) -> Delivered:
    """Write particles of a project and check that the files say the same.

    Parameters
    ----------
    project : Project
        Where they are.
    path : Path
        The file.
    format : str | None
        As for `core.io.particles.write_parts`.
    tomogram_ids : Sequence[str]
        Which tomograms.
    class_id, reviews, status : int | None, Mapping[int, ReviewConfig] | None, Status | None
        As for `chosen`.
    pixel_size : Angstrom | None
        Of all unbinned tilt series, for formats that count in it.
    tilt_series : Mapping[str, TiltSeriesGeometry] | None
        That of each tomogram, in place of `pixel_size`.
    names : Mapping[str, str] | None
        Other names for tomograms than their own.
    numbers : Mapping[str, int] | None
        Those of tomograms, for formats that have numbers in place of names.
    masks : Mapping[str, Mask] | None
        That of each tomogram, as for `chosen`.
    options : Mapping[str, Any] | Options | None
        Choices of the format.

    Returns
    -------
    Delivered
        Files and count.

    Raises
    ------
    PickerError
        If there is nothing to write, a file cannot be written or does not read back within a hundredth of a voxel.
    """
    parts = parts_of(
        project,
        tomogram_ids=tomogram_ids,
        class_id=class_id,
        reviews=reviews,
        status=status,
        pixel_size=pixel_size,
        tilt_series=tilt_series,
        names=names,
        numbers=numbers,
        masks=masks,
    )
    written = write_parts(path, parts, project.store.classes(), format=format, options=options)
    count = sum(len(part.table) for part in parts)
    return Delivered(files=written.files, count=count, notices=written.notices)


def parts_of(
    project: Project,
    *,
    tomogram_ids: Sequence[str],
    class_id: int | None = None,
    reviews: Mapping[int, ReviewConfig] | None = None,
    status: Status | None = Status.ACCEPTED,
    pixel_size: Angstrom | None = None,
    tilt_series: Mapping[str, TiltSeriesGeometry] | None = None,
    names: Mapping[str, str] | None = None,
    numbers: Mapping[str, int] | None = None,
    masks: Mapping[str, Mask] | None = None,
) -> list[TomogramPicks]:
    """Gather what would be handed over.

    Parameters
    ----------
    project : Project
        Where the particles are.
    tomogram_ids, class_id, reviews, status, pixel_size, tilt_series, names, numbers, masks
        As for `deliver`.

    Returns
    -------
    list[TomogramPicks]
        Of each tomogram that has particles to hand over; at least one.

    Raises
    ------
    PickerError
        If there is none, or a tomogram's file is missing.
    """
    plain = None if pixel_size is None else TiltSeriesGeometry(pixel_size=pixel_size)
    parts, classes = [], project.store.classes()
    for one in tomogram_ids:
        table = project.store.table(one)
        if not len(table):
            continue  # its file may be away
        tomogram = project.tomogram(one)
        table = chosen(table, class_id, reviews, classes, tomogram, status, (masks or {}).get(one))
        if len(table):
            series, name, number = (tilt_series or {}).get(one, plain), (names or {}).get(one), (numbers or {}).get(one)
            notes = project.store.notes(one)
            parts.append(TomogramPicks.of(tomogram, table, tilt_series=series, name=name, number=number, notes=notes))
    if not parts:
        raise PickerError("There are no particles to export; accept some first, or lower the threshold.")
    return parts
