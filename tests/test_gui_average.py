"""An average from the window: asked for, seen beside decoys, saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mrcfile
import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from core.io.volumes import write_mrc
from core.particles import ClassSpec, ParticleTable, Source, Status

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.launch import Application


@pytest.fixture
def opened(desk: Application, tmp_path: Path) -> Application:
    """Dark cubes where the picks are."""
    at = np.stack(np.meshgrid([12, 24], [12, 32, 52], [12, 32, 52], indexing="ij"), axis=-1).reshape(-1, 3)
    data = np.random.default_rng(0).normal(size=(36, 64, 64)).astype(np.float32)
    for z, y, x in at:
        data[z - 2 : z + 3, y - 2 : y + 3, x - 2 : x + 3] -= 3
    write_mrc(tmp_path / "one.mrc", data, 10.0)
    desk.project.close()
    desk.project.open_path(tmp_path / "one.mrc")
    store = desk.session.project.store
    assert desk.window.average.toolTip() == "There are no particles in this tomogram yet."
    store.update_class(ClassSpec(id=1, name="cube", diameter=60.0))
    scores = np.linspace(0.9, 0.6, len(at), dtype=np.float32)
    store.add_many(ParticleTable.build("one", at, 1, scores=scores, source=Source.PICKED, status=Status.CANDIDATE))
    return desk


def test_an_average_is_asked_for_seen_beside_decoys_and_saved(
    opened: Application, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialog = opened.window.averages
    opened.window.average.trigger()
    assert dialog.save_volume.toolTip() == "Average first."
    dialog.which.setCurrentIndex(dialog.which.findData("candidate"))
    dialog.top.setValue(12)
    with qtbot.waitSignal(opened.runner.busy_changed, check_params_cb=lambda busy, _: not busy):
        QTest.mouseClick(dialog.make, Qt.MouseButton.LeftButton)
    assert dialog.said.text().startswith("12 particles, and as many decoys.")
    middle, corner = (dialog.slices[0][0].image.pixelColor(*at).value() for at in ((6, 6), (0, 0)))
    assert middle < corner - 80  # dark, and the decoys are not
    assert dialog.slices[1][0].image.pixelColor(6, 6).value() > middle + 80
    radii, profile = dialog.lines[0].getData()
    assert profile[0] < -0.5
    assert radii[1] == pytest.approx(12.8, abs=0.1)
    for button, name in ((dialog.save_volume, "mean.mrc"), (dialog.save_picture, "mean.svg")):
        monkeypatch.setattr("app.panels.average.QFileDialog.getSaveFileName", lambda *_, name=name: (str(tmp_path / name), ""))
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    with mrcfile.open(tmp_path / "mean.mrc") as file:
        assert file.data.shape == (12, 12, 12)
    assert (tmp_path / "mean_decoy.mrc").exists()
    assert "<svg" in (tmp_path / "mean.svg").read_text()
    dialog.close()


def test_what_cannot_be_averaged_says_why(opened: Application) -> None:
    dialog = opened.window.averages
    opened.window.average.trigger()
    dialog.low.setValue(70)
    QTest.mouseClick(dialog.make, Qt.MouseButton.LeftButton)
    assert dialog.said.text() == "The first tilt must be the lower one."
    dialog.low.setValue(-60)
    opened.session.project.store.remove(opened.session.table.ids.tolist())
    assert not opened.window.average.isEnabled()
    assert dialog.make.toolTip() == "There are no particles in this tomogram yet."
    dialog.close()
