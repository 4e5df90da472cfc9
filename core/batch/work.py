"""What a worker does: one order, with the network loaded from its file."""

from __future__ import annotations

import time
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from core.batch.orders import TOPIC, Outcome
from core.batch.records import content_hash, finished, keep_record, look
from core.checkpoint import load_checkpoint
from core.config import PickConfig
from core.configfile import config_from_dict
from core.errors import CheckpointError, PickerError
from core.io.atomic import make_folder
from core.io.particles import TiltSeriesGeometry, write_particles
from core.io.volumes import open_tomogram
from core.masks import MaskConfig, masks_of
from core.messages import Notice, Progress
from core.picking import pick
from core.tomogram import parsed_box

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from core.batch.orders import Order
    from core.checkpoint import Checkpoint
    from core.messages import Message
    from core.particles import ParticleTable, PickResult
    from core.tomogram import Box, Tomogram

OFTEN = 0.5  # seconds between events in which a worker says how far it has come


def work_on(order: Order) -> Outcome:
    """Do one order, unless another worker has finished it already; runs in a worker.

    Parameters
    ----------
    order : Order
        The order.

    Returns
    -------
    Outcome
        Also where it could not be done: one bad tomogram is no reason to stop the others.
    """
    try:
        before = None if order.anew else finished(order, thorough=True)
        return before or _picked(order, _teller(order))
    except PickerError as exc:
        return Outcome(name=order.name, refused=str(exc))
    except (MemoryError, OSError, RuntimeError) as exc:
        if isinstance(exc, MemoryError) or "out of memory" in str(exc):
            return Outcome(name=order.name, refused="There is not enough memory for it: choose a smaller tile or fewer workers.")
        return Outcome(name=order.name, refused=_defect(exc))
    except Exception as exc:  # noqa: BLE001 - whatever it was, the other tomograms go on and the user hears of it
        return Outcome(name=order.name, refused=_defect(exc))


def _defect(exc: Exception) -> str:
    return f"Picking it failed with {type(exc).__name__}: {exc}."


def _picked(order: Order, tell: Callable[[float, str], None]) -> Outcome:
    path, began = Path(order.tomogram), time.monotonic()
    tomogram = open_tomogram(path, voxel_size=order.voxel_size, signed=order.signed, id=order.name)
    checkpoint = _network(order.model, order.model_hash)
    config: PickConfig = config_from_dict(PickConfig, order.settings)
    was = look(path)
    result, notices = _followed(order, tomogram, checkpoint, config, tell)
    picks = result.table if order.bring else result.picks(order.threshold, config.edge)
    files, told = _written(order, picks, result, tomogram)
    outcome = Outcome(
        name=order.name,
        counts=counted(result, order.threshold, config.edge),
        files=files,
        notices=[*tomogram.notices, *notices, *told],
        seconds=round(time.monotonic() - began, 3),
        result=result if order.bring else None,
    )
    keep_record(order, {**was, "content": content_hash(path)}, outcome)
    return outcome


@lru_cache(maxsize=1)
def _network(model: str, expected: str) -> Checkpoint:
    if content_hash(Path(model)) != expected:
        raise CheckpointError(f"The network {model} was changed since picking began; start again with the one that you mean.")
    return load_checkpoint(Path(model))


def _followed(
    order: Order, tomogram: Tomogram, checkpoint: Checkpoint, config: PickConfig, tell: Callable[[float, str], None]
) -> tuple[PickResult, list[str]]:
    notices: list[str] = []
    region = None if order.region is None else parsed_box(order.region, tomogram.shape)
    cache, score_map = (None if one is None else Path(one) for one in (order.cache, order.score_map))
    with closing(_masked_pick(order, tomogram, checkpoint, config, region, cache, score_map)) as steps:
        while True:
            try:
                message = next(steps)
            except StopIteration as stop:
                return stop.value, notices
            if isinstance(message, Notice):
                notices.append(message.text)
            elif isinstance(message, Progress) and message.total:
                tell(message.done / message.total, message.stage)


def _masked_pick(
    order: Order,
    tomogram: Tomogram,
    checkpoint: Checkpoint,
    config: PickConfig,
    region: Box | None,
    cache: Path | None,
    score_map: Path | None,
) -> Generator[Message, None, PickResult]:
    mask = None
    if order.masks is not None:
        mask = yield from masks_of(tomogram, config_from_dict(MaskConfig, order.masks), cache)
    return (yield from pick(tomogram, checkpoint, config, region=region, cache=cache, score_map=score_map, mask=mask))


def _written(order: Order, picks: ParticleTable, result: PickResult, tomogram: Tomogram) -> tuple[list[str], list[str]]:
    if not len(picks):
        Path(order.picks).unlink(missing_ok=True)  # of an earlier picking
        return [], [] if order.bring else ["Nothing was found, so no file was written."]
    make_folder(Path(order.picks).parent)
    series = None if order.pixel_size is None else TiltSeriesGeometry(pixel_size=order.pixel_size)
    written = write_particles(Path(order.picks), picks, result.classes, tomogram, format=order.format, tilt_series=series)
    return [str(path.absolute()) for path in written.files], list(written.notices)


def counted(result: PickResult, threshold: float | None, edge: float) -> dict[str, dict[str, float]]:
    """Count what was found.

    Parameters
    ----------
    result : PickResult
        All candidates.
    threshold : float | None
        Least score, in place of what training found.
    edge : float
        Margin at the faces where picks do not count, in voxels.

    Returns
    -------
    dict[str, dict[str, float]]
        By class: ``threshold``, ``picks`` and ``candidates``.
    """
    picks = result.picks(threshold, edge)
    return {
        spec.name: {
            "threshold": result.thresholds[spec.id] if threshold is None else threshold,
            "picks": int((picks.class_ids == spec.id).sum()),
            "candidates": int((result.table.class_ids == spec.id).sum()),
        }
        for spec in result.classes
    }


def _teller(order: Order) -> Callable[[float, str], None]:
    from distributed import get_worker

    worker, last = get_worker(), [0.0]

    def tell(part: float, stage: str) -> None:
        if time.monotonic() - last[0] >= OFTEN:
            last[0] = time.monotonic()
            worker.log_event(TOPIC, {"name": order.name, "picks": order.picks, "part": part, "stage": stage})

    return tell
