"""Weak labels from centres: TBall-M, Ball-M and Cubic-M (Liu et al. 2024, doi 10.1038/s41467-024-46041-0)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from core.config import LabelKind
    from core.types import FloatArray, Positions, Shape, Voxels


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels of one crop.

    Attributes
    ----------
    classes : NDArray[np.uint8]
        (z, y, x) class id of each voxel, 0 for the background.
    distance : FloatArray
        (z, y, x) distance to the nearest centre in diameters of that centre's particle; infinite beyond `reach`.
    """

    classes: NDArray[np.uint8]
    distance: FloatArray


def label_diameter(diameter: Voxels, fraction: float) -> Voxels:
    """Return the diameter of a particle's label, never below 3 voxels, so that no label vanishes between voxels.

    Parameters
    ----------
    diameter : Voxels
        Diameter of the particle.
    fraction : float
        Part of it that is labelled; the paper has 11 voxels for a 23-voxel ribosome.

    Returns
    -------
    Voxels
        Diameter of the label.
    """
    return max(3.0, diameter * fraction)


def make_labels(
    positions: Positions,
    class_ids: NDArray[np.int64],
    diameters: NDArray[np.float64],
    shape: Shape,
    kind: LabelKind,
    fraction: float,
    reach: float = 1.0,
) -> Labels:
    """Draw the labels of a crop; where two overlap, a voxel belongs to the nearer centre.

    Parameters
    ----------
    positions : Positions
        (n, 3) zyx voxels of the crop; centres outside it label what reaches in.
    class_ids : NDArray[np.int64]
        (n,) class ids, 1..255.
    diameters : NDArray[np.float64]
        (n,) particle diameters in voxels.
    shape : Shape
        (z, y, x) extents of the crop.
    kind : LabelKind
        With r = (label diameter - 1) / 2: ``cubic`` is the cube of edge 2r + 1, ``ball`` the ball of radius r, ``tball`` the
        ball of radius √2·r clipped to the cube.
    fraction : float
        Label diameter as a part of the particle's diameter.
    reach : float
        Radius around each centre, in particle diameters, within which `Labels.distance` is computed.

    Returns
    -------
    Labels
        Of the crop.

    Examples
    --------
    A label of diameter 3 has r = 1: the ball of radius √2 clipped to 3³ voxels is the cube without its 8 corners.

    >>> centre = np.array([[2.0, 2.0, 2.0]])
    >>> int(make_labels(centre, np.array([1]), np.array([3.0]), (5, 5, 5), "tball", 1.0).classes.sum())
    19
    """
    classes = np.zeros(shape, np.uint8)
    distance = np.full(shape, np.inf, np.float32)
    nearest, owner = np.full(shape, np.inf, np.float32), np.full(shape, np.inf, np.float32)
    for centre, class_id, diameter in zip(positions, class_ids, diameters, strict=True):
        box = _box(centre, reach * diameter, shape)
        if box is None:
            continue
        axes = tuple(np.arange(s.start, s.stop, dtype=np.float32) - np.float32(c) for s, c in zip(box, centre, strict=True))
        squared = axes[0][:, None, None] ** 2 + axes[1][:, None] ** 2 + axes[2] ** 2
        nearer = squared < nearest[box]
        nearest[box][nearer] = squared[nearer]
        distance[box][nearer] = np.sqrt(squared[nearer]) / diameter
        inside = _SHAPES[kind](axes, squared, (label_diameter(diameter, fraction) - 1) / 2) & (squared < owner[box])
        owner[box][inside] = squared[inside]
        classes[box][inside] = class_id
    return Labels(classes, distance)


def _box(centre: NDArray[np.float64], radius: Voxels, shape: Shape) -> tuple[slice, slice, slice] | None:
    low = np.maximum(np.ceil(centre - radius), 0).astype(int)
    high = np.minimum(np.floor(centre + radius) + 1, shape).astype(int)
    if (low >= high).any():
        return None
    z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return z, y, x


Axes = tuple[np.ndarray, ...]


def _cube(axes: Axes, squared: FloatArray, r: Voxels) -> NDArray[np.bool_]:
    z, y, x = (np.abs(a) < r + 0.5 for a in axes)
    return np.asarray(z[:, None, None] & y[:, None] & x, np.bool_)


def _ball(axes: Axes, squared: FloatArray, r: Voxels) -> NDArray[np.bool_]:
    return np.asarray(squared <= r * r + 1e-4, np.bool_)


def _truncated_ball(axes: Axes, squared: FloatArray, r: Voxels) -> NDArray[np.bool_]:
    return _cube(axes, squared, r) & (squared <= 2 * r * r + 1e-4)


_SHAPES: dict[LabelKind, Callable[[Axes, FloatArray, Voxels], NDArray[np.bool_]]] = {
    "tball": _truncated_ball,
    "ball": _ball,
    "cubic": _cube,
}
