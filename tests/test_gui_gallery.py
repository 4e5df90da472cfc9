"""The gallery in the real window: pictures that come when they are seen, keys, selections, clicks that fly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from app.panels.gallerylist import AHEAD
from core.gallery import rows_of
from core.io.volumes import write_mrc
from core.particles import ClassSpec, ParticleTable, Source, Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.launch import Application
    from app.panels.gallery import GalleryWindow

SHAPE, COUNT = (32, 96, 96), 400
NONE, SHIFT, CONTROL = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def opened(desk: Application, tmp_path: Path, qtbot: QtBot) -> Iterator[Application]:
    """A tomogram with many picks of falling score, all shown, and the gallery open."""
    rng = np.random.default_rng(0)
    write_mrc(tmp_path / "one.mrc", rng.normal(size=SHAPE).astype(np.float32), 10.0)
    desk.project.close()
    desk.project.open_path(tmp_path / "one.mrc")
    store = desk.session.project.store
    store.update_class(ClassSpec(id=1, name="ball", diameter=80.0))
    at, scores = rng.uniform(0, 1, (COUNT, 3)) * (np.array(SHAPE) - 1), np.linspace(0.99, 0.01, COUNT, dtype=np.float32)
    store.add_many(ParticleTable.build("one", at, 1, scores=scores, source=Source.PICKED, status=Status.CANDIDATE))
    desk.session.set_threshold(1, 0.0)
    desk.window.go_to_step(3)
    for box in (desk.window.gallery_window.which, desk.window.gallery_window.order):
        box.setCurrentIndex(0)
    desk.window.gallery.trigger()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is desk.window.gallery_window)
    desk.window.gallery_window.view.clearSelection()
    desk.window.gallery_window.view.scrollToTop()
    yield desk  # the gallery stays open: without a window manager, a window that comes again does not become the active one
    qtbot.waitUntil(lambda: desk.gallery._job is None)


def place(window: GalleryWindow, row: int) -> QPoint:
    return window.view.visualRect(window.view.cells.index(row)).center()


def click(window: GalleryWindow, row: int, modifier: Qt.KeyboardModifier = NONE) -> None:
    QTest.mouseClick(window.view.viewport(), Qt.MouseButton.LeftButton, modifier, place(window, row))


def seen(window: GalleryWindow) -> list[int]:
    """Rows that are on the screen."""
    inside = window.view.viewport().rect()
    return [
        row for row in range(len(window.view.cells.ids)) if inside.intersects(window.view.visualRect(window.view.cells.index(row)))
    ]


def statuses(desk: Application, ids: list[int]) -> set[int]:
    return set(desk.session.table.statuses[np.isin(desk.session.table.ids, ids)].tolist())


def test_only_what_is_seen_or_comes_next_is_cut(opened: Application, qtbot: QtBot) -> None:
    window = opened.window.gallery_window
    cells = window.view.cells
    assert len(cells.ids) == COUNT
    qtbot.waitUntil(lambda: all(int(cells.ids[row]) in cells._pictures for row in seen(window)))
    qtbot.waitUntil(lambda: opened.gallery._job is None)
    assert len(seen(window)) < len(cells._pictures) <= len(seen(window)) + 2 * AHEAD
    picture = cells._pictures[int(cells.ids[0])]
    assert (picture.width(), picture.height()) == (3 * window.zoom.value(), window.zoom.value())


def test_the_wheel_brings_further_pictures(opened: Application, qtbot: QtBot) -> None:
    window = opened.window.gallery_window
    before = seen(window)
    centre = QPointF(window.view.viewport().rect().center())
    wheel = QWheelEvent(
        centre,
        QPointF(window.view.viewport().mapToGlobal(centre.toPoint())),
        QPoint(0, 0),
        QPoint(0, -120 * 30),
        Qt.MouseButton.NoButton,
        NONE,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(window.view.viewport(), wheel)
    after = seen(window)
    assert after[0] > before[0]
    assert after[-1] > before[-1] + AHEAD / 2  # the wheel turns a page at most
    qtbot.waitUntil(lambda: all(int(window.view.cells.ids[row]) in window.view.cells._pictures for row in after))


def test_a_click_flies_the_viewer_there(opened: Application) -> None:
    window = opened.window.gallery_window
    click(window, 5)
    number = int(window.view.cells.ids[5])
    assert opened.session.selected == number
    row = int(np.flatnonzero(opened.session.table.ids == number)[0])
    np.testing.assert_allclose(opened.window.views.position, opened.session.table.positions[row], atol=0.51)


def test_keys_judge_what_shift_and_control_have_selected(opened: Application, qtbot: QtBot) -> None:
    window = opened.window.gallery_window
    window.which.setCurrentIndex(window.which.findData("all"))
    click(window, 2)
    click(window, 6, SHIFT)
    click(window, 4, CONTROL)
    ids = window.view.chosen
    assert ids == [int(window.view.cells.ids[row]) for row in (2, 3, 5, 6)]
    QTest.keyClick(window.view, Qt.Key.Key_R)
    assert statuses(opened, ids) == {Status.REJECTED}
    assert window.view.chosen == ids
    QTest.keyClick(window.view, Qt.Key.Key_F)
    assert opened.session.project.store.flagged("one").tolist() == sorted(ids)
    QTest.keyClick(window.view, Qt.Key.Key_Space)
    assert opened.session.project.store.flagged("one").tolist() == []
    QTest.keyClick(window.view, Qt.Key.Key_Z, CONTROL)
    assert opened.session.project.store.flagged("one").tolist() == sorted(ids)
    for _ in range(2):
        QTest.keyClick(window.view, Qt.Key.Key_Z, CONTROL)
    assert opened.session.project.store.flagged("one").tolist() == []
    assert statuses(opened, ids) == {Status.CANDIDATE}


def test_one_pick_is_accepted_and_the_next_is_selected(opened: Application) -> None:
    window = opened.window.gallery_window
    click(window, 0)
    first, second = window.view.cells.ids[:2].tolist()
    QTest.keyClick(window.view, Qt.Key.Key_A)
    assert statuses(opened, [first]) == {Status.ACCEPTED}
    assert window.view.chosen == [second]
    assert opened.session.selected == second
    assert first not in window.view.cells.ids  # it is no open pick any more
    window.which.setCurrentIndex(window.which.findData("accepted"))
    assert window.view.cells.ids.tolist() == [first]


def test_selection_and_order_are_a_choice(opened: Application) -> None:
    window, session = opened.window.gallery_window, opened.session
    session.set_threshold(1, 0.5)
    assert len(window.view.cells.ids) == int((session.table.scores >= 0.5).sum())
    window.which.setCurrentIndex(window.which.findData("candidate"))
    assert len(window.view.cells.ids) == COUNT
    window.order.setCurrentIndex(window.order.findData("z"))
    depth = dict(zip(session.table.ids.tolist(), session.table.positions[:, 0], strict=True))
    assert [depth[n] for n in window.view.cells.ids.tolist()] == sorted(depth.values())
    opened.gallery.numbers["cluster"] = lambda table: (table.ids % 3).astype(np.float32)
    window.set_orders(("cluster",))
    window.order.setCurrentIndex(window.order.findData("cluster"))
    assert (window.view.cells.ids[0] % 3, window.view.cells.ids[-1] % 3) == (0, 2)
    del opened.gallery.numbers["cluster"]
    window.set_orders(())


def test_another_look_cuts_all_anew_and_late_pictures_are_dropped(opened: Application, qtbot: QtBot) -> None:
    window = opened.window.gallery_window
    cells = window.view.cells
    qtbot.waitUntil(lambda: int(cells.ids[0]) in cells._pictures)
    before = cells._pictures[int(cells.ids[0])].copy()
    generation = opened.gallery._generation
    window.slab.setValue(window.slab.value() + 3)
    assert opened.gallery._generation == generation + 1
    qtbot.waitUntil(lambda: int(cells.ids[0]) in cells._pictures)
    assert cells._pictures[int(cells.ids[0])] != before


def test_buttons_say_why_they_cannot_be_pressed(opened: Application) -> None:
    window = opened.window.gallery_window
    window.view.clearSelection()
    assert window.accept_button.toolTip() == "Select a pick first: click it."
    opened.session.project.store.remove(opened.session.table.ids.tolist())
    assert opened.window.gallery.toolTip() == "There are no particles in this tomogram yet."
    assert not opened.window.gallery.isEnabled()
    assert len(window.view.cells.ids) == 0


@pytest.mark.parametrize(
    ("which", "wanted"), [("shown", [1, 3]), ("candidate", [1, 3, 4]), ("flagged", [4, 2]), ("all", [1, 2, 3, 4])]
)
def test_rows_are_chosen_and_put_in_order(which: str, wanted: list[int]) -> None:
    from dataclasses import replace

    table = ParticleTable.build("a", np.zeros((4, 3)), ids=np.arange(1, 5), scores=np.array([0.9, 0.8, 0.7, 0.95], np.float32))
    table = replace(table, statuses=np.array([1, 0, 1, 1]))
    rows = rows_of(table, np.array([True, True, True, False]), np.array([2, 4]), which=which)
    found = table.ids[rows].tolist()
    assert sorted(found) == sorted(wanted)
    assert table.scores[rows].tolist() == sorted(table.scores[rows].tolist(), reverse=True)
