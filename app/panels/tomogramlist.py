"""The tomograms of a project as a table: marks, what each is used for, whether all of it is marked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QComboBox, QHeaderView, QTableWidget, QTableWidgetItem
from superqt.utils import signals_blocked

from core.annotations import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtWidgets import QWidget

NAME, MARKS, USE, ALL = range(4)
LINKED = "\N{IDENTICAL TO}"  # before the name of a tomogram that is linked
HEADERS = {
    "Name": "Click one to show it",
    "Marks": "Accepted particles in this tomogram",
    "Use": "What training does with this tomogram",
    "All": "Tick it where every particle is marked: the rest is then taught as background",
}
USES = {
    Role.BOTH: ("both", "Training learns from it; a part of its marks may be held back to check on"),
    Role.TRAIN: ("train", "Training learns from all its marks"),
    Role.VALIDATION: ("check", "Held back as a whole: F1 is measured on its marks, nothing is learnt from them"),
    Role.NONE: ("not used", "Training leaves it out; it can be picked all the same"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row."""

    name: str
    marks: int
    role: Role
    complete: bool
    linked: tuple[str, ...] = ()  # those that show the same specimen


class TomogramList(QTableWidget):
    """Shows rows; a choice is told and comes back as new rows."""

    show_requested = Signal(str)
    role_requested = Signal(str, str)
    complete_requested = Signal(str, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(HEADERS), parent)
        self.setHorizontalHeaderLabels(list(HEADERS))
        for column, tip in enumerate(HEADERS.values()):
            self.horizontalHeaderItem(column).setToolTip(tip)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(27)
        self.setShowGrid(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self.horizontalHeader()
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for column, width in ((MARKS, 54), (USE, 104), (ALL, 34)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            header.resizeSection(column, width)
        self.setFixedHeight(126)
        self._entries: tuple[Entry, ...] = ()
        self.currentCellChanged.connect(self._on_current)
        self.itemChanged.connect(self._on_item_changed)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The rows as they are shown."""
        return self._entries

    def set_entries(self, entries: Sequence[Entry], current: str | None, editable: bool) -> None:
        """Show rows and mark the tomogram that is open."""
        with signals_blocked(self):
            if len(entries) != self.rowCount():
                self.setRowCount(len(entries))
            for row, entry in enumerate(entries):
                if self.item(row, NAME) is None:
                    self._furnish(row)
                self._fill(row, entry, editable)
            self._entries = tuple(entries)
        self.mark(current)

    def mark(self, current: str | None) -> None:
        """Mark the tomogram that is open; None for none."""
        with signals_blocked(self):
            rows = [row for row, entry in enumerate(self._entries) if entry.name == current]
            self.setCurrentCell(rows[0] if rows else -1, NAME)

    def _furnish(self, row: int) -> None:
        """Put an empty row there; what is in it stays, so that an open list of uses is not taken from under the mouse."""
        for column in (NAME, MARKS, ALL):
            self.setItem(row, column, QTableWidgetItem())
        self.item(row, MARKS).setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.item(row, ALL).setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
        self.item(row, ALL).setToolTip(HEADERS["All"])
        use = QComboBox()
        for role, (text, tip) in USES.items():
            use.addItem(text, str(role))
            use.setItemData(use.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        use.activated.connect(lambda _index, use=use, row=row: self.role_requested.emit(self._entries[row].name, use.currentData()))
        self.setCellWidget(row, USE, use)

    def _fill(self, row: int, entry: Entry, editable: bool) -> None:
        self.item(row, NAME).setText(f"{LINKED} {entry.name}" if entry.linked else entry.name)
        self.item(row, NAME).setToolTip(f"{entry.name}: same specimen as {', '.join(entry.linked)}" if entry.linked else entry.name)
        self.item(row, MARKS).setText(str(entry.marks))
        self.item(row, ALL).setCheckState(Qt.CheckState.Checked if entry.complete else Qt.CheckState.Unchecked)
        use = self.cellWidget(row, USE)
        use.setCurrentIndex(use.findData(str(entry.role)))
        use.setToolTip(USES[entry.role][1])
        use.setEnabled(editable)

    def _on_current(self, row: int, _column: int, before: int, _before_column: int) -> None:
        if row >= 0 and row != before:
            self.show_requested.emit(self._entries[row].name)

    def _on_item_changed(self, item: QTableWidgetItem) -> None:
        if item.column() == ALL:
            self.complete_requested.emit(self._entries[item.row()].name, item.checkState() == Qt.CheckState.Checked)
