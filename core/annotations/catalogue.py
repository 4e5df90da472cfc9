"""The tomograms and classes of a project."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.annotations.journal import Journal
from core.annotations.records import Kind, Link, Role, TomogramRecord
from core.errors import ProjectError
from core.particles import ClassSpec
from core.tomogram import Box

if TYPE_CHECKING:
    from collections.abc import Iterable

_FIELDS = "name, path, voxel_size, signed, region, complete, role, link"


class Catalogue(Journal):
    """What particles are found in, and what kinds there are."""

    # ---- classes ----

    def classes(self) -> tuple[ClassSpec, ...]:
        """Return the classes by ascending id.

        Returns
        -------
        tuple[ClassSpec, ...]
            Empty in a new project.
        """
        rows = self._rows("SELECT id, name, diameter, color FROM classes ORDER BY id")
        return tuple(ClassSpec(id=row[0], name=row[1], diameter=row[2], color=row[3]) for row in rows)

    def next_class_id(self) -> int:
        """Return an id for a further class.

        Returns
        -------
        int
            One more than the largest in use.
        """
        return max((spec.id for spec in self.classes()), default=0) + 1

    def add_class(self, spec: ClassSpec) -> None:
        """Add a class.

        Parameters
        ----------
        spec : ClassSpec
            With an id and a name that are free.

        Raises
        ------
        ProjectError
            If the id or the name is taken, or the project is read-only.
        """
        if any(known.id == spec.id for known in self.classes()):
            raise ProjectError(f"There is a class with id {spec.id} already; take {self.next_class_id()}.")
        self._require_free_name(spec)
        with self._entry(Kind.CLASSES, f"Add class {spec.name}"):
            self._db.execute("INSERT INTO classes VALUES (?, ?, ?, ?)", (spec.id, spec.name, spec.diameter, spec.color))

    def update_class(self, spec: ClassSpec) -> None:
        """Change name, diameter or colour of a class.

        Parameters
        ----------
        spec : ClassSpec
            The new values; the id says which class.

        Raises
        ------
        ProjectError
            If there is no such class, the name is taken or the project is read-only.
        """
        self._require_classes([spec.id])
        self._require_free_name(spec)
        with self._entry(Kind.CLASSES, f"Change class {spec.name}"):
            values = (spec.name, spec.diameter, spec.color)
            self._db.execute(
                "UPDATE classes SET name = ?, diameter = ?, color = ? WHERE id = ? AND (name, diameter, color) IS NOT (?, ?, ?)",
                (*values, spec.id, *values),
            )

    def remove_class(self, class_id: int, *, with_particles: bool = False) -> None:
        """Remove a class.

        Parameters
        ----------
        class_id : int
            Which.
        with_particles : bool
            Remove its particles too; without it, a class that has any is kept.

        Raises
        ------
        ProjectError
            If there is no such class, it has particles, or the project is read-only.
        """
        name = self._require_classes([class_id])[class_id]
        with self._entry(Kind.CLASSES, f"Remove class {name}"):
            self._remove_particles("class", class_id, f"class {name!r}", with_particles)
            self._db.execute("DELETE FROM classes WHERE id = ?", (class_id,))

    # ---- tomograms ----

    def tomograms(self) -> tuple[TomogramRecord, ...]:
        """Return the tomograms in the order they were added.

        Returns
        -------
        tuple[TomogramRecord, ...]
            Paths are absolute.
        """
        return tuple(self._record(row) for row in self._rows(f"SELECT {_FIELDS} FROM tomograms ORDER BY id"))

    def tomogram(self, tomogram_id: str) -> TomogramRecord:
        """Return one tomogram.

        Parameters
        ----------
        tomogram_id : str
            Its name.

        Returns
        -------
        TomogramRecord
            Its path is absolute.

        Raises
        ------
        ProjectError
            If there is none of this name.
        """
        self._tomogram_key(tomogram_id)
        return self._record(self._rows(f"SELECT {_FIELDS} FROM tomograms WHERE name = ?", (tomogram_id,))[0])

    def add_tomogram(self, record: TomogramRecord) -> None:
        """Add a tomogram.

        Parameters
        ----------
        record : TomogramRecord
            With a name that is free.

        Raises
        ------
        ProjectError
            If the name is taken or the project is read-only.
        """
        if any(known.id == record.id for known in self.tomograms()):
            raise ProjectError(f"There is a tomogram {record.id!r} already; give this one another name.")
        with self._entry(Kind.TOMOGRAMS, f"Add tomogram {record.id}", record.id):
            self._db.execute(f"INSERT INTO tomograms ({_FIELDS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", self._row(record))

    def update_tomogram(self, record: TomogramRecord) -> None:
        """Change what is kept of a tomogram.

        Parameters
        ----------
        record : TomogramRecord
            The new values; the id says which tomogram.

        Raises
        ------
        ProjectError
            If there is no such tomogram or the project is read-only.
        """
        key, row = self._tomogram_key(record.id), self._row(record)
        with self._entry(Kind.TOMOGRAMS, f"Change tomogram {record.id}", record.id):
            places = "(?, ?, ?, ?, ?, ?, ?, ?)"
            self._db.execute(
                f"UPDATE tomograms SET ({_FIELDS}) = {places} WHERE id = ? AND ({_FIELDS}) IS NOT {places}", (*row, key, *row)
            )

    def remove_tomogram(self, tomogram_id: str, *, with_particles: bool = False) -> None:
        """Take a tomogram out of the project; its file stays where it is.

        Parameters
        ----------
        tomogram_id : str
            Which.
        with_particles : bool
            Remove its particles too; without it, a tomogram that has any is kept.

        Raises
        ------
        ProjectError
            If there is no such tomogram, it has particles, or the project is read-only.
        """
        key = self._tomogram_key(tomogram_id)
        with self._entry(Kind.TOMOGRAMS, f"Remove tomogram {tomogram_id}", tomogram_id):
            self._remove_particles("tomogram", key, f"tomogram {tomogram_id!r}", with_particles)
            self._db.execute("DELETE FROM tomograms WHERE id = ?", (key,))

    # ---- rows ----

    def _record(self, row: tuple[Any, ...]) -> TomogramRecord:
        name, path, voxel_size, signed, region, complete, role, link = row
        return TomogramRecord(
            id=name,
            path=Path(os.path.abspath(self.path.parent / path)),
            voxel_size=voxel_size,
            signed=None if signed is None else bool(signed),
            region=None if region is None else Box(*(tuple(corner) for corner in json.loads(region))),
            complete=bool(complete),
            role=Role(role),
            link=None if link is None else Link(*json.loads(link)),
        )

    def _row(self, record: TomogramRecord) -> tuple[Any, ...]:
        path = Path(os.path.abspath(record.path))
        if path.is_relative_to(self.path.parent):
            path = path.relative_to(self.path.parent)
        box = record.region
        region = None if box is None else json.dumps([[int(n) for n in corner] for corner in (box.low, box.high)])
        signed = None if record.signed is None else int(record.signed)
        link = None if record.link is None else json.dumps([record.link.to, str(record.link.alignment)])
        return record.id, path.as_posix(), record.voxel_size, signed, region, int(record.complete), str(record.role), link

    def _tomogram_key(self, tomogram_id: str) -> int:
        rows = self._rows("SELECT id FROM tomograms WHERE name = ?", (tomogram_id,))
        if not rows:
            known = ", ".join(record.id for record in self.tomograms()) or "none yet"
            raise ProjectError(f"There is no tomogram {tomogram_id!r} in this project; there is: {known}.")
        return int(rows[0][0])

    def _require_classes(self, class_ids: Iterable[int]) -> dict[int, str]:
        names = {spec.id: spec.name for spec in self.classes()}
        for class_id in class_ids:
            if class_id not in names:
                known = ", ".join(f"{number} ({name})" for number, name in names.items()) or "none yet"
                raise ProjectError(f"There is no class {class_id} in this project; there is: {known}.")
        return names

    def _require_free_name(self, spec: ClassSpec) -> None:
        if any(known.name == spec.name and known.id != spec.id for known in self.classes()):
            raise ProjectError(f"There is a class named {spec.name!r} already; choose another name.")

    def _remove_particles(self, column: str, key: int, of: str, allowed: bool) -> None:
        count = self._rows(f"SELECT count(*) FROM particles WHERE {column} = ?", (key,))[0][0]
        if count and not allowed:
            raise ProjectError(f"The {of} has {count} particles; remove them first, or remove it together with them.")
        self._db.execute(f"DELETE FROM particles WHERE {column} = ?", (key,))
