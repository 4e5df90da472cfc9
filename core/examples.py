"""What training learns from: tomograms with their particles, checked, and divided into training and validation."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from core.errors import TrainingError
from core.particles import Status
from core.tomogram import Box, Tomogram

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.config import TrainConfig
    from core.particles import ClassSpec, ParticleTable
    from core.types import Positions

Role = Literal["both", "train", "validation"]

SMALLEST_DIAMETER = 4  # voxels; a smaller particle cannot be told from noise
FEWEST_TO_DIVIDE = 5  # clicks; of fewer, none is held back


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One tomogram with its particles.

    Attributes
    ----------
    tomogram : Tomogram
        The volume.
    particles : ParticleTable
        Accepted particles are learnt, candidates are neutral, rejected ones are taught as background.
    region : Box | None
        The part that was looked at; nothing is learnt outside. None means everywhere.
    complete : bool
        Whether every particle of the region is annotated; if not, `TrainConfig.unlabelled` says what the rest means.
    role : Role
        ``both``: may be divided; ``train`` or ``validation``: serves as that as a whole.
    """

    tomogram: Tomogram
    particles: ParticleTable = field(repr=False)
    region: Box | None = None
    complete: bool = False
    role: Role = "both"

    @property
    def box(self) -> Box:
        """The region, or the whole volume."""
        return self.region or self.tomogram.box

    @property
    def accepted(self) -> ParticleTable:
        """The accepted particles within the region."""
        chosen = self.particles.statuses == Status.ACCEPTED
        return self.particles.select(chosen & self.box.contains(self.particles.positions))


def check_examples(examples: Sequence[Example], classes: Sequence[ClassSpec], config: TrainConfig) -> None:
    """Refuse what training could not learn from.

    Parameters
    ----------
    examples : Sequence[Example]
        All tomograms of the training.
    classes : Sequence[ClassSpec]
        The classes to learn.
    config : TrainConfig
        For the size of the crops.

    Raises
    ------
    TrainingError
        If there are no classes or clicks, a class has none, clicks lie outside their volume, or a particle is too small or
        too large in voxels.
    """
    if not classes:
        raise TrainingError("Training needs at least one class with a diameter, but there is none: add a class.")
    counts: Counter[int] = Counter()
    for example in examples:
        _check_inside(example)
        _check_diameters(example, classes, config.patch)
        counts.update(example.accepted.class_ids.tolist())
    if not counts:
        raise TrainingError("Training needs particle centres, but no accepted one was given: click some or import a file.")
    for spec in classes:
        if not counts[spec.id]:
            raise TrainingError(f"Class {spec.name!r} has no accepted particle to learn from: click some or leave the class out.")


def _check_inside(example: Example) -> None:
    name, box = example.tomogram.id, example.tomogram.box
    outside = example.particles.positions[~box.contains(example.particles.positions)]
    if len(outside):
        z, y, x = outside[0]
        raise TrainingError(
            f"{len(outside)} of {len(example.particles)} centres of {name!r} lie outside its {box.shape} voxels (z, y, x), "
            f"the first at ({z:.1f}, {y:.1f}, {x:.1f}): check the binning they were picked at, or remove them."
        )


def _check_diameters(example: Example, classes: Sequence[ClassSpec], patch: int) -> None:
    name, voxel_size = example.tomogram.id, example.tomogram.voxel_size
    if not voxel_size > 0:
        raise TrainingError(f"The voxel size of {name!r} is not known, so diameters in Å mean nothing there: give it in Å.")
    for spec in classes:
        diameter = spec.diameter / voxel_size
        if diameter < SMALLEST_DIAMETER:
            raise TrainingError(
                f"Class {spec.name!r} measures {diameter:.1f} voxels in {name!r}, but {SMALLEST_DIAMETER} or more are needed: "
                "check its diameter, or use a tomogram that is binned less."
            )
        if diameter > patch / 2:
            raise TrainingError(
                f"Class {spec.name!r} measures {diameter:.1f} voxels in {name!r}, more than half the training patch of {patch}: "
                "check its diameter, enlarge the patch or bin the tomogram more."
            )


def divide(examples: Sequence[Example], config: TrainConfig) -> tuple[list[Example], list[Example], list[str]]:
    """Divide examples into those that train and those that validate.

    Parameters
    ----------
    examples : Sequence[Example]
        Checked examples.
    config : TrainConfig
        `split` and `validation` say how.

    Returns
    -------
    training, validation : list[Example]
        With regions that do not overlap, unless nothing could be held back.
    notices : list[str]
        What the user should know about the division.

    Raises
    ------
    TrainingError
        If whole tomograms are to be held back but there is only one, or nothing is left to train on.
    """
    notices: list[str] = []
    named = [e for e in examples if e.role == "validation"]
    rest = [e for e in examples if e.role != "validation"]
    if config.split == "tomogram" and not named:
        if len(rest) < 2:
            raise TrainingError(
                "To hold back a whole tomogram, at least two with particles are needed; add one or split by clicks."
            )
        named, rest = rest[-1:], rest[:-1]
        notices.append(f"Tomogram {named[0].tomogram.id!r} is held back for validation.")
    if not any(len(e.accepted) for e in rest):
        raise TrainingError("All tomograms with particles are held back for validation: leave at least one to train on.")
    training, validation = rest, list(named)
    if config.split == "clicks" and not named:
        pairs = [_hold_back(e, config.validation) if e.role == "both" else (e, None) for e in rest]
        training, validation = [a for a, _ in pairs], [b for _, b in pairs if b is not None]
    if not any(len(e.accepted) for e in validation):
        notices.append("Nothing is held back, so scores are measured on the training part and are too good to be true.")
        training, validation = rest, rest
    return training, validation, notices


def _hold_back(example: Example, fraction: float) -> tuple[Example, Example | None]:
    """Cut off a slab with this part of the clicks at the far end of the longer in-plane axis."""
    positions = example.accepted.positions
    if len(positions) < FEWEST_TO_DIVIDE:
        return example, None
    box = example.box
    axis = 1 if box.shape[1] >= box.shape[2] else 2
    cut = _cut(positions, axis, fraction)
    if not box.low[axis] < cut < box.high[axis]:
        return example, None
    low, high = list(box.low), list(box.high)
    low[axis] = high[axis] = cut
    near, far = Box(box.low, (high[0], high[1], high[2])), Box((low[0], low[1], low[2]), box.high)
    return replace(example, region=near), replace(example, region=far)


def _cut(positions: Positions, axis: int, fraction: float) -> int:
    along = np.sort(positions[:, axis])
    held = max(1, round(fraction * len(along)))
    return int(np.ceil((along[-held - 1] + along[-held]) / 2 + 0.5))
