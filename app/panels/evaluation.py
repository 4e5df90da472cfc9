"""How good picks are: against marks, a file, another person; or two sets side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from app.panels.comparing import ComparePage
from app.panels.evaluationplots import ErrorHistogram, PrecisionRecall, ScoreThreshold
from app.panels.originbox import OriginBox
from app.panels.parts import allow, column, heading, hint
from core.metrics import RULES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.metrics import Rule
    from core.particles import ClassSpec
    from core.types import IntArray

ROW_HEIGHT, MOST_NAMES = 20, 4  # pixels; classes beyond which columns have numbers in place of names
ALL, THIS = "all tomograms", "the tomogram that is shown"
RULE_NAMES = {"half": "half a radius", "radius": "one radius", "shrec": "SHREC 2021", "czii": "CZII 2024 (F4)"}


class EvaluatePage(QWidget):
    """Choices on top, one sentence, four plots."""

    score_requested = Signal()  # a choice that asks for scoring again
    class_requested = Signal()
    best_requested = Signal(float)
    save_requested = Signal(str)  # to this folder

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = column(self, margin=10, spacing=8)
        layout.addLayout(self._choices())
        self.summary = heading("")
        self.summary.setWordWrap(True)
        self.notice = hint()
        layout.addWidget(self.summary)
        layout.addWidget(self.notice)
        self.curve, self.score, self.errors = PrecisionRecall(), ScoreThreshold(), ErrorHistogram()
        self.table = QTableWidget()
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.table.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        self.table.horizontalHeader().setMinimumSectionSize(24)
        self.confusion = QWidget()
        inside = QVBoxLayout(self.confusion)
        title = QLabel("Classes: picks (rows) on references (columns)")
        title.setObjectName("hint")
        title.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        inside.addWidget(title)
        inside.addWidget(self.table)
        grid = QGridLayout()
        for place, widget in enumerate((self.curve, self.score, self.errors, self.confusion)):
            grid.addWidget(widget, *divmod(place, 2))
        layout.addLayout(grid, stretch=1)
        layout.addLayout(self._buttons())
        self._best: float | None = None

    def _choices(self) -> QHBoxLayout:
        self.picks, self.reference = OriginBox(), OriginBox()
        self.rule, self.scope, self.classes = QComboBox(), QComboBox(), QComboBox()
        for name, text in RULE_NAMES.items():
            self.rule.addItem(text, name)
            self.rule.setItemData(self.rule.count() - 1, RULES[name].title, Qt.ItemDataRole.ToolTipRole)
        self.scope.addItems([THIS, ALL])
        for box in (self.picks, self.reference):
            box.chosen.connect(self.score_requested)
        for box in (self.rule, self.scope):
            box.currentIndexChanged.connect(lambda _row: self.score_requested.emit())
        self.classes.currentIndexChanged.connect(lambda _row: self.class_requested.emit())
        left, right = QFormLayout(), QFormLayout()
        left.addRow("Picks", self.picks)
        left.addRow("Reference", self.reference)
        left.addRow("In", self.scope)
        right.addRow("Right within", self.rule)
        right.addRow("Class", self.classes)
        row = QHBoxLayout()
        row.addLayout(left, stretch=3)
        row.addLayout(right, stretch=2)
        return row

    def _buttons(self) -> QHBoxLayout:
        self.use_best, self.save = QPushButton("Use the best threshold"), QPushButton("Save plots…")
        self.use_best.clicked.connect(lambda: self.best_requested.emit(self._best))
        self.save.clicked.connect(self._on_save)
        row = QHBoxLayout()
        row.addWidget(self.use_best)
        row.addStretch(1)
        row.addWidget(self.save)
        return row

    # ---- what is chosen ----

    @property
    def chosen_rule(self) -> Rule:
        """What counts as right."""
        return RULES[self.rule.currentData()]

    @property
    def class_id(self) -> int | None:
        """The class that is shown; None for all together."""
        return int(self.classes.currentData() or 0) or None

    @property
    def only_shown(self) -> bool:
        """Whether only the tomogram that is shown counts."""
        return self.scope.currentText() == THIS

    # ---- setters ----

    def set_classes(self, classes: Sequence[ClassSpec]) -> None:
        """List the classes that can be looked at."""
        chosen = self.class_id
        with signals_blocked(self.classes):
            self.classes.clear()
            if len(classes) != 1:
                self.classes.addItem("all together", 0)
            for spec in classes:
                self.classes.addItem(spec.name, spec.id)
            self.classes.setCurrentIndex(max(0, self.classes.findData(chosen)))

    def set_texts(self, summary: str, notices: Sequence[str]) -> None:
        """Say how good they are, and what makes that doubtful."""
        self.summary.setText(summary)
        self.notice.setText(" ".join(notices))
        self.notice.setVisible(bool(notices))

    def set_best(self, best: float | None, reason_not: str) -> None:
        """Offer the best threshold."""
        self._best = best
        allow(self.use_best, reason_not, "Picks of this class that score lower are hidden then; nothing is lost")

    def set_confusion(self, counts: IntArray | None, names: Sequence[str]) -> None:
        """Show how often picks of a class lie on references of each."""
        self.table.clear()
        if counts is None:
            self.table.setRowCount(0)
            self.table.setColumnCount(0)
            return
        self.table.setRowCount(len(counts))
        self.table.setColumnCount(len(counts))
        many = len(names) > MOST_NAMES
        self.table.setHorizontalHeaderLabels([*(str(n + 1) if many else name for n, name in enumerate(names)), "nothing"])
        self.table.setVerticalHeaderLabels([*(f"{n + 1}  {name}" if many else name for n, name in enumerate(names)), "no pick"])
        for row, values in enumerate(counts.tolist()):
            for place, value in enumerate(values):
                last = row == place == len(counts) - 1
                item = QTableWidgetItem("" if last else str(value))
                item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
                if value and not last:
                    strength = 30 + round(110 * value / max(sum(values), 1))
                    item.setBackground(QColor(102, 187, 106, strength) if row == place else QColor(239, 83, 80, strength))
                self.table.setItem(row, place, item)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)

    def set_measured(self, measured: bool) -> None:
        """Leave out the plots of which an estimate knows nothing."""
        self.errors.setVisible(measured)
        self.confusion.setVisible(measured)
        allow(self.save, "" if measured else "An estimate is not saved: choose a reference.", "Every plot as PNG and SVG")

    def clear_plots(self) -> None:
        """Show nothing where nothing is known."""
        for plot in (self.curve, self.score, self.errors):
            plot.clear_all()
        self.set_confusion(None, ())

    def _on_save(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder for the plots")
        if folder:
            self.save_requested.emit(folder)


class EvaluationDialog(QDialog):
    """Stays open beside the window."""

    masks_requested = Signal()  # whether only what lies within the masks counts

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Evaluate picks")
        self.resize(880, 760)
        self.evaluate, self.compare = EvaluatePage(), ComparePage()
        self.tabs = QTabWidget()
        self.tabs.addTab(self.evaluate, "Evaluate")
        self.tabs.addTab(self.compare, "Compare")
        self.within = QCheckBox("Within the masks only")
        self.within.setChecked(True)
        self.within.toggled.connect(lambda _on: self.masks_requested.emit())
        self.tabs.setCornerWidget(self.within)
        column(self, margin=6).addWidget(self.tabs)
