"""Picks as points: their first principal components, a colour for each cluster, and a lasso."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QEvent, QPointF, Qt, Signal
from qtpy.QtGui import QPolygonF
from qtpy.QtWidgets import QGraphicsPolygonItem

from core.clusters import ALONE, in_polygon
from core.particles import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from qtpy.QtWidgets import QWidget

    from core.types import BoolArray, FloatArray, IntArray

AXIS, LASSO = "#7a8088", "#ffb454"
# each at least 2.8 times as bright, or as dark, as the ground of either theme
COLORS = ("#3d85c6", "#d9720b", "#3f9142", "#a566c9", "#e04f4a", "#16938c", "#d6569a", "#a98600", "#a0714f")
NOISE = "#80868f"
SYMBOLS = {Status.CANDIDATE: "o", Status.ACCEPTED: "+", Status.REJECTED: "x"}
SIZES = {Status.CANDIDATE: 7, Status.ACCEPTED: 11, Status.REJECTED: 10}
LARGER = 5  # pixels that a selected point is larger by
QUIET = 190  # opacity of what is written on the axes
FAINT, CLEAR = 70, 215  # opacity of the others while some are selected, and of all while none is
PAIRS = ((0, 1), (0, 2), (1, 2))


def color_of(label: int) -> str:
    """Return the colour of a cluster; after the last one they begin again, and numbers tell them apart."""
    return NOISE if label == ALONE else COLORS[label % len(COLORS)]


def name_of(label: int) -> str:
    """Say which cluster it is, counted from 1."""
    return "in none" if label == ALONE else f"cluster {label + 1}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """What is shown: n picks.

    Attributes
    ----------
    ids, labels, statuses : IntArray
        (n,) id, cluster and status of each.
    scores : FloatArray
        (n,) score of each, NaN for none.
    components : FloatArray
        (n, k) principal components.
    explained : FloatArray
        (k,) share of the variance that each explains.
    """

    ids: IntArray = field(repr=False)
    labels: IntArray = field(repr=False)
    statuses: IntArray = field(repr=False)
    scores: FloatArray = field(repr=False)
    components: FloatArray = field(repr=False)
    explained: FloatArray = field(repr=False)

    def __len__(self) -> int:
        return len(self.ids)


def no_points() -> Points:
    """Return an empty picture."""
    none = np.empty(0, np.int64)
    return Points(ids=none, labels=none, statuses=none, scores=np.empty(0), components=np.empty((0, 3)), explained=np.zeros(3))


class LassoBox(pg.ViewBox):
    """The left button draws a line around points; the wheel zooms, the middle button moves, a double click shows all."""

    drawn = Signal(object, bool, bool)  # (m, 2) corners so far, whether the line is finished, whether with Shift
    missed = Signal()  # a click on nothing

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        self._corners: list[tuple[float, float]] = []

    def mouseDragEvent(self, event: Any, axis: int | None = None) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            super().mouseDragEvent(event, axis)
            return
        event.accept()
        if event.isStart():
            self._corners = [self._place(event.buttonDownPos())]
        self._corners.append(self._place(event.pos()))
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        self.drawn.emit(np.array(self._corners), event.isFinish(), shift)

    def _place(self, position: Any) -> tuple[float, float]:
        place = self.mapToView(position)
        return place.x(), place.y()

    def mouseClickEvent(self, event: Any) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            self.missed.emit()

    def mouseDoubleClickEvent(self, event: Any) -> None:
        event.accept()
        self.autoRange(padding=0.1)


class ClusterPlot(pg.PlotWidget):
    """Points that can be looked at, clicked, and gone round with a line."""

    selected = Signal(list, bool)  # ids within the line, whether they come on top of those selected before
    clicked = Signal(int)  # id
    missed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        self.box = LassoBox()
        super().__init__(parent, background=None, viewBox=self.box)
        self.hideButtons()
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # keys are the dialog's
        self.points, self.chosen = no_points(), np.empty(0, np.int64)
        self._pair, self._current = PAIRS[0], 0
        for side in ("bottom", "left"):
            self.getAxis(side).enableAutoSIPrefix(False)
        self.showGrid(x=True, y=True, alpha=0.12)
        self.scatter = pg.ScatterPlotItem(pxMode=True)
        self.scatter.sigClicked.connect(self._on_scatter_clicked)
        self.aim = pg.ScatterPlotItem(size=19, symbol="o", brush=None)
        self.lasso = QGraphicsPolygonItem()
        self.lasso.setPen(pg.mkPen(LASSO, width=2, style=Qt.PenStyle.DashLine))
        self.lasso.setBrush(pg.mkBrush(255, 180, 84, 28))
        for item in (self.scatter, self.aim):
            self.addItem(item)
        self.box.addItem(self.lasso, ignoreBounds=True)
        self._names: list[pg.TextItem] = []
        self.box.drawn.connect(self._on_box_drawn)
        self.box.missed.connect(self.missed)

    # ---- setters ----

    def set_points(self, points: Points) -> None:
        """Show picks; where they were grouped with those before, what is seen of the plane stays."""
        anew = not len(self.points) or not np.array_equal(points.explained, self.points.explained)
        self.points = points
        self._draw()
        if anew:
            self.clear_lasso()
            self._name_axes()
            self.box.autoRange(padding=0.1)

    def set_pair(self, pair: tuple[int, int]) -> None:
        """Show other components, counted from 0."""
        self._pair = pair
        self.clear_lasso()
        self._name_axes()
        self._draw()
        self.box.autoRange(padding=0.1)

    def set_chosen(self, ids: Sequence[int]) -> None:
        """Let picks stand out: outlined, larger, and the others faint."""
        self.chosen = np.array(ids, np.int64)
        self._draw()

    def set_current(self, particle_id: int | None) -> None:
        """Draw a ring around the pick that the canvases are at."""
        self._current = particle_id or 0
        self._draw_aim()

    def clear_lasso(self) -> None:
        """Take the line away."""
        self.lasso.setPolygon(QPolygonF())

    # ---- drawing ----

    @property
    def places(self) -> NDArray[Any]:
        """(n, 2) right and up."""
        return self.points.components[:, list(self._pair)]

    def _name_axes(self) -> None:
        for side, number in zip(("bottom", "left"), self._pair, strict=True):
            share = self.points.explained[number] if number < len(self.points.explained) else 0.0
            self.setLabel(side, f"principal component {number + 1} ({share:.0%} of the variance)")
        self._dress()

    def _dress(self) -> None:
        """Follow the theme."""
        ink = self.palette().text().color()
        ink.setAlpha(QUIET)
        for side in ("bottom", "left"):
            axis = self.getAxis(side)
            axis.setPen(AXIS)
            axis.setTextPen(ink)
            axis.label.setDefaultTextColor(ink)

    def _draw(self) -> None:
        points, chosen = self.points, np.isin(self.points.ids, self.chosen)
        order = np.lexsort((points.labels != ALONE, chosen))  # what is selected lies on top, what is in no cluster beneath
        statuses = [Status(one) for one in points.statuses[order].tolist()]
        stands_out = chosen[order].tolist()
        outline, thin = pg.mkPen(self.palette().text().color(), width=1.4), pg.mkPen(None)
        opacity = FAINT if chosen.any() else CLEAR
        colors = {label: self._brushes(label, opacity) for label in set(points.labels.tolist())}
        self.scatter.setData(
            pos=self.places[order],
            data=points.ids[order],
            symbol=[SYMBOLS[status] for status in statuses],
            size=[SIZES[status] + LARGER * out for status, out in zip(statuses, stands_out, strict=True)],
            brush=[colors[label][out] for label, out in zip(points.labels[order].tolist(), stands_out, strict=True)],
            pen=[outline if out else thin for out in stands_out],
        )
        self._draw_names()
        self._draw_aim()

    def _brushes(self, label: int, opacity: int) -> tuple[Any, Any]:
        faint = pg.mkColor(color_of(label))
        faint.setAlpha(opacity)
        return pg.mkBrush(faint), pg.mkBrush(color_of(label))

    def _draw_names(self) -> None:
        """Write its number on each cluster: colour alone would not do."""
        for item in self._names:
            self.box.removeItem(item)
        self._names = []
        for label in sorted(set(self.points.labels.tolist()) - {ALONE}):
            x, y = np.median(self.places[self.points.labels == label], axis=0)
            item = pg.TextItem(str(label + 1), color="white", fill=pg.mkBrush(color_of(label)), anchor=(0.5, 0.5))
            item.setPos(x, y)
            item.setZValue(5)
            self.box.addItem(item, ignoreBounds=True)
            self._names.append(item)

    def _draw_aim(self) -> None:
        self.aim.setPen(pg.mkPen(self.palette().text().color(), width=2))
        here = self.points.ids == self._current
        self.aim.setData(pos=self.places[here])

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange and hasattr(self, "_names"):
            self._dress()
            self._draw()

    # ---- the mouse ----

    def _on_box_drawn(self, corners: NDArray[Any], finished: bool, add: bool) -> None:
        self.lasso.setPolygon(QPolygonF([QPointF(*corner) for corner in corners.tolist()]))
        if finished:
            inside: BoolArray = in_polygon(self.places, corners)
            self.selected.emit(self.points.ids[inside].tolist(), add)

    def _on_scatter_clicked(self, _item: Any, hit: Sequence[Any], event: Any) -> None:
        """Take the nearest of the points under the mouse."""
        at = event.pos()
        nearest = min(hit, key=lambda one: (one.pos().x() - at.x()) ** 2 + (one.pos().y() - at.y()) ** 2)
        self.clicked.emit(int(nearest.data()))
