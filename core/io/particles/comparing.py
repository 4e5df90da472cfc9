"""Reading back what was written, and comparing it with what was meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.errors import PickerError
from core.io.particles.formats import Layout, ReadOrder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.io.particles.formats import Format, WriteOrder
    from core.io.particles.values import Piece, ReadPicks, TomogramPicks, Written
    from core.particles import ClassSpec
    from core.types import BoolArray, FloatArray, IntArray, Positions

TOLERANCE = 0.01  # voxels
SCORE_TOLERANCE = 1e-5


def compare(format: Format, written: Written, order: WriteOrder) -> None:
    """Read files back and look for every particle.

    Parameters
    ----------
    format : Format
        What they were written in; it can read.
    written : Written
        The files.
    order : WriteOrder
        What was meant.

    Raises
    ------
    PickerError
        If a particle is missing, is more than a hundredth of a voxel and the format's rounding off, or has another class or score
        where the format keeps these.
    """
    read = format.read
    if read is None:
        return
    names = written.names or tuple(part.name for part in order.parts)
    reading = ReadOrder(named=True, options=order.options)
    found = [(piece, read(piece.path, reading)) for piece in written.pieces]
    for name, part in zip(names, order.parts, strict=True):
        if len(part):
            _look_for(format, name, part, found, order, written)


def _look_for(
    format: Format, name: str, part: TomogramPicks, found: list[tuple[Piece, ReadPicks]], order: WriteOrder, written: Written
) -> None:
    kept = format.fidelity(order.options)
    wanted = part.select(np.argsort(part.table.class_ids, kind="stable")) if format.by_class else part
    positions, class_ids, scores = _found(name, part, found, order.classes, written)
    if kept.classes and format.layout is Layout.MERGED:
        mine = np.isin(class_ids, part.table.class_ids)
        positions, class_ids, scores = positions[mine], class_ids[mine], scores[mine]
    limit = TOLERANCE + kept.rounding
    right = len(positions) == len(wanted) and bool(np.abs(positions - wanted.table.positions).max(initial=0.0) <= limit)
    if right and kept.classes:
        right = np.array_equal(class_ids, wanted.table.class_ids)
    if right and kept.scores and (kept.partial_scores or _all_scored(order)):
        right = _same_scores(scores, wanted.table.scores)
    if not right:
        raise PickerError(
            f"What was written for {part.name!r} does not read back as it should; do not use it, and report this as a defect."
        )


def _all_scored(order: WriteOrder) -> bool:
    return all(bool(np.isfinite(part.table.scores).all()) for part in order.parts)


def _same_scores(found: FloatArray, wanted: FloatArray) -> bool:
    # a format may have no word for "no score"
    known = np.isfinite(wanted)
    if not wanted[known].any():
        return True  # zeros stand for none in several formats
    return bool(np.allclose(found[known], wanted[known], rtol=SCORE_TOLERANCE, atol=SCORE_TOLERANCE))


def _found(
    name: str, part: TomogramPicks, found: list[tuple[Piece, ReadPicks]], classes: Sequence[ClassSpec], written: Written
) -> tuple[Positions, IntArray, FloatArray]:
    """Positions in voxels, class ids (0 where unknown) and scores that the files give for a tomogram."""
    positions, class_ids, scores = [np.zeros((0, 3))], [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
    for piece, picks in found:
        rows = _rows(piece, picks, name)
        if not rows.any():
            continue
        mine = picks if rows.all() else picks.select(rows)
        positions.append(mine.voxels(part.frame))
        class_ids.append(_class_ids(piece, mine, classes, written))
        scores.append(np.full(len(mine), np.nan, np.float32) if mine.scores is None else mine.scores)
    return np.concatenate(positions), np.concatenate(class_ids), np.concatenate(scores)


def _rows(piece: Piece, picks: ReadPicks, name: str) -> BoolArray:
    if picks.tomograms is not None:
        return np.asarray(np.array(picks.tomograms, object) == name, np.bool_)
    return np.full(len(picks), piece.tomogram in (None, name))


def _class_ids(piece: Piece, picks: ReadPicks, classes: Sequence[ClassSpec], written: Written) -> IntArray:
    if picks.class_ids is not None:
        return picks.class_ids
    if picks.class_names is not None:
        ids = {name: number for number, name in ({spec.id: spec.name for spec in classes} | dict(written.classes)).items()}
        return np.array([ids.get(name, int(name) if name.isdecimal() else 0) for name in picks.class_names], np.int64)
    return np.full(len(picks), piece.class_id or 0)
