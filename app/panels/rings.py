"""How large and how thick the rings are, for all particles at once."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QSlider, QWidget
from superqt.utils import signals_blocked

from app.layers.particles import RingStyle

SMALLEST, LARGEST = 25, 200  # per cent of the particle
THINNEST, THICKEST, FINENESS = 0.5, 8.0, 2  # pixels, and steps in a pixel


class RingControls(QWidget):
    """Two sliders; neither changes a particle or what is exported."""

    style_requested = Signal(object)  # RingStyle

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        self.size, self.line = QSlider(Qt.Orientation.Horizontal), QSlider(Qt.Orientation.Horizontal)
        self._percent, self._pixels = QLabel(), QLabel()
        self.size.setRange(SMALLEST, LARGEST)
        self.size.setToolTip("Diameter of the rings; at 100 % they are the exact cross-sections of the particles")
        self.line.setRange(round(THINNEST * FINENESS), round(THICKEST * FINENESS))
        self.line.setToolTip("Width of their lines on the screen; also the keys + and -")
        for name, slider, label in (("Ring size", self.size, self._percent), ("Ring line", self.line, self._pixels)):
            label.setMinimumWidth(48)
            row = QHBoxLayout()
            row.addWidget(slider, stretch=1)
            row.addWidget(label)
            form.addRow(name, row)
            slider.valueChanged.connect(self._on_slider_moved)
        self.set_style(RingStyle())

    @property
    def style_now(self) -> RingStyle:
        """Size and line as they stand here."""
        return RingStyle(size=self.size.value() / 100, line=self.line.value() / FINENESS)

    def set_style(self, style: RingStyle) -> None:
        """Show how rings are drawn."""
        with signals_blocked(self.size), signals_blocked(self.line):
            self.size.setValue(round(100 * style.size))
            self.line.setValue(round(FINENESS * style.line))
        self._say()

    def _say(self) -> None:
        self._percent.setText(f"{self.size.value()} %")
        self._pixels.setText(f"{self.line.value() / FINENESS:g} px")

    def _on_slider_moved(self, _value: int) -> None:
        self._say()
        self.style_requested.emit(self.style_now)
