"""The gallery: particles as small pictures to judge, in a window of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QAction, QKeySequence
from qtpy.QtWidgets import QComboBox, QDialog, QDoubleSpinBox, QHBoxLayout, QLabel, QPushButton, QSlider, QSpinBox, QWidget
from superqt.utils import signals_blocked

from app.panels.gallerylist import GalleryView
from app.panels.parts import allow, column, hint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtCore import QModelIndex

    from core.cutting import Slabs
    from core.particles import ClassSpec

WHICH = {
    "shown": "shown",
    "candidate": "all open picks",
    "accepted": "accepted",
    "rejected": "rejected",
    "flagged": "flagged",
    "all": "everything",
}
ORDERS = {"score": "best score first", "doubt": "most doubtful first", "z": "by z"}
KEYS = "A accept · R reject · F or space flag · Shift or Ctrl selects several · Ctrl+Z takes back · a click flies there"


class GalleryWindow(QDialog):
    """What is asked for is emitted; who connects it does it."""

    asked = Signal()  # another selection or order
    look_changed = Signal(int, float)  # voxels across a slab, low pass in Å
    tomogram_requested = Signal(str)
    particle_requested = Signal(int)
    accept_requested = Signal(list)  # ids
    reject_requested = Signal(list)
    flag_requested = Signal(list)
    undo_requested = Signal()
    redo_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Gallery")
        self.setWindowFlag(Qt.WindowType.WindowMaximizeButtonHint)
        self.resize(1000, 760)
        layout = column(self, margin=10)
        layout.addLayout(self._choices())
        layout.addLayout(self._looks())
        self.view = GalleryView()
        self.view.selectionModel().currentChanged.connect(self._on_current_changed)
        self.view.selectionModel().selectionChanged.connect(lambda *_: self._show_ready())
        layout.addWidget(self.view, stretch=1)
        layout.addLayout(self._decisions())
        layout.addWidget(hint(KEYS))
        self._reason = ""
        self._show_ready()

    def _choices(self) -> QHBoxLayout:
        self.tomograms, self.classes, self.which, self.order = (QComboBox() for _ in range(4))
        for box, words in ((self.which, WHICH), (self.order, ORDERS)):
            for name, said in words.items():
                box.addItem(said, name)
        self.tomograms.currentIndexChanged.connect(lambda _place: self.tomogram_requested.emit(self.tomograms.currentText()))
        for box in (self.classes, self.which, self.order):
            box.currentIndexChanged.connect(lambda _place: self.asked.emit())
        row = QHBoxLayout()
        for label, box in (("In", self.tomograms), ("of", self.classes), ("Picks", self.which), ("Order", self.order)):
            row.addWidget(QLabel(label))
            row.addWidget(box, stretch=1)
        return row

    def _looks(self) -> QHBoxLayout:
        self.slab, self.low_pass, self.zoom = QSpinBox(), QDoubleSpinBox(), QSlider(Qt.Orientation.Horizontal)
        self.slab.setRange(1, 99)
        self.slab.setSuffix(" voxels")
        self.slab.setMinimumWidth(130)
        self.low_pass.setRange(0, 999)
        self.low_pass.setDecimals(0)
        self.low_pass.setSuffix(" Å")
        self.low_pass.setSpecialValueText("none")
        self.zoom.setRange(40, 200)
        self.zoom.setValue(72)
        self.zoom.setToolTip("Size of the pictures")
        self.zoom.valueChanged.connect(lambda edge: self.view.set_edge(edge))
        for spin in (self.slab, self.low_pass):
            spin.valueChanged.connect(lambda _value: self.look_changed.emit(self.slab.value(), self.low_pass.value()))
        row = QHBoxLayout()
        row.addWidget(hint("xy · xz · yz"))
        for label, widget in (("Slab", self.slab), ("Low-pass", self.low_pass), ("Size", self.zoom)):
            row.addWidget(QLabel(label))
            row.addWidget(widget)
        return row

    def _decisions(self) -> QHBoxLayout:
        self.count = QLabel()
        row = QHBoxLayout()
        row.addWidget(self.count, stretch=1)
        self.accept_button, self.reject_button, self.flag_button = QPushButton("Accept"), QPushButton("Reject"), QPushButton("Flag")
        self._orders = {
            self.accept_button: (self.accept_requested, ("A",), "They are particles (A)"),
            self.reject_button: (self.reject_requested, ("R",), "They are none, and teach so (R)"),
            self.flag_button: (self.flag_requested, ("F", "Space"), "Mark to come back to, or take the mark away (F or space)"),
        }
        for button, (signal, keys, _) in self._orders.items():
            button.setAutoDefault(False)
            button.clicked.connect(lambda _checked=False, signal=signal: self._ask(signal))
            self._key(keys, lambda signal=signal: self._ask(signal))
            row.addWidget(button)
        self._key(("Ctrl+Z",), self.undo_requested.emit)
        self._key(("Ctrl+Shift+Z",), self.redo_requested.emit)
        return row

    def _key(self, keys: Sequence[str], slot: object) -> None:
        action = QAction(self)
        action.setShortcuts([QKeySequence(one) for one in keys])
        action.triggered.connect(lambda _checked=False: slot())
        self.addAction(action)

    def _ask(self, signal: object) -> None:
        chosen = self.view.chosen
        if chosen and not self._reason:
            signal.emit(chosen)

    # ---- setters ----

    @property
    def class_id(self) -> int | None:
        """The class that is looked at; None for all."""
        return self.classes.currentData() or None

    def set_tomograms(self, names: Sequence[str], current: str) -> None:
        """List the tomograms of the project."""
        with signals_blocked(self.tomograms):
            self.tomograms.clear()
            self.tomograms.addItems(list(names))
            self.tomograms.setCurrentText(current)

    def set_classes(self, classes: Sequence[ClassSpec]) -> None:
        """List the classes."""
        chosen = self.class_id
        with signals_blocked(self.classes):
            self.classes.clear()
            if len(classes) != 1:
                self.classes.addItem("all classes", 0)
            for spec in classes:
                self.classes.addItem(spec.name, spec.id)
            self.classes.setCurrentIndex(max(0, self.classes.findData(chosen or 0)))

    def set_orders(self, further: Sequence[str]) -> None:
        """Offer to sort by other numbers of the picks, too."""
        chosen = self.order.currentData()
        with signals_blocked(self.order):
            self.order.clear()
            for name, said in (ORDERS | {name: f"by {name}" for name in further}).items():
                self.order.addItem(said, name)
            self.order.setCurrentIndex(max(0, self.order.findData(chosen)))

    def show_order(self, name: str) -> None:
        """Choose an order, if it is offered."""
        self.order.setCurrentIndex(max(0, self.order.findData(name)))

    def set_look(self, how: Slabs, known: bool) -> None:
        """Show how slabs are cut; without a voxel size there is no low-pass."""
        for spin, value in ((self.slab, how.thickness), (self.low_pass, how.low_pass)):
            with signals_blocked(spin):
                spin.setValue(value)
        allow(self.low_pass, "" if known else "Give the voxel size first (step 1).", "Detail finer than this is smoothed away")

    def set_count(self, shown: int, flagged: int) -> None:
        """Say how many there are."""
        self.count.setText(f"{shown} {'pick' if shown == 1 else 'picks'}{f' · {flagged} flagged' if flagged else ''}")

    def set_ready(self, reason_not: str) -> None:
        """Say whether picks can be judged."""
        self._reason = reason_not
        self._show_ready()

    def _show_ready(self) -> None:
        none = "" if self.view.chosen else "Select a pick first: click it."
        for button, (_, _, usual) in self._orders.items():
            allow(button, self._reason or none, usual)

    def _on_current_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if current.isValid():
            self.particle_requested.emit(int(self.view.cells.ids[current.row()]))
