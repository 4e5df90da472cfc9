"""Picks of a project and references of the same tomograms, brought together to be scored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from core.errors import ProjectError
from core.gathering import chosen_tomograms
from core.masks import config_for, masks_of
from core.metrics import Case, compare
from core.origins import ACCEPTED, CANDIDATES, gather
from core.particles import ParticleTable, Source, Status
from core.review import taken

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from core.masks import MaskConfig, Masks
    from core.messages import Message
    from core.metrics import Comparison
    from core.origins import Origin
    from core.particles import ClassSpec
    from core.project import Project
    from core.tomogram import Mask
    from core.types import Volume

    Where = Mapping[str, Mask]


@dataclass(frozen=True, slots=True, kw_only=True)
class Confrontation:
    """Picks and references of the same tomograms.

    Attributes
    ----------
    cases : tuple[Case, ...]
        One for each tomogram of which both are known.
    classes : tuple[ClassSpec, ...]
        The classes that occur.
    notices : tuple[str, ...]
        What should be known when the figures are read.
    """

    cases: tuple[Case, ...]
    classes: tuple[ClassSpec, ...]
    notices: tuple[str, ...]


def confront(
    project: Project,
    picks: Origin,
    reference: Origin,
    names: Sequence[str] | None = None,
    *,
    class_id: int | None = None,
    occupancy: Mapping[str, Volume] | None = None,
    masks: Where | None = None,
) -> Confrontation:
    """Bring picks and references of the same tomograms together, each within the part of which the reference knows.

    Parameters
    ----------
    project : Project
        An open project.
    picks, reference : Origin
        Where they come from.
    names : Sequence[str] | None
        Which tomograms; None for all that the project uses.
    class_id : int | None
        The class of all particles of a file that tells none.
    occupancy : Mapping[str, Volume] | None
        As `Case.occupancy`, by tomogram.
    masks : Mapping[str, Mask] | None
        Where particles count, by tomogram, as for `Case.within`; everywhere in one that is not in it.

    Returns
    -------
    Confrontation
        For `core.metrics.assess`.

    Raises
    ------
    PickerError
        If one cannot be read, or there is no tomogram of which both are known.
    """
    chosen = chosen_tomograms(project, names)
    found, known = gather(project, picks, chosen, class_id), gather(project, reference, chosen, class_id)
    both = [name for name in chosen if name in found.tables and len(known.tables.get(name, ()))]
    if not both:
        raise ProjectError(
            f"There is nothing to score: no tomogram has particles of the reference ({reference.title}) and was picked "
            f"({picks.title}). Mark or import references first, or choose others."
        )
    cases, outside = [], (0, 0)
    for name in both:
        tomogram = project.tomogram(name)
        region = known.regions.get(name, tomogram.box)
        truth, tried = known.tables[name], found.tables[name].select(region.contains(found.tables[name].positions))
        here, volume = region.contains(truth.positions), (occupancy or {}).get(name)
        if volume is None:
            truth = truth.select(here)
        else:  # which numbers the references, so that none may go
            truth = replace(truth, statuses=np.where(here, truth.statuses, int(Status.REJECTED)))
        complete = name not in known.partial
        whole = Case(truth=truth, picks=tried, voxel_size=tomogram.voxel_size, complete=complete, occupancy=volume)
        cases.append(whole.within((masks or {}).get(name)))
        lost = int((truth.statuses != cases[-1].truth.statuses).sum()), len(tried) - len(cases[-1].picks)
        outside = outside[0] + lost[0], outside[1] + lost[1]
    used = {number for case in cases for table in (case.truth, case.picks) for number in table.class_ids.tolist()}
    classes = tuple(spec for spec in project.store.classes() if spec.id in used)
    own = reference == ACCEPTED
    within = [f"Within the masks only: {outside[0]} references and {outside[1]} picks lie outside."] if masks else []
    doubts = _doubts(cases, classes, picks == CANDIDATES) if own else []
    return Confrontation(cases=tuple(cases), classes=classes, notices=(*within, *found.notices, *known.notices, *doubts))


def _doubts(cases: Sequence[Case], classes: Sequence[ClassSpec], open_picks: bool) -> list[str]:
    """Say what makes figures against a project's own particles better or worse than they are."""
    specs, said = {spec.id: spec for spec in classes}, []
    partial = [case.truth.tomogram_id for case in cases if not case.complete]
    if partial:
        said.append(f"{_listed(partial)} not annotated completely, so some picks that count as false may be right.")
    accepted = sum(int((case.truth.sources == Source.PICKED).sum()) for case in cases)
    if accepted:
        total = sum(len(case.truth) for case in cases)
        said.append(
            f"{accepted} of the {total} references are picks that were accepted: what no network has found is not among them, "
            "so recall looks better than it is."
        )
    if open_picks and all(len(c.picks) and not taken(c.picks, c.truth, specs, c.scale).any() for c in cases):
        said.append(
            "No candidate lies on an accepted particle: candidates that did were left out or accepted. "
            "Score a run of picking instead, which keeps all picks."
        )
    return said


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3]) + (" and others" if len(names) > 3 else "")
    return f"{shown} {'is' if len(names) == 1 else 'are'}"


def side_by_side(
    project: Project,
    a: Origin,
    b: Origin,
    classes: Sequence[ClassSpec],
    reach: float,
    names: Sequence[str] | None = None,
    masks: Where | None = None,
) -> dict[str, Comparison]:
    """Pair the particles of two origins, neither of which is right.

    Parameters
    ----------
    project : Project
        An open project.
    a, b : Origin
        Where they come from.
    classes : Sequence[ClassSpec]
        The classes that count; of a file that tells none, the only one of them is meant.
    reach : float
        As for `core.metrics.compare`, in particle radii.
    names : Sequence[str] | None
        Which tomograms; None for all that the project uses.
    masks : Mapping[str, Mask] | None
        As for `confront`.

    Returns
    -------
    dict[str, Comparison]
        For each tomogram that either has particles of.

    Raises
    ------
    PickerError
        If one cannot be read, a voxel size is unknown, or no tomogram has particles of either.
    """
    chosen = chosen_tomograms(project, names)
    only = classes[0].id if len(classes) == 1 else None
    tables = [gather(project, origin, chosen, only).tables for origin in (a, b)]
    found = {}
    for name in chosen:
        one, other = (inside(some.get(name, ParticleTable.build(name, [])), masks) for some in tables)
        if not len(one) and not len(other):
            continue
        voxel_size = project.tomogram(name).voxel_size
        if not voxel_size > 0:
            raise ProjectError(f"Comparing needs the voxel size of {name!r}, since reach is told in Å: give it in step 1.")
        found[name] = compare(one, other, classes, voxel_size, reach)
    if not found:
        raise ProjectError(f"There is nothing to compare: neither {a.title} nor {b.title} has particles in these tomograms.")
    return found


def inside(table: ParticleTable, masks: Where | None) -> ParticleTable:
    """Leave out particles outside of the mask of their tomogram, where it has one.

    Parameters
    ----------
    table : ParticleTable
        Of one tomogram.
    masks : Mapping[str, Mask] | None
        By tomogram.

    Returns
    -------
    ParticleTable
        In the same order.
    """
    mask = (masks or {}).get(table.tomogram_id)
    return table if mask is None else table.select(mask.inside(table.positions))


def masks_within(
    project: Project, names: Sequence[str] | None, configs: Mapping[str, MaskConfig]
) -> Generator[Message, None, dict[str, Masks]]:
    """Work out the masks of tomograms, as a job; what was found once is read again.

    Parameters
    ----------
    project : Project
        An open project.
    names : Sequence[str] | None
        Which tomograms; None for all that the project uses.
    configs : Mapping[str, MaskConfig]
        By tomogram, as settings have them.

    Yields
    ------
    Message
        Progress.

    Returns
    -------
    dict[str, Masks]
        Of those tomograms that have any.

    Raises
    ------
    PickerError
        As `core.masks.masks_of`.
    """
    made = {}
    for name in chosen_tomograms(project, names):
        config = config_for(configs, name)
        if config.active:
            made[name] = yield from masks_of(project.tomogram(name), config, project.folder / "cache")
    return made
