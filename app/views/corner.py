"""The fourth quarter: what is known about a position, or the tomogram in three dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QStackedWidget, QWidget

from app.layers.particles import no_rings
from app.views.solid import Solid
from core.display import value_at

if TYPE_CHECKING:
    from app.layers.particles import Rings
    from core.display import SmallCopy
    from core.tomogram import Tomogram
    from core.types import Positions, Shape

KEYS = "<p>wheel: sections<br>Ctrl + wheel: zoom<br>drag: pan<br>Shift + click or drag: crosshair</p>"
WAIT = "<p>Preparing the 3-D view…</p>"


class Corner(QStackedWidget):
    """The view in three dimensions is made when it is first asked for, and gets a small copy and never the tomogram."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("corner")
        self.text = QLabel()
        self.text.setObjectName("corner")
        self.text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.text.setTextFormat(Qt.TextFormat.RichText)
        self.addWidget(self.text)
        self.solid: Solid | None = None
        self._rings, self._up, self._waiting = no_rings(), False, False
        self._told = ""  # what lies at the position

    def tell(self, tomogram: Tomogram, position: Positions) -> None:
        """Say what lies at a position, (3,) zyx voxels."""
        z, y, x = (round(float(p)) for p in position)
        rows = "".join(
            f"<tr><td>{name}</td><td align=right>&nbsp;&nbsp;{value}</td></tr>"
            for name, value in zip("xyz", (x, y, z), strict=True)
        )
        grey = f"<tr><td>grey</td><td align=right>&nbsp;&nbsp;{value_at(tomogram, position):.4g}</td></tr>"
        self._told = f"<table align=center>{rows}{grey}</table>"
        self._say()

    # ---- three dimensions ----

    def wait(self, waiting: bool) -> None:
        """Say that a small copy is being made."""
        self._waiting = waiting
        self._say()

    def _say(self) -> None:
        self.text.setText(self._told + (WAIT if self._waiting else KEYS))

    def show_solid(self, copy: SmallCopy, shape: Shape) -> None:
        """Show a small copy of a tomogram of a shape (z, y, x) in three dimensions, with the particles."""
        if self.solid is None:
            self.solid = Solid(self)
            self.addWidget(self.solid.native)
            self.solid.set_y_up(self._up)
        self.wait(False)
        self.solid.set_copy(copy, shape)
        self.setCurrentWidget(self.solid.native)
        self.solid.set_rings(self._rings)

    def show_text(self) -> None:
        """Show what is known about a position."""
        self.wait(False)
        self.setCurrentWidget(self.text)

    @property
    def in_solid(self) -> bool:
        """Whether three dimensions are shown."""
        return self.solid is not None and self.currentWidget() is self.solid.native

    def set_rings(self, rings: Rings) -> None:
        """Take particles; they are drawn only where somebody sees them."""
        self._rings = rings
        if self.solid is not None and self.in_solid:
            self.solid.set_rings(rings)

    def set_y_up(self, up: bool) -> None:
        """Turn y upwards or downwards."""
        self._up = up
        if self.solid is not None:
            self.solid.set_y_up(up)
