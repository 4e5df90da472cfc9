"""Particles as rings, each the exact cross-section of its sphere; only those that a section cuts are drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from app.layers.circles import Circles
from core.display import cross_sections
from core.particles import Status

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from core.types import BoolArray, FloatArray, IntArray, Positions

REJECTED = (0.55, 0.55, 0.55, 0.9)
SELECTED = (1.0, 1.0, 1.0, 1.0)
RING, CROSS = "ring", "cross"
FAINT = 0.75  # opacity of a pick that nobody has judged
HALO = (1.0, 1.0, 1.0, 0.8)
HALO_SIZE = 1.3  # diameter as a multiple of the ring's
ABOVE_IMAGES = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rings:
    """What is drawn: n particles of one tomogram.

    Attributes
    ----------
    positions : Positions
        (n, 3) zyx voxels.
    sizes : FloatArray
        (n,) diameters in voxels.
    colors : ndarray
        (n, 4) RGBA.
    symbols : ndarray
        (n,) `RING` or `CROSS`.
    shown : BoolArray
        (n,) False for those below the threshold.
    haloed : BoolArray
        (n,) True for those that have a second ring around them; empty for none.
    """

    positions: Positions = field(repr=False)
    sizes: FloatArray = field(repr=False)
    colors: NDArray[Any] = field(repr=False)
    symbols: NDArray[Any] = field(repr=False)
    shown: BoolArray = field(repr=False)
    haloed: BoolArray = field(repr=False, default_factory=lambda: np.empty(0, np.bool_))


@dataclass(frozen=True, slots=True, kw_only=True)
class RingStyle:
    """How all rings are drawn, whatever their class.

    Attributes
    ----------
    size : float
        Diameter as a multiple of the particle's; 1 is the exact cross-section.
    line : float
        Width of the line in pixels of the screen.
    """

    size: float = 1.0
    line: float = 2.0


def no_rings() -> Rings:
    """Return an empty drawing."""
    return Rings(
        positions=np.empty((0, 3)),
        sizes=np.empty(0, np.float32),
        colors=np.empty((0, 4), np.float32),
        symbols=np.empty(0, "<U4"),
        shown=np.empty(0, np.bool_),
    )


def colors_of(class_ids: NDArray[Any], statuses: NDArray[Any], palette: dict[int, str], selected: BoolArray) -> NDArray[Any]:
    """Give every particle its colour.

    Parameters
    ----------
    class_ids, statuses : ndarray
        (n,) class and status of each.
    palette : dict[int, str]
        ``#rrggbb`` of each class.
    selected : BoolArray
        (n,) which are selected.

    Returns
    -------
    ndarray
        (n, 4) RGBA.
    """
    lookup = np.ones((max(palette, default=0) + 2, 4), np.float32)  # the last one is of classes that nobody knows
    for number, color in palette.items():
        lookup[number, :3] = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    colors = lookup[np.minimum(class_ids, len(lookup) - 1)]
    colors[statuses == Status.CANDIDATE, 3] = FAINT
    colors[statuses == Status.REJECTED] = REJECTED
    colors[selected] = SELECTED
    return colors


def symbols_of(statuses: NDArray[Any]) -> NDArray[Any]:
    """Give every particle its symbol: rings, and crosses for what was rejected.

    Parameters
    ----------
    statuses : ndarray
        (n,) status of each.

    Returns
    -------
    ndarray
        (n,) names.
    """
    return np.where(statuses == Status.REJECTED, CROSS, RING)


class ParticleRings:
    """All particles of one canvas in one visual.

    It is our own rather than a napari layer: that slices and colours all points at every page, which takes a tenth of a
    second with 50 000 of them, and knows no width of a line in pixels.

    Attributes
    ----------
    rows : IntArray
        (m,) which particles are drawn now.
    diameters : FloatArray
        (m,) of these, in voxels, as they are drawn.
    """

    def __init__(self, scene: Any, axis: int, plane: tuple[int, int]) -> None:
        self._circles = Circles(parent=scene)
        self._circles.order = ABOVE_IMAGES
        self._axis, self._plane = axis, plane
        self._rings, self._style = no_rings(), RingStyle()
        self._index, self._scale = 0, 1.0
        self.rows: IntArray = np.empty(0, np.int64)
        self.diameters: FloatArray = np.empty(0, np.float32)

    @property
    def data(self) -> Positions:
        """(n, 3) zyx voxels of all particles, drawn or not."""
        return self._rings.positions

    @property
    def colors(self) -> NDArray[Any]:
        """(m, 4) RGBA of those that are drawn."""
        return self._rings.colors[self.rows]

    # ---- what is shown ----

    def show(self, rings: Rings) -> None:
        """Draw these and nothing else.

        Parameters
        ----------
        rings : Rings
            What to draw.
        """
        self._rings = rings
        self._draw()

    def cut(self, index: int) -> None:
        """Draw those that a section cuts.

        Parameters
        ----------
        index : int
            Of the section.
        """
        if index != self._index:
            self._index = index
            self._draw()

    def set_scale(self, scale: float) -> None:
        """Tell how large a voxel is.

        Parameters
        ----------
        scale : float
            Units of the canvas per voxel.
        """
        self._scale = scale
        self._draw()

    def set_style(self, style: RingStyle) -> None:
        """Change size and line of all.

        Parameters
        ----------
        style : RingStyle
            How to draw.
        """
        self._style = style
        self._circles.set_line(style.line)
        self._draw()

    def _draw(self) -> None:
        rings = self._rings
        rows, found = cross_sections(rings.positions, rings.sizes, self._axis, self._index)
        visible = rings.shown[rows]
        self.rows, self.diameters = rows[visible], found[visible] * np.float32(self._style.size)
        down, across = self._plane
        centres, radii = rings.positions[self.rows][:, (across, down)] * self._scale, self.diameters / 2 * self._scale
        around = rings.haloed[self.rows] if len(rings.haloed) else np.zeros(len(self.rows), np.bool_)
        self._circles.set_data(
            np.concatenate([centres, centres[around]]),
            np.concatenate([radii, radii[around] * HALO_SIZE]),
            np.concatenate([self.colors, np.tile(np.float32(HALO), (int(around.sum()), 1))]),
            np.concatenate([rings.symbols[self.rows] == CROSS, np.zeros(int(around.sum()), np.bool_)]),
        )
