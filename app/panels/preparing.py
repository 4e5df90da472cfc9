"""What is done to a tomogram before the network looks at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QWidget

from app.panels.form import Form
from app.panels.parts import allow, column, heading, hint
from core.config import PreprocessConfig

if TYPE_CHECKING:
    from typing import Any


class PreparingForm(QWidget):
    """Edits a `PreprocessConfig`, asks for it to be done, and to be shown."""

    edited = Signal()
    prepare_requested = Signal()
    seen_requested = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = column(self)
        layout.addWidget(heading("What the network sees"))
        layout.addWidget(hint("Training and picking work on the tomogram after this. The file itself is never changed."))
        self.form = Form(PreprocessConfig)
        self.form.edited.connect(self.edited)
        layout.addWidget(self.form)
        self.seen = QCheckBox("Show what the network sees")
        self.seen.setToolTip("Show the prepared volume in place of the file; positions stay the same")
        self.seen.clicked.connect(self.seen_requested)
        self.prepare = QPushButton("Prepare now")
        self.prepare.clicked.connect(self.prepare_requested)
        row = QHBoxLayout()
        row.addWidget(self.seen, stretch=1)
        row.addWidget(self.prepare)
        layout.addLayout(row)

    def config(self) -> PreprocessConfig:
        """Return what stands here.

        Raises
        ------
        ConfigError
            If a value is out of range.
        """
        config: PreprocessConfig = self.form.config()
        return config

    def values(self) -> dict[str, Any]:
        """Return what stands here as plain data."""
        return self.form.values()

    def set_values(self, values: dict[str, Any]) -> None:
        """Fill in values and say so."""
        self.form.set_values(values)
        self.edited.emit()

    def set_ready(self, reason_not: str) -> None:
        """Say whether it can be done now."""
        allow(self.prepare, reason_not, "Do it now for all tomograms, so that training and picking start at once")
        allow(self.seen, reason_not, "Show the prepared volume in place of the file; positions stay the same")
