"""What is kept of particles besides: flags of those that somebody wants to come back to, and notes of where they came from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from core.annotations.catalogue import Catalogue
from core.annotations.records import Kind
from core.annotations.rows import listed, phrase
from core.errors import ProjectError

if TYPE_CHECKING:
    from core.annotations.rows import Ids
    from core.types import IntArray

IN = "IN (SELECT value FROM json_each(?))"


class Flags(Catalogue):
    """Flag and note stay with their particle when that is moved, judged or given another class, and no training heeds them."""

    def flag(self, ids: Ids, on: bool = True) -> None:
        """Flag particles, or take their flags away.

        Parameters
        ----------
        ids : int | Sequence[int] | IntArray
            Which.
        on : bool
            Whether they are flagged afterwards.

        Raises
        ------
        ProjectError
            If one is unknown or the project is read-only; nothing is changed then.
        """
        self._set(ids, "flagged", int(on), Kind.FLAGGED, "flagged" if on else "not flagged")

    def flagged(self, tomogram_id: str) -> IntArray:
        """Return which particles of a tomogram are flagged.

        Parameters
        ----------
        tomogram_id : str
            Which tomogram.

        Returns
        -------
        IntArray
            (n,) ids, ascending.

        Raises
        ------
        ProjectError
            If the tomogram is unknown.
        """
        key = self._tomogram_key(tomogram_id)
        rows = self._rows("SELECT id FROM particles WHERE tomogram = ? AND flagged ORDER BY id", (key,))
        return np.fromiter((row[0] for row in rows), np.int64)

    def notes(self, tomogram_id: str) -> dict[int, str]:
        """Return what was kept of the particles of a tomogram when they were added.

        Parameters
        ----------
        tomogram_id : str
            Which tomogram.

        Returns
        -------
        dict[int, str]
            By id; particles without a note are left out.

        Raises
        ------
        ProjectError
            If the tomogram is unknown.
        """
        key = self._tomogram_key(tomogram_id)
        return dict(self._rows("SELECT id, note FROM particles WHERE tomogram = ? AND note IS NOT NULL", (key,)))

    def _set(self, ids: Ids, column: str, value: int, kind: Kind, to: str) -> None:
        wanted = listed(ids)
        with self._entry(kind, f"{phrase('Set', wanted)} {to}"):
            self._require_particles(wanted)
            query = f"UPDATE particles SET {column} = ? WHERE id {IN} AND {column} <> ?"
            self._db.execute(query, (value, json.dumps(wanted), value))

    def _require_particles(self, ids: list[int]) -> None:
        query = "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT id FROM particles) LIMIT 1"
        missing = self._rows(query, (json.dumps(ids),))
        if missing:
            raise ProjectError(f"There is no particle {missing[0][0]}, perhaps it was removed; nothing was changed.")
