"""Step 5: write particles for other programs."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from app.panels.form import Form
from app.panels.parts import allow, heading, hint, primary, rule, scrolled
from core.io.particles.registry import format_named
from core.settings import ExportConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.particles import ClassSpec

ACCEPTED, SHOWN = "accepted particles", "accepted particles and all picks above the threshold"


class ExportPanel(QScrollArea):
    """What, as what, where; one button."""

    export_requested = Signal()
    browse_requested = Signal()
    geometry_requested = Signal()
    copy_requested = Signal()
    edited = Signal()

    def __init__(self, formats: Sequence[tuple[str, str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._names: dict[str, str] = {}
        self._forms: dict[str, Form] = {}
        self._given: dict[str, str] = {}
        layout = scrolled(self)
        self.kind, self.which, self.scope, self.classes = (_narrow_combo() for _ in range(4))
        for name, title, suffix in formats:
            self.kind.addItem(f"{title} ({suffix})", (name, suffix))
        self.which.addItems([ACCEPTED, SHOWN])
        self.scope.addItems(["this tomogram", "all tomograms"])
        self.pixel_size = QDoubleSpinBox()
        self.pixel_size.setRange(0, 100)
        self.pixel_size.setDecimals(3)
        self.pixel_size.setSuffix(" Å")
        self.pixel_size.setSpecialValueText("not given")
        self.pixel_size.setToolTip(
            "Pixel size of the unbinned tilt series, which this format counts in; the tomogram does not tell it"
        )
        self.geometry, self.path = _geometry_line(), QLineEdit()
        form = QFormLayout()
        form.addRow("Format", self.kind)
        form.addRow("What", self.which)
        form.addRow("Class", self.classes)
        form.addRow("From", self.scope)
        form.addRow("Tilt series pixel", self.pixel_size)
        form.addRow("tomograms.star", _with_browse(self.geometry, self.geometry_requested))
        form.addRow("File", _with_browse(self.path, self.browse_requested))
        self._form = form
        layout.addLayout(form)
        self._choices = QVBoxLayout()
        layout.addLayout(self._choices)
        self._add_names(layout)
        self._add_preview(layout)
        self.export = primary("Export")
        self.export.clicked.connect(self.export_requested)
        layout.addWidget(self.export)
        self.result = heading("")
        self.result.setWordWrap(True)
        layout.addWidget(self.result)
        layout.addWidget(rule())
        self._add_command(layout)
        layout.addStretch(1)
        for combo in (self.kind, self.which, self.scope, self.classes):
            combo.currentIndexChanged.connect(self._on_edited)
        self.kind.currentIndexChanged.connect(self._show_choices)
        self._show_choices()
        self.geometry.textChanged.connect(self._on_edited)
        self.path.textChanged.connect(self._on_edited)
        self.pixel_size.valueChanged.connect(self._on_edited)

    def _show_choices(self, _row: int = 0) -> None:
        """Show the choices of the format; those of others are kept."""
        options = format_named(self.format).options
        if fields(options) and self.format not in self._forms:
            made = Form(options)
            made.set_values(self._remembered(self.format))
            made.edited.connect(self.edited)
            self._choices.addWidget(made)
            self._forms[self.format] = made
        for name, form in self._forms.items():
            form.setVisible(name == self.format)

    def _remembered(self, name: str) -> dict[str, Any]:
        known, start = format_named(name), f"{name}."
        told = {key.removeprefix(start): word for key, word in self._given.items() if key.startswith(start)}
        usable = {entry.name for entry in fields(known.options)}
        return known.parsed(f"{key}={word}" for key, word in told.items() if key in usable)

    @property
    def choices(self) -> Form | None:
        """The form with the choices of the format; None where it has none."""
        return self._forms.get(self.format)

    @property
    def options(self) -> dict[str, Any]:
        """What was chosen for the format, where it is not the usual."""
        return self._chosen(self.format)

    def _chosen(self, name: str) -> dict[str, Any]:
        usual = format_named(name).options()
        values = self._forms[name].values() if name in self._forms else {}
        return {key: value for key, value in values.items() if value != getattr(usual, key)}

    def _add_preview(self, layout: QVBoxLayout) -> None:
        self.preview = hint()
        layout.addWidget(self.preview)
        self.tree = QPlainTextEdit()
        self.tree.setReadOnly(True)
        self.tree.setMinimumHeight(84)
        self.tree.setMaximumHeight(190)
        self.tree.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        layout.addWidget(self.tree)

    def _add_names(self, layout: QVBoxLayout) -> None:
        self.names = QTableWidget(0, 2)
        self.names.setHorizontalHeaderLabels(["Tomogram", "Name in the file"])
        self.names.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.names.verticalHeader().hide()
        self.names.verticalHeader().setDefaultSectionSize(24)
        self.names.setFixedHeight(84)
        self.names.setToolTip("Double-click a name to change it. RELION knows tomograms by their tilt series, such as TS_01.")
        self.names.itemChanged.connect(self._on_name_changed)
        layout.addWidget(self.names)

    def set_names(self, tomograms: Sequence[str]) -> None:
        """List what the tomograms will be called."""
        with signals_blocked(self.names):
            self.names.setRowCount(len(tomograms))
            for row, name in enumerate(tomograms):
                fixed = QTableWidgetItem(name)
                fixed.setFlags(Qt.ItemFlag.ItemIsEnabled)
                self.names.setItem(row, 0, fixed)
                self.names.setItem(row, 1, QTableWidgetItem(self._names.get(name, name)))

    def set_files(self, lines: Sequence[str], tip: str) -> None:
        """Show which files will be written."""
        self.tree.setPlainText("\n".join(lines))
        self.tree.setToolTip(tip)

    def _on_name_changed(self, item: QTableWidgetItem) -> None:
        tomogram, name = self.names.item(item.row(), 0).text(), item.text().strip()
        self._names.pop(tomogram, None)
        if name and name != tomogram:
            self._names[tomogram] = name
        self.edited.emit()

    def _add_command(self, layout: QVBoxLayout) -> None:
        layout.addWidget(heading("The same on the command line"))
        self.command = QLineEdit()
        self.command.setReadOnly(True)
        self.copy = QPushButton("Copy")
        self.copy.clicked.connect(self.copy_requested)
        row = QHBoxLayout()
        row.addWidget(self.command)
        row.addWidget(self.copy)
        layout.addLayout(row)

    @property
    def format(self) -> str:
        """Name of the chosen format."""
        return str(self.kind.currentData()[0])

    @property
    def suffix(self) -> str:
        """Ending of its files."""
        return str(self.kind.currentData()[1])

    @property
    def class_id(self) -> int | None:
        """The chosen class; None for all."""
        return self.classes.currentData()

    @property
    def config(self) -> ExportConfig:
        """What stands here, but for class and file, which belong to the tomogram."""
        return ExportConfig(
            format=self.format,
            what="accepted" if self.which.currentText() == ACCEPTED else "shown",
            scope="this" if self.scope.currentIndex() == 0 else "all",
            pixel_size=self.pixel_size.value(),
            names=dict(self._names),
            options=self._words(),
        )

    def _words(self) -> dict[str, str]:
        kept = {key: word for key, word in self._given.items() if key.partition(".")[0] not in self._forms}
        return kept | {f"{name}.{key}": str(value) for name in self._forms for key, value in self._chosen(name).items()}

    def set_config(self, config: ExportConfig) -> None:
        """Fill in everything and say so."""
        known = [self.kind.itemData(row)[0] for row in range(self.kind.count())]
        self.kind.setCurrentIndex(known.index(config.format) if config.format in known else 0)
        with signals_blocked(self.which), signals_blocked(self.scope), signals_blocked(self.pixel_size):
            self.which.setCurrentText(ACCEPTED if config.what == "accepted" else SHOWN)
            self.scope.setCurrentIndex(0 if config.scope == "this" else 1)
            self.pixel_size.setValue(config.pixel_size)
        self._names = dict(config.names)
        self._given = dict(config.options)
        for form in self._forms.values():
            form.hide()  # it lives until Qt comes round to deleting it
            form.deleteLater()
        self._forms.clear()
        self._show_choices()
        self.edited.emit()

    def set_classes(self, classes: Sequence[ClassSpec]) -> None:
        """List the classes."""
        chosen = self.class_id
        with signals_blocked(self.classes):
            self.classes.clear()
            self.classes.addItem("all", None)
            for spec in classes:
                self.classes.addItem(spec.name, spec.id)
            self.classes.setCurrentIndex(max(0, self.classes.findData(chosen)))

    def set_state(self, reason_not: str, preview: str, command: str, takes_pixels: bool) -> None:
        """Show what pressing the button would do."""
        allow(self.export, reason_not, "Write the file, then read it back and compare")
        self.preview.setText(reason_not or preview)
        self.command.setText(command)
        self.command.setCursorPosition(0)
        for field in (self.pixel_size, self.geometry.parentWidget()):
            field.setVisible(takes_pixels)
            self._form.labelForField(field).setVisible(takes_pixels)

    def _on_edited(self, _value: object) -> None:
        self.edited.emit()


def _narrow_combo() -> QComboBox:
    """Return one whose longest words do not push the panel out of sight."""
    combo = QComboBox()
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(10)
    return combo


def _geometry_line() -> QLineEdit:
    line = QLineEdit()
    line.setPlaceholderText("tells pixel and unbinned sizes")
    line.setToolTip("RELION's tomograms.star: pixel size and unbinned size of every tilt series are taken from it")
    return line


def _with_browse(line: QLineEdit, signal: Any) -> QWidget:
    """Put a button behind a line that asks for a file."""
    both, browse = QWidget(), QPushButton("…")
    browse.setFixedWidth(34)
    browse.clicked.connect(signal)
    row = QHBoxLayout(both)
    row.setContentsMargins(0, 0, 0, 0)
    row.addWidget(line)
    row.addWidget(browse)
    return both
