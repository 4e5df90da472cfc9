"""A section through the tomogram with rings and crosshair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from napari.qt import QtViewer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget
from superqt.utils import signals_blocked

from app.layers.crosshair import Crosshair
from app.layers.overlay import Overlay, Veil
from app.layers.particles import ParticleRings, no_rings
from app.layers.volume import Sections

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app.layers.particles import Rings, RingStyle
    from core.display import Look
    from core.tomogram import Tomogram
    from core.types import Angstrom, Positions

AXES = ("z", "y", "x")
ORDERS = {0: (0, 1, 2), 1: (1, 0, 2), 2: (2, 1, 0)}  # so that XZ lies below XY with x in common, and YZ beside it with y
SMALL = 8  # points, of the scale bar
MARGIN = 0.92  # part of the canvas that a fitted section fills


class _QuietQtViewer(QtViewer):
    """Leaves files that are dropped on it to the window, which knows projects."""

    def __init__(self, model: ViewerModel) -> None:
        super().__init__(model)
        self.setAcceptDrops(False)
        self._welcome_widget.setAcceptDrops(False)
        self.dims.hide()  # it counts in nanometres; the slider below counts sections


class Section(QWidget):
    """Shows the section perpendicular to one axis; positions are (3,) zyx voxels."""

    def __init__(self, axis: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.axis = axis
        self.model = ViewerModel()
        self.viewer = _QuietQtViewer(self.model)
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._label = QLabel()
        self._label.setMinimumWidth(90)
        self._scale, self._units = 1.0, ""
        self._sections: Sections | None = None
        self._image: Image | None = None
        self._crosshair = Crosshair(self.viewer.canvas.view.scene, *ORDERS[axis][1:])
        self.rings = ParticleRings(self.viewer.canvas.view.scene, axis, ORDERS[axis][1:])
        self.overlay, self.veil = Overlay(self.model), Veil(self.model)
        self._position = np.zeros(3)
        self._fitted: tuple[float, ...] = ()
        self._arrange()
        # the last to hear of it, so that napari knows the new size
        self.viewer.canvas._scene_canvas.events.resize.connect(self._on_canvas_resize, position="last")

    def _arrange(self) -> None:
        bar = QHBoxLayout()
        bar.setContentsMargins(6, 0, 6, 2)
        bar.addWidget(self._label)
        bar.addWidget(self._slider, stretch=1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.viewer, stretch=1)
        layout.addLayout(bar)

    @property
    def native(self) -> QWidget:
        """The widget that gets the mouse events."""
        widget: QWidget = self.viewer.canvas.native
        return widget

    # ---- what is shown ----

    def open(self, tomogram: Tomogram, look: Look, bounds: tuple[float, float]) -> None:
        """Show a tomogram in place of what was there.

        Parameters
        ----------
        tomogram : Tomogram
            What to show.
        look : Look
            How.
        bounds : tuple[float, float]
            Grey values of black and white.
        """
        model, nm = self.model, tomogram.voxel_size / 10
        scale, units = (nm, "nm") if nm else (1.0, "pixel")
        self._sections = Sections(tomogram, look)
        with signals_blocked(self._slider):
            self._slider.setRange(0, tomogram.shape[self.axis] - 1)
        self.set_rings(no_rings())
        self.rings.set_scale(scale)
        self.set_score_map(None)
        self.set_masked(None, (1.0,) * 3)
        if self._image is not None and units == self._units:
            self._swap(self._image, self._sections, scale, bounds)
            return
        model.layers.clear()
        self._scale, self._units = scale, units
        self._image = Image(
            self._sections,
            name="tomogram",
            rgb=False,
            multiscale=False,
            projection_mode="none",  # slabs are averaged by Sections
            contrast_limits=bounds,
            scale=(self._scale,) * 3,
            units=units,
        )
        model.layers.append(self._image)
        model.layers.selection.active = self._image
        model.dims.order = ORDERS[self.axis]
        if self.axis == 0:  # the magnification is the same in all three, and in a thin section it would cover a third
            model.canvas.overlays.scale_bar.visible = True
            model.canvas.overlays.scale_bar.font_size = SMALL
        self.fit()

    def _swap(self, image: Image, sections: Sections, scale: float, bounds: tuple[float, float]) -> None:
        """Show another tomogram in the layers that are there: making new ones takes napari seconds."""
        self._scale = scale
        image.data = sections
        image.contrast_limits = bounds
        image.visible = True
        image.scale = (scale,) * 3
        self.fit()

    def release(self) -> None:
        """Show nothing and let go of the tomogram."""
        self._crosshair.hide()
        self._sections = None
        self.set_rings(no_rings())
        self.set_score_map(None)
        self.set_masked(None, (1.0,) * 3)
        if self._image is not None:
            self._image.visible = False
            self._image.data = np.zeros((1, 1, 1), np.float32)

    def fit(self) -> None:
        """Make the whole section visible."""
        self.model.fit_to_view(margin=1 - MARGIN)
        self._fitted = self._view()

    def _view(self) -> tuple[float, ...]:
        camera = self.model.scene.camera
        return (camera.zoom, *camera.center)

    def _on_canvas_resize(self, _event: object) -> None:
        # the other canvases follow the magnification of this one; what somebody has zoomed or moved stays
        if self.axis == 0 and self._fitted and np.allclose(self._fitted, self._view()):
            self.fit()

    def set_position(self, position: Positions) -> None:
        """Cut through a position and put the crosshair there.

        Parameters
        ----------
        position : Positions
            (3,) zyx voxels, integers, inside.
        """
        self._position = np.asarray(position, float)
        index = int(self._position[self.axis])
        if self._sections is None:
            return
        self._crosshair.move(self._position, self._sections.shape, self._scale)
        self.rings.cut(index)
        if not np.isclose(self.model.dims.point[self.axis], index * self._scale):  # setting it is slow, even to what it is
            self.model.dims.set_point(self.axis, index * self._scale)  # the other two would only slice again
        with signals_blocked(self._slider):
            self._slider.setValue(index)
        self._label.setText(f"{AXES[self.axis]}  {index + 1} / {self._sections.shape[self.axis]}")

    def set_look(self, look: Look, bounds: tuple[float, float], inverted: bool) -> None:
        """Change slab, filters, contrast and colours.

        Parameters
        ----------
        look : Look
            Slab and filters.
        bounds : tuple[float, float]
            Grey values of black and white.
        inverted : bool
            Black for white.
        """
        if self._image is None or self._sections is None:
            return
        self._image.contrast_limits = bounds
        self._image.colormap = "gray_r" if inverted else "gray"
        if look != self._sections.look:
            self._sections.look = look
            self._image.refresh()

    def set_y_up(self, up: bool) -> None:
        """Draw the second axis upwards, as IMOD does.

        Parameters
        ----------
        up : bool
            Upwards or downwards.
        """
        self.model.scene.camera.orientation2d = ("up" if up else "down", "right")

    def set_rings(self, rings: Rings) -> None:
        """Draw particles.

        Parameters
        ----------
        rings : Rings
            All of this tomogram.
        """
        self.rings.show(rings)

    def set_ring_style(self, style: RingStyle) -> None:
        """Change size and line of all rings.

        Parameters
        ----------
        style : RingStyle
            How to draw.
        """
        self.rings.set_style(style)

    def set_score_map(self, found: Tomogram | None) -> None:
        """Lay a score map over the sections.

        Parameters
        ----------
        found : Tomogram | None
            Of the tomogram that is shown; None for none.
        """
        self.overlay.set_map(found, self._scale, self._units)

    def set_masked(self, masked: NDArray[Any] | None, factor: tuple[float, ...]) -> None:
        """Lay a veil over the places where picks do not count.

        Parameters
        ----------
        masked, factor : ndarray | None, tuple[float, ...]
            As for `app.layers.overlay.Veil`.
        """
        self.veil.show(masked, factor, self._scale, self._units)

    def set_zoom(self, zoom: float) -> None:
        """Take over the magnification of another canvas.

        Parameters
        ----------
        zoom : float
            Pixels of the screen per nanometre.
        """
        if not np.isclose(self.model.scene.camera.zoom, zoom):
            self.model.scene.camera.zoom = zoom

    def to_pixels(self, position: Positions, voxel_size: Angstrom) -> tuple[int, int]:
        """Tell where on the canvas a position is drawn.

        Parameters
        ----------
        position : Positions
            (3,) zyx voxels.
        voxel_size : Angstrom
            Of the tomogram.

        Returns
        -------
        tuple[int, int]
            Right and down, in pixels of the widget.
        """
        camera = self.model.scene.camera
        scale = voxel_size / 10 if voxel_size else 1.0
        rows, columns = ORDERS[self.axis][1:]
        up = -1 if str(camera.orientation2d[0]) == "up" else 1
        down = (position[rows] * scale - camera.center[1]) * camera.zoom * up + self.native.height() / 2
        right = (position[columns] * scale - camera.center[2]) * camera.zoom + self.native.width() / 2
        return round(right), round(down)
