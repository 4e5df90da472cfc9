"""What each tomogram is called, numbered and sized in the files: typed, or taken from somewhere, which is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QRegularExpression, Qt, Signal
from qtpy.QtGui import QAction, QFont, QRegularExpressionValidator
from qtpy.QtWidgets import QHeaderView, QLineEdit, QStyledItemDelegate, QTableWidget, QTableWidgetItem, QWidget
from superqt.utils import signals_blocked

from app.panels.parts import column, hint
from core.io.particles.asking import Asked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from core.io.particles.asking import Answer, Entry

COLUMNS = tuple(Asked)  # after the name of the tomogram
HEADERS = {
    Asked.NAME: ("Name there", "What the files call the tomogram; RELION knows it by its tilt series, such as TS_01"),
    Asked.NUMBER: ("Number", "The number that the other program knows the tomogram by"),
    Asked.SIZE: ("Unbinned size", "X,Y,Z of the unbinned tomogram in pixels of the tilt series (rlnTomoSizeX/Y/Z)"),
    Asked.PIXEL_SIZE: ("Pixel, Å", "Of the unbinned tilt series (rlnTomoTiltSeriesPixelSize)"),
}
TYPED = {Asked.NAME: ".*", Asked.NUMBER: "([1-9][0-9]{0,8})?", Asked.SIZE: "[0-9 ,]{0,30}"}


class _Editor(QStyledItemDelegate):
    """Lets nothing be typed that cannot be meant."""

    def createEditor(self, parent: Any, option: Any, index: Any) -> QWidget:
        editor = super().createEditor(parent, option, index)
        if isinstance(editor, QLineEdit):
            allowed = TYPED[COLUMNS[index.column() - 1]]
            editor.setValidator(QRegularExpressionValidator(QRegularExpression(allowed), editor))
        return editor


class TomogramTable(QWidget):
    """A row for each tomogram, a column for what the format asks for; a cell that is emptied is found out again."""

    edited = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._typed: dict[Asked, dict[str, str]] = {asked: {} for asked in COLUMNS}
        layout = column(self, spacing=2)
        self.cells = QTableWidget(0, 1 + len(COLUMNS))
        self.cells.setHorizontalHeaderLabels(["Tomogram", *(HEADERS[asked][0] for asked in COLUMNS)])
        for place, asked in enumerate(COLUMNS, start=1):
            self.cells.horizontalHeaderItem(place).setToolTip(HEADERS[asked][1])
        self.cells.verticalHeader().hide()
        self.cells.verticalHeader().setDefaultSectionSize(24)
        header = self.cells.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        for place in (2, 3, 4):
            header.setSectionResizeMode(place, QHeaderView.ResizeMode.ResizeToContents)
        self.cells.setItemDelegate(_Editor(self.cells))
        self.cells.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.cells.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self.same = QAction("All tomograms have this unbinned size", self.cells)
        self.same.triggered.connect(self._on_same)
        self.cells.addAction(self.same)
        self.cells.itemChanged.connect(self._on_changed)
        self.cells.currentItemChanged.connect(self._on_current)
        self.sources = hint()
        layout.addWidget(self.cells)
        layout.addWidget(self.sources)
        self.same.setVisible(False)
        self.hide()

    def typed(self, asked: Asked) -> dict[str, str]:
        """Return what somebody typed, by tomogram, of all tomograms that were ever listed."""
        return dict(self._typed[asked])

    def set_typed(self, asked: Asked, values: dict[str, str]) -> None:
        """Take over what was typed before; rows follow with `set_entries`."""
        self._typed[asked] = dict(values)

    def set_entries(self, entries: Sequence[Entry]) -> None:
        """List tomograms with what will be taken; without any question nothing is shown."""
        wanted = [asked for asked in COLUMNS if any(asked in entry.answers for entry in entries)]
        with signals_blocked(self.cells):
            if self.cells.rowCount() != len(entries):
                self.cells.setRowCount(len(entries))
            for row, entry in enumerate(entries):
                self._fill(self._item(row, 0), entry.tomogram, "", fixed=True)
                for place, asked in enumerate(COLUMNS, start=1):
                    answer = entry.answers.get(asked)
                    if answer is not None:
                        self._fill(self._item(row, place), answer.text, answer.source, fixed=answer.fixed)
        for place, asked in enumerate(COLUMNS, start=1):
            self.cells.setColumnHidden(place, asked not in wanted)
        self.cells.setFixedHeight(self.cells.horizontalHeader().sizeHint().height() + 24 * min(max(len(entries), 1), 5) + 4)
        self.sources.setText(_sources([entry.answers for entry in entries], wanted))
        self.sources.setVisible(bool(self.sources.text()))
        self.setVisible(bool(wanted))

    def _item(self, row: int, place: int) -> QTableWidgetItem:
        found = self.cells.item(row, place)
        if found is None:
            found = QTableWidgetItem()
            self.cells.setItem(row, place, found)
        return found

    def _fill(self, item: QTableWidgetItem, text: str, source: str, *, fixed: bool) -> None:
        kept = Qt.ItemFlag.ItemIsEnabled
        item.setFlags(kept if fixed else kept | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEditable)
        item.setText(text)
        font = QFont(self.cells.font())
        font.setItalic(bool(source))
        item.setFont(font)
        change = "" if fixed else "\nDouble-click to give another one; empty it to go back."
        item.setToolTip(f"{text} (from {source}){change}" if source else text + change)

    # ---- callbacks ----

    def _on_changed(self, item: QTableWidgetItem) -> None:
        if item.column() == 0:
            return
        tomogram, asked, text = self.cells.item(item.row(), 0).text(), COLUMNS[item.column() - 1], item.text().strip()
        self._typed[asked].pop(tomogram, None)
        if text:
            self._typed[asked][tomogram] = text
        self.edited.emit()

    def _on_current(self, item: QTableWidgetItem | None, _before: QTableWidgetItem | None) -> None:
        sized = item is not None and item.column() == 1 + COLUMNS.index(Asked.SIZE) and self.cells.rowCount() > 1
        self.same.setVisible(sized and bool(item.flags() & Qt.ItemFlag.ItemIsEditable))

    def _on_same(self) -> None:
        text = self.cells.currentItem().text().strip()
        for row in range(self.cells.rowCount()):
            tomogram = self.cells.item(row, 0).text()
            self._typed[Asked.SIZE].pop(tomogram, None)
            if text:
                self._typed[Asked.SIZE][tomogram] = text
        self.edited.emit()


def _sources(rows: Sequence[Mapping[Asked, Answer]], wanted: Sequence[Asked]) -> str:
    """Say where that comes from which nobody typed."""
    found: dict[str, dict[str, None]] = {}
    for asked in wanted:
        for row in rows:
            if asked in row and row[asked].source and asked is not Asked.NAME:
                found.setdefault(row[asked].source, {})[asked] = None
    return "\n".join(f"From {source}: {' and '.join(asked)}." for source, asked in found.items())
