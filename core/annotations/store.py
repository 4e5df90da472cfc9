"""The particles of a project, each change on the disk before the call returns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from core.annotations.flags import IN, Flags
from core.annotations.records import Kind
from core.annotations.rows import COLUMNS, COUNTS, WRITTEN, listed, phrase, require_finite, rows_of, table_of
from core.errors import ProjectError
from core.particles import Particle, ParticleTable, Source, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.annotations.rows import Ids
    from core.types import IntArray, Positions


class AnnotationStore(Flags):
    """Particles with stable ids that are never used twice; see `Journal` for opening, undo and events."""

    def add(
        self,
        tomogram_id: str,
        position: Sequence[float] | Positions,
        class_id: int,
        *,
        score: float = float("nan"),
        source: Source = Source.MANUAL,
        status: Status = Status.ACCEPTED,
    ) -> int:
        """Add one particle.

        Parameters
        ----------
        tomogram_id : str
            The tomogram it lies in.
        position : Sequence[float] | Positions
            zyx voxels, kept exactly.
        class_id : int
            Its class.
        score : float
            NaN for none.
        source : Source
            Where it came from.
        status : Status
            What was decided about it.

        Returns
        -------
        int
            Its id.

        Raises
        ------
        ProjectError
            If the tomogram or class is unknown, the position is not finite, or the project is read-only.
        """
        scores = np.asarray([score], np.float32)
        table = ParticleTable.build(tomogram_id, [list(position)], class_id, scores=scores, source=source, status=status)
        return int(self.add_many(table, "Add particle")[0])

    def add_many(self, table: ParticleTable, description: str = "", notes: Sequence[str] | None = None) -> IntArray:
        """Add particles as one change.

        Parameters
        ----------
        table : ParticleTable
            n particles of one tomogram; the ids in it do not matter.
        description : str
            What undo will say; by default how many were added.
        notes : Sequence[str] | None
            (n,) what else is kept of each particle, for `notes`; None for nothing.

        Returns
        -------
        IntArray
            (n,) ids in the order of the table.

        Raises
        ------
        ProjectError
            If the tomogram or a class is unknown, a position is not finite, or the project is read-only; nothing is added then.
        """
        key = self._tomogram_key(table.tomogram_id)
        self._require_classes(np.unique(table.class_ids).tolist())
        require_finite(table.positions)
        if np.isinf(table.scores).any():
            raise ProjectError("A score must be a number, or NaN for none, not infinite; nothing was added.")
        with self._entry(Kind.ADDED, description or f"Add {len(table)} particles"):
            used = self._rows("SELECT seq FROM sqlite_sequence WHERE name = 'particles'")
            ids = np.arange(len(table), dtype=np.int64) + (used[0][0] + 1 if used else 1)
            rows = rows_of(table, ids, key, notes or [None] * len(table))
            self._db.executemany(f"INSERT INTO particles ({WRITTEN}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        return ids

    def move(self, ids: Ids, positions: Sequence[float] | Positions) -> None:
        """Put particles somewhere else.

        Parameters
        ----------
        ids : int | Sequence[int] | IntArray
            Which, n of them.
        positions : Sequence[float] | Positions
            (n, 3) zyx voxels, or (3,) for one.

        Raises
        ------
        ProjectError
            If a particle is unknown, a position is not finite, or the project is read-only; nothing is moved then.
        """
        wanted, zyx = listed(ids), np.asarray(positions, np.float64).reshape(-1, 3)
        if len(wanted) != len(zyx):
            raise ValueError(f"{len(wanted)} particles need as many positions, not {len(zyx)}")
        require_finite(zyx)
        with self._entry(Kind.MOVED, phrase("Move", wanted)):
            self._require_particles(wanted)
            rows = [(*position, particle) for position, particle in zip(zyx.tolist(), wanted, strict=True)]
            self._db.executemany("UPDATE particles SET z = ?, y = ?, x = ? WHERE id = ?", rows)

    def remove(self, ids: Ids) -> None:
        """Remove particles.

        Parameters
        ----------
        ids : int | Sequence[int] | IntArray
            Which.

        Raises
        ------
        ProjectError
            If one is unknown or the project is read-only; nothing is removed then.
        """
        wanted = listed(ids)
        with self._entry(Kind.REMOVED, phrase("Remove", wanted)):
            self._require_particles(wanted)
            self._db.execute(f"DELETE FROM particles WHERE id {IN}", (json.dumps(wanted),))

    def reclassify(self, ids: Ids, class_id: int) -> None:
        """Give particles another class.

        Parameters
        ----------
        ids : int | Sequence[int] | IntArray
            Which.
        class_id : int
            The class they get.

        Raises
        ------
        ProjectError
            If a particle or the class is unknown or the project is read-only; nothing is changed then.
        """
        name = self._require_classes([class_id])[class_id]
        self._set(ids, "class", class_id, Kind.RECLASSIFIED, f"to {name}")

    def set_status(self, ids: Ids, status: Status) -> None:
        """Decide about particles.

        Parameters
        ----------
        ids : int | Sequence[int] | IntArray
            Which.
        status : Status
            What was decided.

        Raises
        ------
        ProjectError
            If one is unknown or the project is read-only; nothing is changed then.
        """
        self._set(ids, "status", int(status), Kind.JUDGED, f"to {status.name.lower()}")

    def accept(self, ids: Ids) -> None:
        """Accept particles: `set_status` with ``ACCEPTED``.

        Parameters
        ----------
        ids : int | Sequence[int] | IntArray
            Which.
        """
        self.set_status(ids, Status.ACCEPTED)

    def reject(self, ids: Ids) -> None:
        """Reject particles: `set_status` with ``REJECTED``.

        Parameters
        ----------
        ids : int | Sequence[int] | IntArray
            Which.
        """
        self.set_status(ids, Status.REJECTED)

    # ---- reading ----

    def table(self, tomogram_id: str, class_id: int | None = None, status: Status | None = None) -> ParticleTable:
        """Return the particles of a tomogram by ascending id.

        Parameters
        ----------
        tomogram_id : str
            Which tomogram.
        class_id : int | None
            Only this class; None for all.
        status : Status | None
            Only this status; None for all.

        Returns
        -------
        ParticleTable
            Empty where there are none; its arrays are not to be written to.

        Raises
        ------
        ProjectError
            If the tomogram is unknown.
        """
        key = self._tomogram_key(tomogram_id)
        if self.read_only or self._grouped:  # others may write, or this may be taken back
            found = self._read(tomogram_id, key, None)
        else:
            found = self._tables.get(tomogram_id, lambda ids: self._read(tomogram_id, key, ids))
        wanted = ((found.class_ids, class_id), (found.statuses, status))
        rows = [values == value for values, value in wanted if value is not None]
        return found.select(np.logical_and.reduce(rows)) if rows else found

    def particle(self, particle_id: int) -> Particle:
        """Return one particle.

        Parameters
        ----------
        particle_id : int
            Its id.

        Returns
        -------
        Particle
            As it is now.

        Raises
        ------
        ProjectError
            If there is none.
        """
        self._require_particles([particle_id])
        query = (
            "SELECT name, class, z, y, x, score, source, status"
            " FROM particles JOIN tomograms ON tomograms.id = tomogram WHERE particles.id = ?"
        )
        name, class_id, z, y, x, score, source, status = self._rows(query, (particle_id,))[0]
        return Particle(
            id=particle_id,
            tomogram_id=name,
            class_id=class_id,
            position=(z, y, x),
            score=float("nan") if score is None else score,
            source=Source(source),
            status=Status(status),
        )

    def counts(self) -> dict[tuple[str, int, Status], int]:
        """Count the particles.

        Returns
        -------
        dict[tuple[str, int, Status], int]
            How many of each tomogram, class and status; what there is none of is left out.
        """
        if self.read_only or self._grouped:
            return self._count()
        return self._tables.count(self._count)

    def _count(self) -> dict[tuple[str, int, Status], int]:
        return {(name, class_id, Status(status)): n for name, class_id, status, n in self._rows(COUNTS)}

    # ---- rows ----

    def _read(self, tomogram_id: str, key: int, ids: IntArray | None) -> ParticleTable:
        # the plus sign keeps SQLite from looking through the whole tomogram for a few ids
        where, values = ("tomogram = ?", (key,)) if ids is None else (f"+tomogram = ? AND id {IN}", (key, json.dumps(ids.tolist())))
        return table_of(tomogram_id, self._rows(f"SELECT {COLUMNS} FROM particles WHERE {where} ORDER BY id", values))
