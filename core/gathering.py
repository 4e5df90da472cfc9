"""What training takes from a project, and what picking brings back to it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from core.annotations import Role
from core.errors import ProjectError
from core.examples import Example
from core.particles import ParticleTable, Source, Status
from core.review import taken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from core.examples import Role as Part
    from core.particles import ClassSpec, PickResult
    from core.project import Project
    from core.tomogram import Box
    from core.types import Angstrom, IntArray

# a tomogram that is not used by default may still be asked for by name
ROLES: dict[Role, Part] = {Role.BOTH: "both", Role.TRAIN: "train", Role.VALIDATION: "validation", Role.NONE: "both"}


def chosen_tomograms(project: Project, names: Sequence[str] | None = None) -> list[str]:
    """Return tomograms by name, or all that the project uses.

    Parameters
    ----------
    project : Project
        An open project.
    names : Sequence[str] | None
        Which; None or nothing for all whose role is not ``none``.

    Returns
    -------
    list[str]
        At least one, each once.

    Raises
    ------
    ProjectError
        If one is unknown, or the project has none.
    """
    if names:
        return [project.store.tomogram(name).id for name in dict.fromkeys(names)]
    found = [record.id for record in project.store.tomograms() if record.role is not Role.NONE]
    if not found:
        raise ProjectError(f"The project {project.folder} has no tomograms to work on; add one first.")
    return found


def chosen_classes(project: Project, names: Sequence[str] | None = None) -> list[ClassSpec]:
    """Return classes by name, or all that have accepted particles.

    Parameters
    ----------
    project : Project
        An open project.
    names : Sequence[str] | None
        Which; None or nothing for all that have accepted particles.

    Returns
    -------
    list[ClassSpec]
        By ascending id; empty where nothing is annotated.

    Raises
    ------
    ProjectError
        If one is unknown.
    """
    specs = project.store.classes()
    unknown = sorted(set(names or ()) - {spec.name for spec in specs})
    if unknown:
        known = ", ".join(spec.name for spec in specs) or "none yet"
        raise ProjectError(f"There is no class {', '.join(unknown)} in this project; there is: {known}.")
    used = {class_id for (_, class_id, status) in project.store.counts() if status is Status.ACCEPTED}
    return [spec for spec in specs if (spec.name in names if names else spec.id in used)]


def chosen_particles(
    project: Project,
    names: Sequence[str] | None = None,
    class_ids: Sequence[int] | None = None,
    status: Status | None = Status.ACCEPTED,
    top: int = 0,
) -> list[ParticleTable]:
    """Return particles of a project, those of the best score if so many are too many.

    Parameters
    ----------
    project : Project
        An open project.
    names : Sequence[str] | None
        Tomograms, as for `chosen_tomograms`.
    class_ids : Sequence[int] | None
        Which classes; None for all.
    status : Status | None
        As for `core.project.Project.to_export`.
    top : int
        So many of the highest score over all tomograms; 0 for all. Whatever has no score comes last.

    Returns
    -------
    list[ParticleTable]
        One for each tomogram, perhaps empty, by falling score where `top` is given.

    Raises
    ------
    PickerError
        If a tomogram is unknown or cannot be opened.
    """
    return best([project.to_export(name, class_ids, status) for name in chosen_tomograms(project, names)], top)


def best(tables: Sequence[ParticleTable], top: int) -> list[ParticleTable]:
    """Choose the particles of the best score over all tomograms.

    Parameters
    ----------
    tables : Sequence[ParticleTable]
        One for each tomogram.
    top : int
        As for `chosen_particles`.

    Returns
    -------
    list[ParticleTable]
        As many tables, perhaps empty, by falling score unless all are taken.
    """
    if not top or not tables:
        return list(tables)
    scores = np.concatenate([np.nan_to_num(table.scores.astype(float), nan=-np.inf) for table in tables])
    of = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
    rows = np.concatenate([np.arange(len(table)) for table in tables])
    first = np.argsort(-scores, kind="stable")[:top]
    return [table.select(rows[first[of[first] == place]]) for place, table in enumerate(tables)]


def examples(project: Project, names: Sequence[str] | None = None) -> list[Example]:
    """Return what training can learn from.

    Parameters
    ----------
    project : Project
        An open project.
    names : Sequence[str] | None
        Tomograms; None or nothing for all with accepted or rejected particles or a complete region.

    Returns
    -------
    list[Example]
        One for each tomogram.

    Raises
    ------
    PickerError
        If a tomogram is unknown or cannot be opened.
    """
    found = []
    for name in chosen_tomograms(project, names):
        record, table = project.store.tomogram(name), project.store.table(name)
        # a tomogram in which picks were only rejected teaches, too: what is no particle
        if names or record.complete or (table.statuses != Status.CANDIDATE).any():
            tomogram = project.tomogram(name)
            found.append(
                Example(tomogram=tomogram, particles=table, region=record.region, complete=record.complete, role=ROLES[record.role])
            )
    return found


def keep_picks(
    project: Project,
    picks: ParticleTable,
    classes: Sequence[ClassSpec],
    region: Box | None = None,
    *,
    unjudged: Angstrom | None = None,
) -> IntArray:
    """Put picks into a project as candidates, in place of the candidates of an earlier run.

    Parameters
    ----------
    project : Project
        Open for writing.
    picks : ParticleTable
        Picks of one tomogram of the project.
    classes : Sequence[ClassSpec]
        What was looked for; matched to the project's classes by name, and added where the project has none of this name.
    region : Box | None
        Where was looked; earlier candidates elsewhere stay. None for everywhere.
    unjudged : Angstrom | None
        Å per voxel: picks that lie on a particle which somebody has accepted, rejected or clicked are left out. None to keep all.

    Returns
    -------
    IntArray
        (n,) ids of the picks that were kept.

    Raises
    ------
    ProjectError
        If the project cannot be changed.
    """
    with project.store.grouped(f"Pick {len(picks)} particles in {picks.tomogram_id}"):
        numbers = {spec.id: _project_class(project, spec) for spec in classes}
        known = project.store.table(picks.tomogram_id)
        project.store.remove(known.ids[_replaced(known, list(numbers.values()), region)])
        translated = np.array([numbers[number] for number in picks.class_ids.tolist()], np.int64)
        candidates = np.full(len(picks), int(Status.CANDIDATE), np.int64)
        found = replace(picks, class_ids=translated, statuses=candidates)
        if unjudged is not None:
            specs = {spec.id: spec for spec in project.store.classes()}
            found = found.select(~taken(found, known.select(known.statuses != Status.CANDIDATE), specs, unjudged))
        return project.store.add_many(found)


def _replaced(known: ParticleTable, class_ids: Sequence[int], region: Box | None) -> NDArray[np.bool_]:
    """Say which particles make room for other picks of these classes."""
    rows: NDArray[np.bool_] = (known.statuses == Status.CANDIDATE) & (known.sources == Source.PICKED)
    rows &= np.isin(known.class_ids, class_ids)
    return rows if region is None else rows & region.contains(known.positions)


def still_kept(project: Project, name: str, ids: Sequence[int], classes: Sequence[str], region: Box | None = None) -> bool:
    """Tell whether a project stands as it did when picks were kept, but for what was decided about them since.

    Parameters
    ----------
    project : Project
        An open project.
    name : str
        Of the tomogram.
    ids : Sequence[int]
        What was kept.
    classes : Sequence[str]
        Names of the classes that were looked for.
    region : Box | None
        Where was looked.

    Returns
    -------
    bool
        False if one of the picks is gone, as after undo, or if there are picks of another run.
    """
    known = project.store.table(name)
    numbers = [spec.id for spec in project.store.classes() if spec.name in classes]
    others = np.setdiff1d(known.ids[_replaced(known, numbers, region)], ids)
    return not len(others) and bool(np.isin(ids, known.ids).all())


def keep_candidates(project: Project, result: PickResult) -> IntArray:
    """Put all candidates of a tomogram into a project, whatever their score, for somebody to go through.

    Parameters
    ----------
    project : Project
        Open for writing.
    result : PickResult
        Of one of its tomograms; those that lie on a particle that somebody has judged or clicked are left out.

    Returns
    -------
    IntArray
        (n,) ids of those that were kept.

    Raises
    ------
    ProjectError
        If the project cannot be changed.
    """
    found = result.table
    picks = ParticleTable.build(
        found.tomogram_id, found.positions, found.class_ids, scores=found.scores, source=Source.PICKED, status=Status.CANDIDATE
    )
    return keep_picks(project, picks, result.classes, unjudged=result.voxel_size)


def _project_class(project: Project, spec: ClassSpec) -> int:
    known = next((one.id for one in project.store.classes() if one.name == spec.name), None)
    if known is not None:
        return known
    added = replace(spec, id=project.store.next_class_id())
    project.store.add_class(added)
    return added.id
