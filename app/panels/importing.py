"""Importing particles: what the file does not tell is asked, and what would land is shown before it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from app.panels.form import Form
from app.panels.importtable import NamesTable, first_rows, summary
from app.panels.parts import Exact, Rows, allow, column, heading, hint
from core.io.particles.frames import Unit
from core.io.particles.registry import format_named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qtpy.QtGui import QKeyEvent

    from core.particles import ClassSpec
    from core.project.proposing import Proposal

UNITS = (
    ("as the format usually has it", None),
    ("voxels of the tomogram", "voxel"),
    ("Å", "angstrom"),
    ("Å from the centre (RELION's jobs)", "centred"),
    ("Å from the centre (RELION's napari picker)", "centred-1"),
    ("Å from the middle voxel (EMAN2)", "middle"),
    ("pixels of the tilt series", "pixel"),
    ("parts of the tomogram, 0 to 1 (Warp)", "fraction"),
)
STATUSES = (
    ("accepted: training learns from them", "accepted"),
    ("candidates, to be judged", "candidate"),
    ("rejected: not particles", "rejected"),
)
COUNTED = {Unit.PIXEL, Unit.CENTRED, Unit.CENTRED_EARLY}  # what takes the pixel size of the tilt series
OUTSIDE = (("refuse the file", None), ("drop them", "drop"), ("keep them all the same", "keep"))
PIXEL_TIP = "Of the unbinned tilt series; this file counts in it"
NEW = "new"  # in place of the number of a class
COLUMNS = ("tomogram", "x", "y", "z", "class", "inside")


class ImportDialog(QDialog):
    """Asks, shows and waits for Import; what the answers mean is decided elsewhere."""

    edited = Signal()
    import_requested = Signal()

    def __init__(self, formats: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Import particles")
        self.resize(640, 620)
        layout = column(self, margin=14)
        self.path, self.browse = QLineEdit(), QPushButton("…")
        self.browse.setFixedWidth(34)
        self.browse.clicked.connect(self.ask_path)
        row = QHBoxLayout()
        row.addWidget(self.path)
        row.addWidget(self.browse)
        self.kind, self.target, self.classes, self.status, self.unit, self.outside = (QComboBox() for _ in range(6))
        self._combos = (self.kind, self.target, self.classes, self.status, self.unit, self.outside)
        self.kind.addItem("find out", None)
        for name, title in formats:
            self.kind.addItem(title, name)
        for combo, choices in ((self.status, STATUSES), (self.unit, UNITS), (self.outside, OUTSIDE)):
            for text, value in choices:
                combo.addItem(text, value)
        self.scale, self.pixel_size = Exact(1e-3, 1e3), Exact(0, 1000, " Å")
        self.scale.setValue(1.0)
        for spin in (self.scale, self.pixel_size):
            spin.setKeyboardTracking(False)
        self.scale.setToolTip(
            "Factor from the voxels of the file to those of the tomogram; 2 for particles picked at twice the voxel size"
        )
        self.pixel_size.setSpecialValueText("not known")
        self._add_form(layout, row)
        self.names = NamesTable()
        layout.addWidget(self.names)
        self.count = heading("")
        self.count.setWordWrap(True)
        layout.addWidget(self.count)
        self.preview = self._table()
        layout.addWidget(self.preview, stretch=1)
        self.problem = hint()
        layout.addWidget(self.problem)
        self._add_buttons(layout)
        self.kind.currentIndexChanged.connect(self._show_choices)  # before the answers are looked at
        for combo in self._combos:
            combo.currentIndexChanged.connect(self._on_edited)
        for spin in (self.scale, self.pixel_size, self.diameter):
            spin.valueChanged.connect(self._on_edited)
        self.path.textChanged.connect(self.names.forget)
        for line in (self.path, self.star, self.size, self.class_name):
            line.editingFinished.connect(self.edited)
        self.names.edited.connect(self.edited)

    def _add_form(self, layout: QVBoxLayout, file: QHBoxLayout) -> None:
        self.pixel_size.setToolTip(PIXEL_TIP)
        self.star, self.size, browse = QLineEdit(), QLineEdit(), QPushButton("…")
        self.star.setToolTip("RELION's tomograms.star, which tells pixel and unbinned size of every tilt series")
        self.size.setPlaceholderText("X,Y,Z; the size of the tomogram times its binning, if left out")
        self.size.setToolTip("Of the unbinned tomogram in pixels of the tilt series (rlnTomoSizeX/Y/Z)")
        browse.setFixedWidth(34)
        browse.clicked.connect(self._ask_star)
        both = QWidget()
        row = QHBoxLayout(both)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.star)
        row.addWidget(browse)
        self._form = Rows()
        for text, field in (("File", file), ("Format", self.kind), ("For", self.target), ("Class", self.classes)):
            self._form.addRow(text, field)
        self.class_name, self.diameter, named = QLineEdit(), Exact(0, 1e5, " Å"), QWidget()
        self.class_name.setPlaceholderText("name")
        self.diameter.setSpecialValueText("diameter")
        self.diameter.setKeyboardTracking(False)
        pair = QHBoxLayout(named)
        pair.setContentsMargins(0, 0, 0, 0)
        pair.addWidget(self.class_name)
        pair.addWidget(self.diameter)
        self._form.add_optional("New class", named, NEW)
        self._form.addRow("They are", self.status)
        self._form.addRow("Numbers count", self.unit)
        self._form.addRow("Scale", self.scale)
        for text, field in (("Tilt series pixel", self.pixel_size), ("tomograms.star", both), ("Unbinned size", self.size)):
            self._form.add_optional(text, field)
        self._form.addRow("Those outside", self.outside)
        self._form.show_rows(False)
        self._form.show_rows(False, NEW)
        layout.addLayout(self._form)
        self._choices, self.choices = QVBoxLayout(), None
        layout.addLayout(self._choices)

    def _table(self) -> QTableWidget:
        table = QTableWidget(0, len(COLUMNS))
        table.setHorizontalHeaderLabels(COLUMNS)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(22)
        table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        return table

    def _add_buttons(self, layout: Any) -> None:
        buttons = QDialogButtonBox()
        self.accept_button = buttons.addButton("Import", QDialogButtonBox.ButtonRole.AcceptRole)
        self.cancel_button = buttons.addButton("Cancel", QDialogButtonBox.ButtonRole.RejectRole)
        buttons.accepted.connect(self.import_requested)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)

    # ---- answers ----

    def answers(self) -> dict[str, Any]:
        """Return what was answered, by the fields of an `ImportOrder`; a target of None means all tomograms."""
        return {
            "path": self.path.text().strip(),
            "format": self.kind.currentData(),
            "target": self.target.currentData(),
            "class_id": self.classes.currentData(),
            "class_name": self.class_name.text().strip(),
            "diameter": self.diameter.value(),
            "status": self.status.currentData(),
            "unit": self.unit.currentData(),
            "scale": self.scale.value(),
            "pixel_size": (self.pixel_size.value() or None) if self.pixel_size.isEnabled() else None,
            "tomograms_star": self.star.text().strip(),
            "unbinned_size": self.size.text().strip(),
            "assigned": self.names.assigned,
            "options": {} if self.choices is None else self.choices.values(),
            "outside": self.outside.currentData(),
        }

    # ---- setters ----

    def set_purpose(self, title: str, button: str) -> None:
        """Say what the answers are for: an import, or the first half of a conversion."""
        self.setWindowTitle(title)
        self.accept_button.setText(button)

    def set_new_class(self, name: str, diameter: float) -> None:
        """Answer that all are of a class that the project lacks."""
        self.class_name.setText(name)
        with signals_blocked(self.diameter):
            self.diameter.setValue(diameter)
        self.classes.setCurrentIndex(self.classes.findData(NEW))

    def set_choices(self, tomograms: Sequence[str], shown: str | None, classes: Sequence[ClassSpec]) -> None:
        """List tomograms and classes.

        Parameters
        ----------
        tomograms : Sequence[str]
            Of the project.
        shown : str | None
            The one that is shown.
        classes : Sequence[ClassSpec]
            Of the project.
        """
        with signals_blocked(self.target), signals_blocked(self.classes):
            self.target.clear()
            for name in tomograms:
                self.target.addItem(name, name)
            if len(tomograms) > 1:
                self.target.addItem("all tomograms that the file names", None)
            self.target.setCurrentIndex(max(0, self.target.findData(shown)))
            self.classes.clear()
            self.classes.addItem("as the file says", None)
            for spec in classes:
                self.classes.addItem(f"all are {spec.name}", spec.id)
            self.classes.addItem("all are of a new class", NEW)

    def set_proposal(self, proposal: Proposal | None, problem: str, names: Mapping[int, str]) -> None:
        """Show what would land, and why it would not.

        Parameters
        ----------
        proposal : Proposal | None
            What the file would become; None where that cannot be said.
        problem : str
            Why it cannot be imported; empty if it can.
        names : Mapping[int, str]
            Names of the classes.
        """
        told = self.pixel_size.value() or self.star.text().strip() or self.size.text().strip()
        self._form.show_rows(bool(told) or (proposal is not None and bool(proposal.units & COUNTED)))
        allow(self.pixel_size, "The tomograms.star tells it" if self.star.text().strip() else "", PIXEL_TIP)
        self._form.show_rows(self.classes.currentData() == NEW, NEW)
        if proposal is not None:
            targets = [self.target.itemData(row) for row in range(self.target.count()) if self.target.itemData(row)]
            chosen = self.target.currentData()
            self.names.set_found(proposal.found, targets if chosen is None else [chosen], shown=proposal.unclear)
        rows = [] if proposal is None else first_rows(proposal, names)
        self.preview.setRowCount(len(rows))
        for number, row in enumerate(rows):
            for place, text in enumerate(row):
                self.preview.setItem(number, place, QTableWidgetItem(text))
        self.count.setText("" if proposal is None else summary(proposal, told=self.classes.currentData() == NEW))
        self.problem.setText("\n".join([*filter(None, [problem]), *(() if proposal is None else proposal.notices)]))
        allow(self.accept_button, problem, "Import them; undo takes it back")

    # ---- callbacks ----

    def ask_path(self) -> bool:
        """Let the user choose a file; tell whether one was chosen."""
        path, _ = QFileDialog.getOpenFileName(self, "Import particles", self.path.text())
        if path:
            self.path.setText(path)
            self.edited.emit()
        return bool(path)

    def _ask_star(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "RELION's tomograms.star", "", "STAR files (*.star)")
        if path:
            self.star.setText(path)
            self.edited.emit()

    def _show_choices(self, _row: int = 0) -> None:
        """Ask what the named format leaves open; as on the command line, a choice belongs to a format that was named."""
        if self.choices is not None:
            self.choices.hide()  # it lives until Qt comes round to deleting it
            self.choices.deleteLater()
            self.choices = None
        name = self.kind.currentData()
        known = None if name is None else format_named(name)
        if known is not None and known.reading:
            self.choices = Form(known.options, known.reading)
            self.choices.edited.connect(self.edited)
            self._choices.addWidget(self.choices)

    def _on_edited(self, _value: object) -> None:
        self.edited.emit()

    # ---- Qt's own events ----

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter ends what is typed into a line; it does not import before the preview was seen."""
        if event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            super().keyPressEvent(event)
