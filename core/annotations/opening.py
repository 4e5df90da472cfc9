"""Opening a project database: one writer, whoever comes first; everybody else may look."""

from __future__ import annotations

import os
import socket
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.annotations import schema
from core.annotations.schema import error_code

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Opened:
    """An open database.

    Attributes
    ----------
    db : sqlite3.Connection
        Checked, of today's version where it is writable.
    lock : sqlite3.Connection | None
        Closing it lets others write; None where the database is only read.
    notice : str
        Why it is only read.
    """

    db: sqlite3.Connection
    lock: sqlite3.Connection | None
    notice: str = ""


def open_database(path: Path) -> Opened:
    """Open a database for writing if nobody else does, else for reading.

    Parameters
    ----------
    path : Path
        The database; it exists.

    Returns
    -------
    Opened
        What to work with.

    Raises
    ------
    ProjectError
        If the file is foreign, of a newer version or damaged.
    sqlite3.Error
        If the file cannot be opened at all.
    """
    try:
        lock = _acquire(path.with_suffix(".lock"))
        if lock is not None:
            return Opened(_held(path, lock), lock)
    except sqlite3.OperationalError as exc:
        if error_code(exc) not in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            raise
        notice = f"{path.parent} cannot be written to, for want of permission or on a read-only disk; it is opened to look at only."
        return Opened(_reader(path), None, notice)
    db = _reader(path)
    return Opened(db, None, _occupied(db))


def _held(path: Path, lock: sqlite3.Connection) -> sqlite3.Connection:
    try:
        return _writer(path)  # on a read-only disk this fails, and the lock did not
    except BaseException:
        lock.close()
        raise


def _acquire(path: Path) -> sqlite3.Connection | None:
    # the lock is a transaction that stays open on an empty database of its own: SQLite's file locks work alike on all
    # systems, are not inherited by child processes, and end with the process however it ends
    holder = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        holder.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as exc:
        holder.close()
        if error_code(exc) == sqlite3.SQLITE_BUSY:
            return None
        raise
    return holder


def _writer(path: Path) -> sqlite3.Connection:
    db = schema.connect(path, "mode=rw")
    try:
        schema.check(db, path, writable=True)
        owner = f"process {os.getpid()} on {socket.gethostname()}"
        db.execute("INSERT OR REPLACE INTO meta VALUES ('opened by', ?)", (owner,))
    except BaseException:
        db.close()
        raise
    return db


def _reader(path: Path) -> sqlite3.Connection:
    try:
        db = schema.connect(path, "mode=ro")
    except sqlite3.OperationalError:
        # without permission to make its side files, SQLite reads a database only when told that nobody can change it
        if path.with_name(path.name + "-wal").exists():
            raise
        db = schema.connect(path, "immutable=1")
    try:
        schema.check(db, path, writable=False)
    except BaseException:
        db.close()
        raise
    return db


def _occupied(db: sqlite3.Connection) -> str:
    owner = db.execute("SELECT value FROM meta WHERE key = 'opened by'").fetchone()
    who = f" ({owner[0]})" if owner else ""
    return (
        f"The project is open in another window or program{who} and is opened here to look at only; close the other to change it."
    )
