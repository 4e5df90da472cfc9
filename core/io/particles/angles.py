"""Orientations as quaternions, and the Euler angles of other programs."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Sequence: TypeAlias = Literal["ZYZ", "zxz", "zyz", "ZXZ"]

RELION: Final = "ZYZ"
"""rot, tilt, psi; intrinsic."""
DYNAMO: Final = "zxz"
"""tdrot, tilt, narot; extrinsic."""


def from_euler(angles: Floats, sequence: Sequence) -> Floats | None:
    """Turn Euler angles into orientations.

    Parameters
    ----------
    angles : Floats
        (n, 3) degrees; they describe the turn from the tomogram to the particle, as RELION and Dynamo mean it.
    sequence : Sequence
        Axes as scipy names them: capital letters for intrinsic turns.

    Returns
    -------
    Floats | None
        (n, 4) quaternions x, y, z, w that turn the particle into the tomogram; None where an angle is not finite.
    """
    from scipy.spatial.transform import Rotation

    if len(angles) == 0 or not np.isfinite(angles).all():
        return None
    found: Floats = Rotation.from_euler(sequence, np.remainder(angles, 360.0), degrees=True).inv().as_quat()
    return found


def to_euler(orientations: Floats, sequence: Sequence) -> Floats:
    """Turn orientations into Euler angles.

    Parameters
    ----------
    orientations : Floats
        (n, 4) as `from_euler` returns.
    sequence : Sequence
        As for `from_euler`.

    Returns
    -------
    Floats
        (n, 3) degrees; where the middle turn is none, the last one is 0.
    """
    from scipy.spatial.transform import Rotation

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # two of the angles are then one turn, and any split is right
        found: Floats = Rotation.from_quat(orientations).inv().as_euler(sequence, degrees=True)
    return found


def rotated(orientations: Floats, vectors: Floats) -> Floats:
    """Turn vectors from the particle into the tomogram.

    Parameters
    ----------
    orientations : Floats
        (n, 4) as `from_euler` returns.
    vectors : Floats
        (n, 3) x, y, z.

    Returns
    -------
    Floats
        (n, 3) x, y, z.
    """
    from scipy.spatial.transform import Rotation

    found: Floats = Rotation.from_quat(orientations).apply(vectors)
    return found


def combined(outer: Floats, inner: Floats) -> Floats:
    """Turn by one orientation and then by another.

    Parameters
    ----------
    outer, inner : Floats
        (n, 4) as `from_euler` returns; `inner` turns first.

    Returns
    -------
    Floats
        (n, 4).
    """
    from scipy.spatial.transform import Rotation

    found: Floats = (Rotation.from_quat(outer) * Rotation.from_quat(inner)).as_quat()
    return found
