"""What files tell of particles beyond places, classes and scores, as a line of text for each, so that a project can keep it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.io.particles.values import Extras, Orientations, ReadPicks

TURN, MORE = "turn", "more"
UNTURNED = [0.0, 0.0, 0.0, 1.0]


def noted(picks: ReadPicks) -> tuple[str, ...] | None:
    """Put orientations and extras into words.

    Parameters
    ----------
    picks : ReadPicks
        n particles.

    Returns
    -------
    tuple[str, ...] | None
        (n,) JSON of each; None where there are neither orientations nor extras.
    """
    if picks.orientations is None and not picks.extras:
        return None
    turns = [] if picks.orientations is None else picks.orientations.tolist()
    columns = [np.asarray(column).tolist() for column in picks.extras.values()]
    rows = []
    for row in range(len(picks)):
        more = {name: column[row] for name, column in zip(picks.extras, columns, strict=True)}
        rows.append(json.dumps(({TURN: turns[row]} if turns else {}) | ({MORE: more} if more else {}), default=str))
    return tuple(rows)


def recalled(notes: Sequence[str | None]) -> tuple[Orientations | None, Extras, tuple[str, ...]]:
    """Take orientations and extras from what `noted` wrote.

    Parameters
    ----------
    notes : Sequence[str | None]
        (n,) of each particle; None for one that was never in a file.

    Returns
    -------
    orientations : Orientations | None
        (n, 4) as in `ReadPicks`, where any particle has one; the others are not turned.
    extras : Mapping[str, NDArray]
        (n,) columns that all of them have.
    notices : tuple[str, ...]
        What is left out or made up for those that lack it.
    """
    if not any(notes):
        return None, {}, ()
    rows: list[dict[str, Any]] = [{} if note is None else json.loads(note) for note in notes]
    turned = sum(TURN in row for row in rows)
    turns = np.array([row.get(TURN, UNTURNED) for row in rows], np.float64) if turned else None
    more = [row.get(MORE, {}) for row in rows]
    names = list(dict.fromkeys(name for row in more for name in row))
    shared = [name for name in names if all(name in row for row in more)]
    notices = []
    if 0 < turned < len(rows):
        notices.append(f"{len(rows) - turned} of {len(rows)} particles have no orientation: their angles are written as 0.")
    if len(shared) < len(names):
        lost = ", ".join(name for name in names if name not in shared)
        notices.append(f"Not all particles came with these columns of an imported file, so that they are left out: {lost}.")
    return turns, {name: _column([row[name] for row in more]) for name in shared}, tuple(notices)


def _column(values: list[Any]) -> Any:
    return np.array(values, object if any(isinstance(value, str) for value in values) else None)
