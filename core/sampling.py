"""Crops around clicks, in the background and around rejected picks, with what is known of their voxels."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from core.augment import Pose, draw_pose
from core.labels import make_labels
from core.network.blocks import heights
from core.particles import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from core.config import LabelConfig, TrainConfig
    from core.examples import Example
    from core.particles import ClassSpec, ParticleTable
    from core.preprocess import Prepared
    from core.types import FloatArray, Positions, Shape

JITTER = 0.3  # of the patch: how far from the crop's centre a click may lie
BORDER = 4  # voxels at the faces of a crop that teach nothing, since the network sees no context there


class Trust(IntEnum):
    """What a voxel of a crop teaches."""

    NOTHING = 0
    LABEL = 1
    UNLABELLED = 2  # background unless an unclicked particle hides there


@dataclass(frozen=True, slots=True)
class Crop:
    """A training example.

    Attributes
    ----------
    block : FloatArray
        (s, s, s) normalised voxels, `pose.margin` more than the patch on each side.
    pose : Pose
        How the block is to be turned.
    classes : NDArray[np.uint8]
        (patch, patch, patch) class ids after turning, 0 for the background.
    trust : NDArray[np.uint8]
        (patch, patch, patch) values of `Trust`.
    heights : FloatArray
        (patch,) height above the tomogram's middle plane, for the network.
    """

    block: FloatArray
    pose: Pose
    classes: NDArray[np.uint8]
    trust: NDArray[np.uint8]
    heights: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A tomogram to draw crops from.

    Attributes
    ----------
    example : Example
        Particles and region.
    prepared : Prepared
        Its normalised voxels.
    diameters : NDArray[np.float64]
        (n,) diameter of each particle of the example in voxels.
    indices : NDArray[np.int64]
        (n,) network class of each particle, 1 for the first class trained.
    centres, rejected : NDArray[np.int64]
        Rows of the example's particles that are learnt, and that are taught as background.
    """

    example: Example
    prepared: Prepared
    diameters: NDArray[np.float64] = field(repr=False)
    indices: NDArray[np.int64] = field(repr=False)
    centres: NDArray[np.int64] = field(repr=False)
    rejected: NDArray[np.int64] = field(repr=False)


def ground(example: Example, prepared: Prepared, classes: Sequence[ClassSpec]) -> Ground:
    """Look up what drawing crops from an example needs.

    Parameters
    ----------
    example : Example
        Particles and region.
    prepared : Prepared
        Its normalised voxels.
    classes : Sequence[ClassSpec]
        The classes trained; particles of other classes are left out.

    Returns
    -------
    Ground
        For `Sampler`.
    """
    table = example.particles
    known = np.isin(table.class_ids, [spec.id for spec in classes])
    numbers = {spec.id: i + 1 for i, spec in enumerate(classes)}
    sizes = {spec.id: spec.diameter / example.tomogram.voxel_size for spec in classes}
    typical = float(np.mean(list(sizes.values())))
    inside = example.box.contains(table.positions)
    return Ground(
        example=example,
        prepared=prepared,
        diameters=np.array([sizes.get(int(c), typical) for c in table.class_ids]),
        indices=np.array([numbers.get(int(c), 0) for c in table.class_ids], np.int64),
        centres=np.flatnonzero(known & inside & (table.statuses == Status.ACCEPTED)),
        rejected=np.flatnonzero(inside & (table.statuses == Status.REJECTED)),
    )


def clicks_each(grounds: Sequence[Ground], classes: int) -> float:
    """Count the particles to learn from.

    Parameters
    ----------
    grounds : Sequence[Ground]
        From `ground`.
    classes : int
        Particle classes.

    Returns
    -------
    float
        Of one class, in the mean.
    """
    return sum(len(one.centres) for one in grounds) / classes


class Sampler:
    """Draws the crops of a step; the same step always gives the same crops.

    Parameters
    ----------
    grounds : Sequence[Ground]
        Where to draw from; at least one has centres.
    train : TrainConfig
        Mixture, patch, augmentation and seed.
    label : LabelConfig
        Kind and size of the labels.
    """

    def __init__(self, grounds: Sequence[Ground], train: TrainConfig, label: LabelConfig) -> None:
        self.grounds = grounds
        self.train = train
        self.label = label
        self._centres = [(g, int(row)) for g in grounds for row in g.centres]
        self._rejected = [(g, int(row)) for g in grounds for row in g.rejected]
        volumes = np.array([np.prod(np.array(g.example.box.shape, float)) for g in grounds])
        self._share = volumes / volumes.sum()
        self._class_share = _balanced([int(g.indices[row]) for g, row in self._centres])

    def batch(self, step: int, rows: Iterable[int] | None = None) -> list[Crop]:
        """Draw the crops of one step.

        Parameters
        ----------
        step : int
            Number of the step.
        rows : Iterable[int] | None
            Which of its crops; None for all.

        Returns
        -------
        list[Crop]
            As many as the configuration's batch, or those asked for.
        """
        chosen = range(self.train.batch) if rows is None else rows
        return [self._draw(np.random.default_rng([self.train.seed, step, i])) for i in chosen]

    def _draw(self, rng: np.random.Generator) -> Crop:
        chance = rng.random()
        if chance < self.train.background:
            chosen = self.grounds[rng.choice(len(self.grounds), p=self._share)]
            middle = rng.uniform(chosen.example.box.low, chosen.example.box.high)
        else:
            wrong = self._rejected and chance < self.train.background + self.train.hard_negatives
            chosen, row = self._rejected[rng.integers(len(self._rejected))] if wrong else self._centre(rng)
            middle = chosen.example.particles.positions[row] + rng.uniform(-JITTER, JITTER, 3) * self.train.patch
        pose = draw_pose(rng, self.train.rotation, self.train.scale) if self.train.augment else Pose()
        return self._crop(chosen, middle, pose)

    def _centre(self, rng: np.random.Generator) -> tuple[Ground, int]:
        return self._centres[rng.choice(len(self._centres), p=self._class_share)]

    def _crop(self, chosen: Ground, middle: Positions, pose: Pose) -> Crop:
        patch, box = self.train.patch, chosen.example.box
        start = np.floor(middle - (patch - 1) / 2).astype(int)
        # a crop stays within the region where that is large enough, but for its own borders, which teach nothing
        low, high = np.array(box.low) - BORDER, np.array(box.high) + BORDER - patch
        start = np.clip(start, np.minimum(low, high), np.maximum(low, high))
        margin = pose.margin(patch)
        block = chosen.prepared.block(_shape(start - margin), (patch + 2 * margin,) * 3)
        classes, trust = self._taught(chosen, start, pose)
        height = heights(int(start[0]), patch, chosen.prepared.tomogram.shape[0])
        return Crop(block, pose, classes, trust, height[::-1].copy() if 0 in pose.mirrors else height)

    def _taught(self, chosen: Ground, start: NDArray[np.int64], pose: Pose) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Label the crop that starts at this voxel, in its turned frame, and say what its voxels teach."""
        patch, table = self.train.patch, chosen.example.particles
        half = (patch - 1) / 2
        moved = pose.offsets(table.positions - start - half) + half
        near = (np.abs(moved - half) < half + max(2, self.train.shell) * chosen.diameters[:, None]).all(1)
        learnt, neutral = (near & (chosen.indices > 0) & (table.statuses == s) for s in (Status.ACCEPTED, Status.CANDIDATE))
        labels = make_labels(
            moved[learnt],
            chosen.indices[learnt],
            chosen.diameters[learnt],
            (patch,) * 3,
            self.label.kind,
            self.label.diameter_fraction,
            max(self.train.shell, 1.0),
        )
        trust = np.full((patch,) * 3, Trust.LABEL, np.uint8)
        if not chosen.example.complete and self.train.unlabelled != "background":
            beyond = Trust.UNLABELLED if self.train.unlabelled == "hard" else Trust.NOTHING
            trust[labels.distance > self.train.shell] = beyond
        _fill(trust, moved, chosen.diameters, near & (table.statuses == Status.REJECTED), Trust.LABEL)
        _fill(trust, moved, chosen.diameters, neutral, Trust.NOTHING)
        trust[labels.classes > 0] = Trust.LABEL
        _forget_outside(trust, chosen.example, start, pose)
        return labels.classes, trust


def _balanced(indices: Sequence[int]) -> NDArray[np.float64]:
    """Give every class the same chance, and every particle of a class the same."""
    counts = np.bincount(indices, minlength=1)
    shares = np.array([1 / counts[i] for i in indices])
    return shares / shares.sum() if len(shares) else shares


def _fill(
    trust: NDArray[np.uint8], positions: Positions, diameters: NDArray[np.float64], rows: NDArray[np.bool_], value: Trust
) -> None:
    """Set the voxels within a particle's radius."""
    balls = make_labels(positions[rows], np.ones(int(rows.sum()), np.int64), diameters[rows], _shape(trust.shape), "ball", 1.0, 0.5)
    trust[balls.classes > 0] = value


def _forget_outside(trust: NDArray[np.uint8], example: Example, start: NDArray[np.int64], pose: Pose) -> None:
    """Teach nothing near the crop's faces and outside the region, whose faces are turned with the crop."""
    patch = len(trust)
    trust[:BORDER] = trust[-BORDER:] = Trust.NOTHING
    trust[:, :BORDER] = trust[:, -BORDER:] = Trust.NOTHING
    trust[:, :, :BORDER] = trust[:, :, -BORDER:] = Trust.NOTHING
    low, high = np.array(example.box.low), np.array(example.box.high)
    if (start >= low).all() and (start + patch <= high).all() and pose.matrix is None:
        return
    half = (patch - 1) / 2
    axis = np.arange(patch) - half
    back = Pose(None, -pose.quarter % 4, ())
    corners = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    corners[:, list(pose.mirrors)] *= -1
    offsets = back.offsets(corners) if pose.quarter else corners
    if pose.matrix is not None:
        offsets = offsets @ pose.matrix.T
    voxels = offsets + half + start
    outside = ((voxels < low - 0.5) | (voxels > high - 0.5)).any(1)
    trust[outside.reshape(trust.shape)] = Trust.NOTHING


def _shape(values: NDArray[np.int64] | tuple[int, ...]) -> Shape:
    z, y, x = (int(v) for v in values)
    return z, y, x


def accepted_truth(example: Example, classes: Sequence[ClassSpec]) -> ParticleTable:
    """Return what picks of an example are scored against.

    Parameters
    ----------
    example : Example
        Particles and region.
    classes : Sequence[ClassSpec]
        The classes that count.

    Returns
    -------
    ParticleTable
        Particles of the region that are not rejected; candidates are neutral.
    """
    table = example.particles
    counts = np.isin(table.class_ids, [spec.id for spec in classes]) & (table.statuses != Status.REJECTED)
    return table.select(counts & example.box.contains(table.positions))
