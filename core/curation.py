"""What a person decides about picks: each decision is one change of the store, and never makes two particles of one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from core.config import ReviewConfig
from core.particles import Status
from core.review import NEARNESS, masked, placed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.annotations import AnnotationStore
    from core.annotations.rows import Ids
    from core.particles import ClassSpec, ParticleTable
    from core.tomogram import Mask, Tomogram
    from core.types import BoolArray


def accept(store: AnnotationStore, tomogram: Tomogram, ids: Ids) -> int:
    """Accept picks; whoever lies on an accepted particle of its class is the same particle, and goes.

    The accepted one stays where it is, for somebody may have put it there by hand. Of two picks that mean the same particle, the
    one with the higher score stays.

    Parameters
    ----------
    store : AnnotationStore
        Open for writing.
    tomogram : Tomogram
        Where the picks lie.
    ids : int | Sequence[int] | IntArray
        Which particles; those that are accepted already are left alone.

    Returns
    -------
    int
        How many were removed because they lay on another one.

    Raises
    ------
    ProjectError
        If the project is read-only; nothing is changed then.
    """
    return _accept(store, tomogram, ids, None)


def reclassify(store: AnnotationStore, tomogram: Tomogram, ids: Ids, class_id: int) -> int:
    """Say of which class particles are. That is a decision, so that picks are accepted with it.

    Parameters
    ----------
    store : AnnotationStore
        Open for writing.
    tomogram : Tomogram
        Where the particles lie.
    ids : int | Sequence[int] | IntArray
        Which particles, picks and rejected ones among them.
    class_id : int
        The class they get.

    Returns
    -------
    int
        How many picks were removed because they lay on another particle of that class; marks are never removed.

    Raises
    ------
    ProjectError
        If the class is unknown or the project is read-only; nothing is changed then.
    """
    return _accept(store, tomogram, ids, class_id)


def reject_masked(store: AnnotationStore, tomogram_id: str, mask: Mask) -> int:
    """Reject all candidates that a mask takes out, as one change: the next training learns from them what is background.

    Parameters
    ----------
    store : AnnotationStore
        Open for writing.
    tomogram_id : str
        Whose candidates.
    mask : Mask
        Where candidates may count.

    Returns
    -------
    int
        How many were rejected.

    Raises
    ------
    ProjectError
        If the project is read-only; nothing is changed then.
    """
    table = store.table(tomogram_id)
    ids = table.ids[masked(table, mask)]
    if len(ids):
        with store.grouped(f"Reject {len(ids)} masked picks"):
            store.reject(ids)
    return len(ids)


def _accept(store: AnnotationStore, tomogram: Tomogram, ids: Ids, class_id: int | None) -> int:
    table = store.table(tomogram.id)
    mine = np.isin(table.ids, ids)
    if class_id is not None:
        table = replace(table, class_ids=np.where(mine, class_id, table.class_ids))
    classes = {spec.id: spec for spec in store.classes()}
    double = mine & _doubles(table, mine, classes, tomogram)
    of = classes[class_id].name if class_id in classes else ""
    count = int(mine.sum())
    what = f"{count} particles" if count != 1 else "particle"
    with store.grouped(f"Make {what} {of}" if class_id is not None else f"Accept {what}"):
        store.remove(table.ids[double])
        kept = table.ids[mine & ~double]
        if class_id is not None:
            store.reclassify(kept, class_id)
        store.set_status(kept, Status.ACCEPTED)
    return int(double.sum())


def _doubles(table: ParticleTable, mine: BoolArray, classes: Mapping[int, ClassSpec], tomogram: Tomogram) -> BoolArray:
    """Tell which of the particles that are about to be accepted lie on an accepted one, or on a better one of their own."""
    judged = table.statuses == Status.ACCEPTED
    rows = np.flatnonzero(mine | judged)
    open_picks = np.where(judged[rows], int(Status.ACCEPTED), int(Status.CANDIDATE))
    part = replace(table.select(rows), statuses=open_picks)
    near = dict.fromkeys(classes, ReviewConfig(min_distance=NEARNESS))
    double = np.zeros(len(table), np.bool_)
    double[rows] = ~placed(part, near, classes, tomogram.shape, tomogram.voxel_size)
    return double
