"""One canvas: a section, and what the mouse does on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Signal

from app.views.section import Section

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.components import ViewerModel
    from qtpy.QtWidgets import QWidget

    from core.types import Positions

CLICK_PIXELS = 4  # a press that moves less is a click


class Canvas(Section):
    """Tells gestures as positions, (3,) zyx voxels; what they mean is decided elsewhere."""

    moved = Signal(object, float)  # the section was changed by wheel, slider or key: axis, index
    pointed = Signal(object)  # the mouse is over this position
    clicked = Signal(object, object, object)  # position, mouse button, modifiers
    dragged = Signal(object, bool)  # position, and whether the button was released there
    aimed = Signal(object)  # the crosshair is dragged to this position
    zoomed = Signal(float)

    def __init__(self, axis: int, parent: QWidget | None = None) -> None:
        super().__init__(axis, parent)
        self.holds: Callable[[Positions], bool] = lambda _position: False  # whether something there can be dragged
        self._listen()

    def _listen(self) -> None:
        model = self.model
        model.mouse_drag_callbacks.clear()
        model.mouse_wheel_callbacks.clear()
        model.mouse_drag_callbacks.append(self._on_mouse_press)
        model.mouse_wheel_callbacks.append(self._on_mouse_wheel)
        model.mouse_move_callbacks.append(self._on_mouse_move)
        model.scene.camera.mouse_zoom = False  # the wheel turns the pages
        model.scene.camera.events.zoom.connect(self._on_camera_zoom)
        self._slider.valueChanged.connect(self._on_slider_value)

    def _place(self, event: Any) -> Positions:
        position = np.asarray(event.position, float) / self._scale
        position[self.axis] = self._position[self.axis]
        return position

    def _on_mouse_press(self, _model: ViewerModel, event: Any) -> Iterator[None]:
        if self._sections is None:
            return
        start, pressed = self._place(event), np.asarray(event.pos)
        button, modifiers = event.button, tuple(str(getattr(m, "name", m)) for m in event.modifiers)
        holding = button == 1 and not modifiers and self.holds(start)
        aiming = button == 1 and modifiers == ("Shift",)
        if holding or aiming:
            self.model.scene.camera.mouse_pan = False
        travelled = False
        yield
        while event.type == "mouse_move":
            travelled = travelled or _far(event.pos, pressed)
            if holding and travelled:
                self.dragged.emit(self._place(event), False)
            elif aiming and travelled:
                self.aimed.emit(self._place(event))
            yield
        self.model.scene.camera.mouse_pan = True
        travelled = travelled or _far(event.pos, pressed)  # moves in quick succession are not told
        if holding and travelled:
            self.dragged.emit(self._place(event), True)
        elif aiming and travelled:
            self.aimed.emit(self._place(event))
        elif not travelled:
            self.clicked.emit(start, button, modifiers)

    def _on_mouse_move(self, _model: ViewerModel, event: Any) -> None:
        if self._sections is not None:
            self.pointed.emit(self._place(event))

    def _on_mouse_wheel(self, _model: ViewerModel, event: Any) -> None:
        turns = 1 if event.delta[1] > 0 else -1
        if "Control" in [getattr(m, "name", m) for m in event.modifiers]:
            self.model.scene.camera.zoom *= 1.15**turns
        elif self._sections is not None:
            self.moved.emit(self.axis, self._position[self.axis] + turns)
        event.handled = True

    def _on_slider_value(self, index: int) -> None:
        self.moved.emit(self.axis, float(index))

    def _on_camera_zoom(self, event: Any) -> None:
        self.zoomed.emit(float(event.value))


def _far(position: Any, pressed: Any) -> bool:
    return float(np.abs(np.asarray(position) - pressed).max()) >= CLICK_PIXELS
