"""Step 2: the classes, and the particles that were marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QColorDialog,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTableView,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from app.panels.classmenu import ClassButton
from app.panels.listing import ParticleModel
from app.panels.parts import allow, column, heading, hint, rule, swatch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.particles import ClassSpec, ParticleTable
    from core.types import BoolArray

SNAP = "After a click, move to the middle of the dark body beneath; where none is clearly seen, the click stays as it is"
HOW = (
    "Click the centre of each particle, in any of the three views. Drag to correct, right-click to remove. "
    "15 are a good start; then go to step 3."
)
KEY, NAME, DIAMETER, COUNT = range(4)


class MarkPanel(QWidget):
    """Lists classes and particles; every edit is a request."""

    class_requested = Signal(int)
    class_edited = Signal(int, str, str)  # id, "name" | "diameter" | "color", new value
    class_added = Signal()
    class_removed = Signal(int)
    particle_requested = Signal(int)
    undo_requested = Signal()
    redo_requested = Signal()
    reclassify_requested = Signal(int)  # the selected one, to this class
    import_requested = Signal()
    snap_toggled = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = column(self)
        self.how = hint(HOW)
        layout.addWidget(self.how)
        layout.addWidget(heading("What to mark"))
        self.classes = QTableWidget(0, 4)
        self.classes.setHorizontalHeaderLabels(["key", "name", "diameter / Å", "marks"])
        self._prepare(self.classes)
        self.classes.setMaximumHeight(150)
        self.classes.cellChanged.connect(self._on_cell_changed)
        self.classes.cellClicked.connect(self._on_cell_clicked)
        self.classes.cellDoubleClicked.connect(self._on_cell_double_clicked)
        layout.addWidget(self.classes)
        row = QHBoxLayout()
        self.add, self.remove = QPushButton("Add class"), QPushButton("Remove class")
        self.add.clicked.connect(self.class_added)
        self.remove.clicked.connect(self._on_remove_clicked)
        for button in (self.add, self.remove):
            row.addWidget(button)
        layout.addLayout(row)
        self.snap = QCheckBox("Snap to the local centre (S)")
        self.snap.setToolTip(SNAP)
        self.snap.toggled.connect(self.snap_toggled)
        layout.addWidget(self.snap)
        layout.addWidget(rule())
        self._add_list(layout)

    def _add_list(self, layout: QVBoxLayout) -> None:
        top = QHBoxLayout()
        self.title = heading("Particles")
        self.reclassify = ClassButton("Class")
        self.reclassify.chosen.connect(self.reclassify_requested)
        self.undo, self.redo = QToolButton(), QToolButton()
        for button, text, signal in ((self.undo, "↶", self.undo_requested), (self.redo, "↷", self.redo_requested)):
            button.setText(text)
            button.clicked.connect(signal)
        top.addWidget(self.title, stretch=1)
        top.addWidget(self.reclassify)
        top.addWidget(self.undo)
        top.addWidget(self.redo)
        layout.addLayout(top)
        self.model = ParticleModel(self)
        self.particles = QTableView()
        self.particles.setModel(self.model)
        self.particles.setSortingEnabled(True)
        self.particles.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self._prepare(self.particles)
        self.particles.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.particles.clicked.connect(self._on_particle_clicked)
        layout.addWidget(self.particles, stretch=1)
        self.import_particles = QPushButton("Import particles…")
        self.import_particles.setToolTip("From a file of another program, of any format that is known here (Ctrl+I)")
        self.import_particles.clicked.connect(self.import_requested)
        layout.addWidget(self.import_particles)

    def _prepare(self, view: QTableView) -> None:
        view.verticalHeader().hide()
        view.verticalHeader().setDefaultSectionSize(24)
        view.setShowGrid(False)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        head = view.horizontalHeader()
        head.setResizeContentsPrecision(0)  # what is in view; Qt else measures a thousand rows at every change
        head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        head.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)

    # ---- setters ----

    def set_classes(self, classes: Sequence[ClassSpec], counts: Mapping[int, int], current: int | None) -> None:
        """List the classes with how many accepted particles each has here."""
        with signals_blocked(self.classes):
            self.classes.setRowCount(len(classes))
            for row, spec in enumerate(classes):
                for place, text in enumerate((str(row + 1), spec.name, f"{spec.diameter:g}", str(counts.get(spec.id, 0)))):
                    item = QTableWidgetItem(text)
                    item.setData(Qt.ItemDataRole.UserRole, spec.id)
                    if place not in (NAME, DIAMETER):
                        item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
                    if place == KEY:
                        item.setIcon(swatch(spec.color))
                        item.setToolTip("Double-click to change the colour")
                    self.classes.setItem(row, place, item)
                if spec.id == current:
                    self.classes.selectRow(row)
            self.classes.setMaximumHeight(34 + 26 * max(2, min(len(classes), 6)))

    def set_selected(self, class_id: int | None, classes: Sequence[ClassSpec]) -> None:
        """Enable what is done with the particle that is selected."""
        self.reclassify.set_classes(classes, class_id)
        reason = "" if class_id is not None else "Select a particle first: click it."
        self.reclassify.set_reason(reason, "It is a particle of another class (Ctrl+1 to Ctrl+9)")

    def set_history(self, no_undo: str, no_redo: str) -> None:
        """Say why nothing can be taken back, or done again; empty where it can."""
        allow(self.undo, no_undo, "Undo (Ctrl+Z)")
        allow(self.redo, no_redo, "Redo (Ctrl+Shift+Z)")

    def set_particles(self, table: ParticleTable, rows: BoolArray, names: Mapping[int, str], selected: int | None) -> None:
        """List particles."""
        self.model.set_table(table.select(rows), names)
        self.title.setText(f"Particles ({int(rows.sum())})")
        row = self.model.row_of(selected)
        with signals_blocked(self.particles.selectionModel()):
            if row is None:
                self.particles.clearSelection()
            else:
                self.particles.selectRow(row)

    # ---- callbacks ----

    def _id(self, row: int) -> int:
        return int(self.classes.item(row, KEY).data(Qt.ItemDataRole.UserRole))

    def _on_cell_changed(self, row: int, place: int) -> None:
        self.class_edited.emit(self._id(row), "name" if place == NAME else "diameter", self.classes.item(row, place).text())

    def _on_cell_clicked(self, row: int, _place: int) -> None:
        self.class_requested.emit(self._id(row))

    def _on_cell_double_clicked(self, row: int, place: int) -> None:
        if place == KEY:
            color = QColorDialog.getColor(QColor("#ffd400"), self, "Colour of the class")
            if color.isValid():
                self.class_edited.emit(self._id(row), "color", color.name())

    def _on_remove_clicked(self) -> None:
        if self.classes.currentRow() >= 0:
            self.class_removed.emit(self._id(self.classes.currentRow()))

    def _on_particle_clicked(self, index: object) -> None:
        self.particle_requested.emit(self.model.id_at(index.row()))
