"""Step 4: pick, choose a threshold, accept and reject."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from app.panels.classmenu import ClassButton
from app.panels.form import Form
from app.panels.histogram import ScoreHistogram
from app.panels.parts import allow, column, heading, hint, primary, rule, scrolled, spoken_time
from app.panels.scoremap import ScoreMapControls
from core.config import PickConfig
from core.particles import Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from core.config import ReviewConfig
    from core.particles import ClassSpec
    from core.types import FloatArray

STEPS = 1000  # of the slider
VIEW = "{} are hidden and are not exported; nothing is computed again"
LOW, NEAR, OUTER = (
    VIEW.format(f"Picks {which}")
    for which in (
        "below this score",
        "nearer than this many particle diameters to a particle or a better pick of the same class",
        "within this margin of the tomogram's faces",
    )
)
ACCEPT_ALL = "Every pick that is shown becomes a particle of yours, for export and for training again"
REJECT_ALL = "Every pick that is shown is kept as a counter-example and taught as background; undo takes it back"
RECLASSIFY_ALL = "Every pick that is shown becomes a particle of another class"
DOUBTFUL = "Go first to the picks, shown or hidden, of which the network is least sure"
REMOVE_HIDDEN = "Picks that are hidden are deleted; undo brings them back"


class PickPanel(QScrollArea):
    """From the button to a decision about every pick."""

    pick_requested = Signal()
    pick_all_requested = Signal()
    model_requested = Signal(str)
    class_requested = Signal(int)
    review_requested = Signal(int, str, float)  # class id, field of its ReviewConfig, new value
    accept_all_requested = Signal(int)
    reject_all_requested = Signal(int)
    remove_hidden_requested = Signal(int)
    reclassify_all_requested = Signal(int, int)  # from, to
    accept_requested = Signal()
    reject_requested = Signal()
    reclassify_requested = Signal(int)  # the selected one, to this class
    walk_requested = Signal(int)  # one candidate on, or back
    train_again_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._specs: tuple[ClassSpec, ...] = ()
        layout = scrolled(self)
        form = QFormLayout()
        self.model = QComboBox()
        self.model.setToolTip("Trained networks of this project, the latest first")
        self.model.currentIndexChanged.connect(self._on_model_changed)
        form.addRow("Network", self.model)
        layout.addLayout(form)
        self.pick = primary("Pick this tomogram")
        self.pick.clicked.connect(self.pick_requested)
        self.advanced = QToolButton()
        self.advanced.setText("Advanced")
        self.advanced.setCheckable(True)
        self.advanced.setArrowType(Qt.ArrowType.RightArrow)
        self.advanced.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.advanced.toggled.connect(self._on_advanced_toggled)
        row = QHBoxLayout()
        row.addWidget(self.pick, stretch=1)
        row.addWidget(self.advanced)
        layout.addLayout(row)
        self.pick_all = QPushButton("Pick all tomograms")
        self.pick_all.clicked.connect(self.pick_all_requested)
        layout.addWidget(self.pick_all)
        self.why = hint()
        self.why.hide()
        layout.addWidget(self.why)
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
        self.threshold.setPageStep(STEPS // 50)
        self.threshold.valueChanged.connect(self._on_slider_moved)
        self.value.setMinimumWidth(36)
        row.addWidget(self.threshold, stretch=1)
        row.addWidget(self.value)
        layout.addLayout(row)
        self.min_distance, self.edge = QDoubleSpinBox(), QDoubleSpinBox()
        row = QHBoxLayout()
        for label, field, spin, unit, most, step in (
            ("Apart by", "min_distance", self.min_distance, " diam.", 2, 0.05),
            ("Margin", "edge", self.edge, " voxels", 999, 1),
        ):
            spin.setRange(0, most)
            spin.setSingleStep(step)
            spin.setDecimals(2 if most == 2 else 0)
            spin.setSuffix(unit)
            spin.setSpecialValueText("any" if most == 2 else "none")
            spin.valueChanged.connect(lambda value, field=field: self.review_requested.emit(self.class_id, field, value))
            row.addWidget(QLabel(label))
            row.addWidget(spin, stretch=1)
        self._views = {self.threshold: LOW, self.histogram: LOW, self.min_distance: NEAR, self.edge: OUTER}
        layout.addLayout(row)
        self.count = heading("")
        self.count.setWordWrap(True)
        layout.addWidget(self.count)
        self._add_all(layout)
        self._looks = column(inside := QWidget())
        layout.addWidget(inside)
        layout.addWidget(rule())
        self._add_one(layout)

    def _add_all(self, layout: QVBoxLayout) -> None:
        self.accept_all, self.reject_all = QPushButton("Accept all shown"), QPushButton("Reject all shown")
        self.remove_hidden, self.reclassify_all = QPushButton("Remove all hidden"), ClassButton("Shown are of class")
        self.accept_all.clicked.connect(lambda: self.accept_all_requested.emit(self.class_id))
        self.reject_all.clicked.connect(lambda: self.reject_all_requested.emit(self.class_id))
        self.remove_hidden.clicked.connect(lambda: self.remove_hidden_requested.emit(self.class_id))
        self.reclassify_all.chosen.connect(lambda number: self.reclassify_all_requested.emit(self.class_id, number))
        grid = QGridLayout()
        for place, button in enumerate((self.accept_all, self.reject_all, self.remove_hidden, self.reclassify_all)):
            grid.addWidget(button, *divmod(place, 2))
        layout.addLayout(grid)

    def _add_one(self, layout: QVBoxLayout) -> None:
        layout.addWidget(heading("One by one"))
        row = QHBoxLayout()
        self.back, self.on, self.reclassify = QPushButton("◀"), QPushButton("▶"), ClassButton("Class")
        self.accept, self.reject = QPushButton("Accept"), QPushButton("Reject")
        self.back.clicked.connect(lambda: self.walk_requested.emit(-1))
        self.on.clicked.connect(lambda: self.walk_requested.emit(1))
        self.accept.clicked.connect(self.accept_requested)
        self.reject.clicked.connect(self.reject_requested)
        self.reclassify.chosen.connect(self.reclassify_requested)
        for button in (self.back, self.on):
            button.setFixedWidth(36)
        for button in (self.back, self.accept, self.reject, self.reclassify, self.on):
            row.addWidget(button)
        layout.addLayout(row)
        self.doubtful = QCheckBox("Most doubtful first")
        self.doubtful.setToolTip(DOUBTFUL)
        layout.addWidget(self.doubtful)
        self.one = hint("Click a pick, or go through them with N and P.")
        layout.addWidget(self.one)
        layout.addWidget(rule())
        self.again = QPushButton("Train again and pick")
        self.again.setMinimumHeight(34)
        self.again.clicked.connect(self.train_again_requested)
        layout.addWidget(self.again)

    # ---- setters ----

    def place_closer(self, looks: QWidget) -> None:
        """Take in the buttons that look closer at picks."""
        self._looks.addWidget(looks)

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
        chosen, self._specs = self.class_id, tuple(classes)
        with signals_blocked(self.classes):
            self.classes.clear()
            for spec in classes:
                self.classes.addItem(spec.name, spec.id)
            self.classes.setCurrentIndex(max(0, self.classes.findData(chosen)))
        self.classes.setVisible(len(classes) > 1)
        self.reclassify_all.set_classes(classes, self.class_id)
        self.reclassify.set_classes(classes)

    def set_scores(self, scores: FloatArray, review: ReviewConfig, shown: int, judged: tuple[int, int], masked: int = 0) -> None:
        """Show scores of the candidates that no mask takes out, what is asked of them and the counts."""
        self.histogram.set_scores(scores)
        self.histogram.set_threshold(review.threshold)
        with signals_blocked(self.threshold):
            self.threshold.setValue(round(review.threshold * STEPS))
        self.value.setText(f"{review.threshold:.2f}")
        for spin, number in ((self.min_distance, review.min_distance), (self.edge, review.edge)):
            with signals_blocked(spin):
                spin.setValue(number)
        accepted, rejected = judged
        hidden = f" · {masked} masked" if masked else ""
        self.count.setText(f"{shown} of {len(scores)} shown{hidden} · {accepted} accepted · {rejected} rejected")
        none = "" if len(scores) + masked else "There are no open picks: press Pick first."
        no_shown = none or ("" if shown else "No pick is shown.")
        allow(self.accept_all, no_shown, ACCEPT_ALL)
        allow(self.reject_all, no_shown, REJECT_ALL)
        self.reclassify_all.set_reason(no_shown, RECLASSIFY_ALL)
        allow(self.remove_hidden, none or ("" if shown < len(scores) + masked else "No pick is hidden."), REMOVE_HIDDEN)
        for widget, tip in self._views.items():
            allow(widget, none, tip)
        for button, tip in (
            (self.back, "The pick before, which scores higher (P)"),
            (self.on, "The next pick, which scores lower (N)"),
        ):
            allow(button, none, tip)

    def set_ready(self, reason_not: str) -> None:
        """Say whether picking can start."""
        allow(self.pick, reason_not, "Find particles everywhere in the tomogram that is shown")
        self.why.setText(reason_not)
        self.why.setVisible(bool(reason_not))

    def set_all_ready(self, reason_not: str) -> None:
        """Say whether picking all tomograms can start."""
        allow(self.pick_all, reason_not, "Find particles in every tomogram that the project uses, one after the other")

    def set_again(self, reason_not: str) -> None:
        """Say whether training can go on from the last network."""
        usual = "Train on from the last network with what you accepted, rejected and marked, then pick this tomogram again"
        allow(self.again, reason_not, usual)

    def set_selected(self, status: Status | None, class_id: int | None, classes: Sequence[ClassSpec]) -> None:
        """Enable judging the particle that is selected."""
        none = "" if status is not None else "Select a pick first: click it."
        allow(self.accept, none or ("It is accepted already." if status is Status.ACCEPTED else ""), "It is a particle (A)")
        allow(
            self.reject, none or ("It is rejected already." if status is Status.REJECTED else ""), "It is none, and teaches so (R)"
        )
        self.reclassify.set_classes(classes, class_id)
        self.reclassify.set_reason(none, "It is a particle of another class (Ctrl+1 to Ctrl+9)")

    # ---- callbacks ----

    def _on_model_changed(self, _index: int) -> None:
        self.model_requested.emit(self.model.currentData() or "")

    def _on_class_changed(self, _index: int) -> None:
        self.reclassify_all.set_classes(self._specs, self.class_id)
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
    when = spoken_time(model.stem)
    return when if when == model.stem else f"trained {when}"
