"""Two sets of picks side by side: what both have, what only one has, and what they call differently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QHBoxLayout, QTableView, QWidget

from app.panels.originbox import OriginBox
from app.panels.parts import column, heading, hint
from core.metrics import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.types import Positions

SAID = {Kind.SAME: "in both", Kind.OTHER_CLASS: "other class", Kind.ONLY_A: "only in A", Kind.ONLY_B: "only in B"}
HEADERS = ("tomogram", "what", "class in A", "class in B", "x", "y", "z", "apart by")


@dataclass(frozen=True)
class Row:
    """A particle of either set."""

    tomogram: str
    kind: Kind
    class_a: str
    class_b: str
    position: Positions  # (3,) zyx voxels
    distance: float  # voxels, NaN where only one has it


class Differences(QAbstractTableModel):
    """Rows as they come."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: list[Row] = []

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show these."""
        self.beginResetModel()
        self.rows = list(rows)
        self.endResetModel()

    # ---- Qt's own names ----

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, _parent: QModelIndex | None = None) -> int:
        return len(HEADERS)

    def headerData(self, section: int, orientation: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return HEADERS[section]
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        row = self.rows[index.row()]
        z, y, x = row.position
        distance = "" if row.distance != row.distance else f"{row.distance:.1f} voxels"
        places = (f"{x:.1f}", f"{y:.1f}", f"{z:.1f}")
        return (row.tomogram, SAID[row.kind], row.class_a, row.class_b, *places, distance)[index.column()]


class ComparePage(QWidget):
    """Choices, counts, and a list to walk through."""

    compare_requested = Signal()
    filter_requested = Signal()
    fly_requested = Signal(str, object)  # tomogram, (3,) zyx voxels

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = column(self, margin=10, spacing=8)
        self.a, self.b, self.scope = OriginBox(), OriginBox(), QComboBox()
        self.scope.addItems(["the tomogram that is shown", "all tomograms"])
        self.agreed = QCheckBox("List what is in both, too")
        form = QFormLayout()
        form.addRow("A", self.a)
        form.addRow("B", self.b)
        form.addRow("In", self.scope)
        form.addRow("", self.agreed)
        row = QHBoxLayout()
        row.addLayout(form, stretch=1)
        row.addStretch(1)
        layout.addLayout(row)
        for box in (self.a, self.b):
            box.chosen.connect(self.compare_requested)
        self.scope.currentIndexChanged.connect(lambda _row: self.compare_requested.emit())
        self.agreed.toggled.connect(lambda _on: self.filter_requested.emit())
        self.summary, self.notice = heading(""), hint("Neither set counts as right. Click a row to fly there.")
        self.summary.setWordWrap(True)
        layout.addWidget(self.summary)
        layout.addWidget(self.notice)
        self.model = Differences(self)
        self.list = QTableView()
        self.list.setModel(self.model)
        self.list.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.list.setSelectionMode(QTableView.SelectionMode.SingleSelection)
        self.list.verticalHeader().hide()
        self.list.horizontalHeader().setStretchLastSection(True)
        self.list.selectionModel().currentRowChanged.connect(self._on_row)
        layout.addWidget(self.list, stretch=1)

    @property
    def only_shown(self) -> bool:
        """Whether only the tomogram that is shown counts."""
        return self.scope.currentIndex() == 0

    def set_rows(self, summary: str, rows: Sequence[Row]) -> None:
        """Say how far they agree, and list where they do not."""
        self.summary.setText(summary)
        self.model.set_rows(rows)
        for place in range(len(HEADERS) - 1):
            self.list.resizeColumnToContents(place)

    def _on_row(self, current: QModelIndex, _before: QModelIndex) -> None:
        if current.isValid():
            row = self.model.rows[current.row()]
            self.fly_requested.emit(row.tomogram, row.position)
