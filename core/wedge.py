"""Spatial frequencies that a tilt series recorded, and averages over circles and shells."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import fftfreq, rfftfreq

if TYPE_CHECKING:
    from core.types import Angstrom, FloatArray


def wedge_weight(edge: int, tilts: tuple[float, float] | None) -> FloatArray:
    """Tell which spatial frequencies a tilt series about y recorded, the beam along z.

    Parameters
    ----------
    edge : int
        Of the volume, in voxels.
    tilts : tuple[float, float] | None
        Lowest and highest tilt in degrees, from x towards z; None for all.

    Returns
    -------
    FloatArray
        (edge, edge, edge // 2 + 1) as `scipy.fft.rfftn` counts: 1 within, 0 outside, one step of frequency in between.
    """
    shape = (edge, edge, edge // 2 + 1)
    if tilts is None:
        return np.ones(shape, np.float32)
    low, high = np.radians(tilts)
    z = (edge * fftfreq(edge))[:, None, None]
    x = (edge * rfftfreq(edge))[None, None, :]
    away = np.minimum(x * math.sin(high) - z * math.cos(high), z * math.cos(low) - x * math.sin(low))
    weight = np.where((x == 0) & (z == 0), 1.0, np.clip(away + 0.5, 0, 1))
    return np.broadcast_to(weight, shape).astype(np.float32)


def whole_weight(half: FloatArray, edge: int) -> FloatArray:
    """Return the weights of all frequencies from those that `scipy.fft.rfftn` keeps; the others are those of the opposite ones.

    Parameters
    ----------
    half : FloatArray
        (edge, edge, edge // 2 + 1).
    edge : int
        Of the volume, in voxels.

    Returns
    -------
    FloatArray
        (edge, edge, edge) as `scipy.fft.fftn` counts.
    """
    whole = np.empty((edge, edge, edge), np.float32)
    whole[:, :, : edge // 2 + 1] = half
    opposite = -np.arange(edge) % edge
    whole[:, :, edge // 2 + 1 :] = half[np.ix_(opposite, opposite, np.arange(edge // 2 - 1, 0, -1))]
    return whole


def about_z(volume: FloatArray) -> FloatArray:
    """Average over all rotations about z through voxel edge // 2, with linear interpolation between the circles.

    Parameters
    ----------
    volume : FloatArray
        (z, y, x) of equal edges.

    Returns
    -------
    FloatArray
        Of the same shape.
    """
    n = volume.shape[0]
    y, x = np.indices((n, n)) - n // 2
    radius = np.hypot(y, x).ravel()
    inner = radius.astype(np.int64)
    part = radius - inner
    size = int(inner.max()) + 2
    count = np.bincount(inner, 1 - part, size) + np.bincount(inner + 1, part, size)
    result = np.empty_like(volume)
    for z in range(n):
        flat = volume[z].ravel()
        mean = (np.bincount(inner, flat * (1 - part), size) + np.bincount(inner + 1, flat * part, size)) / np.maximum(count, 1e-6)
        result[z] = (mean[inner] * (1 - part) + mean[inner + 1] * part).reshape(n, n)
    return result


def radial_profile(volume: FloatArray, voxel_size: Angstrom) -> tuple[FloatArray, FloatArray]:
    """Average a volume over shells around its centre.

    Parameters
    ----------
    volume : FloatArray
        (z, y, x) of equal edges; the centre is voxel ``edge // 2``.
    voxel_size : Angstrom
        Å per voxel.

    Returns
    -------
    radii, means : FloatArray
        (n,) mean distances in Å of shells about a voxel thick, and the means over them.
    """
    away = distances(volume.shape[0]).ravel()
    shells, count = np.round(away).astype(np.int64), volume.shape[0] // 2
    sizes, radii, means = (np.bincount(shells, weights)[:count] for weights in (None, away, volume.ravel()))
    return (radii / sizes * voxel_size).astype(np.float32), (means / sizes).astype(np.float32)


def distances(edge: int) -> FloatArray:
    """Return how far each voxel of a cube lies from voxel ``edge // 2``.

    Parameters
    ----------
    edge : int
        Of the cube, in voxels.

    Returns
    -------
    FloatArray
        (edge, edge, edge) in voxels.
    """
    z, y, x = np.indices((edge, edge, edge), np.float32) - edge // 2
    return np.asarray(np.sqrt(z**2 + y**2 + x**2), np.float32)
