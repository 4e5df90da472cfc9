"""Shapes without end: solids grown from a number, for a network to learn from what particles may look like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from core.particles import ClassSpec

if TYPE_CHECKING:
    from core.simulate.shapes import Points
    from core.types import Angstrom, BoolArray

PREFIX = "invention-"
SMALLEST, LARGEST = 100.0, 300.0  # diameters in Å
_SEED = 20_000  # apart from all other seeds
_LOBES = (3, 8)  # of an asymmetric unit
_SYMMETRIES = (1, 1, 1, 1, 1, 2, 2, 3, 4, 5, 6, 7)


def number_of(name: str) -> int | None:
    """Return the number of an invented shape; None for any other name.

    Parameters
    ----------
    name : str
        Such as ``invention-7``.

    Returns
    -------
    int | None
        Such as 7.
    """
    tail = name.removeprefix(PREFIX)
    return int(tail) if name.startswith(PREFIX) and tail.isdecimal() else None


def diameter_of(number: int) -> Angstrom:
    """Return the diameter of an invented shape.

    Parameters
    ----------
    number : int
        Which.

    Returns
    -------
    Angstrom
        Spread evenly over the logarithm between `SMALLEST` and `LARGEST`, in an order that fills gaps first.
    """
    along = number * 0.618034 % 1.0
    return float(SMALLEST * (LARGEST / SMALLEST) ** along)


def invention(number: int) -> ClassSpec:
    """Return an invented shape as a class.

    Parameters
    ----------
    number : int
        Which; 1 or more.

    Returns
    -------
    ClassSpec
        Its id is the number.
    """
    return ClassSpec(id=number, name=f"{PREFIX}{number}", diameter=round(diameter_of(number)), color="#ffd400")


def solid(number: int, points: Points) -> BoolArray:
    """Tell which points lie inside an invented shape.

    A chain of lobes is grown at random, repeated about an axis where the shape is symmetric, and pierced by a channel or emptied
    where chance says so.

    Parameters
    ----------
    number : int
        Which.
    points : Points
        (n, 3) zyx in Å.

    Returns
    -------
    BoolArray
        (n,) of them.
    """
    rng = np.random.default_rng([_SEED, number])
    radius, fold = diameter_of(number) / 2, int(rng.choice(_SYMMETRIES))
    away = radius * rng.uniform(0.35, 0.7) if fold > 2 else 0.0
    centre, lobes = np.array([0.0, 0.0, away]), []
    for _ in range(int(rng.integers(*_LOBES))):
        axes = radius * rng.uniform(0.24, 0.48, 3)
        lobes.append((centre, axes, Rotation.random(random_state=rng).as_matrix()))
        step = rng.normal(size=3)
        centre = centre + step / np.linalg.norm(step) * axes.mean() * 1.5
        reach = np.linalg.norm(centre)
        centre = centre * min(1.0, 0.75 * radius / max(float(reach), 1e-9))
    inside = np.zeros(len(points), np.bool_)
    for turn in range(fold):
        about = Rotation.from_euler("x", 360 * turn / fold, degrees=True).as_matrix()  # the first axis is z
        for middle, axes, orientation in lobes:
            inside |= ((((points - about @ middle) @ (about @ orientation)) / axes) ** 2).sum(axis=1) < 1
    if rng.random() < 0.35:
        inside &= np.hypot(points[:, 1], points[:, 2]) > radius * rng.uniform(0.08, 0.2)
    return np.asarray(inside & (np.linalg.norm(points, axis=1) < radius), np.bool_)
