"""The tables that were asked for, kept in step with what changes, so that a click among many particles costs no reading of all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from core.annotations.records import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.annotations.records import Change
    from core.particles import ParticleTable, Status
    from core.types import IntArray

    Counts: TypeAlias = dict[tuple[str, int, Status], int]

_FEW = 0.25  # part of a table up to which it is mended rather than read again
_ARRAYS = ("ids", "positions", "class_ids", "scores", "sources", "statuses")


class Tables:
    """Whole tables of tomograms by name; correct only while nobody else writes to the database."""

    def __init__(self) -> None:
        self._kept: dict[str, ParticleTable] = {}
        self._stale: dict[str, list[IntArray]] = {}
        self._counts: Counts | None = None

    def get(self, tomogram_id: str, read: Callable[[IntArray | None], ParticleTable]) -> ParticleTable:
        """Return the table of a tomogram.

        Parameters
        ----------
        tomogram_id : str
            Which.
        read : Callable[[IntArray | None], ParticleTable]
            Reads those of these ids that the tomogram has, by ascending id; None for all.

        Returns
        -------
        ParticleTable
            By ascending id; its arrays are shared and cannot be written to.
        """
        known, stale = self._kept.get(tomogram_id), self._stale.get(tomogram_id, [])
        ids = np.unique(np.concatenate(stale)) if stale else np.empty(0, np.int64)
        if known is None or len(ids) > _FEW * len(known):
            known = read(None)
        elif len(ids):
            known = mended(known, ids, read(ids))
        for name in _ARRAYS:
            getattr(known, name).setflags(write=False)
        self._kept[tomogram_id], self._stale[tomogram_id] = known, []
        return known

    def count(self, read: Callable[[], Counts]) -> Counts:
        """Return how many particles there are.

        Parameters
        ----------
        read : Callable[[], Counts]
            Counts them.

        Returns
        -------
        Counts
            How many of each tomogram, class and status; the caller's own.
        """
        if self._counts is None:
            self._counts = read()
        return dict(self._counts)

    def note(self, change: Change) -> None:
        """Take notice of a change that has happened.

        Parameters
        ----------
        change : Change
            What was changed.
        """
        self._counts = None
        if change.kind in (Kind.TOMOGRAMS, Kind.SEVERAL):
            self._kept.clear()
        for name in self._kept:
            self._stale.setdefault(name, []).append(change.ids)


def mended(table: ParticleTable, ids: IntArray, fresh: ParticleTable) -> ParticleTable:
    """Bring a table up to date.

    Parameters
    ----------
    table : ParticleTable
        By ascending id.
    ids : IntArray
        (n,) the particles that were added, changed or removed, ascending.
    fresh : ParticleTable
        Those of them that there are now, by ascending id.

    Returns
    -------
    ParticleTable
        By ascending id.
    """
    places = np.searchsorted(table.ids, ids)
    known = places[places < len(table.ids)]
    known = known[table.ids[known] == ids[places < len(table.ids)]]
    rest = {name: np.delete(getattr(table, name), known, axis=0) for name in _ARRAYS}
    where = np.searchsorted(rest["ids"], fresh.ids)
    return replace(table, **{name: np.insert(rest[name], where, getattr(fresh, name), axis=0) for name in _ARRAYS})
