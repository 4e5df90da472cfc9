"""Looking at a tomogram by mouse: wheel, list, filters that touch no data, recent projects, picks that appear while it picks."""

from __future__ import annotations

import functools
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import QPoint, QPointF, Qt, QTimer
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMessageBox

from core.io.volumes import write_mrc
from core.messages import Message, PicksFound, Progress
from core.particles import ParticleTable
from core.project import Project

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.launch import Application
    from core.types import FloatArray

SHAPE = (32, 48, 64)
LEFT, NO_KEY = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def opened(desk: Application, tmp_path: Path, qtbot: QtBot) -> Application:
    noise = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    write_mrc(tmp_path / "noise.mrc", noise, 10.0)
    desk.project.close()
    desk.project.open_path(tmp_path / "noise.mrc")
    qtbot.wait(50)
    return desk


def greys(canvas: Any) -> FloatArray:
    """What a canvas shows now, (h, w, 4)."""
    return np.asarray(canvas.viewer.canvas._scene_canvas.render(), float)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_wheel_turns_the_pages_of_the_canvas_beneath(opened: Application, axis: int) -> None:
    canvas, views = opened.window.views.canvases[axis], opened.window.views
    place = QPointF(QPoint(*canvas.to_pixels(views.position, 10.0)))
    for turn in (120, 120, -120):
        before = views.position.copy()
        event = QWheelEvent(
            place, place, QPoint(), QPoint(0, turn), Qt.MouseButton.NoButton, NO_KEY, Qt.ScrollPhase.NoScrollPhase, False
        )
        QApplication.sendEvent(canvas.native, event)
        assert (views.position - before).tolist() == (np.eye(3)[axis] * np.sign(turn)).tolist()


def test_the_list_is_sorted_by_its_headers_and_a_click_flies_there(opened: Application, qtbot: QtBot) -> None:
    positions = np.array([(5.0, 40, 10), (25, 10, 50), (15, 20, 30)])
    store = opened.session.project.store
    store.add_many(ParticleTable.build("noise", positions))
    opened.window.go_to_step(1)
    qtbot.wait(50)
    view = opened.window.marks.particles
    header = view.horizontalHeader()
    for place, axis in ((4, 0), (3, 1), (2, 2)):
        QTest.mouseClick(header.viewport(), LEFT, NO_KEY, QPoint(header.sectionViewportPosition(place) + 4, header.height() // 2))
        for row in range(3):
            QTest.mouseClick(view.viewport(), LEFT, NO_KEY, view.visualRect(view.model().index(row, place)).center())
            assert opened.window.views.position.tolist() == positions[np.argsort(positions[:, axis])[row]].tolist()
    assert opened.session.selected == int(opened.session.table.ids[1])


@pytest.mark.parametrize("change", ["slab", "low_pass", "high_pass", "invert"])
def test_what_is_set_for_the_eye_changes_the_picture_and_nothing_else(opened: Application, tmp_path: Path, change: str) -> None:
    display, canvas = opened.window.tomograms.display, opened.window.views.canvases[0]
    before, file = greys(canvas), (tmp_path / "noise.mrc").read_bytes()
    voxels = np.array(opened.session.tomogram.data)
    if change == "invert":
        display.invert.click()
    else:
        getattr(display, change).setValue({"slab": 9, "low_pass": 80, "high_pass": 60}[change])
    assert np.abs(greys(canvas) - before).mean() > 1
    assert (tmp_path / "noise.mrc").read_bytes() == file
    assert np.array_equal(np.asarray(opened.session.tomogram.data), voxels)
    assert opened.window.tomograms.preparing.config().low_pass == 0


def test_a_recent_project_opens_with_a_click(opened: Application, qtbot: QtBot) -> None:
    folder, start = opened.session.project.folder, opened.window.start
    opened.project.close()
    opened.window._pages.setCurrentWidget(start)
    qtbot.wait(50)
    assert opened.session.project is None
    row = start.recent.visualItemRect(start.recent.item(0))
    QTest.mouseClick(start.recent.viewport(), LEFT, NO_KEY, row.center())
    assert opened.session.project.folder == folder


def test_another_project_opens_beside_a_job_only_after_a_question(opened: Application, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    Project.create(tmp_path / "other").close()
    former, asked = opened.session.project.folder, []

    def steps() -> Generator[Message, None, None]:
        while True:
            time.sleep(0.01)
            yield Progress(stage="Picking", done=1, total=2)

    def answer(button: str) -> None:
        box = QApplication.activeModalWidget()
        asked.append(box.text())
        QTest.mouseClick(box.button(getattr(QMessageBox.StandardButton, button)), LEFT)

    pick = opened.pick
    opened.runner.start("Picking", steps(), succeeded=pick._on_succeeded, failed=pick._on_failed, cancelled=pick._on_cancelled)
    opened.project.open_path(former)  # it is open already: nothing to ask
    assert not asked
    for button, folder, busy in (("No", former, True), ("Yes", tmp_path / "other", False)):
        QTimer.singleShot(100, functools.partial(answer, button))
        opened.project.open_path(tmp_path / "other")
        assert "Picking is still running" in asked.pop()
        assert (opened.session.project.folder, opened.runner.busy) == (folder, busy)
        assert opened.session.writable  # whoever said no has not left it locked


def test_picks_are_drawn_while_the_rest_is_still_picked(opened: Application, qtbot: QtBot) -> None:
    go_on, known = threading.Event(), {spec.id: spec.name for spec in opened.session.classes.values()}
    parts = [np.array([(5.0, 40, 10)]), np.array([(25.0, 10, 50), (15, 20, 30)])]

    def steps() -> Generator[Message, None, None]:
        for part in parts:
            found = {"class_ids": np.ones(len(part), int), "scores": np.full(len(part), 0.9)}
            yield PicksFound(tomogram_id="noise", positions=part, names=known, **found)
        while not go_on.wait(0.01):
            yield Progress(stage="Picking", done=1, total=2)

    pick = opened.pick
    ended = {"succeeded": pick._on_succeeded, "failed": pick._on_failed, "cancelled": pick._on_cancelled}
    opened.runner.start("Picking", steps(), message=pick._on_message, **ended)
    qtbot.waitUntil(lambda: int(opened.window.views.seen.rings.shown.sum()) == 3, timeout=5000)
    assert opened.runner.busy
    assert opened.window.views.seen.rings.positions.tolist() == np.concatenate(parts).tolist()
    opened.runner.cancel()
    qtbot.waitUntil(lambda: not opened.runner.busy, timeout=5000)
    assert not len(opened.window.views.seen.rings.positions)
    go_on.set()
