"""The tomograms of a file by its own names or numbers, and which of the project each of them is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from app.panels.parts import column, heading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.project.claiming import FoundName
    from core.project.proposing import Proposal

OUT = "leave out"
ROWS = 8  # of a file that are shown


class NamesTable(QWidget):
    """Shows what a file calls its tomograms where that does not tell which they are, and asks."""

    edited = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._assigned: dict[str, str] = {}
        layout = column(self, spacing=2)
        layout.addWidget(heading("Which tomogram is which?"))
        self.cells = QTableWidget(0, 3)
        self.cells.setHorizontalHeaderLabels(["In the file", "Particles", "Tomogram"])
        self.cells.verticalHeader().hide()
        self.cells.verticalHeader().setDefaultSectionSize(28)
        self.cells.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.cells.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.cells.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.cells.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout.addWidget(self.cells)
        self.hide()

    @property
    def assigned(self) -> dict[str, str]:
        """What was answered: the tomogram for a name of the file, or nothing to leave it out."""
        return dict(self._assigned)

    def forget(self) -> None:
        """Forget all answers, for another file."""
        self._assigned.clear()

    def set_found(self, found: Sequence[FoundName], tomograms: Sequence[str], *, shown: bool) -> None:
        """List the tomograms of a file, and those that they can be.

        Parameters
        ----------
        found : Sequence[FoundName]
            As a proposal has them.
        tomograms : Sequence[str]
            Of the project.
        shown : bool
            Whether there is something to ask; what was answered before is shown in any case.
        """
        self.setVisible(bool(found) and (shown or any(one.name in self._assigned for one in found)))
        choices = ["", *tomograms]
        self.cells.setRowCount(len(found))
        for row, one in enumerate(found):
            for place, text in enumerate((one.name, str(one.count))):
                self.cells.setItem(row, place, QTableWidgetItem(text))
            combo = self.cells.cellWidget(row, 2)
            # an open list must not be taken from under the mouse
            if combo is None or [combo.itemData(at) for at in range(combo.count())] != choices:
                if combo is not None:
                    combo.hide()  # it lives until Qt comes round to deleting it
                combo = self._combo(row, choices)
                self.cells.setCellWidget(row, 2, combo)
            combo.setCurrentIndex(max(0, combo.findData(one.tomogram or "")))
        self.cells.setFixedHeight(self.cells.horizontalHeader().sizeHint().height() + 28 * min(max(len(found), 1), 4) + 4)

    def _combo(self, row: int, choices: Sequence[str]) -> QComboBox:
        combo = QComboBox()
        for name in choices:
            combo.addItem(name or OUT, name)
        combo.activated.connect(lambda _index, row=row, combo=combo: self._on_chosen(row, combo.currentData()))
        return combo

    def _on_chosen(self, row: int, tomogram: str) -> None:
        self._assigned[self.cells.item(row, 0).text()] = tomogram
        self.edited.emit()


def summary(proposal: Proposal, *, told: bool) -> str:
    """Say what an import would come to; `told` where somebody gave the diameters of new classes."""
    text = f"{proposal.count} particles, {proposal.outside} of them outside"
    if proposal.new_classes:
        text += f"; new classes: {', '.join(spec.name for spec in proposal.new_classes)}"
        text += "" if told else " (give their diameters afterwards)"
    return text + (f"; {proposal.elsewhere} rows are for other tomograms" if proposal.elsewhere else "")


def first_rows(proposal: Proposal, names: Mapping[int, str]) -> list[tuple[str, ...]]:
    """Put the first particles of a proposal in words: tomogram, x, y, z, class, and whether they lie inside."""
    every = dict(names) | {spec.id: f"{spec.name} (new)" for spec in proposal.new_classes}
    rows: list[tuple[str, ...]] = []
    for table, inside in zip(proposal.tables, proposal.inside, strict=True):
        for at in range(min(len(table), ROWS - len(rows))):
            x, y, z = (f"{n:.2f}" for n in table.positions[at][::-1])
            rows.append((table.tomogram_id, x, y, z, every.get(int(table.class_ids[at]), "?"), "yes" if inside[at] else "no"))
    return rows
