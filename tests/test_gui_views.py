"""What the canvases show, looked at pixel by pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtGui import QImage

from core.io.volumes import write_mrc

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.launch import Application
    from app.views.section import Section

VOXEL_SIZE, RADIUS = 10.0, 12
SHAPE = (40, 64, 64)
CENTRE = np.array([19.0, 33.0, 30.0])


@pytest.fixture
def opened(desk: Application, tmp_path: Path, qtbot: QtBot) -> Application:
    desk.project.close()
    write_mrc(tmp_path / "noise.mrc", np.random.default_rng(0).normal(size=SHAPE).astype(np.float32), VOXEL_SIZE)
    desk.project.open_path(tmp_path / "noise.mrc")
    desk.annotate._on_panel_class_edited(1, "diameter", str(2 * RADIUS * VOXEL_SIZE))
    qtbot.wait(50)
    return desk


def pixels(canvas: Section) -> Any:
    """(height, width, 3) red, green and blue of what is on the screen, 0 to 255."""
    image = canvas.native.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    bits = image.constBits()
    bits.setsize(image.sizeInBytes())
    rows = np.frombuffer(bits, np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(int)


def ring_radius(canvas: Section, centre: np.ndarray) -> float:
    """Mean distance of yellow pixels from where a position is drawn, in voxels; 0 where there are none."""
    red, green, blue = np.moveaxis(pixels(canvas), -1, 0)
    down, right = np.nonzero((red > 200) & (green > 170) & (blue < 40))
    if not len(down):
        return 0.0
    x, y = canvas.to_pixels(centre, VOXEL_SIZE)
    per_voxel = canvas.model.scene.camera.zoom * VOXEL_SIZE / 10
    return float(np.hypot(down - y, right - x).mean() / per_voxel)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("away", [0, 5, -8, 11, 12, -14])
def test_a_ring_on_the_screen_is_the_cross_section_of_its_sphere(opened: Application, axis: int, away: int, qtbot: QtBot) -> None:
    opened.annotate.add(CENTRE)
    place = CENTRE.copy()
    place[axis] += away
    opened.window.views.go_to(place)
    qtbot.wait(20)
    wanted = max(RADIUS**2 - away**2, 0) ** 0.5
    assert ring_radius(opened.window.views.canvases[axis], CENTRE) == pytest.approx(wanted, abs=0.25)
