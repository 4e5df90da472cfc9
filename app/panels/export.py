"""Step 5: write particles for other programs."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from app.panels.exporttable import TomogramTable
from app.panels.form import Form
from app.panels.parts import Exact, Rows, allow, column, heading, hint, primary, rule, scrolled
from core.io.particles.asking import Asked
from core.io.particles.formats import Need
from core.io.particles.registry import format_named
from core.settings import ExportConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.particles import ClassSpec

PIXEL_TIP = "Pixel size of the unbinned tilt series, which this format counts in; the tomogram does not tell it"
WHAT = {
    "accepted": "accepted particles",
    "shown": "accepted particles and all picks above the threshold",
    "candidate": "all picks that nobody has judged",
    "rejected": "rejected picks",
    "all": "everything, rejected picks too",
}


class ExportPanel(QWidget):
    """What, as what, where; one button, which stays in sight while the rest scrolls."""

    export_requested = Signal()
    browse_requested = Signal()
    geometry_requested = Signal()
    copy_requested = Signal()
    edited = Signal()

    def __init__(self, formats: Sequence[tuple[str, str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._forms: dict[str, Form] = {}
        self._given: dict[str, str] = {}
        whole, self.area = column(self), QScrollArea()
        layout = scrolled(self.area)
        layout.setContentsMargins(0, 0, 8, 0)  # the panel itself has margins
        whole.addWidget(self.area, stretch=1)
        self.kind, self.which, self.scope, self.classes = (_narrow_combo() for _ in range(4))
        for name, title, suffix in formats:
            self.kind.addItem(f"{title} ({suffix})", (name, suffix))
        for name, text in WHAT.items():
            self.which.addItem(text, name)
        self.scope.addItems(["this tomogram", "all tomograms"])
        self.pixel_size = Exact(0, 100, " Å")
        self.pixel_size.setSpecialValueText("not given")
        self.geometry, self.path = _geometry_line(), QLineEdit()
        form = Rows()
        form.addRow("Format", self.kind)
        form.addRow("What", self.which)
        form.addRow("Class", self.classes)
        form.addRow("From", self.scope)
        form.add_optional("Tilt series pixel", self.pixel_size)
        form.add_optional("tomograms.star", _with_browse(self.geometry, self.geometry_requested))
        form.addRow("File", _with_browse(self.path, self.browse_requested))
        self._form = form
        layout.addLayout(form)
        self._choices = QVBoxLayout()
        layout.addLayout(self._choices)
        self.tomograms = TomogramTable()
        layout.addWidget(self.tomograms)
        self._add_preview(layout)
        self._add_command(layout)
        layout.addStretch(1)
        whole.addWidget(rule())
        self._add_button(whole)
        for combo in (self.kind, self.which, self.scope, self.classes):
            combo.currentIndexChanged.connect(self._on_edited)
        self.kind.currentIndexChanged.connect(self._show_choices)
        self._show_choices()
        self.geometry.textChanged.connect(self._on_edited)
        self.path.textChanged.connect(self._on_edited)
        self.pixel_size.valueChanged.connect(self._on_edited)
        self.tomograms.edited.connect(self.edited)

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

    def _add_button(self, layout: QVBoxLayout) -> None:
        self.export = primary("Export")
        self.export.clicked.connect(self.export_requested)
        layout.addWidget(self.export)
        self.result = heading("")
        self.result.setWordWrap(True)
        self.result.hide()
        layout.addWidget(self.result)
        self.notices = hint()
        self.notices.hide()
        layout.addWidget(self.notices)

    def _add_preview(self, layout: QVBoxLayout) -> None:
        self.preview = hint()
        layout.addWidget(self.preview)
        self.tree = QPlainTextEdit()
        self.tree.setReadOnly(True)
        self.tree.setMinimumHeight(84)
        self.tree.setMaximumHeight(190)
        self.tree.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        layout.addWidget(self.tree)

    def set_files(self, lines: Sequence[str], tip: str, notices: Sequence[str] = ()) -> None:
        """Show which files will be written, and what is odd about them."""
        self.tree.setPlainText("\n".join(lines))
        self.tree.setToolTip(tip)
        self.notices.setText("\n".join(notices))
        self.notices.setVisible(bool(notices))

    def set_result(self, text: str, tip: str = "") -> None:
        """Say what came of an export; nothing takes no room."""
        self.result.setText(text)
        self.result.setToolTip(tip)
        self.result.setVisible(bool(text))

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
            what=self.which.currentData(),
            scope="this" if self.scope.currentIndex() == 0 else "all",
            pixel_size=self.pixel_size.value(),
            names=self.tomograms.typed(Asked.NAME),
            numbers={name: int(number) for name, number in self.tomograms.typed(Asked.NUMBER).items()},
            sizes=self.tomograms.typed(Asked.SIZE),
            tomograms_star=self.geometry.text().strip(),
            options=self._words(),
        )

    def _words(self) -> dict[str, str]:
        kept = {key: word for key, word in self._given.items() if key.partition(".")[0] not in self._forms}
        return kept | {f"{name}.{key}": str(value) for name in self._forms for key, value in self._chosen(name).items()}

    def set_config(self, config: ExportConfig) -> None:
        """Fill in everything and say so."""
        known = [self.kind.itemData(row)[0] for row in range(self.kind.count())]
        self.kind.setCurrentIndex(known.index(config.format) if config.format in known else 0)
        with ExitStack() as quiet:
            for field in (self.which, self.scope, self.pixel_size, self.geometry):
                quiet.enter_context(signals_blocked(field))
            self.which.setCurrentIndex(self.which.findData(config.what))
            self.scope.setCurrentIndex(0 if config.scope == "this" else 1)
            self.pixel_size.setValue(config.pixel_size)
            self.geometry.setText(config.tomograms_star)
        numbers = {name: str(number) for name, number in config.numbers.items()}
        for asked, values in ((Asked.NAME, config.names), (Asked.NUMBER, numbers), (Asked.SIZE, config.sizes)):
            self.tomograms.set_typed(asked, values)
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

    def choose(self, class_id: int | None, *, everywhere: bool) -> None:
        """Choose the accepted particles of a class, or of all, in the tomogram that is shown or in all."""
        self.which.setCurrentIndex(self.which.findData("accepted"))
        self.classes.setCurrentIndex(max(0, self.classes.findData(class_id)))
        self.scope.setCurrentIndex(int(everywhere))

    def set_state(self, reason_not: str, preview: str, command: str) -> None:
        """Show what pressing the button would do."""
        allow(self.export, reason_not, "Write the file, then read it back and compare")
        self.preview.setText(reason_not or preview)
        self.command.setText(command)
        self.command.setCursorPosition(0)
        known = format_named(self.format)
        takes_pixels = Need.PIXEL_SIZE in known.needs | known.wants
        allow(self.pixel_size, "The tomograms.star tells it" if self.geometry.text().strip() else "", PIXEL_TIP)
        self._form.show_rows(takes_pixels)

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
