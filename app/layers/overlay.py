"""What lies over the tomogram: the network's score map, and where picks do not count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Image
from napari.utils.colormaps import Colormap

from app.layers.volume import Sections
from core.scoremap import CERTAIN

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from core.tomogram import Tomogram

COLORS = "magenta"  # unlike rings and crosshair; black where there is nothing, so that adding it changes nothing there

VEIL = Colormap([(0, 0, 0, 0), (0.95, 0.35, 0.1, 1)], name="veil")  # nothing where picks count
VEILED = 0.3


class Overlay:
    """A layer that is made when it is first to be seen, and read section by section."""

    def __init__(self, model: ViewerModel) -> None:
        self._model = model
        self._map: Tomogram | None = None
        self._opacity, self._scale, self._units = 0.0, 1.0, "pixel"
        self.layer: Image | None = None

    def set_map(self, found: Tomogram | None, scale: float, units: str) -> None:
        """Take the map of another tomogram.

        Parameters
        ----------
        found : Tomogram | None
            Probabilities in per cent; None for none.
        scale : float
            Units of the canvas per voxel.
        units : str
            Those units.
        """
        self._drop()
        self._map, self._scale, self._units = found, scale, units
        self._show()

    def set_opacity(self, opacity: float) -> None:
        """Let it shine through.

        Parameters
        ----------
        opacity : float
            0 to 1; at 0 nothing is read.
        """
        self._opacity = opacity
        self._show()

    def _drop(self) -> None:
        if self.layer is not None and self.layer in self._model.layers:
            self._model.layers.remove(self.layer)
        self.layer = None

    def _show(self) -> None:
        if self.layer is None and (self._map is None or not self._opacity):
            return
        if self.layer is None and self._map is not None:
            self.layer = Image(
                Sections(self._map),
                name="score map",
                rgb=False,
                multiscale=False,
                projection_mode="none",
                contrast_limits=(0, CERTAIN),
                colormap=COLORS,
                blending="additive",
                scale=(self._scale,) * 3,
                units=self._units,
            )
            self._model.layers.append(self.layer)
        if self.layer is not None:
            self.layer.opacity = self._opacity
            self.layer.visible = self._opacity > 0


class Veil:
    """A layer over the places where picks do not count: a small volume, stretched over the tomogram."""

    def __init__(self, model: ViewerModel) -> None:
        self._model = model
        self.layer: Image | None = None

    def show(self, masked: NDArray[Any] | None, factor: tuple[float, ...], scale: float, units: str) -> None:
        """Lay it over, or take it away.

        Parameters
        ----------
        masked : ndarray | None
            (z, y, x) 1 where no pick counts; None for nothing.
        factor : tuple[float, ...]
            (z, y, x) voxels of the tomogram along one of these.
        scale : float
            Units of the canvas per voxel.
        units : str
            Those units.
        """
        if self.layer is not None and self.layer in self._model.layers:
            self._model.layers.remove(self.layer)
        self.layer = None
        if masked is None:
            return
        self.layer = Image(
            masked,
            name="masked",
            rgb=False,
            multiscale=False,
            contrast_limits=(0, 1),
            colormap=VEIL,
            opacity=VEILED,
            blending="translucent_no_depth",
            scale=[scale * one for one in factor],
            translate=[scale * (one - 1) / 2 for one in factor],
            units=units,
        )
        self._model.layers.append(self.layer)
