"""The tomogram in three dimensions: a small copy, with the particles as small balls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from vispy.color import Colormap
from vispy.scene import SceneCanvas, TurntableCamera
from vispy.scene.visuals import Line, Markers, Volume
from vispy.visuals.transforms import STTransform

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qtpy.QtWidgets import QWidget

    from app.layers.particles import Rings
    from core.display import SmallCopy
    from core.types import Shape

BACKGROUND = "black"
FRAME = (0.45, 0.48, 0.52, 1.0)
SHADES = Colormap([(0, 0, 0, 0), (0, 0, 0, 0), (0.8, 0.85, 0.9, 0.9)])  # what is no matter is left out
BALL = 0.6  # diameter of a ball in diameters of the particle, so that neighbours stay apart
AZIMUTH = 90  # of vispy's camera, where x points to the right
MANY = 3000  # particles beyond which points stand for balls: many large ones choke software OpenGL
POINT = 3.0  # pixels
CORNERS = np.array([(x, y, z) for z in (0, 1) for y in (0, 1) for x in (0, 1)])
EDGES = np.array([(a, a | bit) for a in range(8) for bit in (1, 2, 4) if not a & bit])


class Solid:
    """Made when somebody first asks for it; units are voxels of the tomogram, x y z as vispy has them.

    Attributes
    ----------
    texture : ndarray | None
        (z, y, x) what went to the graphics card.
    shape : Shape
        (z, y, x) voxels of the tomogram itself.
    """

    def __init__(self, parent: QWidget) -> None:
        self._canvas = SceneCanvas(keys=None, bgcolor=BACKGROUND, parent=parent, show=False)
        self._view = self._canvas.central_widget.add_view()
        self._volume: Volume | None = None
        self._frame = Line(color=FRAME, connect=EDGES, method="gl", parent=self._view.scene)
        self._balls = Markers(scaling="scene", spherical=True, antialias=0, parent=self._view.scene)
        self._balls.set_data(pos=np.zeros((1, 3), np.float32))  # vispy asks where they are before there are any
        self._balls.visible = False
        self._up = False
        self.texture: NDArray[Any] | None = None
        self.shape: Shape = (1, 1, 1)
        self._aim()

    @property
    def native(self) -> QWidget:
        """The widget to show."""
        widget: QWidget = self._canvas.native
        return widget

    def _aim(self) -> None:
        # both ways are turns, never mirrors: sections show x to the right and y downwards, so z goes into the screen
        z, y, x = self.shape
        camera = TurntableCamera(up="+y" if self._up else "-y", fov=0, elevation=20, azimuth=AZIMUTH + 25)
        camera.center = ((x - 1) / 2, (y - 1) / 2, (z - 1) / 2)
        camera.scale_factor = 0.9 * float(np.hypot(np.hypot(x, y), z))
        self._view.camera = camera

    def set_copy(self, copy: SmallCopy, shape: Shape) -> None:
        """Show a tomogram.

        Parameters
        ----------
        copy : SmallCopy
            Of it.
        shape : Shape
            (z, y, x) voxels of the tomogram itself.
        """
        self.texture, self.shape = copy.data, shape
        if self._volume is not None:
            self._volume.parent = None
        self._volume = Volume(self.texture, clim=(0, 255), method="mip", cmap=SHADES)
        self._volume.parent = self._view.scene
        self._volume.transform = STTransform(scale=copy.factor[::-1], translate=copy.offset[::-1])
        self._volume.order = -1
        self._volume.set_gl_state("translucent", depth_test=False)  # particles inside are seen through it
        self._frame.set_data(pos=(CORNERS * np.array(shape[::-1]) - 0.5).astype(np.float32))
        self._aim()

    def set_rings(self, rings: Rings) -> None:
        """Show particles.

        Parameters
        ----------
        rings : Rings
            All of this tomogram; those that are hidden are left out.
        """
        rows = rings.shown
        positions, count = rings.positions[rows], int(rows.sum())
        self._balls.visible = count > 0
        if not count:
            return
        self._balls.scaling = "scene" if count <= MANY else "fixed"
        self._balls.spherical = count <= MANY
        self._balls.set_data(
            pos=positions[:, ::-1].astype(np.float32),
            size=rings.sizes[rows] * BALL if count <= MANY else POINT,
            edge_width=0,
            face_color=rings.colors[rows],
        )

    def set_y_up(self, up: bool) -> None:
        """Turn it so that y points upwards, as IMOD has it, or downwards.

        Parameters
        ----------
        up : bool
            Upwards.
        """
        self._up = up
        self._aim()

    def close(self) -> None:
        """Let go of the graphics card."""
        self._canvas.close()
