"""How an entry of the journal comes to know which rows it changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.annotations.schema import AFTER, BEFORE, COLUMNS

if TYPE_CHECKING:
    import sqlite3


def record_changes(db: sqlite3.Connection) -> None:
    """Let a connection log what it changes while the table ``recording`` holds the number of an entry.

    Of each row that the entry touches, ``<table>_log`` then holds its first state before, unless the entry made it, and its
    last state after, unless the entry removed it. The triggers are temporary, so that nothing but this program's own words
    runs when a project file came by mail.

    Parameters
    ----------
    db : sqlite3.Connection
        Open for writing, of today's version.
    """
    db.execute("CREATE TEMP TABLE recording (entry INTEGER NOT NULL)")
    for table, columns in COLUMNS.items():
        names = ", ".join(columns)
        old, new = (", ".join(f"{row}.{name}" for name in columns) for row in ("OLD", "NEW"))
        known = f"SELECT 1 FROM {table}_log WHERE entry = (SELECT entry FROM recording) AND side = {AFTER} AND id = OLD.id"
        before = (
            f"INSERT INTO {table}_log (entry, side, {names})"
            f" SELECT entry, {BEFORE}, {old} FROM recording WHERE NOT EXISTS ({known});"
        )
        forget = f"DELETE FROM {table}_log WHERE entry = (SELECT entry FROM recording) AND side = {AFTER} AND id = OLD.id;"
        after = f"INSERT INTO {table}_log (entry, side, {names}) SELECT entry, {AFTER}, {new} FROM recording;"
        bodies = {"INSERT": after, "UPDATE": before + forget + after, "DELETE": before + forget}
        for event, body in bodies.items():
            db.execute(
                f"CREATE TEMP TRIGGER {table}_{event} AFTER {event} ON main.{table}"
                f" WHEN EXISTS (SELECT 1 FROM recording) BEGIN {body} END"
            )
