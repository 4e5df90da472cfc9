"""An import that is looked at before it is made: what a file of particles would become in the tomograms of a project."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from core.errors import FileFormatError
from core.io.particles import TiltSeriesGeometry, read_particles
from core.io.particles.frames import Frame
from core.particles import COLORS, ClassSpec, ParticleTable
from core.project.importing import classes_of, doubts, outside_sentence, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from core.io.particles.frames import Unit
    from core.io.particles.values import ReadPicks
    from core.project.contents import Project
    from core.types import Angstrom, BoolArray, IntArray

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
    scale : float
        Factor from the voxels of the file to those of the tomogram.
    outside : {"drop", "keep"} | None
        What to do with positions outside the tomogram; None refuses them.
    pixel_size : Angstrom | None
        Of the unbinned tilt series.
    """

    path: Path
    tomogram_ids: tuple[str, ...]
    format: str | None = None
    unit: Unit | None = None
    class_id: int | None = None
    scale: float = 1.0
    outside: Literal["drop", "keep"] | None = None
    pixel_size: Angstrom | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What an import would come to.

    Attributes
    ----------
    tables : tuple[ParticleTable, ...]
        The particles of each tomogram, those outside too.
    inside : tuple[BoolArray, ...]
        (n,) of each table: which lie in their tomogram.
    new_classes : tuple[ClassSpec, ...]
        Classes that would be added.
    elsewhere : int
        Rows that belong to other tomograms.
    problem : str
        Why the import would be refused; empty if it would not.
    notices : tuple[str, ...]
        What is odd.
    """

    tables: tuple[ParticleTable, ...]
    inside: tuple[BoolArray, ...] = field(repr=False)
    new_classes: tuple[ClassSpec, ...]
    elsewhere: int
    problem: str
    notices: tuple[str, ...]

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
    everything = read_particles(order.path, format=order.format, unit=order.unit)
    if not order.tomogram_ids:
        raise FileFormatError(f"There is no tomogram to import {order.path.name} into; choose one.")
    if everything.tomograms is None and len(order.tomogram_ids) != 1:
        raise FileFormatError(f"{order.path.name} does not tell which tomogram its particles lie in; choose one tomogram.")
    new = () if order.class_id is not None else _new_classes(everything, project.store.classes())
    classes = (*project.store.classes(), *new)
    series = None if order.pixel_size is None else TiltSeriesGeometry(pixel_size=order.pixel_size)
    tables, insides, problems, notices = [], [], [], dict.fromkeys(everything.notices)
    for name, picks in _parts(everything, order.tomogram_ids):
        tomogram = project.tomogram(name)
        frame = Frame(voxel_size=tomogram.voxel_size, shape=tomogram.shape, tilt_series=series)
        positions = picks.voxels(frame) * order.scale
        inside = tomogram.box.contains(positions)
        class_ids = classes_of(picks, classes, order.class_id)
        tables.append(ParticleTable.build(name, positions, class_ids, scores=picks.scores))
        insides.append(inside)
        notices |= dict.fromkeys(doubts(picks, positions, frame))
        if order.outside is None and not inside.all():
            problems.append(outside_sentence(positions, tomogram))
    return Proposal(
        tables=tuple(tables),
        inside=tuple(insides),
        new_classes=new,
        elsewhere=len(everything) - sum(len(table) for table in tables),
        problem=" ".join(problems),
        notices=tuple(notices),
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
    kept = [
        table.select(inside) if order.outside == "drop" else table
        for table, inside in zip(proposal.tables, proposal.inside, strict=True)
    ]
    with project.store.grouped(f"Import {sum(map(len, kept))} particles from {order.path.name}"):
        for spec in proposal.new_classes:
            project.store.add_class(spec)
        return np.concatenate([project.store.add_many(table) for table in kept])


def _parts(everything: ReadPicks, tomogram_ids: tuple[str, ...]) -> list[tuple[str, ReadPicks]]:
    """Return the rows of each tomogram that has any; each row goes to one tomogram, before all to that of the very name."""
    found, refused = [], None
    owners: dict[str, str] = {}
    for name in tomogram_ids:
        try:
            mine = rows_of(everything, name, None)
        except FileFormatError as exc:
            refused = exc
            continue
        if mine.tomograms is not None:
            mine = mine.select(np.array([said == name or said not in tomogram_ids for said in mine.tomograms], np.bool_))
        for said in dict.fromkeys(mine.tomograms or ()):
            if said in owners:
                raise FileFormatError(f"The particles of {said!r} may lie in {owners[said]!r} or in {name!r}; choose one of them.")
            owners[said] = name
        if len(mine) or everything.tomograms is None:
            found.append((name, mine))
    if not found and refused is not None:
        raise refused
    return found


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
