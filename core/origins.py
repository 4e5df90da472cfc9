"""Where particles to be scored, compared or scored against come from: this project, a run, a file, another project."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core.errors import ConfigError, FileFormatError, ProjectError
from core.io.references import is_reference_table, read_references
from core.particles import ParticleTable, Status, numbered
from core.project import Project
from core.project.claiming import same_series
from core.project.folder import DATABASE, file_name
from core.project.proposing import ImportOrder, propose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.particles import ClassSpec
    from core.tomogram import Box, Tomogram

Kind = Literal["accepted", "candidates", "run", "file", "project"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a set of particles comes from.

    Attributes
    ----------
    kind : Kind
        ``accepted`` or ``candidates`` of the project; all picks of a ``run``; a ``file``; the accepted particles of another
        ``project``.
    path : Path | None
        Of the run, file or other project.
    """

    kind: Kind
    path: Path | None = None

    @property
    def title(self) -> str:
        """What it is, in a few words."""
        name = "" if self.path is None else self.path.name
        return {
            "accepted": "accepted particles",
            "candidates": "candidates",
            "run": f"run {name}",
            "file": name,
            "project": f"accepted particles of {name}",
        }[self.kind]


ACCEPTED, CANDIDATES = Origin("accepted"), Origin("candidates")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Particles of one origin.

    Attributes
    ----------
    tables : dict[str, ParticleTable]
        For each tomogram that the origin knows; classes are those of the project.
    regions : dict[str, Box]
        The part of a tomogram beyond which nothing is known.
    partial : frozenset[str]
        Tomograms in which not every particle is known to be among them.
    notices : tuple[str, ...]
        What should be known.
    """

    tables: dict[str, ParticleTable]
    regions: dict[str, Box] = field(default_factory=dict)
    partial: frozenset[str] = frozenset()
    notices: tuple[str, ...] = ()


def origin_named(project: Project, text: str) -> Origin:
    """Find what somebody means.

    Parameters
    ----------
    project : Project
        An open project.
    text : str
        ``accepted``, ``candidates``, the name or folder of a run, a file, or the folder of another project.

    Returns
    -------
    Origin
        That exists.

    Raises
    ------
    ConfigError
        If it is none of these.
    """
    if text in ("accepted", "candidates"):
        return ACCEPTED if text == "accepted" else CANDIDATES
    for path in (Path(text), project.runs / text):
        if path.is_file():
            return Origin("file", path)
        if (path / DATABASE).is_file():
            return Origin("project", path)
        if path.is_dir() and any(path.glob("*.csv")):
            return Origin("run", path)
    raise ConfigError(
        f"Expected accepted, candidates, a run of picking, a file of particles or the folder of another project, not {text!r}: "
        "there is no such file or run."
    )


def pick_runs(project: Project) -> list[Path]:
    """List the runs of picking whose picks were kept.

    Parameters
    ----------
    project : Project
        An open project.

    Returns
    -------
    list[Path]
        Their folders, the latest first.
    """
    return sorted({path.parent for path in project.runs.glob("*-pick*/*.csv")}, key=lambda run: run.name, reverse=True)


def gather(project: Project, origin: Origin, names: Sequence[str], class_id: int | None = None) -> Gathered:
    """Read the particles of an origin.

    Parameters
    ----------
    project : Project
        An open project.
    origin : Origin
        Where from.
    names : Sequence[str]
        The tomograms of the project that count.
    class_id : int | None
        The class of all particles of a file that tells none.

    Returns
    -------
    Gathered
        Nothing is changed in any project.

    Raises
    ------
    PickerError
        If it cannot be read, or does not fit the project.
    """
    if origin.kind in ("accepted", "candidates"):
        return _own(project, Status.ACCEPTED if origin.kind == "accepted" else Status.CANDIDATE, names)
    if origin.path is None:
        raise ValueError(f"an origin of kind {origin.kind!r} needs a path")
    if origin.kind == "project":
        return _foreign(project, origin.path, names)
    if origin.kind == "run":
        return _of_run(project, origin.path, names)
    return _of_file(project, origin.path, names, class_id)


def _own(project: Project, status: Status, names: Sequence[str]) -> Gathered:
    tables, regions, partial = {}, {}, set()
    for name in names:
        record, table = project.store.tomogram(name), project.store.table(name)
        tables[name] = table.select(table.statuses == status)
        if record.region is not None:
            regions[name] = record.region
        if not record.complete:
            partial.add(name)
    return Gathered(tables=tables, regions=regions, partial=frozenset(partial))


def _foreign(project: Project, folder: Path, names: Sequence[str]) -> Gathered:
    """Read another project; its tomograms and classes are known by their names."""
    tables, regions, partial, notices = {}, {}, set(), []
    with Project.open(folder) as other:
        theirs = {spec.id: spec.name for spec in other.store.classes()}
        records = other.store.tomograms()
        for name in names:
            record = next((r for r in records if r.id == name), None) or next((r for r in records if same_series(r.id, name)), None)
            if record is None:
                continue
            table = other.store.table(record.id)
            table = table.select(table.statuses == Status.ACCEPTED)
            tables[name] = replace(
                table, tomogram_id=name, class_ids=numbered(table.class_ids, theirs, project.store.classes()), ids=0 * table.ids
            )
            if record.region is not None:
                regions[name] = record.region
            if not record.complete:
                partial.add(name)
            _same_grid(project.tomogram(name), record.id, tables[name])
        notices += _unknown(folder.name, set(theirs.values()), project.store.classes())
    if not tables:
        raise ProjectError(f"The project {folder} has no tomogram that this one has, too; their names must be the same.")
    return Gathered(tables=tables, regions=regions, partial=frozenset(partial), notices=tuple(notices))


def _same_grid(tomogram: Tomogram, name: str, table: ParticleTable) -> None:
    if len(table) and not tomogram.box.contains(table.positions).all():
        raise ProjectError(
            f"Particles of {name!r} in the other project lie outside {tomogram.id!r} here, which has {tomogram.shape} voxels "
            "(z, y, x): the tomograms are not of the same size. Export them from there and import the file, or link the tomograms."
        )


def _of_run(project: Project, run: Path, names: Sequence[str]) -> Gathered:
    tables, notices = dict[str, ParticleTable](), dict[str, None]()
    for name in names:
        path = run / f"{file_name(name)}.csv"
        if path.is_file():
            found = _of_file(project, path, [name], None)
            tables |= found.tables
            notices |= dict.fromkeys(found.notices)
    if not tables:
        raise ProjectError(f"The run {run.name} has no picks of {', '.join(names[:3])}; choose another run, or pick again.")
    return Gathered(tables=tables, notices=tuple(notices))


def _of_file(project: Project, path: Path, names: Sequence[str], class_id: int | None) -> Gathered:
    specs = project.store.classes()
    if is_reference_table(path):
        table, theirs = read_references(path)
        if len(names) != 1:
            raise FileFormatError(f"{path.name} does not tell which tomogram its particles lie in; choose one tomogram.")
        ids = numbered(table.class_ids, {spec.id: spec.name for spec in theirs}, specs)
        unknown = _unknown(path.name, {spec.name for spec in theirs}, specs)
        return Gathered(tables={names[0]: replace(table, tomogram_id=names[0], class_ids=ids)}, notices=tuple(unknown))
    found = propose(project, ImportOrder(path=path, tomogram_ids=tuple(names), class_id=class_id, outside="keep"))
    if found.problem:
        raise FileFormatError(f"{path}: {found.problem}")
    unknown = _unknown(path.name, {spec.name for spec in found.new_classes}, specs)
    return Gathered(tables={one.tomogram_id: one for one in found.tables}, notices=(*found.notices, *unknown))


def _unknown(where: str, theirs: set[str], ours: Sequence[ClassSpec]) -> list[str]:
    strange = sorted(theirs - {spec.name for spec in ours})
    return [f"{where} has classes that this project lacks, which do not count: {', '.join(strange)}."] if strange else []
