"""Clusters of picks: points to go round with a line, a list of the clusters, and what is decided about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QAction, QKeySequence
from qtpy.QtWidgets import QComboBox, QDialog, QHBoxLayout, QLabel, QPushButton, QSplitter, QStackedWidget, QWidget

from app.panels.classmenu import ClassButton
from app.panels.clusterlist import ClusterList
from app.panels.clusterplot import PAIRS, ClusterPlot
from app.panels.jobbar import JobBar
from app.panels.parts import allow, column, hint
from core.particles import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QKeyEvent

    from app.panels.clusterplot import Points
    from core.clusters import Members
    from core.particles import ClassSpec

ABOUT = (
    "Each point is a pick. Picks that look alike to the network lie together, so that gold, membranes and edges gather apart from"
    " particles."
)
SIGNS = "● open   ✚ accepted   ✖ rejected   outlined: selected   numbers: clusters"
KEYS = (
    "Draw a line round points to select · Shift adds · a click flies there · wheel zooms · double click shows all · A accept"
    " · R reject · Esc clears"
)
SELECT = "Select picks first: draw a line round points, or click a cluster."


class ClusterDialog(QDialog):
    """Stays open beside the window; what is asked for is emitted."""

    group_requested = Signal()
    chosen_changed = Signal(list)  # ids
    fly_requested = Signal(int)  # id
    accept_requested = Signal(list)
    reject_requested = Signal(list)
    class_requested = Signal(list, int)
    gallery_requested = Signal(list)
    undo_requested = Signal()
    redo_requested = Signal()
    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Clusters of picks")
        self.setWindowFlag(Qt.WindowType.WindowMaximizeButtonHint)
        self.resize(1040, 640)
        self.chosen: list[int] = []
        self._reason = ""
        layout = column(self, margin=14, spacing=8)
        layout.addWidget(hint(ABOUT))
        layout.addLayout(self._state())
        self.table = ClusterList()
        self.table.itemSelectionChanged.connect(self._on_table_selection)
        parts = QSplitter(Qt.Orientation.Horizontal)
        parts.addWidget(self._picture())
        parts.addWidget(self.table)
        parts.setStretchFactor(0, 1)
        parts.setSizes([610, 402])
        parts.setChildrenCollapsible(False)
        layout.addWidget(parts, stretch=1)
        layout.addLayout(self._decisions())
        layout.addWidget(hint(KEYS))
        self.choose([])

    def _state(self) -> QHBoxLayout:
        self.said, self.group, self.jobs, self.axes = QLabel(), QPushButton("Group"), JobBar(), QComboBox()
        for one, other in PAIRS:
            self.axes.addItem(f"components {one + 1} and {other + 1}", (one, other))
        self.axes.setToolTip("The directions in which picks differ most, second most, and third most")
        self.axes.currentIndexChanged.connect(lambda _place: self.plot.set_pair(self.axes.currentData()))
        self.said.setWordWrap(True)
        self.group.setAutoDefault(False)
        self.group.clicked.connect(lambda _checked=False: self.group_requested.emit())
        self.jobs.setVisible(False)
        row = QHBoxLayout()
        row.addWidget(self.said, stretch=1)
        row.addWidget(self.jobs, stretch=1)
        row.addWidget(self.axes)
        row.addWidget(self.group)
        return row

    def _picture(self) -> QWidget:
        self.plot, self.empty = ClusterPlot(), QLabel()
        self.empty.setObjectName("corner")
        self.empty.setWordWrap(True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setMargin(60)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.empty)
        self.pages.addWidget(self.plot)
        self.plot.selected.connect(self._on_plot_selected)
        self.plot.clicked.connect(self._on_plot_clicked)
        self.plot.missed.connect(lambda: self.choose([]))
        whole = QWidget()
        layout = column(whole)
        layout.addWidget(self.pages, stretch=1)
        layout.addWidget(hint(SIGNS))
        return whole

    def _decisions(self) -> QHBoxLayout:
        self.count = QLabel()
        self.accept_button, self.reject_button, self.gallery_button = (
            QPushButton(text) for text in ("Accept", "Reject", "Show in gallery")
        )
        self.class_button = ClassButton("To class…")
        self.class_button.chosen.connect(lambda number: self._ask(self.class_requested, number))
        self._orders = {
            self.accept_button: (self.accept_requested, "A", "They are particles (A)"),
            self.reject_button: (self.reject_requested, "R", "They are none, and teach so (R)"),
        }
        row = QHBoxLayout()
        row.addWidget(self.count, stretch=1)
        for button, (signal, key, _) in self._orders.items():
            button.clicked.connect(lambda _checked=False, signal=signal: self._ask(signal))
            self._key(key, lambda signal=signal: self._ask(signal))
        self.gallery_button.clicked.connect(lambda _checked=False: self.gallery_requested.emit(self.chosen))
        for button in (self.gallery_button, self.class_button, self.reject_button, self.accept_button):
            button.setAutoDefault(False)
            row.addWidget(button)
        self._key("Ctrl+Z", self.undo_requested.emit)
        self._key("Ctrl+Shift+Z", self.redo_requested.emit)
        for number in range(1, 10):
            self._key(f"Ctrl+{number}", lambda number=number: self._ask_nth(number))
        return row

    def _key(self, keys: str, slot: object) -> None:
        action = QAction(self)
        action.setShortcut(QKeySequence(keys))
        action.triggered.connect(lambda _checked=False: slot())
        self.addAction(action)

    # ---- setters ----

    def set_state(self, sentence: str, group: str, reason_not: str) -> None:
        """Say what is seen or what to do, what the button is called, and why it cannot be pressed."""
        self.said.setText(sentence)
        self.empty.setText(sentence)
        self.group.setText(group)
        allow(self.group, reason_not, "By what the chosen network (step 4) sees in them")
        empty = not len(self.plot.points)
        self.pages.setCurrentWidget(self.empty if empty else self.plot)
        self.said.setVisible(not empty and self.jobs.isHidden())
        self.axes.setVisible(not empty)

    def set_busy(self, busy: bool) -> None:
        """Show that picks are being grouped."""
        self.jobs.setVisible(busy)
        self.jobs.set_busy(busy, "Grouping picks" if busy else "")
        self.said.setVisible(not busy and bool(len(self.plot.points)))
        self.group.setVisible(not busy)

    def set_points(self, points: Points, members: Sequence[Members]) -> None:
        """Show picks and what their clusters hold; what was selected and is still there stays selected."""
        self.plot.set_points(points)
        self.table.set_members(members)
        chosen = np.array(self.chosen, np.int64)
        self.choose(chosen[np.isin(chosen, points.ids)].tolist())

    def set_classes(self, classes: Sequence[ClassSpec]) -> None:
        """List the classes."""
        self._specs = tuple(classes)
        self.class_button.set_classes(classes)
        self._show_ready()

    def set_ready(self, reason_not: str) -> None:
        """Say whether picks can be judged."""
        self._reason = reason_not
        self._show_ready()

    def choose(self, ids: Sequence[int], *, of_list: bool = False) -> None:
        """Select picks and nothing else; rows of the list stay selected only where they are what was chosen."""
        self.chosen = list(ids)
        if not of_list and self.table.labels and set(ids) != set(self._ids_of(self.table.labels)):
            self.table.let_go()
        if not ids:
            self.plot.clear_lasso()
        self.plot.set_chosen(self.chosen)
        self._show_ready()
        self.chosen_changed.emit(self.chosen)

    def _show_ready(self) -> None:
        statuses = self.plot.points.statuses[np.isin(self.plot.points.ids, self.chosen)]
        said = [
            f"{count} {word}"
            for status, word in ((Status.CANDIDATE, "open"), (Status.ACCEPTED, "accepted"), (Status.REJECTED, "rejected"))
            if (count := int((statuses == status).sum()))
        ]
        self.count.setText(f"{len(self.chosen)} selected: {', '.join(said)}" if self.chosen else "Nothing is selected.")
        none = "" if self.chosen else SELECT
        for button, (_, _, usual) in self._orders.items():
            allow(button, self._reason or none, usual)
        self.class_button.set_reason(self._reason or none, "They are particles of another class (Ctrl+1 to Ctrl+9)")
        allow(self.gallery_button, none, "As small pictures, in the order of clusters")

    # ---- callbacks ----

    def _ids_of(self, labels: set[int]) -> list[int]:
        points = self.plot.points
        return [int(number) for number in points.ids[np.isin(points.labels, list(labels))]]

    def _on_table_selection(self) -> None:
        self.plot.clear_lasso()
        self.choose(self._ids_of(self.table.labels), of_list=True)

    def _on_plot_selected(self, ids: list[int], add: bool) -> None:
        self.choose(list(dict.fromkeys([*self.chosen, *ids])) if add else ids)

    def _on_plot_clicked(self, particle_id: int) -> None:
        self.plot.clear_lasso()
        self.choose([particle_id])
        self.fly_requested.emit(particle_id)

    def _ask(self, signal: object, *further: int) -> None:
        if self.chosen and not self._reason:
            signal.emit(self.chosen, *further)

    def _ask_nth(self, number: int) -> None:
        if number <= len(self._specs):
            self._ask(self.class_requested, self._specs[number - 1].id)

    # ---- Qt's own events ----

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape lets go of what is selected; where nothing is, it closes the dialog as usual."""
        if event.key() == Qt.Key.Key_Escape and self.chosen:
            self.choose([])
        else:
            super().keyPressEvent(event)

    def hideEvent(self, event: object) -> None:
        super().hideEvent(event)
        self.closed.emit()
