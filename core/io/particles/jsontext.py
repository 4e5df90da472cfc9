"""Points in JSON, whoever wrote them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import FileFormatError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from core.io.particles.values import Orientations
    from core.types import FloatArray, IntArray, Positions


def parsed(path: Path, text: str, place: str = "") -> Any:
    """Read JSON.

    Parameters
    ----------
    path : Path
        The file, for messages.
    text : str
        All of it, or one line.
    place : str
        Where the text stands in the file, for messages, such as ``, line 3``.

    Returns
    -------
    Any
        Plain data.

    Raises
    ------
    FileFormatError
        If it is no JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise FileFormatError(f"{path}{place}: not JSON that can be read ({exc}); export it again.") from exc


def locations(path: Path, points: Sequence[Any]) -> Positions:
    """Read ``{"location": {"x": 1, "y": 2, "z": 3}}`` of each point.

    Parameters
    ----------
    path : Path
        The file, for messages.
    points : Sequence[Any]
        n points.

    Returns
    -------
    Positions
        (n, 3) zyx, finite.

    Raises
    ------
    FileFormatError
        If a point has no location, or one that makes no sense.
    """
    if not points:
        raise FileFormatError(f"{path} holds no points; choose a file with particles.")
    try:
        places = [point["location"] for point in points]
        found = np.array([(place["z"], place["y"], place["x"]) for place in places], np.float64)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as exc:
        raise FileFormatError(f"{path}: a point has no location of numbers x, y and z; correct it or export it again.") from exc
    if found.shape != (len(points), 3) or not np.isfinite(found).all():
        wrong = int(np.flatnonzero(~np.isfinite(found).all(axis=-1))[0]) + 1 if found.shape == (len(points), 3) else 1
        raise FileFormatError(f"{path}, point {wrong}: a location must be three finite numbers; correct or remove the point.")
    return found


def values(path: Path, points: Sequence[Any], key: str, usual: float) -> FloatArray:
    """Read a number of each point.

    Parameters
    ----------
    path : Path
        The file, for messages.
    points : Sequence[Any]
        n points, each a mapping.
    key : str
        What it is called.
    usual : float
        Where a point has none.

    Returns
    -------
    FloatArray
        (n,) float32.

    Raises
    ------
    FileFormatError
        If one is not a number, or infinite.
    """
    told = [point.get(key) for point in points]
    try:
        found = np.array([usual if value is None else value for value in told], np.float64)
        if found.shape != (len(points),) or (np.abs(found) > np.finfo(np.float32).max).any():
            raise ValueError("out of range")
    except (ValueError, TypeError, OverflowError) as exc:
        raise FileFormatError(f"{path}: {key} must be a finite number for each point ({exc}); correct it.") from exc
    return found.astype(np.float32)


def instances(path: Path, points: Sequence[Any]) -> dict[str, IntArray]:
    """Read which filament or object each point belongs to.

    Parameters
    ----------
    path : Path
        The file, for messages.
    points : Sequence[Any]
        n points, each a mapping.

    Returns
    -------
    dict[str, IntArray]
        ``instance_id`` as a column, unless all are 0.

    Raises
    ------
    FileFormatError
        If one is not a whole number.
    """
    if not any(point.get("instance_id") for point in points):
        return {}
    try:
        return {"instance_id": np.array([int(point.get("instance_id") or 0) for point in points], np.int64)}
    except (ValueError, TypeError, OverflowError) as exc:
        raise FileFormatError(f"{path}: instance_id must be a whole number for each point ({exc}); correct it.") from exc


def turns(matrices: Sequence[Any]) -> Orientations | None:
    """Read rotation matrices.

    Parameters
    ----------
    matrices : Sequence[Any]
        n times 3 x 3 numbers that turn the particle into the tomogram.

    Returns
    -------
    Orientations | None
        (n, 4) quaternions; None where one of them is no rotation.
    """
    from scipy.spatial.transform import Rotation

    try:
        found = np.array(matrices, np.float64)
    except (ValueError, TypeError, OverflowError):
        return None
    if found.shape != (len(matrices), 3, 3) or not (np.abs(found) < 2).all():
        return None
    square = found @ found.transpose(0, 2, 1)
    if not (np.allclose(square, np.eye(3), atol=1e-3) and (np.linalg.det(found) > 0).all()):
        return None
    turned: Orientations = Rotation.from_matrix(found).as_quat()
    return turned


def matrices_of(orientations: Orientations) -> list[list[list[float]]]:
    """Turn orientations into plain matrices for JSON.

    Parameters
    ----------
    orientations : Orientations
        (n, 4) quaternions.

    Returns
    -------
    list[list[list[float]]]
        n times 3 x 3.
    """
    from scipy.spatial.transform import Rotation

    found: list[list[list[float]]] = Rotation.from_quat(orientations).as_matrix().tolist()
    return found
