"""A choice of where particles come from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QWidget
from superqt.utils import signals_blocked

from app.panels.parts import spoken_time
from core.origins import Origin

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE, PROJECT = "file…", "another project…"


class OriginBox(QComboBox):
    """Lists what there is; a file or another project is asked for and joins the list."""

    chosen = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._current = 0
        self._added: list[Origin] = []
        self.setMinimumContentsLength(22)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.currentIndexChanged.connect(self._on_changed)

    @property
    def origin(self) -> Origin | None:
        """What is chosen; None for nothing to score against."""
        data = self.currentData()
        return data if isinstance(data, Origin) else None

    def set_origins(self, known: Sequence[tuple[str, Origin | None]]) -> None:
        """List these, and what was asked for before; the choice stays if it is still there."""
        before = self.currentText()
        with signals_blocked(self):
            self.clear()
            for text, origin in [*known, *((_spoken(origin), origin) for origin in self._added)]:
                self._add(text, origin)
            for text in (FILE, PROJECT):
                self._add(text, text)
            self.setCurrentIndex(max(0, self.findText(before)))
        self._current = self.currentIndex()

    def forget(self) -> None:
        """Drop files and projects that were asked for, since they belonged to another project."""
        self._added.clear()

    def choose(self, origin: Origin) -> None:
        """Choose something, which joins the list if it is not there."""
        row = next((row for row in range(self.count()) if self.itemData(row) == origin), -1)
        if row < 0:
            self._added.append(origin)
            row = self.findText(FILE)
            with signals_blocked(self):
                self.insertItem(row, _spoken(origin), origin)
                self.setItemData(row, str(origin.path), Qt.ItemDataRole.ToolTipRole)
        self.setCurrentIndex(row)

    def _add(self, text: str, data: object) -> None:
        self.addItem(text, data)
        if isinstance(data, Origin) and data.path is not None:
            self.setItemData(self.count() - 1, str(data.path), Qt.ItemDataRole.ToolTipRole)

    def _on_changed(self, row: int) -> None:
        asked = self.itemData(row)
        if asked not in (FILE, PROJECT):
            self._current = row
            self.chosen.emit()
            return
        with signals_blocked(self):
            self.setCurrentIndex(self._current)
        if asked == FILE:
            path, _ = QFileDialog.getOpenFileName(self, "File of particles")
        else:
            path = QFileDialog.getExistingDirectory(self, "Folder of another project")
        if path:
            self.choose(Origin("file" if asked == FILE else "project", Path(path)))


def _spoken(origin: Origin) -> str:
    if origin.kind == "run" and origin.path is not None:
        return f"all picks of {spoken_time(origin.path.name)}"
    return origin.title
