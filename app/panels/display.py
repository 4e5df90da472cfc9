"""How sections are shown: contrast, slab, filters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QFormLayout, QHBoxLayout, QPushButton, QSpinBox, QWidget
from superqt import QDoubleRangeSlider
from superqt.utils import signals_blocked

from core.settings import SLABS, DisplayConfig

if TYPE_CHECKING:
    from core.display import Look


class DisplayForm(QWidget):
    """Edits a `DisplayConfig`."""

    edited = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._by_hand = False
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        self.contrast = QDoubleRangeSlider(Qt.Orientation.Horizontal)
        self.contrast.valueChanged.connect(self._on_contrast_changed)
        self.slab = QSpinBox()
        self.slab.setRange(1, SLABS)
        self.slab.setSingleStep(2)
        self.slab.setSuffix(" sections")
        self.slab.setSpecialValueText("one section")
        self.slab.setToolTip("How many sections are averaged in each view")
        self.low_pass, self.high_pass = QDoubleSpinBox(), QDoubleSpinBox()
        for spin, tip in ((self.low_pass, "Blur detail finer than this"), (self.high_pass, "Remove gradients coarser than this")):
            spin.setRange(0, 5000)
            spin.setSingleStep(10)
            spin.setDecimals(0)
            spin.setSuffix(" Å")
            spin.setSpecialValueText("off")
            spin.setToolTip(tip)
        for spin in (self.slab, self.low_pass, self.high_pass):
            spin.setKeyboardTracking(False)
            spin.valueChanged.connect(self._on_filter_changed)
        self.invert = QCheckBox("Invert")
        self.invert.toggled.connect(self._on_invert_toggled)
        self.reset = QPushButton("Auto")
        self.reset.setToolTip("Find the contrast again")
        self.reset.clicked.connect(self._on_filter_changed)
        row = QHBoxLayout()
        row.addWidget(self.invert)
        row.addWidget(self.reset)
        form.addRow("Contrast", self.contrast)
        form.addRow("", row)
        form.addRow("Average", self.slab)
        form.addRow("Low-pass", self.low_pass)
        form.addRow("High-pass", self.high_pass)

    @property
    def config(self) -> DisplayConfig:
        """What stands here."""
        black, white = self.contrast.value() if self._by_hand else (0.0, 0.0)
        return DisplayConfig(
            slab=self.slab.value(),
            low_pass=self.low_pass.value(),
            high_pass=self.high_pass.value(),
            invert=self.invert.isChecked(),
            black=float(black),
            white=float(white),
        )

    def set_config(self, config: DisplayConfig) -> None:
        """Fill in everything and say so."""
        with signals_blocked(self.invert):
            self.invert.setChecked(config.invert)
        self._by_hand = config.bounds is not None
        if config.bounds is not None:
            self.set_bounds(config.bounds)
        self._fill(config.look)
        self.edited.emit()

    def set_look(self, look: Look) -> None:
        """Fill in slab and filters, as if a hand had."""
        self._fill(look)
        self._on_filter_changed()

    def set_bounds(self, bounds: tuple[float, float]) -> None:
        """Show which greys are black and white."""
        low, high = bounds
        room = high - low
        with signals_blocked(self.contrast):
            self.contrast.setRange(low - room, high + room)
            self.contrast.setValue((low, high))

    def _fill(self, look: Look) -> None:
        with signals_blocked(self.slab), signals_blocked(self.low_pass), signals_blocked(self.high_pass):
            self.slab.setValue(look.slab)
            self.low_pass.setValue(look.low_pass)
            self.high_pass.setValue(look.high_pass)

    # ---- callbacks ----

    def _on_filter_changed(self, _value: object = None) -> None:
        self._by_hand = False
        self.edited.emit()

    def _on_contrast_changed(self, _value: object) -> None:
        self._by_hand = True
        self.edited.emit()

    def _on_invert_toggled(self, _on: bool) -> None:
        self.edited.emit()
