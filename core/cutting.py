"""Small volumes and central slabs around particles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.errors import ConfigError
from core.filters import gaussian_sigma, smooth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from core.tomogram import Tomogram
    from core.types import Angstrom, BoolArray, FloatArray, Positions, Shape, Voxels

_SAMPLED = 64  # places that tell the contrast of a tomogram
LARGEST_EDGE = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Slabs:
    """How particles are cut for the eye.

    Attributes
    ----------
    edge : int
        Voxels along the edge of a picture.
    thickness : int
        Voxels that are averaged across it, at least 1.
    low_pass : Angstrom
        Resolution in Å at which the amplitude is halved, within the slab; 0 for none.
    """

    edge: int
    thickness: int = 1
    low_pass: Angstrom = 0.0

    @classmethod
    def fit(cls, diameter: Angstrom, voxel_size: Angstrom) -> Slabs:
        """Choose what shows a particle of this size well in noise.

        Parameters
        ----------
        diameter : Angstrom
            Of the particle.
        voxel_size : Angstrom
            Å per voxel; where it is not known, 1 is taken.

        Returns
        -------
        Slabs
            Twice its diameter wide, a third of it thick, and as fine as a quarter of it or two voxels.
        """
        size = voxel_size or 1.0
        thickness = max(1, round(diameter / size / 3))
        return cls(edge=edge_of(diameter, size), thickness=thickness, low_pass=max(diameter / 4, 2 * size) if voxel_size else 0.0)


def edge_of(diameter: Angstrom, voxel_size: Angstrom, factor: float = 2.0) -> int:
    """Return the edge of a box around a particle.

    Parameters
    ----------
    diameter : Angstrom
        Of the particle.
    voxel_size : Angstrom
        Å per voxel; where it is not known, 1 is taken.
    factor : float
        Diameters along the edge.

    Returns
    -------
    int
        An even number of voxels, at least 8.

    Raises
    ------
    ConfigError
        If it is larger than any box that makes sense.
    """
    edge = max(8, 2 * math.ceil(factor * diameter / (voxel_size or 1.0) / 2))
    if edge > LARGEST_EDGE:
        raise ConfigError(f"A box of {edge} voxels is too large (at most {LARGEST_EDGE}); check diameter and voxel size.")
    return edge


def corner_of(position: Positions, edge: int) -> Shape:
    """Return the first voxel of a box whose voxel ``edge // 2`` is the one that a position lies in.

    Parameters
    ----------
    position : Positions
        (3,) zyx voxels.
    edge : int
        Of the box, in voxels.

    Returns
    -------
    Shape
        (z, y, x); may lie outside.
    """
    z, y, x = (np.floor(position + 0.5).astype(int) - edge // 2).tolist()
    return z, y, x


def within(tomogram: Tomogram, positions: Positions, edge: int) -> BoolArray:
    """Tell which boxes lie wholly inside a tomogram.

    Parameters
    ----------
    tomogram : Tomogram
        Where.
    positions : Positions
        (n, 3) zyx voxels.
    edge : int
        Of the boxes, in voxels.

    Returns
    -------
    BoolArray
        (n,) False where a box reaches past a face.
    """
    corners = np.floor(positions + 0.5).astype(np.int64) - edge // 2
    return np.asarray(((corners >= 0) & (corners + edge <= np.asarray(tomogram.shape))).all(axis=1), np.bool_)


def central_slabs(tomogram: Tomogram, position: Positions, how: Slabs) -> FloatArray:
    """Cut the three slabs through a particle.

    Parameters
    ----------
    tomogram : Tomogram
        What to cut; past its faces it is mirrored.
    position : Positions
        (3,) zyx voxels of the centre.
    how : Slabs
        Size and filter.

    Returns
    -------
    FloatArray
        (3, edge, edge): xy as (y, x), xz as (z, x) and yz as (z, y).
    """
    corner, slabs = corner_of(position, how.edge), np.empty((3, how.edge, how.edge), np.float32)
    for axis in range(3):
        start, shape = list(corner), [how.edge] * 3
        start[axis] += how.edge // 2 - (how.thickness - 1) // 2
        shape[axis] = how.thickness
        block = tomogram.block((start[0], start[1], start[2]), (shape[0], shape[1], shape[2]))
        slabs[axis] = np.nan_to_num(block.mean(axis=axis))
    if how.low_pass and tomogram.voxel_size:
        return smooth(slabs, gaussian_sigma(how.low_pass, tomogram.voxel_size), axes=(1, 2))
    return slabs


def slab_contrast(tomogram: Tomogram, how: Slabs) -> tuple[float, float]:
    """Find grey values to show as black and white in every picture from a tomogram, so that pictures can be compared.

    Parameters
    ----------
    tomogram : Tomogram
        The tomogram.
    how : Slabs
        Size and filter of the pictures.

    Returns
    -------
    tuple[float, float]
        The 0.5 and 99.5 percentiles at places spread evenly at random; never equal.
    """
    places = np.random.default_rng(0).uniform(0, 1, (_SAMPLED, 3)) * (np.asarray(tomogram.shape) - 1)
    values = np.concatenate([central_slabs(tomogram, place, how).ravel() for place in places])
    low, high = np.percentile(values, (0.5, 99.5))
    return float(low), float(max(high, low + 1e-6 * max(1.0, abs(low))))


def grey(slabs: FloatArray, bounds: tuple[float, float]) -> NDArray[np.uint8]:
    """Turn voxels into greys.

    Parameters
    ----------
    slabs : FloatArray
        Of any shape.
    bounds : tuple[float, float]
        Values of black and white.

    Returns
    -------
    ndarray
        0 to 255, of the same shape.
    """
    low, high = bounds
    return np.asarray(np.clip((slabs - low) / (high - low), 0, 1) * 255, np.uint8)


def decoys(
    particles: Positions, avoid: Positions, count: int, distance: Voxels, rng: np.random.Generator, margin: Voxels = 0.0
) -> Positions:
    """Draw random positions where particles could be but are not.

    They are drawn in the box that the particles span, so that they lie in the specimen and not in the empty space around it.

    Parameters
    ----------
    particles : Positions
        (n, 3) zyx voxels of the particles, at least one.
    avoid : Positions
        (m, 3) all positions to keep away from.
    count : int
        How many to draw.
    distance : Voxels
        How far to keep away; where it is too crowded for that, half of it, and so on.
    rng : np.random.Generator
        Decides.
    margin : Voxels
        By how much the box is larger than what the particles span.

    Returns
    -------
    Positions
        (count, 3) zyx voxels.
    """
    from scipy.spatial import cKDTree

    low, high = particles.min(axis=0) - margin, particles.max(axis=0) + margin
    tree, kept = cKDTree(avoid), np.empty((0, 3))
    while len(kept) < count:
        drawn = rng.uniform(low, high, (max(1000, 20 * count), 3))
        free = drawn[tree.query(drawn)[0] >= distance]
        kept = np.concatenate([kept, free])
        distance = distance / 2 if len(kept) < count else distance
    return np.asarray(kept[:count], np.float64)
