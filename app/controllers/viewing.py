"""What the eye is given beside sections: how rings are drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from app.layers.particles import RingStyle

if TYPE_CHECKING:
    from qtpy.QtCore import QSettings

    from app.panels.rings import RingControls
    from app.views.triptych import Triptych

SIZE, LINE = "ring size", "ring line"


class ViewController(QObject):
    """Keeps what is set for the eye from one tomogram, and one day, to the next."""

    def __init__(self, rings: RingControls, views: Triptych, settings: QSettings) -> None:
        super().__init__()
        self._rings, self._views, self._settings = rings, views, settings
        rings.style_requested.connect(self.set_ring_style)
        usual = RingStyle()
        rings.set_style(RingStyle(size=float(settings.value(SIZE, usual.size)), line=float(settings.value(LINE, usual.line))))
        views.set_ring_style(rings.style_now)

    def set_ring_style(self, style: RingStyle) -> None:
        """Change size and line of all rings."""
        self._views.set_ring_style(style)
        self._settings.setValue(SIZE, style.size)
        self._settings.setValue(LINE, style.line)

    def change_line(self, by: float) -> None:
        """Draw all rings thicker, or thinner, by so many pixels."""
        self._rings.set_style(replace(self._rings.style_now, line=self._rings.style_now.line + by))
        self.set_ring_style(self._rings.style_now)
