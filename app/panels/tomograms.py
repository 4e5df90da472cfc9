"""Step 1: the tomograms of the project, their voxel size, and how they are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from superqt import QDoubleRangeSlider
from superqt.utils import signals_blocked

from app.panels.parts import column, heading, hint, rule
from app.panels.rings import RingControls
from core.display import Look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.tomogram import Tomogram


class TomogramPanel(QWidget):
    """Lists tomograms and holds the controls of the display."""

    add_requested = Signal()
    show_requested = Signal(str)
    voxel_size_requested = Signal(float)
    look_requested = Signal(object, bool, object)  # Look, inverted, bounds or None

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = column(self)
        layout.addWidget(heading("Tomograms of this project"))
        self.list = QListWidget()
        self.list.setMaximumHeight(130)
        self.list.currentItemChanged.connect(self._on_list_current)
        layout.addWidget(self.list)
        self.add = QPushButton("Add tomogram…")
        self.add.clicked.connect(self.add_requested)
        layout.addWidget(self.add)
        form = QFormLayout()
        self.voxel_size = QDoubleSpinBox()
        self.voxel_size.setRange(0, 1000)
        self.voxel_size.setDecimals(3)
        self.voxel_size.setSuffix(" Å")
        self.voxel_size.setKeyboardTracking(False)
        self.voxel_size.setToolTip("Edge of a voxel. It is read from the file; change it here if the file is wrong.")
        self.voxel_size.setSpecialValueText("not known")
        self.voxel_size.valueChanged.connect(self._on_voxel_size_changed)
        form.addRow("Voxel size", self.voxel_size)
        layout.addLayout(form)
        self.facts = hint()
        layout.addWidget(self.facts)
        layout.addWidget(rule())
        self._add_display(layout)
        layout.addStretch(1)

    def _add_display(self, layout: QVBoxLayout) -> None:
        layout.addWidget(heading("Display"))
        layout.addWidget(hint("For your eyes only: training and picking see the tomogram as it is."))
        form = QFormLayout()
        self.contrast = QDoubleRangeSlider(Qt.Orientation.Horizontal)
        self.contrast.valueChanged.connect(self._on_display_changed)
        self.slab = QSpinBox()
        self.slab.setRange(1, 51)
        self.slab.setSingleStep(2)
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
        self.invert.toggled.connect(self._on_display_changed)
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
        layout.addLayout(form)
        self.rings = RingControls()
        layout.addWidget(self.rings)

    # ---- setters ----

    def set_tomograms(self, names: Sequence[str], current: str | None) -> None:
        """List tomograms and mark the one that is shown."""
        with signals_blocked(self.list):
            self.list.clear()
            for name in names:
                item = QListWidgetItem(name)
                self.list.addItem(item)
                if name == current:
                    self.list.setCurrentItem(item)

    def set_tomogram(self, tomogram: Tomogram | None, bounds: tuple[float, float]) -> None:
        """Show what is known about the tomogram."""
        if tomogram is None:
            self.facts.setText("")
            return
        with signals_blocked(self.voxel_size):
            self.voxel_size.setValue(tomogram.voxel_size)
        z, y, x = tomogram.shape
        size = f"{x} by {y} by {z} voxels (x y z)"
        if tomogram.voxel_size:
            size += f", {' by '.join(f'{n * tomogram.voxel_size / 10:.0f}' for n in (x, y, z))} nm"
        self.facts.setText("\n".join([size, *tomogram.notices]))
        self.set_bounds(bounds)

    def set_bounds(self, bounds: tuple[float, float]) -> None:
        """Show which greys are black and white."""
        low, high = bounds
        room = high - low
        with signals_blocked(self.contrast):
            self.contrast.setRange(low - room, high + room)
            self.contrast.setValue((low, high))

    def set_look(self, look: Look) -> None:
        """Fill in slab and filters, as if a hand had."""
        with signals_blocked(self.slab), signals_blocked(self.low_pass), signals_blocked(self.high_pass):
            self.slab.setValue(look.slab)
            self.low_pass.setValue(look.low_pass)
            self.high_pass.setValue(look.high_pass)
        self._on_filter_changed()

    @property
    def look(self) -> Look:
        """Slab and filters as they stand here."""
        return Look(slab=self.slab.value(), low_pass=self.low_pass.value(), high_pass=self.high_pass.value())

    # ---- callbacks ----

    def _on_list_current(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.show_requested.emit(item.text())

    def _on_voxel_size_changed(self, value: float) -> None:
        if value > 0:
            self.voxel_size_requested.emit(value)

    def _on_filter_changed(self, _value: object = None) -> None:
        self.look_requested.emit(self.look, self.invert.isChecked(), None)

    def _on_display_changed(self, _value: object = None) -> None:
        self.look_requested.emit(self.look, self.invert.isChecked(), tuple(self.contrast.value()))
