"""How strongly the network's score map shines through."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSlider, QWidget
from superqt.utils import signals_blocked

from app.panels.parts import allow

PER_CENT = 100


class ScoreMapControls(QWidget):
    """One slider; at 0 the map is off and costs nothing."""

    opacity_requested = Signal(float)  # 0 to 1

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self.opacity, self._value = QSlider(Qt.Orientation.Horizontal), QLabel()
        self.opacity.setRange(0, PER_CENT)
        self._value.setMinimumWidth(36)
        row.addWidget(QLabel("Score map"))
        row.addWidget(self.opacity, stretch=1)
        row.addWidget(self._value)
        self.opacity.valueChanged.connect(self._on_opacity_moved)
        self.set_available(False)
        self._say()

    def set_available(self, there: bool) -> None:
        """Say whether there is a map of this tomogram."""
        usual = "Show over the sections where the network sees particles, of any class; 0 is off"
        allow(self.opacity, "" if there else "There is no score map of this tomogram yet: pick it first.", usual)

    def set_opacity(self, opacity: float) -> None:
        """Show how strong it is."""
        with signals_blocked(self.opacity):
            self.opacity.setValue(round(PER_CENT * opacity))
        self._say()

    def _say(self) -> None:
        self._value.setText(f"{self.opacity.value()} %" if self.opacity.value() else "off")

    def _on_opacity_moved(self, value: int) -> None:
        self._say()
        self.opacity_requested.emit(value / PER_CENT)
