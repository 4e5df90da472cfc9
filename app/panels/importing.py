"""Importing particles: what the file does not tell is asked, and what would land is shown before it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)
from superqt.utils import signals_blocked

from app.panels.parts import allow, column, heading, hint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.particles import ClassSpec
    from core.project.proposing import Proposal

UNITS = (
    ("as the format usually has it", None),
    ("voxels of the tomogram", "voxel"),
    ("Å", "angstrom"),
    ("Å from the centre", "centred"),
    ("pixels of the tilt series", "pixel"),
)
OUTSIDE = (("refuse the file", None), ("drop them", "drop"), ("keep them all the same", "keep"))
ROWS = 8
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
        self.kind, self.target, self.classes, self.unit, self.outside = (QComboBox() for _ in range(5))
        self.kind.addItem("find out", None)
        for name, title in formats:
            self.kind.addItem(title, name)
        for combo, choices in ((self.unit, UNITS), (self.outside, OUTSIDE)):
            for text, value in choices:
                combo.addItem(text, value)
        self.scale, self.pixel_size = self._spin(1e-3, 1e3, 1.0, ""), self._spin(0, 1000, 0.0, " Å")
        self.scale.setToolTip(
            "Factor from the voxels of the file to those of the tomogram; 2 for particles picked at twice the voxel size"
        )
        self.pixel_size.setSpecialValueText("not known")
        self.pixel_size.setToolTip("Of the unbinned tilt series; files of RELION count in it")
        form = QFormLayout()
        for text, field in (
            ("File", row),
            ("Format", self.kind),
            ("For", self.target),
            ("Class", self.classes),
            ("Numbers count", self.unit),
            ("Scale", self.scale),
            ("Tilt series pixel", self.pixel_size),
            ("Those outside", self.outside),
        ):
            form.addRow(text, field)
        layout.addLayout(form)
        self.count = heading("")
        self.count.setWordWrap(True)
        layout.addWidget(self.count)
        self.preview = self._table()
        layout.addWidget(self.preview, stretch=1)
        self.problem = hint()
        layout.addWidget(self.problem)
        self._add_buttons(layout)
        for combo in (self.kind, self.target, self.classes, self.unit, self.outside):
            combo.currentIndexChanged.connect(self._on_edited)
        for spin in (self.scale, self.pixel_size):
            spin.valueChanged.connect(self._on_edited)
        self.path.editingFinished.connect(self.edited)

    def _spin(self, least: float, most: float, value: float, unit: str) -> QDoubleSpinBox:
        spin = QDoubleSpinBox()
        spin.setDecimals(4)
        spin.setRange(least, most)
        spin.setValue(value)
        spin.setSuffix(unit)
        spin.setKeyboardTracking(False)
        return spin

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
            "unit": self.unit.currentData(),
            "scale": self.scale.value(),
            "pixel_size": self.pixel_size.value() or None,
            "outside": self.outside.currentData(),
        }

    # ---- setters ----

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
        rows = [] if proposal is None else self._rows(proposal, names)
        self.preview.setRowCount(len(rows))
        for number, row in enumerate(rows):
            for place, text in enumerate(row):
                self.preview.setItem(number, place, QTableWidgetItem(text))
        self.count.setText("" if proposal is None else _said(proposal))
        self.problem.setText("\n".join([problem] if problem else [] if proposal is None else proposal.notices))
        allow(self.accept_button, problem, "Import them; undo takes it back")

    def _rows(self, proposal: Proposal, names: Mapping[int, str]) -> list[tuple[str, ...]]:
        every = names | {spec.id: f"{spec.name} (new)" for spec in proposal.new_classes}
        rows = []
        for table, inside in zip(proposal.tables, proposal.inside, strict=True):
            for at in range(min(len(table), ROWS - len(rows))):
                x, y, z = (f"{n:.2f}" for n in table.positions[at][::-1])
                rows.append((table.tomogram_id, x, y, z, every.get(int(table.class_ids[at]), "?"), "yes" if inside[at] else "no"))
        return rows

    # ---- callbacks ----

    def ask_path(self) -> bool:
        """Let the user choose a file; tell whether one was chosen."""
        path, _ = QFileDialog.getOpenFileName(self, "Import particles", self.path.text())
        if path:
            self.path.setText(path)
            self.edited.emit()
        return bool(path)

    def _on_edited(self, _value: object) -> None:
        self.edited.emit()


def _said(proposal: Proposal) -> str:
    text = f"{proposal.count} particles, {proposal.outside} of them outside"
    if proposal.new_classes:
        text += f"; new classes: {', '.join(spec.name for spec in proposal.new_classes)} (give their diameters afterwards)"
    return text + (f"; {proposal.elsewhere} rows are for other tomograms" if proposal.elsewhere else "")
