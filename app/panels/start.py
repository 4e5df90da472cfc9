"""The start page: what to open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from app.panels.parts import heading, hint, primary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class StartPage(QWidget):
    """Shown until something is open."""

    tomogram_requested = Signal()
    project_requested = Signal()
    sample_requested = Signal()
    recent_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("start")
        middle = QWidget()
        middle.setFixedWidth(560)
        inside = QVBoxLayout(middle)
        inside.setSpacing(12)
        title = QLabel("Find particles in tomograms")
        title.setObjectName("title")
        inside.addStretch(2)
        inside.addWidget(title)
        inside.addWidget(
            hint("Mark a few particles, train a network on them, let it pick the rest, look through the picks, export them.")
        )
        self.tomogram = primary("Open tomogram…")
        self.project, self.sample = QPushButton("Open project…"), QPushButton("Open sample")
        self.sample.setToolTip("A small simulated tomogram with ribosomes, to try everything on")
        row = QHBoxLayout()
        for button, signal in (
            (self.tomogram, self.tomogram_requested),
            (self.project, self.project_requested),
            (self.sample, self.sample_requested),
        ):
            button.setMinimumHeight(40)
            button.clicked.connect(signal)
            row.addWidget(button)
        inside.addSpacing(8)
        inside.addLayout(row)
        inside.addWidget(hint("Or drop a tomogram (MRC, OME-Zarr, TIFF, EMAN2 HDF, EM, NRRD) or a project folder on this window."))
        inside.addSpacing(16)
        self._recent_title, self.recent = heading("Recent projects"), QListWidget()
        self.recent.itemActivated.connect(self._on_recent_activated)
        self.recent.itemClicked.connect(self._on_recent_activated)
        inside.addWidget(self._recent_title)
        inside.addWidget(self.recent)
        inside.addStretch(3)
        layout = QHBoxLayout(self)
        layout.addWidget(middle, alignment=Qt.AlignmentFlag.AlignHCenter)
        self.set_recent([])

    def set_recent(self, folders: Sequence[Path]) -> None:
        """List projects, the latest first.

        Parameters
        ----------
        folders : Sequence[Path]
            Their folders.
        """
        self.recent.clear()
        for folder in folders:
            item = QListWidgetItem(f"{folder.name}    {folder.parent}")
            item.setData(Qt.ItemDataRole.UserRole, str(folder))
            self.recent.addItem(item)
        self.recent.setFixedHeight(min(180, self.recent.sizeHintForRow(0) * len(folders) + 2 * self.recent.frameWidth() + 8))
        for widget in (self._recent_title, self.recent):
            widget.setVisible(bool(folders))

    def _on_recent_activated(self, item: QListWidgetItem) -> None:
        self.recent_requested.emit(item.data(Qt.ItemDataRole.UserRole))
