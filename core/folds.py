"""Cross-validation: the annotated part in slabs, each picked by a network that was trained on all the others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from core.errors import TrainingError
from core.messages import Notice
from core.metrics import Assessment, Case, assess
from core.picking import pick
from core.sampling import accepted_truth
from core.tomogram import Box
from core.training import train

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

    from core.config import RunConfig
    from core.examples import Example
    from core.messages import Message
    from core.metrics import Rule
    from core.particles import ClassSpec
    from core.tomogram import Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """What cross-validation has found.

    Attributes
    ----------
    everything : Assessment
        All candidates of all slabs against what is annotated in them.
    counted : Assessment
        Those that each fold's own thresholds keep; the held-back slab had no part in choosing these.
    """

    everything: Assessment
    counted: Assessment


def folds(examples: Sequence[Example], count: int) -> list[tuple[list[Example], list[Example]]]:
    """Divide what is annotated into slabs with about as many particles each.

    Parameters
    ----------
    examples : Sequence[Example]
        Tomograms with their particles; those of the role ``train`` are never held back.
    count : int
        How many folds, at least 2.

    Returns
    -------
    list[tuple[list[Example], list[Example]]]
        For each fold what is trained on, and the slabs that are held back: one of each tomogram that has particles enough.

    Raises
    ------
    TrainingError
        If no tomogram has as many particles as there are folds.
    """
    divided = {
        place: slabs for place, one in enumerate(examples) if one.role != "train" and len(slabs := _slabs(one, count)) == count
    }
    if not divided:
        raise TrainingError(
            f"Cross-validation with {count} folds needs a tomogram with at least {count} accepted particles apart from each other: "
            "mark more of them, or take fewer folds."
        )
    made = []
    for fold in range(count):
        training = [one for place, one in enumerate(examples) if place not in divided]
        held = []
        for place, cut in divided.items():
            whole, slab = examples[place], cut[fold]
            held.append(replace(whole, region=slab, role="both"))
            training += [replace(whole, region=rest, role="train") for rest in _around(whole.box, slab)]
        made.append((training, held))
    return made


def _slabs(example: Example, count: int) -> list[Box]:
    """Cut a region across the longer in-plane axis, between particles; nothing where there are too few."""
    box, places = example.box, example.accepted.positions
    axis = 1 if box.shape[1] >= box.shape[2] else 2
    along = np.sort(places[:, axis])
    if len(along) < count:
        return []
    between = [len(along) * k // count for k in range(1, count)]
    cuts = [box.low[axis], *(round(float(along[i - 1] + along[i]) / 2 + 0.5) for i in between), box.high[axis]]
    if any(low >= high for low, high in pairwise(cuts)):
        return []
    return [_cut(box, axis, low, high) for low, high in pairwise(cuts)]


def _cut(box: Box, axis: int, low: int, high: int) -> Box:
    lows, highs = list(box.low), list(box.high)
    lows[axis], highs[axis] = low, high
    return Box((lows[0], lows[1], lows[2]), (highs[0], highs[1], highs[2]))


def _around(box: Box, slab: Box) -> list[Box]:
    axis = next(axis for axis in range(3) if box.low[axis] != slab.low[axis] or box.high[axis] != slab.high[axis])
    ends = ((box.low[axis], slab.low[axis]), (slab.high[axis], box.high[axis]))
    return [_cut(box, axis, low, high) for low, high in ends if low < high]


def cross_validate(
    examples: Sequence[Example],
    classes: Sequence[ClassSpec],
    config: RunConfig,
    count: int,
    rule: Rule,
    folder: Path,
    cache: Path | None = None,
    masks: Mapping[str, Mask] | None = None,
) -> Generator[Message, None, Folded]:
    """Train and pick once for every slab.

    Parameters
    ----------
    examples : Sequence[Example]
        Tomograms with their particles.
    classes : Sequence[ClassSpec]
        What to find.
    config : RunConfig
        Settings of every training; its budget is that of one.
    count : int
        How many folds.
    rule : Rule
        What counts as right.
    folder : Path
        For the runs, one folder for each fold.
    cache : Path | None
        Folder for filtered volumes.
    masks : Mapping[str, Mask] | None
        Where particles count when they are scored, by tomogram; every particle is learnt from.

    Yields
    ------
    Message
        Of training and picking, and a notice where a fold begins.

    Returns
    -------
    Folded
        Figures of all slabs together.

    Raises
    ------
    TrainingError
        If there is too little to divide, or a class has too few particles to be learnt without a slab.
    """
    everything, counted = [], []
    whole = replace(config, train=replace(config.train, split="none"))
    for number, (training, held) in enumerate(folds(examples, count), start=1):
        yield Notice(text=f"Fold {number} of {count}: training without {sum(len(one.accepted) for one in held)} particles.")
        network = yield from train(training, classes, whole, folder / f"fold-{number}", cache=cache)
        for one in held:
            found = yield from pick(one.tomogram, network, config.pick, region=one.box, cache=cache)
            truth, size = accepted_truth(one, classes), one.tomogram.voxel_size
            case = Case(truth=truth, picks=found.table, voxel_size=size, complete=one.complete)
            mask = (masks or {}).get(truth.tomogram_id)
            everything.append(case.within(mask))
            counted.append(replace(case, picks=found.picks()).within(mask))
    return Folded(everything=assess(everything, classes, rule), counted=assess(counted, classes, rule))
