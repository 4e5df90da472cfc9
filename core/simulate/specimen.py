"""The specimen: particles packed without overlap among membranes, gold beads and a crowd of small proteins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from core.simulate.shapes import SPACING, Cloud, cloud

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from core.simulate.shapes import Points
    from core.types import Angstrom, FloatArray, Shape

_MEMBRANE_CLEARANCE: Angstrom = 30.0
_BATCH = 256


class Room:
    """Where there is still place; all lengths in Å, positions (n, 3) zyx with the first voxel's centre at 0.

    Parameters
    ----------
    extents : Points
        (3,) zyx edges of the specimen.
    membrane : Points
        (n, 3) points of the membranes' middle surfaces.
    rng : numpy.random.Generator
        Source of places.
    """

    def __init__(self, extents: Points, membrane: Points, rng: np.random.Generator) -> None:
        self._extents, self._rng = extents, rng
        self._membrane = cKDTree(membrane) if len(membrane) else None
        self.centres, self.radii = np.zeros((0, 3)), np.zeros(0)

    def place(self, count: int, radius: Angstrom, tries: int = 200) -> Points:
        """Find places for spheres that touch nothing placed before.

        Parameters
        ----------
        count : int
            How many.
        radius : Angstrom
            Their radius.
        tries : int
            Places looked at for each sphere on average.

        Returns
        -------
        Points
            (n, 3) centres, n at most `count`.
        """
        first = len(self.centres)
        for _ in range(0, count * tries, _BATCH):
            for candidate in self.free(self._candidates(_BATCH, radius), radius):
                if len(self.centres) - first == count:
                    return self.centres[first:]
                if len(self.free(candidate[None], radius)):
                    self.centres = np.vstack([self.centres, candidate])
                    self.radii = np.append(self.radii, radius)
        return self.centres[first:]

    def scatter(self, count: int, radius: Angstrom) -> Points:
        """Draw places outside everything placed before, for things that may touch each other.

        Parameters
        ----------
        count : int
            How many to draw.
        radius : Angstrom
            Their radius.

        Returns
        -------
        Points
            (n, 3) centres of those that fall on free places.
        """
        return self.free(self._candidates(count, radius), radius)

    def free(self, candidates: Points, radius: Angstrom) -> Points:
        """Keep the candidates whose sphere touches nothing.

        Parameters
        ----------
        candidates : Points
            (n, 3) centres.
        radius : Angstrom
            Radius of the spheres.

        Returns
        -------
        Points
            (m, 3) those that are free.
        """
        if self._membrane is not None:
            candidates = candidates[self._membrane.query(candidates)[0] > radius + _MEMBRANE_CLEARANCE]
        for kind in np.unique(self.radii):
            near, _ = cKDTree(self.centres[self.radii == kind]).query(candidates) if len(candidates) else (np.zeros(0), None)
            candidates = candidates[near > radius + kind]
        return candidates

    def _candidates(self, count: int, radius: Angstrom) -> Points:
        """Draw centres: whole particles along z, where ice ends, at least half ones at the sides, where the field of view does."""
        z, y, x = self._extents
        margin = np.array([min(max(0.08 * z, radius), z / 2), min(radius / 2, y / 2), min(radius / 2, x / 2)])
        return np.asarray(self._rng.uniform(margin, self._extents - margin, (count, 3)))


def vesicle(extents: Points, rng: np.random.Generator) -> Cloud:
    """Make a closed membrane somewhere in the specimen.

    Parameters
    ----------
    extents : Points
        (3,) zyx edges of the specimen in Å.
    rng : numpy.random.Generator
        Source of size and place.

    Returns
    -------
    Cloud
        Two leaflets 40 Å apart, in specimen coordinates; the middle surface is where their points' mean lies.
    """
    radius = float(np.clip(rng.uniform(0.12, 0.2) * min(extents[1:]), 150, 450))
    axes = radius * rng.uniform(0.75, 1.0, 3)
    centre = rng.uniform([0.3, 0.15, 0.15], [0.7, 0.85, 0.85]) * extents
    count = int(4 * np.pi * (radius / SPACING) ** 2)
    directions = rng.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    leaflets = [centre + directions * (axes + side) for side in (-20, 20)]
    return Cloud(np.concatenate(leaflets), np.full(2 * count, 1.6))


def middle_surface(membrane: Cloud) -> Points:
    """Return the points between the leaflets of a vesicle.

    Parameters
    ----------
    membrane : Cloud
        What `vesicle` made.

    Returns
    -------
    Points
        (n, 3) points.
    """
    inner, outer = np.split(membrane.points, 2)
    return (inner + outer) / 2


def copies(name: str, centres: Points, rng: np.random.Generator) -> Cloud:
    """Put a shape in random orientations.

    Parameters
    ----------
    name : str
        A shape of `core.simulate.shapes`.
    centres : Points
        (n, 3) zyx centres in Å.
    rng : numpy.random.Generator
        Source of orientations.

    Returns
    -------
    Cloud
        All copies together, in specimen coordinates.
    """
    shape, n = cloud(name), len(centres)
    turns = Rotation.random(n, random_state=rng).as_matrix() if n else np.zeros((0, 3, 3))
    points = np.einsum("nij,pj->npi", turns, shape.points) + centres[:, None]
    return Cloud(points.reshape(-1, 3), np.tile(shape.weights, n))


def add(volume: FloatArray, matter: Cloud, voxel_size: Angstrom) -> None:
    """Add matter to a density, shared among the eight voxels around each point; what lies outside is lost.

    Parameters
    ----------
    volume : FloatArray
        (z, y, x) density, changed in place.
    matter : Cloud
        In specimen coordinates.
    voxel_size : Angstrom
        Å per voxel.
    """
    position = matter.points / voxel_size
    base = np.floor(position).astype(np.int64)
    part = position - base
    weights = matter.weights * (SPACING / voxel_size) ** 3
    for corner in np.ndindex(2, 2, 2):
        index = base + corner
        share = weights * np.where(corner, part, 1 - part).prod(axis=1)
        inside = ((index >= 0) & (index < volume.shape)).all(axis=1)
        _accumulate(volume, index[inside], share[inside])


def _accumulate(volume: FloatArray, index: NDArray[np.int64], values: NDArray[np.float64]) -> None:
    flat = np.ravel_multi_index(tuple(index.T), volume.shape)
    order = np.argsort(flat, kind="stable")
    flat, values = flat[order], values[order]
    starts = np.flatnonzero(np.diff(flat, prepend=-1))
    if len(starts):
        volume.reshape(-1)[flat[starts]] += np.add.reduceat(values, starts).astype(np.float32)


def crowd_size(shape: Shape, voxel_size: Angstrom, fraction: float) -> int:
    """Return how many small proteins fill a part of the specimen.

    Parameters
    ----------
    shape : Shape
        (z, y, x) voxels.
    voxel_size : Angstrom
        Å per voxel.
    fraction : float
        Part of the volume, 0..1.

    Returns
    -------
    int
        Number of small proteins.
    """
    return round(fraction * float(np.prod(shape)) * (voxel_size / SPACING) ** 3 / len(cloud("small").points))
