"""Step 3: train a network on the marks, and watch it learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyqtgraph as pg
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from app.panels.form import Form
from app.panels.parts import allow, column, heading, hint, primary, rule, spoken_time
from core.config import LabelConfig, NetworkConfig, RunConfig, TrainConfig
from core.configfile import config_from_dict
from core.settings import MINUTES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from core.messages import EpochDone

SPLITS = {
    "auto": (
        "what is wholly marked",
        "A slab is held back of every tomogram in which all particles are marked. "
        "Of the others every mark is learnt from; F1 is then estimated from the scores",
    ),
    "clicks": (
        "a part of the marks",
        "A slab with some of the marks of each tomogram is held back. "
        "Where not all is marked, this F1 tells little of false picks, and fewer marks are learnt from",
    ),
    "tomogram": ("whole tomograms", "Those whose use is 'check' in step 1; without one, the last that can be spared"),
    "none": ("nothing: train on all", "Every mark is learnt from; F1 is then estimated from the scores"),
}
FROZEN = "Training is running with this; it can be changed when that has ended."
AXIS = "#7a8088"


class Curves(pg.PlotWidget):
    """Loss and F1 against training time in minutes."""

    def __init__(self) -> None:
        super().__init__(background=None)
        self.setMinimumHeight(170)
        self.setMouseEnabled(False, False)
        self.hideButtons()
        self.setMenuEnabled(False)
        item = self.getPlotItem()
        item.setLabels(left="loss", bottom="minutes", right="F1")
        for side in ("left", "bottom", "right"):
            item.getAxis(side).setPen(AXIS)
            item.getAxis(side).setTextPen(AXIS)
            item.getAxis(side).enableAutoSIPrefix(False)
        self._loss = item.plot(pen=pg.mkPen("#5fb3d9", width=2), symbol="o", symbolSize=5, symbolBrush="#5fb3d9", symbolPen=None)
        self._score_box = pg.ViewBox(enableMouse=False)
        item.showAxis("right")
        item.scene().addItem(self._score_box)
        item.getAxis("right").linkToView(self._score_box)
        self._score_box.setXLink(item)
        self._score_box.setYRange(0, 1, padding=0.05)
        item.vb.setLimits(xMin=0, yMin=0)  # around one point alone, the axes would reach below nothing
        self._score = pg.PlotDataItem(
            pen=pg.mkPen("#ffb454", width=2), symbol="o", symbolSize=5, symbolBrush="#ffb454", symbolPen=None
        )
        self._score_box.addItem(self._score)
        item.vb.sigResized.connect(self._on_resized)
        self.points: list[tuple[float, float, float | None]] = []
        self._empty = pg.TextItem("Loss and F1 appear here\nwhile it trains", AXIS, anchor=(0.5, 0.5))
        item.vb.addItem(self._empty, ignoreBounds=True)
        self._draw()

    def clear_points(self) -> None:
        """Start afresh."""
        self.points = []
        self._draw()

    def add(self, message: EpochDone) -> None:
        """Draw one more validation."""
        self.points.append((message.seconds / 60, message.loss, message.f1))
        self._draw()

    def _draw(self) -> None:
        measured = [(minutes, score) for minutes, _, score in self.points if score is not None]
        self._loss.setData([point[0] for point in self.points], [point[1] for point in self.points])
        self._score.setData([minutes for minutes, _ in measured], [score for _, score in measured])
        self._empty.setVisible(not self.points)
        self._empty.setPos(self.getPlotItem().vb.viewRect().center())

    def _on_resized(self) -> None:
        self._score_box.setGeometry(self.getPlotItem().vb.sceneBoundingRect())


class TrainPanel(QWidget):
    """A time, a button, the rest under Advanced."""

    train_requested = Signal()
    resume_requested = Signal(object)  # the folder of a run
    log_requested = Signal()
    edited = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = column(self)
        self.advice = hint()
        layout.addWidget(self.advice)
        layout.addLayout(self._choices())
        self.chosen = hint()
        self.chosen.setToolTip("Other values can be set under Advanced")
        self.train = primary("Train")
        self.train.clicked.connect(self.train_requested)
        layout.addWidget(self.train)
        self._add_runs(layout)
        self.legend = hint("Blue: loss, lower is better. Orange: F1, 1 is perfect (with few marks, estimated at the end).")
        self.curves = Curves()
        self.result = heading("")
        self.result.setWordWrap(True)
        for widget in (self.curves, self.legend, self.result):
            layout.addWidget(widget)
        self.log = QPushButton("Show log")
        self.log.clicked.connect(self.log_requested)
        layout.addWidget(self.log)
        layout.addWidget(rule())
        self.advanced = QToolButton()
        self.advanced.setText("Advanced")
        self.advanced.setCheckable(True)
        self.advanced.setArrowType(Qt.ArrowType.RightArrow)
        self.advanced.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.advanced.toggled.connect(self._on_advanced_toggled)
        layout.addWidget(self.advanced)
        self.details = self._details()
        layout.addWidget(self.chosen)
        layout.addWidget(self.details, stretch=1)
        layout.addStretch(0)
        self.details.hide()
        self._tips = {widget: widget.toolTip() for widget in (self.minutes, self.split, self.devices, self.again, self.details)}

    def _choices(self) -> QFormLayout:
        form = QFormLayout()
        self.minutes = QDoubleSpinBox()
        self.minutes.setRange(0.1, 10_000)
        self.minutes.setDecimals(1)
        self.minutes.setValue(MINUTES)
        self.minutes.setSuffix(" min")
        self.minutes.setToolTip("How long to train. The best network so far is kept, so stopping earlier loses little.")
        self.minutes.valueChanged.connect(self._on_edited)
        form.addRow("Time", self.minutes)
        self.split = QComboBox()
        for name, (text, tip) in SPLITS.items():
            self.split.addItem(text, name)
            self.split.setItemData(self.split.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.split.setToolTip("What F1 is measured on: the network never learns from it")
        self.split.currentIndexChanged.connect(self._on_edited)
        form.addRow("Check on", self.split)
        self.devices = QComboBox()
        self.devices.setToolTip(
            "GPUs that train together; each takes its share of every step. As many as divide the crops of a step"
        )
        form.addRow("GPUs", self.devices)
        self._devices_label = form.labelForField(self.devices)
        for widget in (self.devices, self._devices_label):
            widget.hide()
        self.again = QCheckBox("Continue from the last network")
        self.again.setToolTip("Learn from corrections without starting over")
        form.addRow(self.again)
        self.then_pick = QCheckBox("Pick when trained")
        self.then_pick.setToolTip("Pick the tomogram that is shown as soon as the network is ready")
        form.addRow(self.then_pick)
        return form

    def _add_runs(self, layout: QVBoxLayout) -> None:
        self.stopped = QWidget()
        row = QHBoxLayout(self.stopped)
        row.setContentsMargins(0, 0, 0, 0)
        self.runs, self.resume = QComboBox(), QPushButton("Resume")
        self.runs.setToolTip("Runs that were stopped before their time was used up")
        self.resume.clicked.connect(lambda: self.resume_requested.emit(self.runs.currentData()))
        row.addWidget(self.runs, stretch=1)
        row.addWidget(self.resume)
        layout.addWidget(self.stopped)
        self.stopped.hide()

    def _details(self) -> QScrollArea:
        inside = QWidget()
        stack = column(inside, margin=4)
        self._forms = {"network": Form(NetworkConfig), "label": Form(LabelConfig)}
        names = tuple(name for name in TrainConfig.__dataclass_fields__ if name not in ("minutes", "split"))
        self._forms["train"] = Form(TrainConfig, names)
        self._forms["train"].set_values({"steps": 0})
        for name, form in self._forms.items():
            stack.addWidget(heading(name.capitalize()))
            stack.addWidget(form)
            form.edited.connect(self.edited)
        stack.addStretch(1)
        area = QScrollArea()
        area.setWidget(inside)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        return area

    def values(self) -> dict[str, dict[str, Any]]:
        """Return the settings as they stand, by table and name."""
        values: dict[str, dict[str, Any]] = {name: form.values() for name, form in self._forms.items()}
        values["train"] |= {"minutes": self.minutes.value(), "split": self.split.currentData()}
        return values

    def config(self, preprocess: dict[str, Any]) -> RunConfig:
        """Return all that a run needs.

        Parameters
        ----------
        preprocess : dict[str, Any]
            Settings of the first step.

        Raises
        ------
        ConfigError
            If one is out of range.
        """
        config: RunConfig = config_from_dict(RunConfig, self.values() | {"preprocess": preprocess})
        return config

    def set_values(self, values: dict[str, dict[str, Any]]) -> None:
        """Fill in settings, by table and name, and say so."""
        for name, form in self._forms.items():
            form.set_values(values.get(name, {}))
        train = values.get("train", {})
        with signals_blocked(self.minutes), signals_blocked(self.split):
            self.minutes.setValue(train.get("minutes", self.minutes.value()))
            self.split.setCurrentIndex(self.split.findData(train.get("split", self.split.currentData())))
        self.edited.emit()

    def set_ready(self, reason_not: str, advice: str, can_continue: bool) -> None:
        """Say whether training can start, and what would help."""
        allow(self.train, reason_not, "Learn from the marks of this project")
        self.advice.setText(reason_not or advice)
        self.again.setVisible(can_continue)
        self.again.setChecked(self.again.isChecked() and can_continue)

    def set_chosen(self, text: str) -> None:
        """Say what follows from the diameters and the settings."""
        self.chosen.setText(text)
        self.chosen.setVisible(bool(text))

    def set_devices(self, count: int) -> None:
        """Offer so many GPUs; nothing is asked where there is no choice."""
        self.devices.clear()
        self.devices.addItem("all that fit", None)
        for number in range(1, count + 1):
            self.devices.addItem(str(number), number)
        for widget in (self.devices, self._devices_label):
            widget.setVisible(count > 1)

    def set_runs(self, runs: Sequence[Path], reason_not: str, has_log: bool) -> None:
        """List runs that can go on, the latest first."""
        if [self.runs.itemData(row) for row in range(self.runs.count())] != list(runs):
            self.runs.clear()
            for run in runs:
                self.runs.addItem(f"stopped run of {spoken_time(run.name)}", run)
        self.stopped.setVisible(bool(runs))
        allow(self.resume, reason_not, "Go on exactly where this run was stopped, with its own settings")
        allow(self.log, "" if has_log else "There is no training to tell of yet.", "What the last training said, with times")

    def set_running(self, running: bool) -> None:
        """Freeze the inputs while training runs."""
        for widget, tip in self._tips.items():
            allow(widget, FROZEN if running else "", tip)
        for widget in (self.train, self.stopped):
            widget.setEnabled(not running)

    def _on_edited(self, _value: object) -> None:
        self.edited.emit()

    def _on_advanced_toggled(self, on: bool) -> None:
        self.advanced.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)
        self.details.setVisible(on)
        for widget in (self.curves, self.legend):
            widget.setVisible(not on)
