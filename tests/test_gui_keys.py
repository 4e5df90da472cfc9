"""Keys as they are pressed with the mouse over a canvas, and what Help tells of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMessageBox, QPushButton, QTableWidget

from app import notify
from app.panels.helping import show_keys
from core.errors import PickerError
from core.io.volumes import write_mrc
from core.particles import ClassSpec

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.launch import Application

SHAPE, VOXEL_SIZE = (32, 64, 64), 10.0
PLACES = np.array([(16.0, 8 + 6 * number, 30) for number in range(9)])
KEYS = [getattr(Qt.Key, f"Key_{number}") for number in range(1, 10)]
CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def opened(desk: Application, tmp_path: Path, qtbot: QtBot) -> Application:
    """A tomogram and five classes; the window is as active as one without a window manager can be."""
    noise = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    write_mrc(tmp_path / "noise.mrc", noise, VOXEL_SIZE)
    desk.project.close()
    desk.project.open_path(tmp_path / "noise.mrc")
    for number in range(2, 6):
        desk.session.project.store.add_class(ClassSpec(id=number, name=f"class {number}", diameter=40.0))
    desk.window.activateWindow()
    qtbot.wait(50)
    return desk


def clicked(desk: Application, axis: int, place: np.ndarray) -> None:
    desk.window.views.go_to(place)
    canvas = desk.window.views.canvases[axis]
    spot = QPoint(*canvas.to_pixels(place, VOXEL_SIZE))
    QTest.mouseMove(canvas.native, spot)
    QTest.mouseClick(canvas.native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, spot)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_number_chooses_the_class_that_the_next_click_marks(opened: Application, axis: int) -> None:
    for number in (2, 5, 1, 3, 4):
        QTest.keyClick(opened.window.views.canvases[axis].native, KEYS[number - 1])
        assert opened.session.class_id == number
        clicked(opened, axis, PLACES[number])
    assert opened.session.table.class_ids.tolist() == [2, 5, 1, 3, 4]


def test_a_number_without_a_class_changes_nothing(opened: Application) -> None:
    QTest.keyClick(opened.window.views.canvases[0].native, KEYS[2])
    for key in KEYS[5:]:
        QTest.keyClick(opened.window.views.canvases[0].native, key)
        assert opened.session.class_id == 3


def test_control_and_a_number_give_the_selected_one_another_class(opened: Application) -> None:
    canvas = opened.window.views.canvases[0].native
    clicked(opened, 0, PLACES[0])
    clicked(opened, 0, PLACES[0])  # the second click selects
    assert opened.session.selected is not None
    for number in (4, 2, 9, 1):
        QTest.keyClick(canvas, KEYS[number - 1], CONTROL)
        assert opened.session.table.class_ids.tolist() == [2 if number == 9 else number]


def test_help_tells_of_the_keys_in_the_menus(opened: Application) -> None:
    dialog = show_keys(opened.window)
    table = dialog.findChild(QTableWidget)
    told = {table.item(row, 0).text(): table.item(row, 1).text() for row in range(table.rowCount())}
    dialog.close()
    assert told["Accept pick"] == opened.window.accept.shortcut().toString()
    assert told["Undo"] == "Ctrl+Z"
    assert told["choose the class to mark"] == "1 to 9"


def test_about_offers_the_diagnostics(opened: Application) -> None:
    notify.about(opened.window)
    box = opened.window.findChild(QMessageBox)
    next(button for button in box.findChildren(QPushButton) if button.text() == "Copy diagnostics").click()
    assert box.isVisible()
    notify.close_all()
    assert QApplication.clipboard().text() == notify.diagnostics()


def test_what_is_told_twice_is_shown_once(opened: Application) -> None:
    for sentence in ("The disk is full.", "The disk is full.", "The file is gone."):
        notify.show(PickerError(sentence))
    told = [box.text() for box in QApplication.topLevelWidgets() if box.objectName() == "problem" and box.isVisible()]
    notify.close_all()
    assert sorted(told) == ["The disk is full.", "The file is gone."]
