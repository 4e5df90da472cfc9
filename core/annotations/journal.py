"""Changes as journal entries: committed whole, undone and redone whole."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from psygnal import Signal

from core.annotations import schema
from core.annotations.opening import open_database
from core.annotations.recording import record_changes
from core.annotations.records import Change, Kind
from core.annotations.schema import AFTER, BEFORE, COLUMNS, told
from core.annotations.tables import Tables
from core.errors import ProjectError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from core.types import IntArray


class Journal:
    """A project database in which every change is one entry that can be undone and redone, today or next week.

    Triggers of this connection write the rows that an entry touches to ``<table>_log``, as they were before it and as they
    are after it; undo puts the ones before in the place of the ones after, redo the other way round.

    Attributes
    ----------
    changed : Signal
        Emits one `Change` for each call that changed anything, after it is on the disk.
    path : Path
        The database.
    notice : str
        Why the project is read-only; empty where it can be changed.
    """

    changed = Signal(Change)

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._grouped = False
        self._tables = Tables()
        with told(self.path):
            opened = open_database(self.path)
        self._db, self._lock, self.notice = opened.db, opened.lock, opened.notice
        if not self.read_only:
            record_changes(self._db)

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make an empty database and open it.

        Parameters
        ----------
        path : Path
            The file to make.

        Returns
        -------
        Self
            Open for writing.

        Raises
        ------
        ProjectError
            If something of this name exists or the file cannot be made.
        """
        if path.exists():
            raise ProjectError(f"{path} exists already; choose another name or open it.")
        try:
            with told(path):
                schema.create(path)
        except ProjectError:
            path.unlink(missing_ok=True)
            raise
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a database; read-only where another process has it open or the folder cannot be written.

        Parameters
        ----------
        path : Path
            The file.

        Returns
        -------
        Self
            With `read_only` and `notice` set.

        Raises
        ------
        ProjectError
            If the file is missing, damaged, foreign or of a newer version.
        """
        if not path.is_file():
            raise ProjectError(f"There is no project database at {path}; check the path or create a project.")
        return cls(path)

    @property
    def read_only(self) -> bool:
        """Whether every change is refused; `notice` says why."""
        return self._lock is None

    def close(self) -> None:
        """Close the database and let others write; closing twice does no harm."""
        self._db.close()
        if self._lock is not None:
            self._lock.close()

    def flush(self) -> None:
        """Bring all changes to the disk itself, beyond the reach of a power cut; for idle moments, it takes some milliseconds.

        Raises
        ------
        ProjectError
            If the disk fails.
        """
        if not self.read_only:
            self._rows("PRAGMA wal_checkpoint(PASSIVE)")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to undo."""
        return self._exists("SELECT 1 FROM journal WHERE NOT undone")

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone change to make again."""
        return self._exists("SELECT 1 FROM journal WHERE undone")

    def undo(self) -> str | None:
        """Take the last change back.

        Returns
        -------
        str | None
            What was undone, in a few words; None when there was nothing.

        Raises
        ------
        ProjectError
            If the project is read-only or the disk fails.
        """
        return self._replay("SELECT id, kind, description, tomogram FROM journal WHERE NOT undone ORDER BY id DESC", BEFORE)

    def redo(self) -> str | None:
        """Make the change again that was undone last; any other change in between forgets it.

        Returns
        -------
        str | None
            What was done again, in a few words; None when there was nothing.

        Raises
        ------
        ProjectError
            If the project is read-only or the disk fails.
        """
        return self._replay("SELECT id, kind, description, tomogram FROM journal WHERE undone ORDER BY id", AFTER)

    @contextmanager
    def grouped(self, description: str) -> Iterator[None]:
        """Make several changes one: one entry to undo, one event, and all or nothing.

        Parameters
        ----------
        description : str
            What undo will say.

        Raises
        ------
        ProjectError
            If the project is read-only or the disk fails; nothing is changed then.
        """
        with self._entry(Kind.SEVERAL, description):
            yield

    # ---- entries ----

    @contextmanager
    def _entry(self, kind: Kind, description: str, tomogram_id: str | None = None) -> Iterator[None]:
        if self._grouped:
            yield
            return
        self._require_writable()
        self._grouped = True
        try:
            with told(self.path), self._transaction():
                entry = self._begin(kind, description)
                yield
                change = self._finish(entry, kind, tomogram_id)
        finally:
            self._grouped = False
        if change is not None:
            self._tell(change)

    def _tell(self, change: Change) -> None:
        self._tables.note(change)
        self.changed.emit(change)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            if self._db.in_transaction:
                self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def _begin(self, kind: Kind, description: str) -> int:
        for table in COLUMNS:
            self._db.execute(f"DELETE FROM {table}_log WHERE entry IN (SELECT id FROM journal WHERE undone)")
        self._db.execute("DELETE FROM journal WHERE undone")
        entry = self._db.execute("INSERT INTO journal (kind, description) VALUES (?, ?)", (kind, description)).lastrowid
        self._db.execute("INSERT INTO recording VALUES (?)", (entry,))
        return entry or 0

    def _finish(self, entry: int, kind: Kind, tomogram_id: str | None) -> Change | None:
        self._db.execute("DELETE FROM recording")
        touched = any(self._exists(f"SELECT 1 FROM {table}_log WHERE entry = {entry}") for table in COLUMNS)
        if not touched:
            self._db.execute("ROLLBACK")  # an entry without effect is none, and must not cost the redo tail
            return None
        place = tomogram_id or self._place(entry)
        self._db.execute("UPDATE journal SET tomogram = ? WHERE id = ?", (place, entry))
        return Change(kind=kind, tomogram_id=place, ids=self._touched(entry))

    def _place(self, entry: int) -> str | None:
        query = "SELECT name FROM tomograms WHERE id IN (SELECT tomogram FROM particles_log WHERE entry = ?) LIMIT 2"
        names = self._rows(query, (entry,))
        return names[0][0] if len(names) == 1 else None

    def _touched(self, entry: int) -> IntArray:
        rows = self._rows("SELECT DISTINCT id FROM particles_log WHERE entry = ? ORDER BY id", (entry,))
        return np.fromiter((row[0] for row in rows), np.int64)

    # ---- undo and redo ----

    def _replay(self, query: str, wanted: int) -> str | None:
        self._require_writable()
        if self._grouped:
            raise RuntimeError("undo and redo cannot be a part of a group of changes")
        with told(self.path), self._transaction():
            entries = self._rows(query + " LIMIT 1")
            if not entries:
                return None
            entry, kind, description, tomogram_id = entries[0]
            self._restore(entry, wanted)
            self._db.execute("UPDATE journal SET undone = ? WHERE id = ?", (wanted == BEFORE, entry))
            ids = self._touched(entry)
        seen = Kind(kind).inverse if wanted == BEFORE else Kind(kind)
        self._tell(Change(kind=seen, tomogram_id=tomogram_id, ids=ids))
        return str(description)

    def _restore(self, entry: int, wanted: int) -> None:
        present = BEFORE + AFTER - wanted
        for table, columns in COLUMNS.items():
            names = ", ".join(columns)
            side = f"FROM {table}_log WHERE entry = ? AND side = ?"
            self._db.execute(f"DELETE FROM {table} WHERE id IN (SELECT id {side})", (entry, present))
            self._db.execute(f"INSERT INTO {table} ({names}) SELECT {names} {side}", (entry, wanted))

    # ---- access ----

    def _require_writable(self) -> None:
        if self.read_only:
            raise ProjectError(f"Nothing was changed. {self.notice}")

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with told(self.path):
            return self._db.execute(query, values).fetchall()

    def _exists(self, query: str) -> bool:
        return bool(self._rows(query + " LIMIT 1"))
