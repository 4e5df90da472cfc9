"""Masks in the real window: switched, drawn, counted, exported and rejected."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QStyle, QStyleOptionGroupBox

from core.cli import run
from core.io.volumes import write_mrc
from core.masks import EVERYWHERE
from core.particles import ClassSpec, ParticleTable, Source, Status
from core.settings import SETTINGS, load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.launch import Application
    from app.panels.masks import MaskBox

SHAPE = (40, 64, 64)
PLACES = [[5, 10, 10], [20, 10, 10], [20, 40, 50], [35, 50, 50]]
SCORES = np.array([0.9, 0.8, 0.7, 0.95], np.float32)


@pytest.fixture
def opened(desk: Application, tmp_path: Path) -> Application:
    noise = np.random.default_rng(1).normal(0, 20, SHAPE).clip(-127, 127).astype(np.int8)
    noise[18:22, 8:12, 8:12] = -127  # a bead of 4 voxels under the second pick
    write_mrc(tmp_path / "one.mrc", noise, 25.0)
    half = np.zeros((20, 32, 32), np.int8)
    half[:, :, :16] = 1
    write_mrc(tmp_path / "half.mrc", half, 50.0)
    desk.project.close()
    desk.project.open_path(tmp_path / "one.mrc")
    store = desk.session.project.store
    store.update_class(ClassSpec(id=1, name="ball", diameter=100))
    store.add_many(ParticleTable.build("one", PLACES, 1, scores=SCORES, source=Source.PICKED, status=Status.CANDIDATE))
    desk.window.go_to_step(3)
    desk.window.resize(1360, 860)
    desk.window.show()
    desk.window.masks.trigger()
    return desk


def switch(box: MaskBox) -> None:
    """Click where Qt draws the box of a group."""
    option = QStyleOptionGroupBox()
    box.initStyleOption(option)
    part = QStyle.SubControl.SC_GroupBoxCheckBox
    place = box.style().subControlRect(QStyle.ComplexControl.CC_GroupBox, option, part, box).center()
    QTest.mouseClick(box, Qt.MouseButton.LeftButton, pos=place)


def test_a_mask_hides_counts_and_veils_and_is_kept(opened: Application, qtbot: QtBot) -> None:
    session, dialog, box = opened.session, opened.window.masking, opened.window.masking.boxes["slab"]
    box.form.set_values({"surfaces": "given", "low": 10.0, "high": 30.0})
    switch(box)
    assert box.isChecked()
    qtbot.waitUntil(lambda: session.shown.tolist() == [False, True, True, False], timeout=5000)
    assert "2 masked" in opened.window.pick.count.text()
    assert opened.window.pick.histogram is not None
    assert "hides 2 of 4" in box.state.text()
    assert dialog.total.text() == "2 of 4 open picks are masked."
    canvas = opened.window.views.canvases[0]
    qtbot.waitUntil(lambda: canvas.veil.layer is not None, timeout=5000)
    assert canvas.veil.layer.data[:10].all()
    assert not canvas.veil.layer.data[11:30].any()
    assert np.allclose(canvas.veil.layer.extent.world, canvas.model.layers[0].extent.world)
    opened.keeper.save()
    assert load_settings(opened.session.project.folder / SETTINGS)[0].masks[EVERYWHERE].slab.low == 10
    switch(box)
    qtbot.waitUntil(lambda: session.shown.all(), timeout=5000)
    qtbot.waitUntil(lambda: canvas.veil.layer is None, timeout=5000)


def test_an_edit_stays_with_the_tomogram_and_the_project_that_are_left_at_once(opened: Application, tmp_path: Path) -> None:
    session, dialog = opened.session, opened.window.masking
    write_mrc(tmp_path / "two.mrc", np.zeros(SHAPE, np.int8), 25.0)
    opened.project.open_path(tmp_path / "two.mrc")
    opened.project.show_tomogram("one")
    QTest.keyClick(dialog.scope, Qt.Key.Key_Down)  # of this tomogram only
    switch(dialog.boxes["slab"])
    opened.project.show_tomogram("two")
    assert session.masks["one"].slab.on
    assert not dialog.boxes["slab"].isChecked()
    switch(dialog.boxes["gold"])
    file = session.project.folder / SETTINGS
    opened.project.close()
    kept = load_settings(file)[0].masks
    assert kept["one"].slab.on
    assert not kept["one"].gold.on
    assert kept[EVERYWHERE].gold.on


def test_gold_is_found_and_rejected_as_one_change(opened: Application, qtbot: QtBot) -> None:
    session, dialog = opened.session, opened.window.masking
    switch(dialog.boxes["gold"])
    qtbot.waitUntil(lambda: "1 bead" in dialog.boxes["gold"].state.text(), timeout=5000)
    assert session.shown.tolist() == [True, False, True, True]
    QTest.mouseClick(dialog.reject_masked, Qt.MouseButton.LeftButton)
    assert session.table.statuses.tolist().count(int(Status.REJECTED)) == 1
    assert not dialog.reject_masked.isEnabled()
    opened.annotate.undo()
    assert (session.table.statuses == Status.CANDIDATE).all()


@pytest.mark.engine
def test_the_command_exports_what_the_window_exports(opened: Application, qtbot: QtBot, tmp_path: Path) -> None:
    session, dialog, window = opened.session, opened.window.masking, opened.window
    dialog.scope.setCurrentIndex(1)
    dialog.boxes["volume"].form.set_values({"path": str(tmp_path / "half.mrc"), "keep": "outside"})
    switch(dialog.boxes["volume"])
    qtbot.waitUntil(lambda: session.shown.tolist() == [False, False, True, True], timeout=5000)
    window.go_to_step(4)
    window.export.which.setCurrentIndex(window.export.which.findData("shown"))
    names = [window.export.kind.itemData(i)[0] for i in range(window.export.kind.count())]
    window.export.kind.setCurrentIndex(names.index("csv"))
    window.export.path.setText(str(tmp_path / "a.csv"))
    command = shlex.split(window.export.command.text())
    opened.export.export()
    by_window = (tmp_path / "a.csv").read_bytes()
    assert by_window.count(b"\n") == 3
    (tmp_path / "a.csv").unlink()
    opened.project.close()
    assert run(command[1:]) == 0
    assert (tmp_path / "a.csv").read_bytes() == by_window


def test_a_mask_that_cannot_be_read_says_so_and_stops_the_export(opened: Application, qtbot: QtBot, tmp_path: Path) -> None:
    dialog, window = opened.window.masking, opened.window
    dialog.boxes["membrane"].form.set_values({"path": str(tmp_path / "none.mrc")})
    switch(dialog.boxes["membrane"])
    qtbot.waitUntil(lambda: "There is no segmentation" in dialog.boxes["membrane"].state.text(), timeout=5000)
    assert opened.session.shown.all()
    window.go_to_step(4)
    window.export.which.setCurrentIndex(window.export.which.findData("shown"))
    assert not window.export.export.isEnabled()
