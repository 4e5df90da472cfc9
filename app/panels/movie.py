"""What is asked before a movie is made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QWidget,
)
from superqt.utils import signals_blocked

from app.panels.parts import allow, column, hint, primary
from core.movie import FASTEST, MovieConfig

if TYPE_CHECKING:
    from core.types import Shape

AXES = ("XY sections, along z", "XZ sections, along y", "YZ sections, along x")
SUFFIX = ".gif"


class MovieDialog(QDialog):
    """Sections are counted from 1 here, as under the canvases."""

    movie_requested = Signal(object, object, bool)  # MovieConfig, path, whether rings are drawn

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Movie of sections")
        self.setMinimumWidth(460)
        self._shape: Shape = (1, 1, 1)
        layout = column(self, margin=14, spacing=10)
        layout.addWidget(hint("Contrast, slab, filters and rings as they are in the window now."))
        self.axis, self.rings, self.path = QComboBox(), QCheckBox("With particles"), QLineEdit()
        self.axis.addItems(AXES)
        self.axis.currentIndexChanged.connect(self._on_axis_changed)
        self.rings.setChecked(True)
        self.first, self.last, self.step, self.rate, self.edge = (QSpinBox() for _ in range(5))
        form = QFormLayout()
        form.addRow("Sections", self.axis)
        for name, spin, low, high, value, unit in (
            ("From", self.first, 1, 1, 1, ""),
            ("To", self.last, 1, 1, 1, ""),
            ("Step", self.step, 1, 99, 1, " sections"),
            ("Speed", self.rate, 1, FASTEST, 15, " frames a second"),
            ("Size", self.edge, 16, 4096, 640, " pixels at most"),
        ):
            spin.setRange(low, high)
            spin.setValue(value)
            spin.setSuffix(unit)
            spin.setSpecialValueText("1 section" if spin is self.step else "")
            form.addRow(name, spin)
        form.addRow("", self.rings)
        row = QHBoxLayout()
        self.browse = QPushButton("…")
        self.browse.setFixedWidth(36)
        self.browse.clicked.connect(self._on_browse_clicked)
        self.path.textChanged.connect(self._on_path_changed)
        row.addWidget(self.path, stretch=1)
        row.addWidget(self.browse)
        form.addRow("File", row)
        layout.addLayout(form)
        self.make = primary("Make movie")
        self.make.clicked.connect(self._on_make_clicked)
        layout.addWidget(self.make)

    def set_tomogram(self, shape: Shape, path: Path) -> None:
        """Offer all sections of a tomogram (z, y, x), and a file."""
        if shape != self._shape:
            self._shape = shape
            self._on_axis_changed(self.axis.currentIndex())
        with signals_blocked(self.path):
            self.path.setText(str(path))
        self._on_path_changed()

    @property
    def config(self) -> MovieConfig:
        """The settings as they stand here."""
        return MovieConfig(
            axis=self.axis.currentIndex(),
            first=self.first.value() - 1,
            last=self.last.value() - 1,
            step=self.step.value(),
            rate=float(self.rate.value()),
            edge=self.edge.value(),
        )

    # ---- callbacks ----

    def _on_axis_changed(self, axis: int) -> None:
        for spin in (self.first, self.last):
            spin.setRange(1, self._shape[axis])
        self.first.setValue(1)
        self.last.setValue(self._shape[axis])

    def _on_path_changed(self, _text: str = "") -> None:
        allow(self.make, "" if self.path.text().strip() else "Say which file to write.")

    def _on_browse_clicked(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Movie", self.path.text(), f"Animated GIF (*{SUFFIX})")
        if path:
            self.path.setText(path)

    def _on_make_clicked(self) -> None:
        path = Path(self.path.text().strip()).expanduser()
        self.accept()
        self.movie_requested.emit(
            self.config, path if path.suffix.lower() == SUFFIX else Path(f"{path}{SUFFIX}"), self.rings.isChecked()
        )
