"""Particles as clouds of mass: each shape is a solid carved from ellipsoids, tubes and shells and filled with points.

The shapes are inventions that resemble complexes of the cell; no structure file is behind them. Inside, domains of random
density give each kind its own texture, the same in all copies.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.particles import ClassSpec
from core.simulate.inventions import number_of, solid

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.types import Angstrom, BoolArray

Points: TypeAlias = NDArray[np.float64]
"""(n, 3) zyx in Å."""

SPACING: Angstrom = 8.0
"""Mean distance of the points; each stands for SPACING cubed of matter."""

_DOMAIN_DISTANCE: Angstrom = 35.0


@dataclass(frozen=True, slots=True)
class Cloud:
    """A shape as points.

    Attributes
    ----------
    points : Points
        (n, 3) zyx in Å, centre of mass at the origin.
    weights : NDArray[np.float64]
        (n,) density that each stands for; 1 is that of protein above ice.
    """

    points: Points = field(repr=False)
    weights: NDArray[np.float64] = field(repr=False)

    @property
    def radius(self) -> Angstrom:
        """Largest distance of a point from the centre."""
        return float(np.linalg.norm(self.points, axis=1).max())


def _ellipsoid(p: Points, centre: tuple[float, float, float], axes: tuple[float, float, float]) -> BoolArray:
    return np.asarray((((p - centre) / axes) ** 2).sum(axis=1) < 1, np.bool_)


def _ribosome(p: Points) -> BoolArray:
    """Carve two unequal lobes along x with a cleft between, bridges, a channel through the larger one, and stalks."""
    z, y, x = p.T
    large = _ellipsoid(p, (0, 0, -32), (96, 102, 74)) & ~((np.hypot(z - 34, y + 18) < 13) & (x < 30))
    body = _ellipsoid(p, (-22, 0, 74), (78, 56, 40))
    head = _ellipsoid(p, (68, 12, 68), (34, 48, 36))
    cleft = (np.abs(x - 41) < 7) & (np.hypot(z + 30, y - 10) > 16)
    neck = (np.abs(z - 44) < 6) & (x > 48) & (np.abs(y) > 14)
    stalks = _ellipsoid(p, (25, 98, 5), (17, 22, 15)) | _ellipsoid(p, (55, -90, 5), (14, 24, 14))
    return np.asarray((large | body | head | stalks) & ~cleft & ~neck, np.bool_)


def _barrel(p: Points) -> BoolArray:
    """Carve four stacked rings around three chambers, open at both ends."""
    z, y, x = p.T
    r = np.hypot(y, x)
    outer = 57 - 5 * np.cos(2 * np.pi * z / 37) ** 2 - 3 * np.cos(7 * np.arctan2(y, x))
    inner = np.where(np.abs(np.abs(z) - 24) < 6, 13, 25)
    return np.asarray((np.abs(z) < 75) & (r < outer) & (r > inner), np.bool_)


def _capped(p: Points) -> BoolArray:
    """Carve a barrel that wears two skew caps."""
    z, y, x = p.T
    caps = _ellipsoid(p, (102, 18, 0), (42, 76, 62)) | _ellipsoid(p, (-102, -18, 0), (42, 76, 62))
    lids = (np.abs(np.abs(z) - 78) < 10) & (np.hypot(y, x) < 45)
    return np.asarray(_barrel(p) | lids | (caps & ~(np.hypot(y, x - 40) < 18)), np.bool_)


def _rod(p: Points) -> BoolArray:
    """Carve a flat solenoid bent to a wide arc."""
    z, y, x = p.T
    angle = np.arctan2(y, x + 45)
    tube = (((np.hypot(y, x + 45) - 78) / 24) ** 2 + (z / 17) ** 2) < 1
    return np.asarray(tube & (np.abs(angle) < 1.3), np.bool_)


def _capsid(p: Points) -> BoolArray:
    """Carve a thick empty shell."""
    r = np.linalg.norm(p, axis=1)
    return np.asarray((r > 102) & (r < 130), np.bool_)


def _ferritin(p: Points) -> BoolArray:
    """Carve a small empty shell."""
    r = np.linalg.norm(p, axis=1)
    return np.asarray((r > 38) & (r < 60), np.bool_)


def _globule(p: Points) -> BoolArray:
    """Carve eight lobes around a narrow channel."""
    corners = np.array(np.meshgrid(*[(-1, 1)] * 3)).reshape(3, -1).T * 27.0
    lobes = np.any([np.linalg.norm(p - corner, axis=1) < 29 for corner in corners], axis=0)
    return np.asarray(lobes & (np.hypot(p[:, 1], p[:, 2]) > 9), np.bool_)


def _small(p: Points) -> BoolArray:
    """Carve what the crowd is made of."""
    return _ellipsoid(p, (0, 0, 0), (20, 24, 32))


def _gold(p: Points) -> BoolArray:
    return _ellipsoid(p, (0, 0, 0), (50, 50, 50))


_SOLIDS: dict[str, tuple[Callable[[Points], BoolArray], float]] = {
    "ribosome": (_ribosome, 1.1),  # nucleic acid is denser than protein
    "capped": (_capped, 1.1),
    "barrel": (_barrel, 1.0),
    "rod": (_rod, 1.0),
    "capsid": (_capsid, 1.0),
    "ferritin": (_ferritin, 1.0),
    "globule": (_globule, 1.0),
    "small": (_small, 1.0),
    "gold": (_gold, 12.0),
}

CLASSES = (
    ClassSpec(id=1, name="ribosome", diameter=250, color="#ffd400"),
    ClassSpec(id=2, name="capped", diameter=300, color="#ff4d4d"),
    ClassSpec(id=3, name="barrel", diameter=175, color="#00b7ff"),
    ClassSpec(id=4, name="rod", diameter=190, color="#ff5fa2"),
    ClassSpec(id=5, name="capsid", diameter=260, color="#7ddc3c"),
    ClassSpec(id=6, name="ferritin", diameter=120, color="#ff8c1a"),
    ClassSpec(id=7, name="globule", diameter=140, color="#b58cff"),
)
"""The kinds that can be simulated; their diameters are what a user would type."""


@cache
def cloud(name: str) -> Cloud:
    """Build a shape; always the same for the same name.

    Parameters
    ----------
    name : str
        One of the names in `CLASSES`, or ``small`` or ``gold``, or that of an invention.

    Returns
    -------
    Cloud
        Its points.
    """
    number = number_of(name)
    inside, density = _SOLIDS[name] if number is None else (partial(solid, number), 1.0)
    rng = np.random.default_rng(list(name.encode()))
    axis = np.arange(-152, 153, SPACING)
    lattice = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    points = lattice + rng.uniform(-0.45, 0.45, lattice.shape) * SPACING
    points = points[inside(points)]
    weights = density * _domain_densities(points, rng)
    return Cloud(points - np.average(points, axis=0, weights=weights), weights)


def _domain_densities(points: Points, rng: np.random.Generator) -> NDArray[np.float64]:
    """Give the neighbourhoods of randomly chosen points a density of their own, between 0.6 and 1.4."""
    extent = np.ptp(points, axis=0).prod() / _DOMAIN_DISTANCE**3
    centres = points[rng.integers(len(points), size=max(1, round(float(extent))))]
    nearest = np.linalg.norm(points[:, None] - centres, axis=2).argmin(axis=1)
    return np.asarray(rng.uniform(0.6, 1.4, len(centres))[nearest])
