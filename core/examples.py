"""What training learns from: tomograms with their particles, checked, and divided into training and validation."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from core.errors import TrainingError
from core.labels import label_diameter
from core.particles import Status
from core.tomogram import Box, Tomogram

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.config import RunConfig, TrainConfig
    from core.particles import ClassSpec, ParticleTable
    from core.types import Positions, Voxels

Role = Literal["both", "train", "validation"]

SMALLEST_DIAMETER = 4  # voxels; a smaller particle cannot be told from noise
FEWEST_TO_DIVIDE = 5  # clicks of a tomogram; of fewer, none is held back
SMALLEST_PATCH, LARGEST_PATCH = 64, 128  # voxels, where the size of the crops follows from the particles


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


def with_patch(config: TrainConfig, examples: Sequence[Example], classes: Sequence[ClassSpec]) -> TrainConfig:
    """Let the size of the crops follow from the particles, where it is not given.

    Parameters
    ----------
    config : TrainConfig
        `patch` may be 0.
    examples : Sequence[Example]
        All tomograms of the training.
    classes : Sequence[ClassSpec]
        The classes to learn.

    Returns
    -------
    TrainConfig
        With crops of twice the largest diameter in voxels, and as many in a step as need about the same memory and time.
    """
    sizes = [e.tomogram.voxel_size for e in examples if e.tomogram.voxel_size > 0]
    return _patched(config, max((spec.diameter for spec in classes), default=0.0) / min(sizes, default=math.inf))


def _patched(config: TrainConfig, largest: Voxels) -> TrainConfig:
    if config.patch:
        return config
    patch = min(max(8 * math.ceil(largest / 4), SMALLEST_PATCH), LARGEST_PATCH)
    batch = round(config.batch * (SMALLEST_PATCH / patch) ** 3)
    return replace(config, patch=patch, batch=max(batch, 1))


def chosen(config: RunConfig, diameters: Sequence[Voxels]) -> str:
    """Say which settings a training will have, and what they follow from.

    Parameters
    ----------
    config : RunConfig
        As asked for.
    diameters : Sequence[Voxels]
        Of the classes, at least one.

    Returns
    -------
    str
        Sentences for the user.
    """
    train, fraction = _patched(config.train, max(diameters)), config.label.diameter_fraction
    why = f"twice the largest particle of {max(diameters):.0f}" if train.patch > SMALLEST_PATCH else "the smallest"
    size = f"{train.patch} voxels ({'as set' if config.train.patch else why})"
    labels = " to ".join(dict.fromkeys(f"{label_diameter(d, fraction):.0f}" for d in (min(diameters), max(diameters))))
    limits = [f"{train.minutes:g} min"] * (train.minutes > 0) + [f"{train.steps} steps"] * (train.steps > 0)
    known = config.network.preset == "fast" and train.start == "pretrained"
    start = "since the network knows particles already" if known else "from scratch"
    return (
        f"Crops of {size}, {train.batch} of them in a step. Labels {labels} voxels wide "
        f"({fraction:g} of the diameter). At most {' or '.join(limits)}. Learning rate up to {train.learning_rate:g}, {start}."
    )


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
        If there are no classes or clicks, a class has none, clicks lie outside their volume, a particle is too small or
        too large in voxels, or two tomograms have one name.
    """
    if not classes:
        raise TrainingError("Training needs at least one class with a diameter, but there is none: add a class.")
    patch = with_patch(config, examples, classes).patch
    counts: Counter[int] = Counter()
    known: dict[str, Tomogram] = {}
    for example in examples:
        if known.setdefault(example.tomogram.id, example.tomogram) != example.tomogram:
            raise TrainingError(f"Two tomograms are called {example.tomogram.id!r}: give one of them another name.")
        _check_inside(example)
        _check_diameters(example, classes, patch)
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


def divide(
    examples: Sequence[Example], classes: Sequence[ClassSpec], config: TrainConfig
) -> tuple[list[Example], list[Example], list[str]]:
    """Divide examples into those that train and those that validate; every class keeps clicks to learn from.

    Parameters
    ----------
    examples : Sequence[Example]
        Checked examples.
    classes : Sequence[ClassSpec]
        The classes to learn; clicks of others do not count.
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
        If whole tomograms are to be held back but none can be spared, or a class has no clicks left to train on.
    """
    notices: list[str] = []
    training = [e for e in examples if e.role != "validation"]
    validation = [e for e in examples if e.role == "validation"]
    for spec in _untaught(training, classes):
        raise TrainingError(f"All clicks of Class {spec.name!r} are held back for validation: leave some to train on.")
    if not validation and config.split == "tomogram":
        training, validation = _spare_tomogram(training, classes)
        notices.append(f"Tomogram {validation[0].tomogram.id!r} is held back for validation.")
    elif not validation and config.split in ("auto", "clicks"):
        training, validation = _spare_slabs(training, classes, config)
    if not any(_teaches(e, classes) for e in validation):
        notices.append("Nothing is held back to measure F1 on, so that it is only estimated.")
        validation = training
    return training, validation, notices


def _teaches(example: Example, classes: Sequence[ClassSpec]) -> bool:
    return bool(np.isin([spec.id for spec in classes], example.accepted.class_ids).any())


def _untaught(examples: Sequence[Example], classes: Sequence[ClassSpec]) -> list[ClassSpec]:
    """Return the classes that have no accepted particle in these examples."""
    taught = {class_id for example in examples for class_id in example.accepted.class_ids.tolist()}
    return [spec for spec in classes if spec.id not in taught]


def _spare_tomogram(examples: Sequence[Example], classes: Sequence[ClassSpec]) -> tuple[list[Example], list[Example]]:
    """Hold back the last tomogram that the others can do without."""
    for held in reversed(examples):
        rest = [e for e in examples if e is not held]
        if held.role == "both" and _teaches(held, classes) and not _untaught(rest, classes):
            return rest, [held]
    raise TrainingError(
        "To hold back a whole tomogram, every class needs clicks in another one, too: add a tomogram or split by clicks."
    )


def _spare_slabs(
    examples: Sequence[Example], classes: Sequence[ClassSpec], config: TrainConfig
) -> tuple[list[Example], list[Example]]:
    """Hold back a slab of each tomogram, except where that would take a class its last clicks.

    Unless asked for, none is held back where not all is annotated: a pick beside the clicks is then neither known to be right
    nor wrong, so that a click tells more as a lesson than as a test.
    """
    training, validation = list(examples), []
    for i, whole in enumerate(examples):
        wanted = whole.role == "both" and (whole.complete or config.split == "clicks")
        near, far = _cut_off(whole, classes, config.validation) if wanted else (whole, None)
        if far is None or not _teaches(near, classes) or _untaught([*training[:i], near, *training[i + 1 :]], classes):
            continue
        training[i] = near
        validation.append(far)
    return training, validation


def _cut_off(example: Example, classes: Sequence[ClassSpec], fraction: float) -> tuple[Example, Example | None]:
    """Cut off a slab with this part of the clicks at the far end of the longer in-plane axis."""
    accepted = example.accepted
    positions = accepted.positions[np.isin(accepted.class_ids, [spec.id for spec in classes])]
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
    between, first_held = (along[-held - 1] + along[-held]) / 2, along[-held]
    return int(min(round(between + 0.5), np.floor(first_held + 0.5)))
