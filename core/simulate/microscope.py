"""From a density to a tomogram: tilt series with contrast transfer, radiation damage and shot noise, and its reconstruction.

The tilt axis is y. A projection is one sparse matrix, and back-projection its transpose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from core.messages import Progress

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from core.messages import Message
    from core.types import Angstrom, FloatArray

_VOLTAGE = 300e3  # V
_SPHERICAL_ABERRATION: Angstrom = 2.7e7
_AMPLITUDE_CONTRAST = 0.08
_MEAN_FREE_PATH: Angstrom = 3000.0  # of electrons in ice
_B_FACTOR = 200.0  # Å^2, of lens, camera and motion together
_LEAST_TRANSMISSION = 0.05  # of any spot; a weak-phase image of gold would be below zero


@dataclass(frozen=True, kw_only=True)
class Optics:
    """How a tilt series is taken.

    Attributes
    ----------
    voxel_size : Angstrom
        Å per pixel.
    angles : tuple[float, ...]
        Tilts in degrees.
    snr : float
        Variance of the signal over that of the noise in the untilted image.
    defocus : Angstrom
        Underfocus in Å; it is known only to 1 percent.
    dose : float
        Electrons per Å^2 and image; the least tilted images come first.
    jitter : Angstrom
        Standard deviation of what alignment has left.
    """

    voxel_size: Angstrom
    angles: tuple[float, ...]
    snr: float
    defocus: Angstrom
    dose: float
    jitter: Angstrom


def tilt_matrix(angle: float, depth: int, width: int) -> sparse.csr_array:
    """Return the matrix that back-projects one line of an image into one (z, x) section.

    Parameters
    ----------
    angle : float
        Tilt in degrees about y.
    depth, width : int
        Extents of the section along z and x in voxels.

    Returns
    -------
    scipy.sparse.csr_array
        (depth * width, width): linear interpolation along the line; its transpose projects a section.
    """
    radians = math.radians(angle)
    z, x = np.arange(depth) - (depth - 1) / 2, np.arange(width) - (width - 1) / 2
    line = (x * math.cos(radians) + z[:, None] * math.sin(radians) + (width - 1) / 2).reshape(-1)
    first = np.floor(line).astype(np.int32)
    columns = np.stack([first, first + 1], 1)
    weights = np.stack([first + 1 - line, line - first], 1).astype(np.float32)
    weights[(columns < 0) | (columns >= width)] = 0
    rows = np.arange(0, 2 * len(line) + 1, 2, dtype=np.int32)
    return sparse.csr_array((weights.reshape(-1), columns.clip(0, width - 1).reshape(-1), rows), shape=(len(line), width))


def contrast_transfer(frequency: NDArray[np.float64], defocus: Angstrom) -> NDArray[np.float64]:
    """Return the contrast transfer function; negative where matter is dark.

    Parameters
    ----------
    frequency : NDArray
        Spatial frequencies in 1/Å.
    defocus : Angstrom
        Underfocus in Å.

    Returns
    -------
    NDArray
        Of the same shape, -1..1.
    """
    wavelength = 12.2643 / math.sqrt(_VOLTAGE * (1 + 0.978466e-6 * _VOLTAGE))
    k2 = frequency**2
    phase = math.pi * wavelength * defocus * k2 - math.pi / 2 * _SPHERICAL_ABERRATION * wavelength**3 * k2**2
    return -(math.sqrt(1 - _AMPLITUDE_CONTRAST**2) * np.sin(phase) + _AMPLITUDE_CONTRAST * np.cos(phase))


def damage(frequency: NDArray[np.float64], exposure: float) -> NDArray[np.float64]:
    """Return what radiation damage leaves of the amplitudes (Grant & Grigorieff 2015, eLife 4, e06980, at 300 kV).

    Parameters
    ----------
    frequency : NDArray
        Spatial frequencies in 1/Å.
    exposure : float
        Electrons per Å^2 so far.

    Returns
    -------
    NDArray
        Of the same shape, 0..1.
    """
    critical = 0.245 * np.maximum(frequency, 1e-4) ** -1.665 + 2.81
    return np.asarray(np.exp(-exposure / (2 * critical)))


def tilt_series(density: FloatArray, optics: Optics, rng: np.random.Generator) -> Generator[Message, None, FloatArray]:
    """Take and align a tilt series, as a job.

    Parameters
    ----------
    density : FloatArray
        (z, x, y) matter above ice.
    optics : Optics
        How it is taken.
    rng : numpy.random.Generator
        Source of noise and misalignment.

    Yields
    ------
    Message
        Progress.

    Returns
    -------
    FloatArray
        (tilts, x, y) images, contrast transfer corrected by phase flipping, matter dark.
    """
    depth, width, height = density.shape
    flat = density.reshape(depth * width, height)
    frequency = _frequencies(width, height, optics.voxel_size)
    order = np.argsort(np.abs(optics.angles), kind="stable")
    images = np.empty((len(optics.angles), width, height), np.float32)
    strength = 0.0
    for exposure, i in enumerate(order):
        projection = tilt_matrix(optics.angles[i], depth, width).T @ flat
        envelope = damage(frequency, (exposure + 0.5) * optics.dose) * np.exp(-_B_FACTOR / 4 * frequency**2)
        defocus = optics.defocus * rng.normal(1, 0.01)
        ideal = _filtered(
            projection, contrast_transfer(frequency, defocus) * envelope * _shift(frequency.shape, height, optics, rng)
        )
        electrons = optics.dose * optics.voxel_size**2 * _transmitted(optics.angles[i], depth * optics.voxel_size)
        strength = strength or math.sqrt(optics.snr / electrons) / max(_spread(ideal), 1e-12)
        counts = rng.poisson(electrons * np.maximum(1 + strength * ideal, _LEAST_TRANSMISSION))
        images[i] = _filtered(counts / electrons - 1, -np.sign(contrast_transfer(frequency, optics.defocus)))
        yield Progress(stage="Taking the tilt series", done=exposure + 1, total=len(order))
    return images


def reconstruct(images: FloatArray, angles: tuple[float, ...], depth: int) -> Generator[Message, None, FloatArray]:
    """Reconstruct a tomogram by weighted back-projection, as a job.

    Parameters
    ----------
    images : FloatArray
        (tilts, x, y) aligned images.
    angles : tuple[float, ...]
        Tilts in degrees about y.
    depth : int
        Extent along z in voxels.

    Yields
    ------
    Message
        Progress.

    Returns
    -------
    FloatArray
        (z, x, y) volume, mean 0 and deviation 1.
    """
    _, width, height = images.shape
    frequency = np.fft.rfftfreq(2 * width)
    ramp = np.maximum(frequency, 0.25 / width) * np.exp(-((frequency / 0.42) ** 8))
    volume = np.zeros((depth * width, height), np.float32)
    for i, (image, angle) in enumerate(zip(images, angles, strict=True)):
        spectrum = np.fft.rfft(image, 2 * width, axis=0) * ramp[:, None]
        weighted = np.fft.irfft(spectrum, 2 * width, axis=0)[:width].astype(np.float32)
        volume += tilt_matrix(angle, depth, width) @ weighted
        yield Progress(stage="Reconstructing", done=i + 1, total=len(angles))
    volume -= volume.mean()
    volume /= volume.std()
    return volume.reshape(depth, width, height)


def _frequencies(width: int, height: int, pixel: Angstrom) -> NDArray[np.float64]:
    return np.asarray(np.hypot(np.fft.fftfreq(width, pixel)[:, None], np.fft.rfftfreq(height, pixel)))


def _filtered(image: NDArray[np.float64], transfer: NDArray[np.complex128] | NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.fft.irfft2(np.fft.rfft2(image) * transfer, s=image.shape)
    return result


def _shift(shape: tuple[int, ...], height: int, optics: Optics, rng: np.random.Generator) -> NDArray[np.complex128]:
    dx, dy = rng.normal(0, optics.jitter / optics.voxel_size, 2)
    return np.asarray(np.exp(-2j * np.pi * (np.fft.fftfreq(shape[0])[:, None] * dx + np.fft.rfftfreq(height) * dy)))


def _transmitted(angle: float, thickness: Angstrom) -> float:
    return math.exp(-thickness / _MEAN_FREE_PATH / math.cos(math.radians(angle)))


def _spread(image: NDArray[np.float64]) -> float:
    """Return the standard deviation without gold beads and the like."""
    return float(np.clip(image, *np.percentile(image, [2, 99.5])).std())
