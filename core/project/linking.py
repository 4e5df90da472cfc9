"""Tomograms of one tilt series: at other binnings, filtered, denoised. What is picked in one is carried over to the others."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from core.annotations import Link
from core.errors import ProjectError
from core.grids import Alignment, Mapping, link_doubts, mapping, position_doubts
from core.particles import Status

if TYPE_CHECKING:
    from core.particles import ParticleTable
    from core.project.contents import Project
    from core.types import IntArray

_SAME = 0.01  # voxels within which a particle is there already


def survey(project: Project, tomogram_id: str, to: str, alignment: Alignment = Alignment.FACES) -> tuple[Mapping, tuple[str, ...]]:
    """Look at two tomograms before they are linked; changes nothing.

    Parameters
    ----------
    project : Project
        Any project.
    tomogram_id, to : str
        The tomogram, and the one that it would go with.
    alignment : Alignment
        What their grids have in common.

    Returns
    -------
    found : Mapping
        From the first to the second.
    doubts : tuple[str, ...]
        What speaks against it.

    Raises
    ------
    PickerError
        If a tomogram is unknown or missing, both are the same or linked already the other way round, or their ratio is unknown.
    """
    if tomogram_id in _chain(project, to):
        raise ProjectError(f"{to!r} and {tomogram_id!r} are the same tomogram or linked already; choose two others.")
    source, target = project.tomogram(tomogram_id), project.tomogram(to)
    found = mapping(source, target, alignment)
    return found, tuple(link_doubts(source, target, found))


def link(project: Project, tomogram_id: str, to: str, alignment: Alignment = Alignment.FACES) -> tuple[str, ...]:
    """Note that a tomogram shows the same specimen as another one.

    Parameters
    ----------
    project : Project
        Open for writing.
    tomogram_id, to : str
        The tomogram, and the one that it goes with.
    alignment : Alignment
        What their grids have in common.

    Returns
    -------
    tuple[str, ...]
        What speaks against it.

    Raises
    ------
    PickerError
        As for `survey`, or if the project is read-only.
    """
    _, doubts = survey(project, tomogram_id, to, alignment)
    record = project.store.tomogram(tomogram_id)
    project.store.update_tomogram(replace(record, link=Link(to=to, alignment=alignment)))
    return doubts


def unlink(project: Project, tomogram_id: str) -> None:
    """Forget that a tomogram goes with another one.

    Parameters
    ----------
    project : Project
        Open for writing.
    tomogram_id : str
        The tomogram.

    Raises
    ------
    PickerError
        If there is no such tomogram, or the project is read-only.
    """
    project.store.update_tomogram(replace(project.store.tomogram(tomogram_id), link=None))


def linked(project: Project, tomogram_id: str) -> tuple[str, ...]:
    """Return the tomograms of the same tilt series.

    Parameters
    ----------
    project : Project
        Any project.
    tomogram_id : str
        One of its tomograms.

    Returns
    -------
    tuple[str, ...]
        The others, in the order they were added.
    """
    project.store.tomogram(tomogram_id)
    return groups(project).get(tomogram_id, ())


def groups(project: Project) -> dict[str, tuple[str, ...]]:
    """Return all that is linked, at one look.

    Parameters
    ----------
    project : Project
        Any project.

    Returns
    -------
    dict[str, tuple[str, ...]]
        For each tomogram that is linked, the others of its tilt series, in the order they were added.
    """
    links = _links(project)
    members: dict[str, list[str]] = {}
    for name in links:
        members.setdefault(_followed(links, name)[-1], []).append(name)
    return {
        name: tuple(other for other in together if other != name)
        for together in members.values()
        if len(together) > 1
        for name in together
    }


def between(project: Project, tomogram_id: str, to: str) -> Mapping:
    """Return how voxels of a tomogram become those of a linked one.

    Parameters
    ----------
    project : Project
        Any project.
    tomogram_id, to : str
        Two linked tomograms.

    Returns
    -------
    Mapping
        From the first to the second.

    Raises
    ------
    PickerError
        If they are not linked, or a file is missing.
    """
    ours, theirs = _chain(project, tomogram_id), _chain(project, to)
    if ours[-1] != theirs[-1]:
        raise ProjectError(f"{tomogram_id!r} and {to!r} are not linked; link them first.")
    return _to_root(project, ours).then(_to_root(project, theirs).inverse())


def carry_over(
    project: Project, tomogram_id: str, to: str, status: Status | None = Status.ACCEPTED
) -> tuple[IntArray, tuple[str, ...]]:
    """Copy particles to a linked tomogram, as one change; those that are there already are left out.

    Parameters
    ----------
    project : Project
        Open for writing.
    tomogram_id, to : str
        Two linked tomograms.
    status : Status | None
        Which particles; None for all.

    Returns
    -------
    ids : IntArray
        (n,) of the new particles.
    notices : tuple[str, ...]
        What is odd about their positions.

    Raises
    ------
    PickerError
        If they are not linked, a file is missing, or the project is read-only.
    """
    moved, notices = to_carry(project, tomogram_id, to, status)
    return project.store.add_many(moved, f"Carry {len(moved)} particles over from {tomogram_id}"), notices


def to_carry(
    project: Project, tomogram_id: str, to: str, status: Status | None = Status.ACCEPTED
) -> tuple[ParticleTable, tuple[str, ...]]:
    """Return what `carry_over` would add; changes nothing.

    Parameters
    ----------
    project : Project
        Any project.
    tomogram_id, to : str
        Two linked tomograms.
    status : Status | None
        Which particles; None for all.

    Returns
    -------
    particles : ParticleTable
        Those that are not there already, at their positions in the second.
    notices : tuple[str, ...]
        What is odd about their positions.

    Raises
    ------
    PickerError
        If they are not linked, or a file is missing.
    """
    table = project.store.table(tomogram_id, status=status)
    moved = replace(table, tomogram_id=to, positions=between(project, tomogram_id, to).apply(table.positions))
    moved = moved.select(~_present(moved, project.store.table(to)))
    return moved, tuple(position_doubts(moved.positions, project.tomogram(to)))


def _present(table: ParticleTable, known: ParticleTable) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    from scipy.spatial import cKDTree

    found = np.zeros(len(table), bool)
    for number in np.unique(table.class_ids):
        there = known.positions[known.class_ids == number]
        rows = np.flatnonzero(table.class_ids == number)
        if len(there):
            found[rows] = cKDTree(there).query(table.positions[rows])[0] <= _SAME
    return found


def _chain(project: Project, tomogram_id: str) -> list[str]:
    project.store.tomogram(tomogram_id)
    return _followed(_links(project), tomogram_id)


def _links(project: Project) -> dict[str, Link | None]:
    return {record.id: record.link for record in project.store.tomograms()}


def _followed(links: dict[str, Link | None], tomogram_id: str) -> list[str]:
    """Return a tomogram and those that its links lead to, the last one without a link to a tomogram that is still there."""
    names = [tomogram_id]
    while (following := links[names[-1]]) is not None and following.to in links and following.to not in names:
        names.append(following.to)
    return names


def _to_root(project: Project, names: list[str]) -> Mapping:
    found = Mapping((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    for one, following in pairwise(names):
        record = project.store.tomogram(one)
        alignment = record.link.alignment if record.link else Alignment.FACES
        found = found.then(mapping(project.tomogram(one), project.tomogram(following), alignment))
    return found
