"""The tables of a project database, and how a database of an earlier version becomes one of today."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from core.errors import ProjectError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = 5
FORMAT = "DeepETPicker project"

COLUMNS: dict[str, dict[str, str]] = {
    "tomograms": {
        "id": "INTEGER PRIMARY KEY AUTOINCREMENT",
        "name": "TEXT NOT NULL UNIQUE",
        "path": "TEXT NOT NULL",
        "voxel_size": "REAL",
        "signed": "INTEGER",
        "role": "TEXT NOT NULL",
        "region": "TEXT",
        "complete": "INTEGER NOT NULL DEFAULT 0",
        "link": "TEXT",
    },
    "classes": {
        "id": "INTEGER PRIMARY KEY",
        "name": "TEXT NOT NULL UNIQUE",
        "diameter": "REAL NOT NULL",
        "color": "TEXT NOT NULL",
    },
    "particles": {
        "id": "INTEGER PRIMARY KEY AUTOINCREMENT",
        "tomogram": "INTEGER NOT NULL REFERENCES tomograms(id) DEFERRABLE INITIALLY DEFERRED",
        "class": "INTEGER NOT NULL REFERENCES classes(id) DEFERRABLE INITIALLY DEFERRED",
        "z": "REAL NOT NULL",
        "y": "REAL NOT NULL",
        "x": "REAL NOT NULL",
        "score": "REAL",
        "source": "INTEGER NOT NULL",
        "status": "INTEGER NOT NULL",
        "flagged": "INTEGER NOT NULL DEFAULT 0",
        "note": "TEXT",
    },
}
"""Each table has a twin ``<table>_log`` with the rows that a journal entry changed, as they were before and after."""

BEFORE, AFTER = 0, 1

_SENTENCES = {
    sqlite3.SQLITE_NOTADB: "{} is not a project database or is damaged; restore it from a copy.",
    sqlite3.SQLITE_CORRUPT: "The project database {} is damaged; restore it from a copy.",
    sqlite3.SQLITE_FULL: "The change was not made because the disk of {} is full; free some space and try again.",
    sqlite3.SQLITE_READONLY: "The project database {} cannot be changed because you have no permission to write there.",
    sqlite3.SQLITE_CANTOPEN: "The project database {} cannot be opened; check that it exists and that you may read its folder.",
    sqlite3.SQLITE_BUSY: "The project database {} is in use by another program; close that and try again.",
}


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what SQLite reports about a file into a sentence; misuse and broken rules stay what they are.

    Parameters
    ----------
    path : Path
        The database, for the message.

    Raises
    ------
    ProjectError
        If the file is damaged, locked, read-only or the disk is full.
    """
    try:
        yield
    except (sqlite3.ProgrammingError, sqlite3.IntegrityError):
        raise
    except sqlite3.Error as exc:
        sentence = _SENTENCES.get(error_code(exc), "The project database {} failed: " + f"{exc}.")
        raise ProjectError(sentence.format(path)) from exc


def error_code(exc: sqlite3.Error) -> int:
    """Return the primary result code of an SQLite error, 0 where there is none."""
    return getattr(exc, "sqlite_errorcode", 0) & 0xFF


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open a database and set what every connection needs.

    Parameters
    ----------
    path : Path
        The database.
    mode : str
        Query of the SQLite address: ``mode=rwc``, ``mode=rw``, ``mode=ro`` or ``immutable=1``.

    Returns
    -------
    sqlite3.Connection
        In autocommit mode: transactions begin and end by name.
    """
    db = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, isolation_level=None)
    try:
        # a file made by someone else may hold more than tables: nothing in its schema is allowed to call functions
        for pragma in ("trusted_schema = OFF", "foreign_keys = ON", "temp_store = MEMORY"):
            db.execute(f"PRAGMA {pragma}")
        if mode.startswith("mode=rw"):
            # NORMAL: a commit is with the system when the call returns and survives the death of this process (a click takes
            # 0.2 ms); FULL would wait for the disk each time (4 to 8 ms), and only a power cut tells the two apart
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
        db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error:
        db.close()
        raise
    return db


def create(path: Path) -> None:
    """Make an empty project database.

    Parameters
    ----------
    path : Path
        The file to make; it must not exist.
    """
    with closing(connect(path, "mode=rwc")) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        db.executemany("INSERT INTO meta VALUES (?, ?)", [("format", FORMAT), ("schema", str(VERSION))])
        db.execute(
            "CREATE TABLE journal (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, description TEXT NOT NULL,"
            " tomogram TEXT, undone INTEGER NOT NULL DEFAULT 0)"
        )
        db.execute("CREATE INDEX journal_undone ON journal(id) WHERE undone")
        for table, columns in COLUMNS.items():
            db.execute(f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in columns.items())})")
            images = ", ".join(f"{name} {kind.split()[0]}" for name, kind in columns.items())
            db.execute(
                f"CREATE TABLE {table}_log (entry INTEGER NOT NULL, side INTEGER NOT NULL, {images},"
                " PRIMARY KEY (entry, side, id)) WITHOUT ROWID"
            )
        db.execute("CREATE INDEX particles_place ON particles(tomogram, class, status)")
        db.execute("COMMIT")


def check(db: sqlite3.Connection, path: Path, writable: bool) -> None:
    """Refuse what is not a sound project database of a version we know, and bring an earlier one up to date.

    Parameters
    ----------
    db : sqlite3.Connection
        An open connection.
    path : Path
        The database, for messages.
    writable : bool
        Whether an earlier version may be changed.

    Raises
    ------
    ProjectError
        If the file is foreign, damaged, newer than this program, or older and not writable.
    """
    version = _version(db, path)
    if version > VERSION:
        raise ProjectError(
            f"The project {path} was made by a newer version of this program (format {version}; this one reads up to {VERSION});"
            " update the program to open it."
        )
    if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise ProjectError(f"The project database {path} is damaged; restore it from a copy.")
    if version < VERSION:
        if not writable:
            raise ProjectError(
                f"The project {path} has the older format {version} and cannot be brought up to date because it is"
                " read-only here; open it once where it can be written."
            )
        _migrate(db, version)


def _version(db: sqlite3.Connection, path: Path) -> int:
    foreign = ProjectError(f"{path} is a database, but not one of this program; choose a project folder.")
    try:
        meta = dict(db.execute("SELECT key, value FROM meta"))
    except sqlite3.OperationalError as exc:
        raise foreign from exc
    if meta.get("format") != FORMAT or not str(meta.get("schema")).isdigit():
        raise foreign
    return int(meta["schema"])


def _migrate(db: sqlite3.Connection, version: int) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        for step in _STEPS[version - 1 :]:
            for statement in step:
                db.execute(statement)
        db.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (str(VERSION),))
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


_STEPS: tuple[tuple[str, ...], ...] = (
    (  # 1 to 2: the part of a tomogram that is annotated, and whether it is so completely
        "ALTER TABLE tomograms ADD COLUMN region TEXT",
        "ALTER TABLE tomograms ADD COLUMN complete INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE tomograms_log ADD COLUMN region TEXT",
        "ALTER TABLE tomograms_log ADD COLUMN complete INTEGER DEFAULT 0",
    ),
    (  # 2 to 3: the tomogram of the same tilt series that one goes with
        "ALTER TABLE tomograms ADD COLUMN link TEXT",
        "ALTER TABLE tomograms_log ADD COLUMN link TEXT",
    ),
    (  # 3 to 4: particles that somebody wants to come back to
        "ALTER TABLE particles ADD COLUMN flagged INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE particles_log ADD COLUMN flagged INTEGER DEFAULT 0",
    ),
    (  # 4 to 5: what the file that a particle came from told of it besides
        "ALTER TABLE particles ADD COLUMN note TEXT",
        "ALTER TABLE particles_log ADD COLUMN note TEXT",
    ),
)
