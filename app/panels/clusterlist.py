"""The list of clusters: a colour, how many picks, their mean score, and how they were judged."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget
from superqt.utils import signals_blocked

from app.panels.clusterplot import color_of, name_of
from app.panels.parts import swatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.clusters import Members

COLUMNS = (
    ("cluster", "By how many picks they were grouped with"),
    ("picks", "How many picks it holds"),
    ("score", "Mean score of its picks"),
    ("open", "Not judged yet"),
    ("accepted", "Accepted"),
    ("rejected", "Rejected"),
)
LABEL = Qt.ItemDataRole.UserRole
LEFT, RIGHT = (side | Qt.AlignmentFlag.AlignVCenter for side in (Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight))


class ClusterList(QTableWidget):
    """One row for each cluster, and one for what belongs to none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(COLUMNS), parent)
        self.setHorizontalHeaderLabels([name for name, _ in COLUMNS])
        header = self.horizontalHeader()
        for place, (_, tip) in enumerate(COLUMNS):
            self.horizontalHeaderItem(place).setToolTip(tip)
            self.horizontalHeaderItem(place).setTextAlignment(RIGHT if place else LEFT)
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.setMinimumWidth(390)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(26)
        self.setShowGrid(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)

    @property
    def labels(self) -> set[int]:
        """The clusters whose rows are selected."""
        return {self.item(index.row(), 0).data(LABEL) for index in self.selectedIndexes()}

    def set_members(self, members: Sequence[Members]) -> None:
        """List clusters; those that were selected stay so."""
        kept = self.labels
        with signals_blocked(self):
            self.setRowCount(len(members))
            for row, one in enumerate(members):
                score = "" if math.isnan(one.score) else f"{one.score:.2f}"
                cells = (name_of(one.label), one.count, score, one.candidates, one.accepted, one.rejected)
                for place, cell in enumerate(cells):
                    item = QTableWidgetItem(str(cell))
                    item.setTextAlignment(RIGHT if place else LEFT)
                    self.setItem(row, place, item)
                    item.setSelected(one.label in kept)
                self.item(row, 0).setIcon(swatch(color_of(one.label)))
                self.item(row, 0).setData(LABEL, one.label)

    def let_go(self) -> None:
        """Select no row, and tell nobody."""
        with signals_blocked(self):
            self.clearSelection()
