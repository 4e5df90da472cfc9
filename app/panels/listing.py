"""The particles as a table that stays quick with many rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt

from core.particles import ParticleTable

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADERS = ("id", "class", "x", "y", "z", "score")


class ParticleModel(QAbstractTableModel):
    """Shows a particle table; sorting never touches it."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._table = ParticleTable.build("", np.empty((0, 3)))
        self._order = np.empty(0, np.int64)
        self._names: Mapping[int, str] = {}
        self._sorted_by, self._descending = 0, False

    def set_table(self, table: ParticleTable, names: Mapping[int, str]) -> None:
        """Show these particles.

        Parameters
        ----------
        table : ParticleTable
            What to show.
        names : Mapping[int, str]
            Names of the classes.
        """
        self.beginResetModel()
        self._table, self._names = table, names
        self._arrange()
        self.endResetModel()

    def id_at(self, row: int) -> int:
        """Return the id of the particle in a row."""
        return int(self._table.ids[self._order[row]])

    def row_of(self, particle_id: int | None) -> int | None:
        """Return the row of a particle; None where it is not listed."""
        found = np.flatnonzero(self._table.ids[self._order] == particle_id) if particle_id is not None else ()
        return int(found[0]) if len(found) else None

    def _arrange(self) -> None:
        columns = (self._table.ids, self._table.class_ids, *self._table.positions.T[::-1], self._table.scores)
        order = np.argsort(columns[self._sorted_by], kind="stable")
        self._order = order[::-1] if self._descending else order

    # ---- Qt's own names ----

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._order)

    def columnCount(self, _parent: QModelIndex | None = None) -> int:
        return len(HEADERS)

    def headerData(self, section: int, orientation: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return HEADERS[section]
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        row, place = int(self._order[index.row()]), index.column()
        if place == 0:
            return str(self._table.ids[row])
        if place == 1:
            return self._names.get(int(self._table.class_ids[row]), "?")
        if place == 5:
            score = float(self._table.scores[row])
            return "" if np.isnan(score) else f"{score:.2f}"
        return f"{self._table.positions[row, 4 - place]:.1f}"

    def sort(self, column: int, order: Any = Qt.SortOrder.AscendingOrder) -> None:
        self.layoutAboutToBeChanged.emit()
        self._sorted_by, self._descending = column, order == Qt.SortOrder.DescendingOrder
        self._arrange()
        self.layoutChanged.emit()
