"""Particles cut out from the window: chosen, sized, written, stopped."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("napari")

import mrcfile
import starfile
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from core.extraction import extract
from core.io.volumes import write_mrc
from core.particles import ClassSpec, ParticleTable, Source, Status

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.launch import Application
    from app.panels.extract import ExtractDialog
    from core.messages import Message

AT = np.array([[18, 20, 20], [18, 20, 44], [18, 44, 20], [2, 44, 44]], float)


@pytest.fixture
def opened(desk: Application, tmp_path: Path) -> ExtractDialog:
    """Two tomograms with the same four picks, the best three of which score 0.6 or more."""
    desk.project.close()
    assert desk.window.extract.toolTip() == "Open a tomogram first."
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        write_mrc(tmp_path / f"{name}.mrc", rng.normal(size=(36, 64, 64)).astype(np.float32), 10.0)
    desk.project.open_paths([str(tmp_path / "one.mrc"), str(tmp_path / "two.mrc")])
    store = desk.session.project.store
    assert desk.window.extract.toolTip() == "There are no particles in this project yet."
    store.update_class(ClassSpec(id=1, name="cube", diameter=60.0))
    scores = np.array([0.9, 0.8, 0.3, 0.7], np.float32)
    for name in ("one", "two"):
        store.add_many(ParticleTable.build(name, AT, 1, scores=scores, source=Source.PICKED, status=Status.CANDIDATE))
    desk.window.extract.trigger()
    return desk.window.extracting


def choose(dialog: ExtractDialog, what: str) -> None:
    dialog.which.setCurrentIndex(dialog.which.findData(what))


def test_what_is_chosen_is_counted_and_written(opened: ExtractDialog, qtbot: QtBot, desk: Application, tmp_path: Path) -> None:
    dialog = opened
    assert dialog.said.text() == "There are no particles to cut out in these tomograms."
    assert dialog.box.value() == 12
    choose(dialog, "shown")
    desk.session.set_threshold(1, 0.6)
    qtbot.waitUntil(lambda: dialog.said.text().startswith("6 particles of 2 tomograms, in boxes of 12 voxels of 10 Å = 120 Å"))
    assert "2 reach past a face and will be filled up." in dialog.said.text()
    dialog.width_.setFocus()
    dialog.width_.selectAll()
    QTest.keyClicks(dialog.width_, "155")
    QTest.keyClick(dialog.width_, Qt.Key.Key_Return)
    assert (dialog.box.value(), dialog.width_.value()) == (16, 160)
    QTest.keyClick(dialog.binning, Qt.Key.Key_Up)
    assert (dialog.box.value(), dialog.width_.value()) == (16, 320)
    dialog.box.setValue(8)
    dialog.top.setValue(4)
    QTest.mouseClick(dialog.invert, Qt.MouseButton.LeftButton)
    assert dialog.invert.isChecked()
    dialog.folder.setText(str(tmp_path / "out"))
    qtbot.waitUntil(lambda: dialog.said.text().startswith("4 particles of 2 tomograms, in boxes of 8 voxels of 20 Å = 160 Å"))
    QTest.mouseClick(dialog.make, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dialog.said.text().startswith("✓ 4 particles in boxes of 8 voxels"))
    qtbot.waitUntil(dialog.make.isEnabled)
    listed = starfile.read(tmp_path / "out" / "particles.star")["particles"]
    assert listed["rlnAutopickFigureOfMerit"].tolist() == pytest.approx([0.9, 0.8, 0.9, 0.8])
    with mrcfile.open(tmp_path / "out" / listed["rlnImageName"][1]) as box:
        assert box.voxel_size.x == 20
        cut = desk.session.project.tomogram("one").data[10:26, 12:28, 36:52]
        np.testing.assert_allclose(box.data, -cut.reshape(8, 2, 8, 2, 8, 2).mean(axis=(1, 3, 5)), atol=1e-6)
    dialog.close()


def test_what_is_stopped_or_in_the_way_leaves_nothing_half_written(
    opened: ExtractDialog, qtbot: QtBot, desk: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app import notify
    from app.controllers import extract as controller

    def endless(*order: Any) -> Generator[Message, None, None]:
        steps = extract(*order)
        message = next(steps)
        try:
            while True:
                yield message
                time.sleep(0.01)
        finally:
            steps.close()

    dialog, told = opened, []
    choose(dialog, "all")
    dialog.top.setValue(0)
    dialog.folder.setText(str(tmp_path / "out"))
    qtbot.waitUntil(lambda: dialog.said.text().startswith("8 particles"))
    monkeypatch.setattr(controller, "extract", endless)
    QTest.mouseClick(dialog.make, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dialog.said.text() == "1 of 8 particles …")
    assert len(list(tmp_path.glob(".*.out/one/*.mrc"))) == 1
    QTest.mouseClick(dialog.cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dialog.said.text() == "Stopped; nothing was written.")
    assert not list(tmp_path.glob("*out*")) + list(tmp_path.glob(".*out*"))
    monkeypatch.undo()
    qtbot.waitUntil(dialog.make.isEnabled)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("dear")
    monkeypatch.setattr(notify, "show", lambda exc: told.append(str(exc)))
    QTest.mouseClick(dialog.make, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(told))
    assert "in the way" in told[0]
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["thesis.txt"]
    dialog.close()
