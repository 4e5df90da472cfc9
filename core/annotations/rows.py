"""Particles as rows of the database and as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from core.errors import ProjectError
from core.particles import ParticleTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.types import IntArray, Positions

    Ids: TypeAlias = int | Sequence[int] | IntArray

COLUMNS = "id, class, z, y, x, score, source, status"
WRITTEN = "id, tomogram, class, z, y, x, score, source, status, note"
COUNTS = (
    "SELECT name, class, status, n FROM tomograms JOIN"
    " (SELECT tomogram, class, status, count(*) AS n FROM particles GROUP BY tomogram, class, status) ON tomogram = id"
)


def table_of(tomogram_id: str, rows: Sequence[Sequence[Any]]) -> ParticleTable:
    """Make a table of rows with `COLUMNS`.

    Parameters
    ----------
    tomogram_id : str
        The tomogram that all of them belong to.
    rows : Sequence[Sequence[Any]]
        n rows; a score of None, that of a click, becomes NaN.

    Returns
    -------
    ParticleTable
        With n rows.
    """
    values = np.array(rows, np.float64).reshape(-1, 8)
    whole = values[:, [0, 1, 6, 7]].astype(np.int64)
    return ParticleTable(
        tomogram_id=tomogram_id,
        ids=whole[:, 0],
        class_ids=whole[:, 1],
        positions=np.ascontiguousarray(values[:, 2:5]),
        scores=values[:, 5].astype(np.float32),
        sources=whole[:, 2],
        statuses=whole[:, 3],
    )


def rows_of(table: ParticleTable, ids: IntArray, tomogram: int, notes: Sequence[str | None]) -> list[tuple[Any, ...]]:
    """Make whole database rows of a table.

    Parameters
    ----------
    table : ParticleTable
        n particles.
    ids : IntArray
        (n,) the ids that they get.
    tomogram : int
        Key of their tomogram.
    notes : Sequence[str | None]
        (n,) what else is kept of each.

    Returns
    -------
    list[tuple[Any, ...]]
        n rows with `WRITTEN`.
    """
    z, y, x = table.positions.T.tolist()
    codes = (table.sources.tolist(), table.statuses.tolist())
    columns = (table.class_ids.tolist(), z, y, x, table.scores.tolist(), *codes, notes)
    return [(particle, tomogram, *rest) for particle, *rest in zip(ids.tolist(), *columns, strict=True)]


def listed(ids: Ids) -> list[int]:
    """Return one id, or many, as a list that JSON and the database understand.

    Parameters
    ----------
    ids : int | Sequence[int] | IntArray
        One or n ids.

    Returns
    -------
    list[int]
        In the same order.
    """
    found: list[int] = np.atleast_1d(np.asarray(ids, np.int64)).tolist()
    return found


def phrase(verb: str, ids: list[int]) -> str:
    """Say what is done to how many particles.

    Parameters
    ----------
    verb : str
        Such as ``Move``.
    ids : list[int]
        To which.

    Returns
    -------
    str
        A few words.
    """
    return f"{verb} particle" if len(ids) == 1 else f"{verb} {len(ids)} particles"


def require_finite(positions: Positions) -> None:
    """Refuse positions that are no numbers.

    Parameters
    ----------
    positions : Positions
        (n, 3) zyx voxels.

    Raises
    ------
    ProjectError
        If one is NaN or infinite.
    """
    wrong = ~np.isfinite(positions).all(axis=1)
    if wrong.any():
        raise ProjectError(f"A position must be three numbers, not {positions[wrong][0].tolist()}; nothing was changed.")
