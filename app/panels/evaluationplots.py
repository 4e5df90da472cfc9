"""Plots of an evaluation: one line each, its best point, and where the threshold stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt

if TYPE_CHECKING:
    from core.metrics import Curve
    from core.types import FloatArray

AXIS, LINE, MARK, BEST = "#7a8088", "#5fb3d9", "#ffb454", "#66bb6a"
BINS = 24


class Plot(pg.PlotWidget):
    """A quiet plot with named axes and a legend."""

    def __init__(self, title: str, bottom: str, left: str) -> None:
        super().__init__(background=None)
        self.setMouseEnabled(False, False)
        self.hideButtons()
        self.setMenuEnabled(False)
        self.setMinimumSize(320, 210)
        item = self.getPlotItem()
        item.setTitle(title, color=AXIS, size="10pt")
        item.setLabels(bottom=bottom, left=left)
        for side in ("bottom", "left"):
            item.getAxis(side).setPen(AXIS)
            item.getAxis(side).setTextPen(AXIS)
            item.getAxis(side).enableAutoSIPrefix(False)
        item.showGrid(x=True, y=True, alpha=0.15)
        self.legend = item.addLegend(offset=(12, -12), labelTextColor=AXIS)

    def clear_all(self) -> None:
        """Show nothing."""
        self.getPlotItem().clear()
        self.legend.clear()


class PrecisionRecall(Plot):
    """Precision against recall, with the current threshold."""

    def __init__(self) -> None:
        super().__init__("Precision and recall", "recall: part of the references found", "precision: part of picks right")
        self.setXRange(0, 1, padding=0.02)
        self.setYRange(0, 1.06, padding=0)

    def show_curve(self, curve: Curve, label: str, at: tuple[float, float] | None, *, estimated: bool) -> None:
        """Draw a curve, and the recall and precision of the current threshold."""
        self.clear_all()
        item, dash = self.getPlotItem(), Qt.PenStyle.DashLine if estimated else Qt.PenStyle.SolidLine
        precision = np.maximum.accumulate(curve.precision[::-1])[::-1]
        item.plot(np.r_[0.0, curve.recall], np.r_[precision[:1], precision], pen=pg.mkPen(LINE, width=2, style=dash), name=label)
        if at is not None:
            item.plot(
                [at[0]], [at[1]], pen=None, symbol="o", symbolSize=11, symbolBrush=MARK, symbolPen=None, name="current threshold"
            )


class ScoreThreshold(Plot):
    """F1, or F4, against the threshold."""

    def __init__(self) -> None:
        super().__init__("F1 and threshold", "score threshold", "F1")
        self.setXRange(0, 1, padding=0.02)
        self.setYRange(0, 1.06, padding=0)
        self.line = pg.InfiniteLine(0.5, pen=pg.mkPen(MARK, width=2, style=Qt.PenStyle.DashLine))

    def show_curve(self, curve: Curve, score: str, best: tuple[float, float] | None, *, estimated: bool) -> None:
        """Draw the score at every threshold, and the best."""
        self.clear_all()
        item, dash = self.getPlotItem(), Qt.PenStyle.DashLine if estimated else Qt.PenStyle.SolidLine
        item.setTitle(f"{score} and threshold", color=AXIS, size="10pt")
        item.setLabels(left=f"{score} (1 is perfect)")
        name = f"{score}, estimated" if estimated else score
        item.plot(curve.thresholds, curve.f1, pen=pg.mkPen(LINE, width=2, style=dash), name=name)
        if best is not None and best[1]:
            marked = {"pen": None, "symbol": "star", "symbolSize": 17, "symbolBrush": BEST, "symbolPen": None}
            item.plot([best[0]], [best[1]], **marked, name=f"best: {best[1]:.2f} at {best[0]:.2f}")
        item.addItem(self.line)
        self.legend.addItem(pg.PlotDataItem(pen=self.line.pen), "current threshold")

    def set_threshold(self, threshold: float | None) -> None:
        """Put the line where the threshold stands; None where there are several."""
        self.line.setVisible(threshold is not None)
        if threshold is not None:
            self.line.setValue(threshold)


class ErrorHistogram(Plot):
    """How far hits lie from their references."""

    def __init__(self) -> None:
        super().__init__("Localisation error", "distance of a hit from its reference (Å)", "hits")
        self.legend.setOffset((-12, 8))

    def show_errors(self, away: FloatArray, most: float, voxel_size: float | None) -> None:
        """Draw distances in Å, up to the reach of the rule."""
        self.clear_all()
        item = self.getPlotItem()
        height, edges = np.histogram(away, BINS, range=(0, most))
        item.addItem(pg.BarGraphItem(x0=edges[:-1], width=edges[1] - edges[0], height=height, brush=LINE, pen=None))
        self.setXRange(0, most, padding=0.02)
        self.setYRange(0, max(1, int(height.max(initial=1))), padding=0.05)
        if len(away):
            mean = float(np.mean(away))
            item.addItem(pg.InfiniteLine(mean, pen=pg.mkPen(MARK, width=2)))
            voxels = f" = {mean / voxel_size:.2f} voxels" if voxel_size else ""
            self.legend.addItem(pg.PlotDataItem(pen=pg.mkPen(MARK, width=2)), f"mean {mean:.1f} Å{voxels}")
