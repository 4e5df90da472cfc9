"""Quick averages of particles as they lie, without turning any: enough to see whether there is something.

Sub-volumes are brought to zero mean and unit standard deviation, shifted by parts of a voxel in Fourier space and added. Beside the
particles, as many places where there are none are averaged in the same way: what both have in common is no particle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import fftfreq, fftshift, ifftshift, irfftn, next_fast_len, rfftfreq, rfftn

from core.cutting import corner_of, decoys, edge_of, within
from core.errors import ConfigError
from core.filters import smooth
from core.messages import Progress
from core.wedge import about_z, distances, radial_profile, wedge_weight, whole_weight

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    from core.messages import Message
    from core.tomogram import Tomogram
    from core.types import Angstrom, FloatArray, Positions, Voxels

    Spectrum = NDArray[np.complex64]

_PAD = 4  # voxels around the box, at least, that are cut away again: shifts wrap around there
_FLOOR = 0.3  # weight below which a spatial frequency is faded out rather than raised
_REACH = 0.25  # diameters by which a particle may be moved to its centre


@dataclass(frozen=True, slots=True, kw_only=True)
class AverageConfig:
    """How particles are averaged.

    Attributes
    ----------
    box : int
        Edge of the average in voxels, even; 0 for twice the diameter.
    rounds : int
        How often each particle is moved to where it fits the average of the round before, by a quarter of its diameter at most.
    about_z : bool
        Average over rotations about z.
    tilts : tuple[float, float] | None
        Lowest and highest tilt about y in degrees: spatial frequencies outside were not recorded. None for all.
    seed : int
        Decides where the decoys lie.
    """

    box: int = 0
    rounds: int = 0
    about_z: bool = False
    tilts: tuple[float, float] | None = (-60.0, 60.0)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.box < 0 or self.box % 2 or self.box > 512:
            raise ConfigError(f"The box of an average must be an even number of at most 512 voxels, or 0, not {self.box}.")
        if not 0 <= self.rounds <= 20:
            raise ConfigError(f"Particles can be centred in 0 to 20 rounds, not {self.rounds}.")
        if self.tilts is not None and not -90 <= self.tilts[0] < self.tilts[1] <= 90:
            raise ConfigError(f"Tilts go from a lower to a higher angle within -90 to 90 degrees, not {self.tilts}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Average:
    """Particles and decoys, averaged alike.

    Attributes
    ----------
    volume, decoy : FloatArray
        (z, y, x) of equal shape, in standard deviations of the sub-volumes; the centre is voxel ``edge // 2``.
    count : int
        How many particles, and as many decoys.
    mirrored : int
        How many of the particles' boxes reach past a face of their tomogram, where it was mirrored.
    voxel_size, diameter : Angstrom
        Å per voxel, and what was taken as the diameter.
    radii : FloatArray
        (n,) distances from the centre in Å.
    profile, decoy_profile : FloatArray
        (n,) means over the shells at these distances.
    moved : float
        Root mean square distance in Å by which centring moved particles.
    """

    volume: FloatArray = field(repr=False)
    decoy: FloatArray = field(repr=False)
    count: int
    mirrored: int
    voxel_size: Angstrom
    diameter: Angstrom
    radii: FloatArray = field(repr=False)
    profile: FloatArray = field(repr=False)
    decoy_profile: FloatArray = field(repr=False)
    moved: Angstrom = 0.0

    @property
    def signal(self) -> float:
        """How many times as strong the average is as the decoy within the particle's sphere; near 1, there is no particle."""
        strengths = [_strength(one, self.diameter / self.voxel_size / 2) for one in (self.volume, self.decoy)]
        return strengths[0] / max(strengths[1], 1e-12)


Places = list[tuple["Tomogram", "Positions"]]
"""A tomogram and one position (3,) in it, for each sub-volume."""


def average(
    parts: Sequence[tuple[Tomogram, Positions]],
    diameter: Angstrom,
    config: AverageConfig | None = None,
    avoid: Sequence[Positions] | None = None,
) -> Generator[Message, None, Average]:
    """Average particles, and decoys beside them, as a job.

    Parameters
    ----------
    parts : Sequence[tuple[Tomogram, Positions]]
        Tomograms of one known voxel size, and (n, 3) zyx voxels of the particles in each.
    diameter : Angstrom
        Of the particle.
    config : AverageConfig | None
        How; None for the defaults.
    avoid : Sequence[Positions] | None
        For each tomogram (m, 3) zyx voxels that decoys keep a diameter away from; None for the particles themselves.

    Yields
    ------
    Message
        Progress, once for each sub-volume.

    Returns
    -------
    Average
        Both averages.

    Raises
    ------
    ConfigError
        If there are no particles, or voxel sizes are unknown or differ.
    """
    how = config or AverageConfig()
    size = _one_size(parts)
    edge = how.box or edge_of(diameter, size)
    rng = np.random.default_rng(how.seed)
    places: Places = []
    false: Places = []
    for place, (tomogram, positions) in enumerate(parts):
        if len(positions):
            known = positions if avoid is None else np.concatenate([positions, avoid[place]])
            drawn = _beside(tomogram, positions, known, diameter / size, rng)
            places += [(tomogram, one) for one in positions]
            false += [(tomogram, one) for one in drawn]
    reach = _REACH * diameter / size
    volume, moved = yield from _averaged("Averaging particles", places, edge, reach, how)
    decoy, _ = yield from _averaged("Averaging decoys", false, edge, reach, how)
    radii, profile = radial_profile(volume, size)
    inside = sum(int(within(tomogram, positions, edge).sum()) for tomogram, positions in parts)
    return Average(
        volume=volume,
        decoy=decoy,
        count=len(places),
        mirrored=len(places) - inside,
        voxel_size=size,
        diameter=diameter,
        radii=radii,
        profile=profile,
        decoy_profile=radial_profile(decoy, size)[1],
        moved=moved * size,
    )


def _beside(tomogram: Tomogram, positions: Positions, known: Positions, distance: Voxels, rng: np.random.Generator) -> Positions:
    """Draw as many decoys; few particles that lie together leave no room between them, so that decoys go around them."""
    margin = 2 * distance if np.ptp(positions, axis=0).max() < 2 * distance else 0.0
    drawn = decoys(positions, known, len(positions), distance, rng, margin)
    return np.clip(drawn, 0, np.asarray(tomogram.shape) - 1.0)


def _one_size(parts: Sequence[tuple[Tomogram, Positions]]) -> Angstrom:
    used = [tomogram for tomogram, positions in parts if len(positions)]
    if not used:
        raise ConfigError("There are no particles to average; accept some, or choose others.")
    sizes = {round(tomogram.voxel_size, 3) for tomogram in used}
    if 0 in sizes:
        strange = next(tomogram.id for tomogram in used if not round(tomogram.voxel_size, 3))
        raise ConfigError(f"The voxel size of {strange} is not known; give it first, since diameters are in Å.")
    if len(sizes) > 1:
        raise ConfigError(f"Tomograms of one voxel size can be averaged, not of {sorted(sizes)} Å; choose some of them.")
    return used[0].voxel_size


def _averaged(
    stage: str, places: Places, edge: int, reach: float, how: AverageConfig
) -> Generator[Message, None, tuple[FloatArray, float]]:
    """Return the average of some places, moved to the middle if asked for, and how far they were moved in voxels."""
    offsets = np.zeros((len(places), 3))
    total = yield from _sum(stage, places, offsets, edge)
    for turn in range(how.rounds):
        # turned about z, the noise on the axis would stand out, and attract others
        template = _template(_finished(total, edge, replace(how, about_z=False)), reach / _REACH)
        for place, (tomogram, position) in enumerate(places):
            offsets[place] += _shift(_spectrum(tomogram, position + offsets[place], edge), template, offsets[place], reach)
            yield Progress(stage=f"{stage}: centring, round {turn + 1} of {how.rounds}", done=place + 1, total=len(places))
        total = yield from _sum(stage, places, offsets, edge)
    moved = float(np.sqrt((offsets**2).sum(axis=1).mean()))
    padded = _finished(total, edge, how)
    start = len(padded) // 2 - edge // 2
    inner = slice(start, start + edge)
    return np.ascontiguousarray(padded[inner, inner, inner]), moved


def _sum(stage: str, places: Places, offsets: Positions, edge: int) -> Generator[Message, None, Spectrum]:
    n = _padded(edge)
    total: Spectrum = np.zeros((n, n, n // 2 + 1), np.complex64)
    for place, (tomogram, position) in enumerate(places):
        total += _spectrum(tomogram, position + offsets[place], edge)
        yield Progress(stage=stage, done=place + 1, total=len(places))
    return total / np.float32(len(places))


def _padded(edge: int) -> int:
    """Return a larger even edge that Fourier transforms are quick with."""
    return 2 * int(next_fast_len(edge // 2 + _PAD, real=True))


def _spectrum(tomogram: Tomogram, position: Positions, edge: int) -> Spectrum:
    """Return the Fourier transform of the sub-volume whose voxel n // 2 lies at a position, of zero mean and unit deviation."""
    n = _padded(edge)
    block = np.nan_to_num(tomogram.block(corner_of(position, n), (n, n, n)), posinf=0.0, neginf=0.0)
    block -= block.mean()
    block /= block.std() or 1.0
    spectrum = np.asarray(rfftn(block, overwrite_x=True), np.complex64)
    z, y, x = 2j * math.pi * (position - np.floor(position + 0.5))
    spectrum *= np.exp(z * fftfreq(n)).astype(np.complex64)[:, None, None]
    spectrum *= np.exp(y * fftfreq(n)).astype(np.complex64)[:, None]
    spectrum *= np.exp(x * rfftfreq(n)).astype(np.complex64)
    return spectrum


def _finished(total: Spectrum, edge: int, how: AverageConfig) -> FloatArray:
    """Weigh spatial frequencies by how often they were recorded, and go back to real space, the margin included."""
    n = _padded(edge)
    weight = wedge_weight(n, how.tilts)
    recorded = total * weight
    if how.about_z:
        recorded = rfftn(about_z(np.asarray(irfftn(recorded, s=(n, n, n)), np.float32)))
        whole = whole_weight(weight, n)
        weight = ifftshift(about_z(fftshift(whole)))[:, :, : n // 2 + 1]
    return np.asarray(irfftn(recorded / np.maximum(weight, _FLOOR), s=(n, n, n)), np.float32)


def _template(volume: FloatArray, diameter: float) -> Spectrum:
    """Return the transform of an average within a soft sphere, without its finest noise, for correlation."""
    volume = smooth(volume, diameter / 20)
    mask = np.clip((0.6 * diameter - distances(volume.shape[0])) / 2 + 0.5, 0, 1).astype(np.float32)
    inside = volume - (volume * mask).sum() / max(float(mask.sum()), 1.0)
    return np.asarray(rfftn(inside * mask), np.complex64)


def _shift(spectrum: Spectrum, template: Spectrum, offset: Positions, reach: float) -> Positions:
    """Return by how many voxels a sub-volume lies away from the average, no further in all than `reach` from where it began."""
    n = spectrum.shape[0]
    likeness = fftshift(irfftn(spectrum * np.conj(template), s=(n, n, n)))
    middle = n // 2
    wide = min(middle - 1, math.ceil(2 * reach) + 1)
    likeness = likeness[(slice(middle - wide, middle + wide + 1),) * 3]
    steps = np.indices(likeness.shape) - wide
    far = ((steps + offset[:, None, None, None]) ** 2).sum(axis=0) > reach**2
    far[[0, -1]] = far[:, [0, -1]] = far[:, :, [0, -1]] = True
    peak = np.unravel_index(np.where(far, -np.inf, likeness).argmax(), likeness.shape)
    found = np.array(peak, np.float64) - wide
    for axis in range(3):
        before, at, after = (float(likeness[tuple(p + (d if i == axis else 0) for i, p in enumerate(peak))]) for d in (-1, 0, 1))
        bend = before - 2 * at + after
        found[axis] += float(np.clip((before - after) / (2 * bend), -0.5, 0.5)) if bend < 0 else 0.0
    total = found + offset
    away = float(np.linalg.norm(total))
    return np.asarray(total * min(1.0, reach / away) - offset if away else found, np.float64)


def _strength(volume: FloatArray, radius: float) -> float:
    inside = distances(volume.shape[0]) <= radius
    around = float(volume[~inside].mean()) if not inside.all() else 0.0
    return float(np.sqrt(np.square(volume[inside] - around).mean()))
