"""Three canvases that show sections through one position, and what is known about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QSplitter, QVBoxLayout, QWidget

from app.layers.particles import RingStyle, no_rings
from app.views.canvas import Canvas
from app.views.corner import Corner
from core.display import Look, clamped, contrast

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from app.layers.particles import Rings
    from core.tomogram import Tomogram
    from core.types import BoolArray, Positions


@dataclass(frozen=True, slots=True)
class Seen:
    """What sections look like: slab and filters, grey values of black and white, black for white, y upwards, and rings."""

    look: Look
    bounds: tuple[float, float]
    inverted: bool
    upwards: bool
    rings: Rings
    ring_style: RingStyle


class Triptych(QWidget):
    """XY above XZ, with YZ beside it, and the read-out in the corner."""

    clicked = Signal(object, object, object, int)  # position, mouse button, modifiers, axis of the canvas
    dragged = Signal(object, bool, int)  # position, whether it ended there, axis of the canvas
    position_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.canvases = tuple(Canvas(axis) for axis in range(3))
        self.tomogram: Tomogram | None = None
        self.position: Positions = np.zeros(3)
        self._look, self._bounds, self._inverted = Look(), (0.0, 1.0), False
        self.ring_style = RingStyle()
        self.corner = Corner()
        self._rings, self._up = no_rings(), False
        self._arrange()
        for canvas in self.canvases:
            canvas.moved.connect(self._on_canvas_moved)
            canvas.pointed.connect(self._on_canvas_pointed)
            canvas.clicked.connect(self._on_canvas_clicked)
            canvas.dragged.connect(self._on_canvas_dragged)
            canvas.aimed.connect(self.go_to)
            canvas.zoomed.connect(self._on_canvas_zoomed)

    def _arrange(self) -> None:
        self._rows = QSplitter(Qt.Orientation.Vertical)
        self._top, self._bottom = QSplitter(Qt.Orientation.Horizontal), QSplitter(Qt.Orientation.Horizontal)
        xy, xz, yz = self.canvases
        for row, widgets in ((self._top, (xy, yz)), (self._bottom, (xz, self.corner))):
            for widget in widgets:
                row.addWidget(widget)
            row.setChildrenCollapsible(False)
            row.setHandleWidth(3)
            self._rows.addWidget(row)
        self._rows.setHandleWidth(3)
        self._top.splitterMoved.connect(self._on_splitter_moved)
        self._bottom.splitterMoved.connect(self._on_splitter_moved)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._rows)
        self.set_single(False)

    # ---- what is shown ----

    def open(self, tomogram: Tomogram, position: Positions | None = None) -> None:
        """Show a tomogram.

        Parameters
        ----------
        tomogram : Tomogram
            Which.
        position : Positions | None
            Where to cut; None for the middle.
        """
        self.tomogram = tomogram
        self._bounds = contrast(tomogram, self._look)
        self._apportion(tomogram.shape)
        for canvas in self.canvases:
            canvas.open(tomogram, self._look, self._bounds)
            canvas.set_look(self._look, self._bounds, self._inverted)
        self.go_to(np.asarray(tomogram.shape) // 2 if position is None else position)
        self.canvases[0].fit()

    def _apportion(self, shape: tuple[int, int, int]) -> None:
        """Give thin tomograms a large XY section."""
        depth = min(max(shape[0] / max(shape[1:]), 0.25), 0.45)
        for splitter in (self._rows, self._top, self._bottom):
            splitter.setSizes([round(1000 * (1 - depth)), round(1000 * depth)])

    def clear(self) -> None:
        """Show nothing."""
        self.tomogram = None
        for canvas in self.canvases:
            canvas.release()

    def go_to(self, position: Positions) -> None:
        """Cut through a position.

        Parameters
        ----------
        position : Positions
            (3,) zyx voxels; brought inside where it is outside.
        """
        if self.tomogram is None:
            return
        self.position = clamped(position, self.tomogram.shape)
        for canvas in self.canvases:
            canvas.set_position(self.position)
        self._tell(self.position)
        self.position_changed.emit(self.position)

    def step(self, axis: int, by: int) -> None:
        """Turn pages.

        Parameters
        ----------
        axis : int
            Of the canvas.
        by : int
            Sections forwards.
        """
        self._on_canvas_moved(axis, self.position[axis] + by)

    def set_look(self, look: Look, *, inverted: bool, bounds: tuple[float, float] | None = None) -> None:
        """Change slab, filters and contrast.

        Parameters
        ----------
        look : Look
            Slab and filters.
        inverted : bool
            Black for white.
        bounds : tuple[float, float] | None
            Grey values of black and white; None to find them.
        """
        if self.tomogram is not None and (bounds is not None or look != self._look):
            self._bounds = bounds or contrast(self.tomogram, look)
        self._look, self._inverted = look, inverted
        for canvas in self.canvases:
            canvas.set_look(look, self._bounds, inverted)

    @property
    def seen(self) -> Seen:
        """How everything is drawn now."""
        return Seen(self._look, self._bounds, self._inverted, self._up, self._rings, self.ring_style)

    @property
    def bounds(self) -> tuple[float, float]:
        """Grey values of black and white."""
        return self._bounds

    def set_y_up(self, up: bool) -> None:
        """Draw y and z upwards, for display only.

        Parameters
        ----------
        up : bool
            Upwards or downwards.
        """
        self._up = up
        for view in (*self.canvases, self.corner):
            view.set_y_up(up)

    def set_single(self, single: bool) -> None:
        """Show the XY section alone, or all three.

        Parameters
        ----------
        single : bool
            Alone.
        """
        self._bottom.setVisible(not single)
        self.canvases[2].setVisible(not single)

    def set_rings(self, rings: Rings) -> None:
        """Draw particles in all canvases.

        Parameters
        ----------
        rings : Rings
            All of this tomogram.
        """
        self._rings = rings
        for view in (*self.canvases, self.corner):
            view.set_rings(rings)

    def set_shown(self, shown: BoolArray) -> None:
        """Change which particles are visible.

        Parameters
        ----------
        shown : BoolArray
            (n,) in the order of the rings.
        """
        self.set_rings(replace(self._rings, shown=shown))

    def set_ring_style(self, style: RingStyle) -> None:
        """Change size and line of all rings.

        Parameters
        ----------
        style : RingStyle
            How to draw.
        """
        self.ring_style = style
        for canvas in self.canvases:
            canvas.set_ring_style(style)

    def set_score_map(self, found: Tomogram | None) -> None:
        """Lay a score map over all sections.

        Parameters
        ----------
        found : Tomogram | None
            Of the tomogram that is shown; None for none.
        """
        for canvas in self.canvases:
            canvas.set_score_map(found)

    def set_score_map_opacity(self, opacity: float) -> None:
        """Let the score map shine through.

        Parameters
        ----------
        opacity : float
            0 to 1; at 0 nothing of it is read.
        """
        for canvas in self.canvases:
            canvas.overlay.set_opacity(opacity)

    def set_masked(self, masked: NDArray[Any] | None, factor: tuple[float, ...] = (1.0,) * 3) -> None:
        """Lay a veil over all sections where picks do not count; see `app.layers.overlay.Veil`."""
        for canvas in self.canvases:
            canvas.set_masked(masked, factor)

    def set_holder(self, holds: Callable[[Positions, int], bool]) -> None:
        """Tell the canvases what can be dragged.

        Parameters
        ----------
        holds : Callable[[Positions, int], bool]
            Whether something lies at a position of the canvas with an axis.
        """
        for canvas in self.canvases:
            canvas.holds = lambda position, axis=canvas.axis: holds(position, axis)

    def _tell(self, position: Positions) -> None:
        if self.tomogram is not None:
            self.corner.tell(self.tomogram, position)

    # ---- canvas callbacks ----

    def _on_canvas_moved(self, axis: int, index: float) -> None:
        position = self.position.copy()
        position[axis] = index
        self.go_to(position)

    def _on_canvas_pointed(self, position: Positions) -> None:
        self._tell(position)

    def _on_canvas_clicked(self, position: Positions, button: int, modifiers: tuple[str, ...]) -> None:
        self.clicked.emit(position, button, modifiers, self.sender().axis)

    def _on_canvas_dragged(self, position: Positions, ended: bool) -> None:
        self.dragged.emit(position, ended, self.sender().axis)

    def _on_canvas_zoomed(self, zoom: float) -> None:
        for canvas in self.canvases:
            canvas.set_zoom(zoom)

    def _on_splitter_moved(self, place: int, _index: int) -> None:
        for splitter in (self._top, self._bottom):
            if splitter is not self.sender():
                splitter.setSizes(self.sender().sizes())
