"""Scores of picks as a histogram with a threshold to drag."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Signal

if TYPE_CHECKING:
    from core.types import FloatArray

BINS = 50
AXIS = "#7a8088"


class ScoreHistogram(pg.PlotWidget):
    """Bars of scores 0..1, and a line that can be dragged."""

    threshold_moved = Signal(float)

    def __init__(self) -> None:
        super().__init__(background=None)
        self.setFixedHeight(104)
        self.setMouseEnabled(False, False)
        self.hideButtons()
        self.setMenuEnabled(False)
        item = self.getPlotItem()
        item.hideAxis("left")
        item.getAxis("bottom").setPen(AXIS)
        item.getAxis("bottom").setTextPen(AXIS)
        item.setXRange(0, 1, padding=0.02)
        self._edges = np.linspace(0, 1, BINS + 1)
        self._bars = pg.BarGraphItem(x0=self._edges[:-1], width=1 / BINS, height=np.zeros(BINS), brush="#5fb3d9", pen=None)
        item.addItem(self._bars)
        self._line = pg.InfiniteLine(0.5, movable=True, bounds=(0, 1), pen=pg.mkPen("#ffb454", width=3))
        self._line.sigPositionChanged.connect(self._on_line_moved)
        item.addItem(self._line)

    def set_scores(self, scores: FloatArray) -> None:
        """Show these scores.

        Parameters
        ----------
        scores : FloatArray
            (n,) 0..1.
        """
        height, _ = np.histogram(scores[np.isfinite(scores)], self._edges)
        self._bars.setOpts(height=np.sqrt(height))  # so that a few good ones are seen beside many poor ones
        self.getPlotItem().setYRange(0, max(1.0, float(np.sqrt(height.max(initial=1)))), padding=0.05)

    def set_threshold(self, threshold: float) -> None:
        """Put the line somewhere."""
        self._line.blockSignals(True)
        self._line.setValue(threshold)
        self._line.blockSignals(False)

    def _on_line_moved(self, line: pg.InfiniteLine) -> None:
        self.threshold_moved.emit(float(line.value()))
