"""The phantom tomogram as a job: settings in, tomogram and true centres out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from core.errors import ConfigError
from core.messages import Notice, Progress
from core.particles import ParticleTable
from core.simulate.inventions import invention, number_of
from core.simulate.microscope import Optics, reconstruct, tilt_series
from core.simulate.shapes import CLASSES, cloud
from core.simulate.specimen import Room, add, copies, crowd_size, middle_surface, vesicle
from core.tomogram import Tomogram

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from core.messages import Message
    from core.particles import ClassSpec
    from core.simulate.shapes import Points
    from core.types import Angstrom, FloatArray, Positions, Shape

_GREYS_PER_DEVIATION = 20
_BATCH = 16
_DEFAULT_COUNTS = {"ribosome": 50, "capped": 15, "barrel": 25, "rod": 25, "capsid": 5, "ferritin": 15, "globule": 40}


@dataclass(frozen=True, kw_only=True)
class PhantomConfig:
    """What is in a phantom and how it is imaged.

    Attributes
    ----------
    shape : Shape
        (z, y, x) voxels; y is the tilt axis.
    voxel_size : Angstrom
        Å per voxel.
    seed : int
        Seed of everything random.
    counts : Mapping[str, int]
        Particles by name; kinds left out are absent. Where the room is not enough, fewer are placed.
    vesicles, gold : int
        Closed membranes, and beads of 100 Å.
    crowding : float
        Part of the volume that small proteins fill, 0..0.3.
    snr : float
        Variance of the signal over that of the noise in the untilted image.
    defocus_um : float
        Underfocus in µm.
    max_tilt, tilt_step : float
        Largest tilt and step in degrees.
    dose : float
        Electrons per Å^2 and image.
    jitter : Angstrom
        Standard deviation of the misalignment that is left.
    vacuum : int
        Empty sections below, and as many above, what is in it.
    """

    shape: Shape = (96, 256, 256)
    voxel_size: Angstrom = 10.0
    seed: int = 0
    counts: Mapping[str, int] = field(default_factory=lambda: dict(_DEFAULT_COUNTS))
    vesicles: int = 1
    gold: int = 5
    crowding: float = 0.04
    snr: float = 0.05
    defocus_um: float = 4.0
    max_tilt: float = 60.0
    tilt_step: float = 3.0
    dose: float = 3.0
    jitter: Angstrom = 4.0
    vacuum: int = 0

    def __post_init__(self) -> None:
        known = [spec.name for spec in CLASSES]
        unknown = [name for name in self.counts if name not in known and number_of(name) is None]
        checks = {
            f"shape must be three edges of at least 16 voxels, not {self.shape}.": len(self.shape) == 3 and min(self.shape) >= 16,
            f"Unknown particles {', '.join(unknown)}; known are {', '.join(known)}.": not unknown,
            "Numbers of particles, vesicles and gold beads must be 0 or more.": min(
                [self.vesicles, self.gold, *self.counts.values()]
            )
            >= 0,
            f"crowding must be 0 to 0.3, not {self.crowding}.": 0 <= self.crowding <= 0.3,
            f"max_tilt must be 0 to 80 degrees, not {self.max_tilt}.": 0 <= self.max_tilt <= 80,
            f"vacuum must leave at least 16 of {self.shape[0]} sections, not {self.vacuum} on each side.": (
                0 <= 2 * self.vacuum <= max(0, self.shape[0] - 16)
            ),
            f"jitter must be 0 Å or more, not {self.jitter}.": self.jitter >= 0,
        }
        for name in ("voxel_size", "snr", "defocus_um", "tilt_step", "dose"):
            checks[f"{name} must be above 0, not {getattr(self, name)}."] = getattr(self, name) > 0
        for message, right in checks.items():
            if not right:
                raise ConfigError(message)

    @property
    def optics(self) -> Optics:
        """How the tilt series is taken."""
        steps = int(self.max_tilt / self.tilt_step + 1e-9)
        return Optics(
            voxel_size=self.voxel_size,
            angles=tuple(i * self.tilt_step for i in range(-steps, steps + 1)),
            snr=self.snr,
            defocus=self.defocus_um * 1e4,
            dose=self.dose,
            jitter=self.jitter,
        )


@dataclass(frozen=True, kw_only=True)
class Phantom:
    """A simulated tomogram and what is in it.

    Attributes
    ----------
    tomogram : Tomogram
        In memory, int8, matter dark.
    truth : ParticleTable
        Centres of mass of all particles, distractors included.
    classes : tuple[ClassSpec, ...]
        The kinds of particles in it; 1 is the ribosome.
    gold : Positions
        (n, 3) zyx voxels of the centres of gold beads.
    """

    tomogram: Tomogram
    truth: ParticleTable
    classes: tuple[ClassSpec, ...]
    gold: Positions


def simulate(config: PhantomConfig) -> Generator[Message, None, Phantom]:
    """Simulate a tomogram with known centres, as a job.

    Particles in random orientations lie without overlap among membranes, gold beads and small proteins; they are projected over a
    tilt series with contrast transfer, radiation damage, shot noise and misalignment, and reconstructed by weighted
    back-projection. The same settings give the same tomogram.

    Parameters
    ----------
    config : PhantomConfig
        What is in it and how it is imaged.

    Yields
    ------
    Message
        Progress, and notices where fewer particles fitted than were asked for.

    Returns
    -------
    Phantom
        Tomogram, true centres and classes.
    """
    rng = np.random.default_rng(config.seed)
    filled = replace(config, shape=(config.shape[0] - 2 * config.vacuum, *config.shape[1:]), vacuum=0)
    density, centres = yield from _specimen(filled, rng)
    density -= density.mean()  # so that what surrounds the field of view is as crowded as what is inside
    density = np.pad(density, ((config.vacuum, config.vacuum), (0, 0), (0, 0)))
    centres = {name: places + np.array([config.vacuum * config.voxel_size, 0, 0]) for name, places in centres.items()}
    images = yield from tilt_series(np.ascontiguousarray(density.transpose(0, 2, 1)), config.optics, rng)
    volume = yield from reconstruct(images, config.optics.angles, config.shape[0])
    greys = np.clip(np.round(volume.transpose(0, 2, 1) * _GREYS_PER_DEVIATION), -127, 127).astype(np.int8, order="C")
    classes = _classes(config)
    tomogram = Tomogram(id=f"phantom_{config.seed}", path=None, voxel_size=config.voxel_size, data=greys)
    return Phantom(
        tomogram=tomogram, truth=_truth(tomogram, classes, centres), classes=classes, gold=centres["gold"] / config.voxel_size
    )


def _specimen(config: PhantomConfig, rng: np.random.Generator) -> Generator[Message, None, tuple[FloatArray, dict[str, Points]]]:
    """Fill the volume, the largest particles first."""
    extents = (np.array(config.shape) - 1) * config.voxel_size
    density = np.zeros(config.shape, np.float32)
    membranes = [vesicle(extents, rng) for _ in range(config.vesicles)]
    for membrane in membranes:
        add(density, membrane, config.voxel_size)
    room = Room(extents, np.concatenate([np.zeros((0, 3)), *map(middle_surface, membranes)]), rng)
    wanted = {"gold": config.gold} | dict(config.counts)
    centres = {}
    for done, name in enumerate(sorted(wanted, key=lambda name: (-cloud(name).radius, name))):
        yield Progress(stage="Packing particles", done=done, total=len(wanted) + 1)
        centres[name] = room.place(wanted[name], cloud(name).radius)
        if len(centres[name]) < wanted[name]:
            yield Notice(text=f"Only {len(centres[name])} of {wanted[name]} particles of the kind {name} found room.")
        for batch in _batches(centres[name]):
            add(density, copies(name, batch, rng), config.voxel_size)
            yield Progress(stage="Packing particles", done=done, total=len(wanted) + 1)
    crowd = room.scatter(crowd_size(config.shape, config.voxel_size, config.crowding), cloud("small").radius)
    for batch in _batches(crowd):
        add(density, copies("small", batch, rng), config.voxel_size)
        yield Progress(stage="Packing particles", done=len(wanted), total=len(wanted) + 1)
    return density, centres


def _batches(centres: Points) -> list[Points]:
    """Split centres so that no batch takes long."""
    return np.array_split(centres, range(_BATCH, len(centres), _BATCH))


def _classes(config: PhantomConfig) -> tuple[ClassSpec, ...]:
    """Return what is in a phantom; inventions are numbered after the kinds that resemble something."""
    kinds = [spec for spec in CLASSES if config.counts.get(spec.name)]
    numbers = sorted(n for n in map(number_of, config.counts) if n is not None)
    return (*kinds, *(replace(invention(n), id=len(CLASSES) + n) for n in numbers if config.counts[invention(n).name]))


def _truth(tomogram: Tomogram, classes: tuple[ClassSpec, ...], centres: dict[str, Points]) -> ParticleTable:
    positions = np.concatenate([np.zeros((0, 3)), *(centres[spec.name] for spec in classes)]) / tomogram.voxel_size
    class_ids = [spec.id for spec in classes for _ in centres[spec.name]]
    return ParticleTable.build(tomogram.id, positions, np.array(class_ids, np.int64))
