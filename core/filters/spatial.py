"""Gaussian filters, binning, slab means.

The filters multiply with Gaussians in Fourier space, mirrored at the faces (discrete cosine transform), so that the top of a
volume never leaks into its bottom. A resolution is where the amplitude has fallen to one half:
low pass exp(-ln 2 (f r)^2), high pass 1 minus that, for spatial frequency f and resolution r.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import dctn, idctn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.types import Angstrom, FloatArray, Volume, Voxels


def slab_mean(volume: Volume, z: int, n: int) -> FloatArray:
    """Average sections around one of them, which makes noisy slices readable.

    Parameters
    ----------
    volume : Volume
        (z, y, x) voxels.
    z : int
        The section in the middle.
    n : int
        Number of sections, at least 1; fewer are taken at the faces.

    Returns
    -------
    FloatArray
        (y, x) mean of the sections.
    """
    first = z - (n - 1) // 2
    slab = np.asarray(volume[max(first, 0) : max(first + n, 1)])
    return np.asarray(slab.mean(axis=0, dtype=np.float32), np.float32)


def binned(volume: Volume, factor: int) -> FloatArray:
    """Average cubes of voxels; remainders at the far faces are dropped.

    Parameters
    ----------
    volume : Volume
        (z, y, x) voxels.
    factor : int
        Edge of a cube in voxels. The centre of new voxel i lies at old position ``factor * i + (factor - 1) / 2``.

    Returns
    -------
    FloatArray
        The smaller volume.
    """
    nz, ny, nx = (n // factor for n in volume.shape)
    result = np.empty((nz, ny, nx), np.float32)
    for z in range(nz):
        slab = np.asarray(volume[z * factor : (z + 1) * factor])[:, : ny * factor, : nx * factor]
        result[z] = slab.reshape(factor, ny, factor, nx, factor).mean(axis=(0, 2, 4), dtype=np.float32)
    return result


def gaussian_sigma(resolution: Angstrom, voxel_size: Angstrom) -> Voxels:
    """Return the width in real space of the Gaussian that halves the amplitude at a resolution.

    Parameters
    ----------
    resolution : Angstrom
        Where the amplitude has fallen to one half, in Å.
    voxel_size : Angstrom
        Å per voxel.

    Returns
    -------
    Voxels
        Standard deviation in voxels.
    """
    return math.sqrt(math.log(2) / 2) / math.pi * resolution / voxel_size


def smooth(volume: FloatArray, sigma: Voxels, axes: Sequence[int] = (0, 1, 2)) -> FloatArray:
    """Convolve with a Gaussian along some axes, mirrored at the faces; time does not depend on its width.

    Parameters
    ----------
    volume : FloatArray
        (z, y, x) voxels.
    sigma : Voxels
        Standard deviation in voxels; 0 changes nothing.
    axes : Sequence[int]
        Along which axes.

    Returns
    -------
    FloatArray
        Of the same shape; the argument itself if `sigma` is 0.
    """
    if sigma == 0:
        return volume
    spectrum = dctn(volume, axes=axes)
    for axis in axes:
        n = volume.shape[axis]
        transfer = np.exp(-2 * (math.pi * sigma * np.arange(n) / (2 * n)) ** 2).astype(np.float32)
        spectrum *= transfer.reshape([n if i == axis else 1 for i in range(volume.ndim)])
    return np.asarray(idctn(spectrum, axes=axes, overwrite_x=True), np.float32)


def low_pass(volume: Volume, resolution: Angstrom, voxel_size: Angstrom) -> FloatArray:
    """Remove detail finer than a resolution.

    Parameters
    ----------
    volume : Volume
        (z, y, x) voxels.
    resolution : Angstrom
        Where the amplitude falls to one half, in Å.
    voxel_size : Angstrom
        Å per voxel.

    Returns
    -------
    FloatArray
        The smoother volume.
    """
    return smooth(np.asarray(volume[:]).astype(np.float32), gaussian_sigma(resolution, voxel_size))


def high_pass(volume: Volume, resolution: Angstrom, voxel_size: Angstrom) -> FloatArray:
    """Remove gradients coarser than a resolution, and the mean.

    Parameters
    ----------
    volume : Volume
        (z, y, x) voxels.
    resolution : Angstrom
        Where the amplitude falls to one half, in Å.
    voxel_size : Angstrom
        Å per voxel.

    Returns
    -------
    FloatArray
        The flatter volume.
    """
    voxels = np.asarray(volume[:]).astype(np.float32)
    return voxels - smooth(voxels, gaussian_sigma(resolution, voxel_size))
