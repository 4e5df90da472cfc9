"""Step 1: the tomograms of the project, their voxel size, how they are shown, and what the network sees of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QDoubleSpinBox, QFormLayout, QFrame, QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget
from superqt.utils import signals_blocked

from app.panels.display import DisplayForm
from app.panels.parts import allow, column, heading, hint, primary, rule
from app.panels.preparing import PreparingForm
from app.panels.rings import RingControls
from app.panels.tomogramlist import TomogramList

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.display import Look
    from core.tomogram import Tomogram


class TomogramPanel(QScrollArea):
    """Lists tomograms; below, what concerns the one that is shown."""

    add_requested = Signal()
    remove_requested = Signal()
    link_requested = Signal()
    carry_requested = Signal()
    voxel_size_requested = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        inside = QWidget()
        inside.setObjectName("inside")
        layout = column(inside)
        layout.setContentsMargins(12, 8, 8, 8)  # a scroll area heeds no margins of its own
        layout.addWidget(heading("Tomograms of this project"))
        self.list = TomogramList()
        layout.addWidget(self.list)
        self._add_buttons(layout)
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
        layout.addWidget(heading("Display"))
        layout.addWidget(hint("For your eyes only."))
        self.display, self.preparing = DisplayForm(), PreparingForm()
        self.rings = RingControls()
        for widget in (self.display, self.rings, rule(), self.preparing):
            layout.addWidget(widget)
        layout.addStretch(1)
        self.setWidget(inside)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def _add_buttons(self, layout: QVBoxLayout) -> None:
        self.add, self.remove = primary("Add tomograms…"), QPushButton("Remove")
        self.add.setToolTip("Choose one or several files; they stay where they are")
        self.add.clicked.connect(self.add_requested)
        self.remove.clicked.connect(self.remove_requested)
        row = QHBoxLayout()
        row.addWidget(self.add, stretch=2)
        row.addWidget(self.remove, stretch=1)
        layout.addLayout(row)
        self.link, self.carry = QPushButton("Same specimen as…"), QPushButton("Carry particles over…")
        self.link.clicked.connect(self.link_requested)
        self.carry.clicked.connect(self.carry_requested)
        row = QHBoxLayout()
        row.addWidget(self.link, stretch=1)
        row.addWidget(self.carry, stretch=1)
        layout.addLayout(row)
        self.linked = hint()
        layout.addWidget(self.linked)

    # ---- setters ----

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
        self.display.set_bounds(bounds)

    def set_removable(self, reason_not: str) -> None:
        """Say whether the tomogram that is shown can be removed."""
        allow(self.remove, reason_not, "Take the tomogram that is shown out of the project; its file stays where it is")

    def set_linked(self, others: Sequence[str], reason_not_link: str, reason_not_carry: str) -> None:
        """Say what shows the same specimen as the tomogram that is shown, and what can be done about it."""
        self.linked.setText(f"Same specimen as {', '.join(others)}." if others else "")
        self.linked.setVisible(bool(others))
        allow(self.link, reason_not_link, "Link it with a tomogram of the same tilt series: at another binning, filtered, denoised")
        allow(self.carry, reason_not_carry, "Copy its accepted particles to a linked tomogram")

    def set_look(self, look: Look) -> None:
        """Fill in slab and filters, as if a hand had."""
        self.display.set_look(look)

    # ---- callbacks ----

    def _on_voxel_size_changed(self, value: float) -> None:
        if value > 0:
            self.voxel_size_requested.emit(value)
