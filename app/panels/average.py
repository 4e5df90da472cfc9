"""An average of picks beside decoys: what is asked for, the slices, the radial profile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QRect, Qt, Signal
from qtpy.QtGui import QColor, QImage, QPainter
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QWidget,
)
from superqt.utils import signals_blocked

from app.panels.gallery import WHICH
from app.panels.parts import allow, column, hint, primary
from core.averaging import AverageConfig
from core.cutting import grey
from core.portrait import PLANES, bounds_of, central_slices, scale_bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from qtpy.QtGui import QPaintEvent

    from core.averaging import Average
    from core.particles import ClassSpec

AXIS = "#7a8088"
EDGE = 150  # pixels of a slice
ABOUT = (
    "Picks of the tomogram that is shown, as they lie, and as many random places beside them. Where both look alike, the picks are"
    " no better than chance."
)
LINES = (("particles", "#5fb3d9"), ("decoys", "#9aa0a6"))


class Slice(QWidget):
    """A section in grey, with a scale bar if it is told how long."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedSize(EDGE, EDGE)
        self.image: QImage | None = None
        self._bar, self._said = 0.0, ""

    def set_image(self, values: NDArray[np.uint8], bar: float = 0.0, said: str = "") -> None:
        """Show greys (rows, columns), and a bar of a length in parts of the width."""
        rows, columns = values.shape
        self.image = QImage(np.ascontiguousarray(values).data, columns, rows, columns, QImage.Format.Format_Grayscale8).copy()
        self._bar, self._said = bar, said
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self.image is None:
            painter.fillRect(self.rect(), QColor(128, 128, 128, 50))
        else:
            painter.drawImage(self.rect(), self.image)
            if self._bar:
                bar = QRect(8, EDGE - 14, round(self._bar * EDGE), 5)
                painter.fillRect(bar.adjusted(-1, -1, 1, 1), QColor("black"))
                painter.fillRect(bar, QColor("white"))
                painter.setPen(QColor("white"))
                painter.drawText(bar.left(), bar.top() - 4, self._said)


class AverageDialog(QDialog):
    """Stays open beside the window."""

    average_requested = Signal(int, str, int, object)  # class id, which picks, how many of the best, AverageConfig
    save_requested = Signal(object)  # path of the MRC file, or of a picture

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Average of picks")
        layout = column(self, margin=14, spacing=10)
        layout.addWidget(hint(ABOUT))
        row = QHBoxLayout()
        row.addLayout(self._questions())
        row.addLayout(self._pictures())
        row.addWidget(self._profile(), stretch=1)
        layout.addLayout(row, stretch=1)
        self.said = QLabel("")
        self.said.setWordWrap(True)
        layout.addWidget(self.said)
        row = QHBoxLayout()
        self.save_volume, self.save_picture = QPushButton("Save as MRC…"), QPushButton("Save picture…")
        self.save_volume.clicked.connect(lambda: self._ask("average.mrc", "MRC files (*.mrc)"))
        self.save_picture.clicked.connect(lambda: self._ask("average.png", "Pictures (*.png *.svg *.pdf)"))
        row.addStretch(1)
        for button in (self.save_volume, self.save_picture):
            button.setAutoDefault(False)
            allow(button, "Average first.")
            row.addWidget(button)
        layout.addLayout(row)

    def _questions(self) -> QFormLayout:
        self.classes, self.which, self.top, self.rounds = QComboBox(), QComboBox(), QSpinBox(), QSpinBox()
        for name, said in WHICH.items():
            self.which.addItem(said, name)
        self.which.setCurrentIndex(self.which.findData("accepted"))
        self.top.setRange(0, 1_000_000)
        self.top.setSpecialValueText("all")
        self.top.setToolTip("Only so many of the highest score")
        self.rounds.setRange(0, 20)
        self.rounds.setSpecialValueText("none")
        self.rounds.setToolTip("How often picks are moved to where they fit the average, by a quarter of the diameter at most")
        self.about_z, self.wedge = QCheckBox("Average about z"), QCheckBox("Missing wedge")
        self.wedge.setChecked(True)
        self.low, self.high = QDoubleSpinBox(), QDoubleSpinBox()
        for spin, value in ((self.low, -60.0), (self.high, 60.0)):
            spin.setRange(-90, 90)
            spin.setDecimals(0)
            spin.setSuffix("°")
            spin.setValue(value)
            self.wedge.toggled.connect(spin.setEnabled)
        tilts = QHBoxLayout()
        tilts.addWidget(self.low)
        tilts.addWidget(self.high)
        self.make = primary("Average")
        self.make.setAutoDefault(False)
        self.make.clicked.connect(self._on_make_clicked)
        form = QFormLayout()
        for name, field in (
            ("Class", self.classes),
            ("Picks", self.which),
            ("Best", self.top),
            ("Centring", self.rounds),
            ("", self.about_z),
            ("", self.wedge),
            ("Tilts about y", tilts),
            ("", self.make),
        ):
            form.addRow(name, field)
        return form

    def _pictures(self) -> QGridLayout:
        grid = QGridLayout()
        self.slices = [[Slice() for _ in PLANES] for _ in LINES]
        for number, name in enumerate(PLANES):
            label = QLabel(name)
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            grid.addWidget(label, 0, number + 1)
        for row, (name, _) in enumerate(LINES):
            grid.addWidget(QLabel(name), row + 1, 0)
            for number, one in enumerate(self.slices[row]):
                grid.addWidget(one, row + 1, number + 1)
        grid.setRowStretch(3, 1)
        return grid

    def _profile(self) -> pg.PlotWidget:
        self.plot = pg.PlotWidget(background=None)
        self.plot.setMinimumWidth(320)
        self.plot.setMenuEnabled(False)
        self.plot.hideButtons()
        item = self.plot.getPlotItem()
        for side, said in (("bottom", "distance from the centre (Å)"), ("left", "mean grey value (standard deviations)")):
            item.setLabel(side, said, color=AXIS)
            item.getAxis(side).enableAutoSIPrefix(False)
            item.getAxis(side).setPen(AXIS)
            item.getAxis(side).setTextPen(AXIS)
        item.addLegend(offset=(-10, -10), labelTextColor=AXIS)
        self.lines = [item.plot([], [], pen=pg.mkPen(color, width=2), name=name) for name, color in LINES]
        self._edge = pg.InfiniteLine(0, pen=pg.mkPen("#e5534b", style=Qt.PenStyle.DotLine))
        item.addItem(self._edge)
        item.addItem(pg.InfiniteLine(0, angle=0, pen=pg.mkPen(AXIS, width=0.5)))
        return self.plot

    # ---- setters ----

    def set_classes(self, classes: Sequence[ClassSpec], current: int | None) -> None:
        """List the classes."""
        current = self.classes.currentData() or current
        with signals_blocked(self.classes):
            self.classes.clear()
            for spec in classes:
                self.classes.addItem(spec.name, spec.id)
            self.classes.setCurrentIndex(max(0, self.classes.findData(current)))

    def set_ready(self, reason_not: str) -> None:
        """Say whether an average can be made now."""
        allow(self.make, reason_not, "Average them")

    def set_average(self, made: Average) -> None:
        """Show an average and its decoys, with the same contrast."""
        bounds = bounds_of(made)
        for row, volume in enumerate((made.volume, made.decoy)):
            for number, image in enumerate(central_slices(volume)):
                extent = image.shape[1] * made.voxel_size
                length = scale_bar(extent)
                bar = (length / extent, f"{length:g} Å") if not row and not number else (0.0, "")
                self.slices[row][number].set_image(grey(image, bounds), *bar)
        for line, values in zip(self.lines, (made.profile, made.decoy_profile), strict=True):
            line.setData(made.radii, values)
        self._edge.setValue(made.diameter / 2)
        mirrored = f" {made.mirrored} boxes reach past a face, where the tomogram was mirrored." if made.mirrored else ""
        moved = f", moved by {made.moved:.0f} Å" if made.moved else ""
        self.said.setText(
            f"{made.count} particles{moved}, and as many decoys. Within the particle's sphere the average is"
            f" {made.signal:.1f} times as strong as that of the decoys; the dotted line is at half the diameter.{mirrored}"
        )
        for button, usual in (
            (self.save_volume, "The average, and the decoys beside it"),
            (self.save_picture, "What is seen here, as PNG, SVG or PDF"),
        ):
            allow(button, "", usual)

    def _on_make_clicked(self) -> None:
        tilts = (self.low.value(), self.high.value()) if self.wedge.isChecked() else None
        if tilts is not None and tilts[0] >= tilts[1]:
            self.said.setText("The first tilt must be the lower one.")
            return
        how = AverageConfig(rounds=self.rounds.value(), about_z=self.about_z.isChecked(), tilts=tilts)
        self.average_requested.emit(int(self.classes.currentData() or 0), self.which.currentData(), self.top.value(), how)

    def _ask(self, name: str, kinds: str) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save average", name, kinds)
        if path:
            self.save_requested.emit(Path(path) if Path(path).suffix else Path(path).with_suffix(Path(name).suffix))
