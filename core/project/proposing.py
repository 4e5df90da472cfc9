"""An import that is looked at before it is made: what a file of particles would become in the tomograms of a project."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import compress
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np

from core.errors import FileFormatError, PickerError
from core.grids import outside_doubt
from core.io.particles import read_particles
from core.io.particles.frames import Frame
from core.io.particles.keeping import noted
from core.io.particles.tomograms import geometry_told
from core.particles import COLORS, ClassSpec, ParticleTable, Status
from core.project.checking import doubts
from core.project.claiming import claimed, nobody_claims
from core.project.importing import classes_of, outside_sentence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from core.io.particles import TiltSeriesGeometry
    from core.io.particles.frames import Unit
    from core.io.particles.registry import Choices
    from core.io.particles.values import ReadPicks
    from core.project.claiming import FoundName
    from core.project.contents import Project
    from core.types import Angstrom, BoolArray, IntArray, Shape

_DIAMETER = 200.0  # Å, of a class that only the file knows, until somebody tells


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOrder:
    """What to import, and what the file does not tell.

    Attributes
    ----------
    path : Path
        The file.
    tomogram_ids : tuple[str, ...]
        The tomograms that its particles may lie in.
    format : str | None
        Name of its format; None to find out.
    unit : Unit | None
        What its numbers count; None for what the format usually means.
    class_id : int | None
        The class of all; None for what the file says, and classes that the project lacks are added.
    new_class : ClassSpec | None
        A class that the project lacks, of the number `class_id`, which is added.
    scale : float
        Factor from the voxels of the file to those of the tomogram.
    outside : {"drop", "keep"} | None
        What to do with positions outside the tomogram; None refuses them.
    pixel_size, tomograms_star, unbinned_size : Angstrom | None, Path | None, Shape | None
        Of all tilt series, as `core.io.particles.tomograms.geometry_told` takes them.
    assigned : Mapping[str, str]
        The tomogram for a name or number of the file that does not tell it; empty to leave its particles out.
    status : Status
        What was decided about the particles.
    options : Mapping[str, Any] | Options | None
        Choices of the format.
    """

    path: Path
    tomogram_ids: tuple[str, ...]
    format: str | None = None
    unit: Unit | None = None
    class_id: int | None = None
    new_class: ClassSpec | None = None
    scale: float = 1.0
    outside: Literal["drop", "keep"] | None = None
    pixel_size: Angstrom | None = None
    tomograms_star: Path | None = None
    unbinned_size: Shape | None = None
    assigned: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    status: Status = Status.ACCEPTED
    options: Choices = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What an import would come to.

    Attributes
    ----------
    tables : tuple[ParticleTable, ...]
        The particles of each tomogram, those outside too.
    inside : tuple[BoolArray, ...]
        (n,) of each table: which lie in their tomogram.
    notes : tuple[tuple[str, ...] | None, ...]
        (n,) of each table: what else the file tells, from `core.io.particles.keeping.noted`.
    new_classes : tuple[ClassSpec, ...]
        Classes that would be added.
    elsewhere : int
        Rows that belong to other tomograms.
    problem : str
        Why the import would be refused; empty if it would not.
    notices : tuple[str, ...]
        What is odd.
    found : tuple[FoundName, ...]
        The tomograms of the file; empty where it names none.
    unclear : bool
        Whether some are nobody's while a tomogram that was asked for has none.
    units : frozenset[Unit]
        What the file counts in.
    """

    tables: tuple[ParticleTable, ...]
    inside: tuple[BoolArray, ...] = field(repr=False)
    notes: tuple[tuple[str, ...] | None, ...] = field(repr=False)
    new_classes: tuple[ClassSpec, ...]
    elsewhere: int
    problem: str
    notices: tuple[str, ...]
    found: tuple[FoundName, ...] = ()
    unclear: bool = False
    units: frozenset[Unit] = frozenset()

    @property
    def count(self) -> int:
        """Number of particles, those outside too."""
        return sum(len(table) for table in self.tables)

    @property
    def outside(self) -> int:
        """Number of those outside their tomogram."""
        return sum(int((~inside).sum()) for inside in self.inside)


def propose(project: Project, order: ImportOrder) -> Proposal:
    """Read a file and say what it would become; nothing is changed.

    Parameters
    ----------
    project : Project
        Where to.
    order : ImportOrder
        What.

    Returns
    -------
    Proposal
        What `carry_out` would do.

    Raises
    ------
    PickerError
        If the file cannot be read, or does not fit the tomograms and classes.
    """
    everything = read_particles(order.path, format=order.format, unit=order.unit, options=order.options)
    if not order.tomogram_ids:
        raise FileFormatError(f"There is no tomogram to import {order.path.name} into; choose one.")
    if everything.tomograms is None and len(order.tomogram_ids) != 1:
        raise FileFormatError(f"{order.path.name} does not tell which tomogram its particles lie in; choose one tomogram.")
    new = _new_classes(everything, project.store.classes()) if order.class_id is None else ()
    new = new if order.new_class is None else (order.new_class,)
    classes = (*project.store.classes(), *new)
    found, refused = claimed(everything, order.tomogram_ids, order.assigned)
    parts, problems = _parts(everything, found, order.tomogram_ids), dict.fromkeys(refused)
    if not parts and not problems:
        problems |= {nobody_claims([one.name for one in found], order.tomogram_ids): None}
    series, told = _series(order, found, [name for name, _ in parts])
    problems |= dict.fromkeys(told)
    tables, insides, notes, notices = [], [], [], dict.fromkeys(everything.notices)
    for name, picks in () if told else parts:
        tomogram = project.tomogram(name)
        class_ids = classes_of(picks, classes, order.class_id)
        try:
            frame = Frame(voxel_size=tomogram.voxel_size, shape=tomogram.shape, tilt_series=series.get(name))
            positions = picks.voxels(frame) * order.scale
        except PickerError as exc:
            problems |= {str(exc): None}
            continue
        inside = tomogram.box.contains(positions)
        tables.append(ParticleTable.build(name, positions, class_ids, scores=picks.scores, status=order.status))
        insides.append(inside)
        notes.append(noted(picks))
        odd = list(doubts(picks, positions, frame, tomogram, order.scale))
        if order.outside is None and not inside.all():
            problems |= {outside_sentence(positions, tomogram): None}
            odd = [one for one in odd if one != outside_doubt(positions, tomogram)]  # the refusal says so already
        notices |= dict.fromkeys(odd)
    owned = {one.tomogram for one in found}
    return Proposal(
        tables=tuple(tables),
        inside=tuple(insides),
        notes=tuple(notes),
        new_classes=new,
        elsewhere=len(everything) - sum(len(picks) for _, picks in parts),
        problem=" ".join(problems),
        notices=tuple(notices),
        found=found,
        unclear=None in owned and not owned >= set(order.tomogram_ids),
        units=frozenset({everything.unit} if everything.shifts is None else {everything.unit, everything.shift_unit}),
    )


def carry_out(project: Project, order: ImportOrder) -> IntArray:
    """Import what `propose` shows, as one change.

    Parameters
    ----------
    project : Project
        Open for writing.
    order : ImportOrder
        What.

    Returns
    -------
    IntArray
        (n,) ids of the particles.

    Raises
    ------
    PickerError
        As `propose`, or if positions lie outside and the order does not say what to do with them; nothing is changed then.
    """
    proposal = propose(project, order)
    if proposal.problem:
        raise FileFormatError(f"{order.path}: {proposal.problem}")
    rows = [inside if order.outside == "drop" else np.ones(len(inside), np.bool_) for inside in proposal.inside]
    kept = [table.select(chosen) for table, chosen in zip(proposal.tables, rows, strict=True)]
    notes = [None if told is None else tuple(compress(told, chosen)) for told, chosen in zip(proposal.notes, rows, strict=True)]
    with project.store.grouped(f"Import {sum(map(len, kept))} particles from {order.path.name}"):
        for spec in proposal.new_classes:
            project.store.add_class(spec)
        return np.concatenate([project.store.add_many(table, notes=told) for table, told in zip(kept, notes, strict=True)])


def _series(
    order: ImportOrder, found: Sequence[FoundName], names: Sequence[str]
) -> tuple[dict[str, TiltSeriesGeometry], tuple[str, ...]]:
    """Return what is told of tilt series, or why it cannot be."""
    sizes = {} if order.unbinned_size is None else dict.fromkeys(names, order.unbinned_size)
    called = {one.tomogram: one.name for one in found if one.tomogram is not None}
    try:
        told = geometry_told(names, pixel_size=order.pixel_size, tomograms_star=order.tomograms_star, names=called, sizes=sizes)
    except PickerError as exc:
        return {}, (str(exc),)
    return told, ()


def _parts(everything: ReadPicks, found: Sequence[FoundName], tomogram_ids: tuple[str, ...]) -> list[tuple[str, ReadPicks]]:
    """Return the rows of each tomogram that has any."""
    if everything.tomograms is None:
        return [(tomogram_ids[0], everything)]
    owners = {one.name: one.tomogram for one in found}
    rows = np.array([owners[said] for said in everything.tomograms], object)
    return [(name, everything.select(rows == name)) for name in tomogram_ids if name in owners.values()]


def _new_classes(picks: ReadPicks, classes: tuple[ClassSpec, ...]) -> tuple[ClassSpec, ...]:
    """Return the classes that the file names and the project lacks."""
    numbers = {spec.id for spec in classes}
    wanted: dict[int, str] = {}
    if picks.class_names is not None:
        known, free = {spec.name for spec in classes} | {str(n) for n in numbers}, max(numbers, default=0) + 1
        names = [name for name in dict.fromkeys(picks.class_names) if name not in known]
        wanted = dict(enumerate(names, start=free))
    elif picks.class_ids is not None:
        taken = {spec.name for spec in classes}
        wanted = {n: f"class {n}" for n in np.unique(picks.class_ids).tolist() if n not in numbers}
        wanted = {n: name if name not in taken else f"{name} of the file" for n, name in wanted.items()}
    return tuple(
        ClassSpec(id=number, name=name, diameter=_DIAMETER, color=COLORS[(number - 1) % len(COLORS)])
        for number, name in wanted.items()
    )
