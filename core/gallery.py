"""Which particles a gallery shows, in which order, and the pictures of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.cutting import central_slabs, grey, slab_contrast
from core.messages import Progress, SlabsCut
from core.particles import Status
from core.review import doubtful

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from core.cutting import Slabs
    from core.messages import Message
    from core.particles import ParticleTable
    from core.tomogram import Tomogram
    from core.types import BoolArray, FloatArray, IntArray

WHICH = ("shown", "candidate", "accepted", "rejected", "flagged", "all")
ORDERS = ("score", "doubt", "z")


def rows_of(
    table: ParticleTable,
    shown: BoolArray,
    flagged: IntArray,
    *,
    class_id: int | None = None,
    which: str = "shown",
    order: str = "score",
    numbers: Mapping[str, FloatArray] | None = None,
) -> IntArray:
    """Choose particles and put them in order.

    Parameters
    ----------
    table : ParticleTable
        n particles of one tomogram.
    shown : BoolArray
        (n,) False for candidates that do not count.
    flagged : IntArray
        Ids of those that are flagged.
    class_id : int | None
        Only this class; None for all.
    which : str
        One of `WHICH`: the candidates that count, all candidates, those of a status, the flagged, or all.
    order : str
        One of `ORDERS` (best score first, most doubtful first, ascending z), or a name among `numbers`, ascending.
    numbers : Mapping[str, FloatArray] | None
        Other numbers of the particles, (n,) each, such as the cluster they belong to.

    Returns
    -------
    IntArray
        Rows of the table; among equals the better score, then the older particle, comes first.
    """
    candidate = table.statuses == Status.CANDIDATE
    chosen = {
        "shown": candidate & shown,
        "candidate": candidate,
        "accepted": table.statuses == Status.ACCEPTED,
        "rejected": table.statuses == Status.REJECTED,
        "flagged": np.isin(table.ids, flagged),
        "all": np.ones(len(table), np.bool_),
    }[which]
    rows = np.flatnonzero(chosen if class_id is None else chosen & (table.class_ids == class_id))
    rows = rows[np.argsort(-table.scores[rows], kind="stable")]
    if order == "score":
        return rows
    if order == "doubt":
        return rows[doubtful(table.scores[rows])]
    values = table.positions[:, 0] if order == "z" else (numbers or {})[order]
    return rows[np.argsort(values[rows], kind="stable")]


def pictures(
    tomogram: Tomogram, table: ParticleTable, how: Slabs, *, bounds: tuple[float, float] | None = None, generation: int = 0
) -> Generator[Message, None, None]:
    """Cut and draw the central slabs of particles, as a job.

    Parameters
    ----------
    tomogram : Tomogram
        Where they lie.
    table : ParticleTable
        Which, in the order in which they are wanted.
    how : Slabs
        Size and filter.
    bounds : tuple[float, float] | None
        Values of black and white; None to find them first.
    generation : int
        Comes back with every picture, so that a late one is recognised.

    Yields
    ------
    Message
        A `SlabsCut` for each particle.
    """
    if bounds is None:
        yield Progress(stage="Looking at the contrast", done=0, total=1)
        bounds = slab_contrast(tomogram, how)
    for particle, position in zip(table.ids.tolist(), table.positions, strict=True):
        picture = grey(central_slabs(tomogram, position, how), bounds)
        yield SlabsCut(generation=generation, particle_id=particle, picture=picture, bounds=bounds)
