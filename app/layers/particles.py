"""Particles as one layer of rings, each the exact cross-section of its sphere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Points

from core.particles import Status

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from core.types import BoolArray, FloatArray, Positions

REJECTED = (0.55, 0.55, 0.55, 0.9)
SELECTED = (1.0, 1.0, 1.0, 1.0)
RING, CROSS = "disc", "x"
FAINT = 0.75  # opacity of a pick that nobody has judged


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
        (n,) names of napari's symbols.
    shown : BoolArray
        (n,) False for those below the threshold.
    """

    positions: Positions = field(repr=False)
    sizes: FloatArray = field(repr=False)
    colors: NDArray[Any] = field(repr=False)
    symbols: NDArray[Any] = field(repr=False)
    shown: BoolArray = field(repr=False)


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
    lookup = np.ones((max(palette, default=0) + 1, 4), np.float32)
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


class ParticleLayer:
    """A napari points layer that only shows; editing goes through the store."""

    def __init__(self, scale: float, units: str, line_width: float) -> None:
        self.layer = Points(
            np.empty((0, 3)),
            name="particles",
            face_color="transparent",
            border_width=line_width,
            projection_mode="rescale_spherical",
            scale=(scale,) * 3,
            units=units,
            antialiasing=1,
        )
        self.layer.editable = False
        self._crossed = False  # whether any symbol is not a ring

    def show(self, rings: Rings) -> None:
        """Draw these and nothing else.

        Parameters
        ----------
        rings : Rings
            What to draw.
        """
        layer = self.layer
        # each setter would slice and draw again by itself
        with layer.events.blocker_all(), layer._border.events.blocker_all(), layer._block_refresh():
            if len(layer.data) != len(rings.positions) or not np.array_equal(layer.data, rings.positions):
                layer.data = rings.positions
            if len(rings.positions):
                layer.size = rings.sizes
                layer.border_color = rings.colors
                self._set_symbols(rings)
                layer.shown = rings.shown
        layer.refresh()

    def _set_symbols(self, rings: Rings) -> None:
        """Leave napari's slow setter alone while all are rings, which new points are anyway."""
        crossed = bool((rings.symbols != RING).any())
        if crossed or self._crossed:
            self.layer.symbol = rings.symbols
        self._crossed = crossed

    def show_only(self, shown: BoolArray) -> None:
        """Change which of the particles are visible, and nothing else.

        Parameters
        ----------
        shown : BoolArray
            (n,) visible ones.
        """
        self.layer.shown = shown

    @property
    def line_width(self) -> float:
        """Width of the rings as a part of their diameter."""
        return float(self.layer.current_border_width)

    @line_width.setter
    def line_width(self, width: float) -> None:
        self.layer.current_border_width = width
        self.layer.border_width = width
