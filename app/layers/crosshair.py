"""The crosshair: two lines over a section."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from vispy.scene.visuals import Line

if TYPE_CHECKING:
    from core.types import Positions, Shape

COLOR = (0.37, 0.70, 0.85, 0.85)
ON_TOP = 10_000


class Crosshair:
    """Two lines that follow a position; drawn by vispy, since a napari layer builds its shaders anew at every move."""

    def __init__(self, scene: Any, rows: int, columns: int) -> None:
        self._line = Line(pos=np.zeros((4, 2), np.float32), connect="segments", method="gl", color=COLOR, parent=scene)
        self._line.order = ON_TOP
        self._line.visible = False
        self._rows, self._columns = rows, columns

    def move(self, position: Positions, shape: Shape, scale: float) -> None:
        """Put it through a voxel.

        Parameters
        ----------
        position : Positions
            (3,) zyx voxels.
        shape : Shape
            (z, y, x) extents of the volume.
        scale : float
            Units of the canvas per voxel.
        """
        y, x = position[self._rows], position[self._columns]
        height, width = shape[self._rows] - 0.5, shape[self._columns] - 0.5
        self._line.set_data(pos=np.array([(-0.5, y), (width, y), (x, -0.5), (x, height)], np.float32) * scale)
        self._line.visible = True

    def hide(self) -> None:
        """Show no lines."""
        self._line.visible = False
