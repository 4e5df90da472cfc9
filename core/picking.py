"""Picking: score map and MP-NMS over a tomogram, with candidates announced while tiles finish."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np

from core import device as devices
from core.calibration import calibrated
from core.errors import PickerError
from core.inference import scanner
from core.messages import Notice, PicksFound
from core.nms import PUBLISHED_FLOOR
from core.particles import PickResult
from core.preprocess import preprocess
from core.scanning import Found, scan, targets
from core.scoremap import room_for, score_map_writer

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from core.checkpoint import Checkpoint
    from core.config import PickConfig
    from core.messages import Message
    from core.particles import ParticleTable
    from core.scanning import Targets
    from core.tomogram import Box, Mask, Tomogram
    from core.types import Angstrom

VOXEL_SIZE_TOLERANCE = 0.1  # beyond this difference, a tomogram looks unlike what the network was trained on


def pick(
    tomogram: Tomogram,
    checkpoint: Checkpoint,
    config: PickConfig,
    *,
    region: Box | None = None,
    mask: Mask | None = None,
    cache: Path | None = None,
    score_map: Path | None = None,
) -> Generator[Message, None, PickResult]:
    """Find particles in a tomogram.

    Parameters
    ----------
    tomogram : Tomogram
        Where to look.
    checkpoint : Checkpoint
        The trained network.
    config : PickConfig
        How to scan and how peaks become candidates.
    region : Box | None
        Part of the tomogram to look at; None means all of it.
    mask : Mask | None
        Where within it picks are wanted: none beside it is returned, and what none of them depends on is not computed. None means
        everywhere.
    cache : Path | None
        Folder for filtered volumes, if the checkpoint's preprocessing filters.
    score_map : Path | None
        MRC file for the score map, the largest probability over all classes in per cent; it takes a byte for each voxel of
        the tomogram, and is left out where the disk is nearly full or fails. None for no such file.

    Yields
    ------
    Message
        Progress, and candidates while tiles finish.

    Returns
    -------
    PickResult
        All candidates above the floor with calibrated scores.
    """
    voxel_size = tomogram.voxel_size or checkpoint.voxel_size
    yield from _doubts(tomogram, checkpoint.voxel_size)
    prepared = yield from preprocess(tomogram, checkpoint.config.preprocess, cache)
    compute = devices.choose(config.device, config.precision)
    preset, patch = checkpoint.config.network.preset, checkpoint.config.train.patch
    look = scanner(checkpoint.network(), preset, patch, compute, config)
    names = {spec.id: spec.name for spec in checkpoint.classes}
    wanted = targets(checkpoint.classes, voxel_size, checkpoint.config.label, config)
    graded = config.nms == "graded"
    calibration = checkpoint.calibration if graded else {}
    if score_map is not None and not room_for(score_map, tomogram.shape):
        yield Notice(text="The disk is nearly full: the score map is not kept.")
        score_map = None
    kept = nullcontext() if score_map is None else score_map_writer(score_map, tomogram.shape, voxel_size)
    found: Found | None = None
    try:
        with kept as keep:
            steps = scan(prepared, look, wanted, region or tomogram.box, keep, mask)
            try:
                while True:
                    message = next(steps)
                    yield _announced(message, tomogram.id, wanted, calibration, names) if isinstance(message, Found) else message
            except StopIteration as stop:
                found = stop.value
    except PickerError as exc:
        if found is None:
            raise
        yield Notice(text=f"{exc} The picks are complete, but the score map is not kept.")
    table = found.table(tomogram.id, wanted)
    return PickResult(
        table=_scored(table if mask is None else table.select(mask.inside(table.positions)), calibration),
        shape=tomogram.shape,
        voxel_size=voxel_size,
        classes=checkpoint.classes,
        thresholds=checkpoint.thresholds if graded else dict.fromkeys(checkpoint.thresholds, PUBLISHED_FLOOR),
    )


def _doubts(tomogram: Tomogram, trained: Angstrom) -> Iterator[Notice]:
    voxel_size = tomogram.voxel_size or trained
    if not tomogram.voxel_size:
        yield Notice(text=f"The voxel size of {tomogram.id!r} is not known: {voxel_size:.2f} Å is taken, as in training.")
    if abs(voxel_size / trained - 1) > VOXEL_SIZE_TOLERANCE:
        yield Notice(
            text=f"{tomogram.id!r} has voxels of {voxel_size:.2f} Å, but the network was trained at {trained:.2f} Å: "
            "expect poor picks, and rather bin it to that size."
        )


Calibration = dict[int, tuple[float, float]]


def _announced(found: Found, tomogram_id: str, wanted: Targets, calibration: Calibration, names: dict[int, str]) -> PicksFound:
    table = _scored(found.table(tomogram_id, wanted), calibration)
    return PicksFound(
        tomogram_id=tomogram_id, positions=table.positions, class_ids=table.class_ids, scores=table.scores, names=names
    )


def _scored(table: ParticleTable, calibration: Calibration) -> ParticleTable:
    scores = table.scores.copy()
    for class_id, curve in calibration.items():
        rows = table.class_ids == class_id
        scores[rows] = calibrated(scores[rows], curve)
    order = np.argsort(-scores, kind="stable")
    return table.with_scores(scores).select(order)
