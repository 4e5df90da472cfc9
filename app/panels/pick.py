"""Step 4: pick, choose a threshold, accept and reject."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from app.panels.form import Form
from app.panels.histogram import ScoreHistogram
from app.panels.parts import allow, column, heading, hint, primary, rule
from app.panels.scoremap import ScoreMapControls
from core.config import PickConfig

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from core.config import ReviewConfig
    from core.particles import ClassSpec
    from core.types import FloatArray

STEPS = 1000  # of the slider
VIEW = "{} are hidden and are not exported; nothing is computed again"
ACCEPT_ALL = "Every pick that is shown becomes a particle of yours, for export and for training again"
REMOVE_HIDDEN = "Picks that are hidden are deleted; undo brings them back"


class PickPanel(QWidget):
    """From the button to a decision about every pick."""

    pick_requested = Signal()
    model_requested = Signal(str)
    class_requested = Signal(int)
    review_requested = Signal(int, str, float)  # class id, field of its ReviewConfig, new value
    accept_all_requested = Signal(int)
    reject_rest_requested = Signal(int)
    accept_requested = Signal()
    reject_requested = Signal()
    walk_requested = Signal(int)  # one candidate on, or back

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = column(self)
        form = QFormLayout()
        self.model = QComboBox()
        self.model.setToolTip("Trained networks of this project, the latest first")
        self.model.currentIndexChanged.connect(self._on_model_changed)
        form.addRow("Network", self.model)
        layout.addLayout(form)
        self.pick = primary("Pick this tomogram")
        self.pick.clicked.connect(self.pick_requested)
        layout.addWidget(self.pick)
        self.advanced = QToolButton()
        self.advanced.setText("Advanced")
        self.advanced.setCheckable(True)
        self.advanced.setArrowType(Qt.ArrowType.RightArrow)
        self.advanced.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.advanced.toggled.connect(self._on_advanced_toggled)
        layout.addWidget(self.advanced)
        self.form = Form(PickConfig)
        self.form.hide()
        layout.addWidget(self.form)
        layout.addWidget(rule())
        self._add_review(layout)
        self.score_map = ScoreMapControls()
        layout.addWidget(self.score_map)
        layout.addStretch(1)

    def _add_review(self, layout: QVBoxLayout) -> None:
        layout.addWidget(heading("Which picks count"))
        self.classes = QComboBox()
        self.classes.currentIndexChanged.connect(self._on_class_changed)
        layout.addWidget(self.classes)
        self.histogram = ScoreHistogram()
        self.histogram.threshold_moved.connect(self._on_threshold_moved)
        layout.addWidget(self.histogram)
        row = QHBoxLayout()
        self.threshold, self.value = QSlider(Qt.Orientation.Horizontal), QLabel()
        self.threshold.setRange(0, STEPS)
        self.threshold.setToolTip(VIEW.format("Picks below this score"))
        self.threshold.valueChanged.connect(self._on_slider_moved)
        self.value.setMinimumWidth(36)
        row.addWidget(self.threshold, stretch=1)
        row.addWidget(self.value)
        layout.addLayout(row)
        self.min_distance, self.edge = QDoubleSpinBox(), QDoubleSpinBox()
        form = QFormLayout()
        for label, field, spin, unit, most, step in (
            ("Apart by", "min_distance", self.min_distance, " diameters", 2, 0.05),
            ("Away from the faces", "edge", self.edge, " voxels", 999, 1),
        ):
            spin.setRange(0, most)
            spin.setSingleStep(step)
            spin.setDecimals(2 if most == 2 else 0)
            spin.setSuffix(unit)
            spin.setSpecialValueText("any distance")
            spin.valueChanged.connect(lambda value, field=field: self.review_requested.emit(self.class_id, field, value))
            form.addRow(label, spin)
        self.min_distance.setToolTip(VIEW.format("Picks nearer than this to a particle or a better pick of the same class"))
        self.edge.setToolTip(VIEW.format("Picks within this margin of the tomogram's faces"))
        layout.addLayout(form)
        self.count = heading("")
        self.count.setWordWrap(True)
        layout.addWidget(self.count)
        self._add_all(layout)
        layout.addWidget(rule())
        self._add_one(layout)

    def _add_all(self, layout: QVBoxLayout) -> None:
        self.accept_all, self.reject_rest = QPushButton("Accept all shown"), QPushButton("Remove all hidden")
        self.accept_all.clicked.connect(lambda: self.accept_all_requested.emit(self.class_id))
        self.reject_rest.clicked.connect(lambda: self.reject_rest_requested.emit(self.class_id))
        row = QHBoxLayout()
        for button in (self.accept_all, self.reject_rest):
            row.addWidget(button)
        layout.addLayout(row)

    def _add_one(self, layout: QVBoxLayout) -> None:
        layout.addWidget(heading("One by one"))
        row = QHBoxLayout()
        self.back, self.accept, self.reject, self.on = (QPushButton(text) for text in ("◀", "Accept (A)", "Reject (R)", "▶"))
        self.back.clicked.connect(lambda: self.walk_requested.emit(-1))
        self.on.clicked.connect(lambda: self.walk_requested.emit(1))
        self.accept.clicked.connect(self.accept_requested)
        self.reject.clicked.connect(self.reject_requested)
        for button in (self.back, self.on):
            button.setFixedWidth(36)
        for button in (self.back, self.accept, self.reject, self.on):
            row.addWidget(button)
        layout.addLayout(row)
        self.one = hint("Click a pick to select it. What you reject is taught as background when you train again.")
        layout.addWidget(self.one)

    # ---- setters ----

    @property
    def class_id(self) -> int:
        """The class that is looked at; 0 for none."""
        return int(self.classes.currentData() or 0)

    def set_models(self, models: Sequence[Path], current: Path | None) -> None:
        """List networks."""
        with signals_blocked(self.model):
            self.model.clear()
            for path in models:
                self.model.addItem(_spoken(path), str(path))
            if current is not None:
                self.model.setCurrentIndex(max(0, self.model.findData(str(current))))

    def set_classes(self, classes: Sequence[ClassSpec]) -> None:
        """List the classes."""
        chosen = self.class_id
        with signals_blocked(self.classes):
            self.classes.clear()
            for spec in classes:
                self.classes.addItem(spec.name, spec.id)
            self.classes.setCurrentIndex(max(0, self.classes.findData(chosen)))
        self.classes.setVisible(len(classes) > 1)

    def set_scores(self, scores: FloatArray, review: ReviewConfig, shown: int, judged: tuple[int, int]) -> None:
        """Show scores of the candidates, what is asked of them and the counts."""
        self.histogram.set_scores(scores)
        self.histogram.set_threshold(review.threshold)
        with signals_blocked(self.threshold):
            self.threshold.setValue(round(review.threshold * STEPS))
        self.value.setText(f"{review.threshold:.2f}")
        for spin, number in ((self.min_distance, review.min_distance), (self.edge, review.edge)):
            with signals_blocked(spin):
                spin.setValue(number)
        accepted, rejected = judged
        self.count.setText(f"{shown} of {len(scores)} picks shown · {accepted} accepted · {rejected} rejected")
        none = "" if len(scores) else "There are no open picks: press Pick first."
        allow(self.accept_all, none if shown or none else "No pick is shown.", ACCEPT_ALL)
        allow(self.reject_rest, none if shown < len(scores) or none else "No pick is hidden.", REMOVE_HIDDEN)
        for widget in (self.threshold, self.histogram, self.min_distance, self.edge, self.back, self.on):
            widget.setEnabled(not none)

    def set_ready(self, reason_not: str) -> None:
        """Say whether picking can start."""
        allow(self.pick, reason_not, "Find particles everywhere in the tomogram that is shown")

    def set_selected(self, open_pick: bool) -> None:
        """Enable judging one pick."""
        for button in (self.accept, self.reject):
            allow(button, "" if open_pick else "Select a pick first: click it.")

    # ---- callbacks ----

    def _on_model_changed(self, _index: int) -> None:
        self.model_requested.emit(self.model.currentData() or "")

    def _on_class_changed(self, _index: int) -> None:
        self.class_requested.emit(self.class_id)

    def _on_slider_moved(self, value: int) -> None:
        self._on_threshold_moved(value / STEPS)

    def _on_threshold_moved(self, threshold: float) -> None:
        self.review_requested.emit(self.class_id, "threshold", threshold)

    def _on_advanced_toggled(self, on: bool) -> None:
        self.advanced.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)
        self.form.setVisible(on)


def _spoken(model: Path) -> str:
    """Say when a network was trained, where its name tells."""
    try:
        when = datetime.strptime(model.stem[:15], "%Y%m%d-%H%M%S")
    except ValueError:
        return model.stem
    return f"trained {when:%d %b %Y, %H:%M:%S}"
