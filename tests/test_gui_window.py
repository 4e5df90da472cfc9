"""The real window under a real mouse."""

from __future__ import annotations

import multiprocessing
import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from core.annotations import AnnotationStore
from core.io.volumes import write_mrc, write_zarr
from core.project.folder import DATABASE

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.launch import Application

VOXEL_SIZE, DIAMETER = 10.0, 120.0
SHAPE = (32, 64, 64)
CENTRES = [(z, y, x) for z in (10, 22) for y in (12, 32, 52) for x in (11, 32, 53)]


@pytest.fixture
def blobs(tmp_path: Path) -> Path:
    """A tomogram with dark balls at known centres."""
    rng = np.random.default_rng(0)
    data = rng.normal(0, 0.3, SHAPE).astype(np.float32)
    grid = np.stack(np.indices(SHAPE), axis=-1)
    for centre in CENTRES:
        data[((grid - centre) ** 2).sum(axis=-1) <= (DIAMETER / VOXEL_SIZE / 2) ** 2] -= 2
    path = tmp_path / "blobs.mrc"
    write_mrc(path, data, VOXEL_SIZE)
    return path


@pytest.fixture
def opened(desk: Application, blobs: Path, qtbot: QtBot) -> Application:
    desk.project.close()
    desk.project.open_path(blobs)
    desk.annotate._on_panel_class_edited(1, "diameter", str(DIAMETER))
    qtbot.wait(50)
    return desk


def mouse(desk: Application, axis: int, position: Any, button: Any = Qt.MouseButton.LeftButton, key: Any = None) -> None:
    canvas = desk.window.views.canvases[axis]
    place = QPoint(*canvas.to_pixels(np.asarray(position, float), VOXEL_SIZE))
    QTest.mouseMove(canvas.native, place)
    QTest.mouseClick(canvas.native, button, key or Qt.KeyboardModifier.NoModifier, place)


def drag(desk: Application, axis: int, start: Any, end: Any) -> None:
    canvas = desk.window.views.canvases[axis]
    places = [QPoint(*canvas.to_pixels(np.asarray(p, float), VOXEL_SIZE)) for p in (start, end)]
    QTest.mousePress(canvas.native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, places[0])
    for part in (0.3, 0.6, 1.0):
        between = places[0] + QPoint(*(round(part * d) for d in ((places[1] - places[0]).x(), (places[1] - places[0]).y())))
        event_to = canvas.native
        move(event_to, between)
    QTest.mouseRelease(canvas.native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, places[1])


def move(widget: Any, place: QPoint) -> None:
    """QTest.mouseMove holds no button down, so the event is made here."""
    from qtpy.QtCore import QEvent, QPointF
    from qtpy.QtGui import QMouseEvent
    from qtpy.QtWidgets import QApplication

    left = Qt.MouseButton.LeftButton
    event = QMouseEvent(QEvent.Type.MouseMove, QPointF(place), left, left, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(widget, event)


def mark(desk: Application, centres: list[tuple[int, int, int]]) -> None:
    for centre in centres:
        desk.window.views.go_to(np.asarray(centre, float))
        mouse(desk, 0, centre)


def on_disk(desk: Application) -> np.ndarray:
    """Positions as another program reads them, beside the running one."""
    with AnnotationStore.open(desk.session.project.folder / DATABASE) as store:
        return store.table(desk.session.tomogram.id).positions


def test_one_qt_only_is_loaded_the_one_that_was_asked_for(desk: Application) -> None:
    loaded = {name.partition(".")[0] for name in sys.modules} & {"PyQt5", "PyQt6"}
    assert [name.lower() for name in loaded] == [os.environ["QT_API"]]


# ---- marking ----


def test_a_click_in_any_canvas_adds_a_particle_there(opened: Application) -> None:
    for axis, place in enumerate(CENTRES[:3]):
        opened.window.views.go_to(np.array(place, float))
        mouse(opened, axis, place)
        assert np.abs(opened.session.table.positions[-1] - place).max() < 0.5
        assert opened.session.table.positions[-1, axis] == place[axis]


def test_every_click_is_on_disk_before_the_next_frame(opened: Application) -> None:
    mark(opened, CENTRES[:3])
    assert np.array_equal(on_disk(opened), opened.session.table.positions)
    assert len(on_disk(opened)) == 3


def test_drag_moves_and_right_click_removes(opened: Application) -> None:
    mark(opened, CENTRES[:2])
    drag(opened, 0, CENTRES[1], (10, 40, 40))
    assert np.abs(on_disk(opened)[1] - (10, 40, 40)).max() < 0.5
    mouse(opened, 0, (10, 40, 40), Qt.MouseButton.RightButton)
    assert len(on_disk(opened)) == 1


def test_undo_and_redo_are_keys_that_say_why_they_do_nothing(opened: Application) -> None:
    window, store = opened.window, opened.session.project.store
    mark(opened, CENTRES[:2])
    assert (store.can_undo, store.can_redo) == (True, False)
    for control in (window.redo, window.marks.redo):
        assert not control.isEnabled()
        assert control.toolTip() == "Nothing was taken back."
    opened.window.undo.trigger()
    assert window.redo.isEnabled()
    assert window.marks.redo.isEnabled()
    assert len(on_disk(opened)) == 1
    opened.window.redo.trigger()
    assert len(on_disk(opened)) == 2
    assert len(opened.window.views.canvases[1].rings.data) == 2
    while window.undo.isEnabled():
        window.undo.trigger()
    assert not store.can_undo
    assert window.undo.toolTip() == window.marks.undo.toolTip() == "There is nothing to take back."


def test_a_click_on_a_particle_selects_and_delete_removes_it(opened: Application) -> None:
    mark(opened, CENTRES[:2])
    mouse(opened, 0, CENTRES[1])
    assert opened.session.selected == opened.session.table.ids[1]
    opened.window.remove.trigger()
    assert opened.session.table.ids.tolist() == [1]


def test_shift_click_moves_the_crosshair_and_adds_nothing(opened: Application) -> None:
    mouse(opened, 0, (16, 20, 40), key=Qt.KeyboardModifier.ShiftModifier)
    assert np.abs(opened.window.views.position - (16, 20, 40)).max() <= 1
    assert not len(opened.session.table)


def test_rings_are_exact_cross_sections(opened: Application) -> None:
    opened.annotate.add(np.array([16.0, 32.0, 32.0]))
    radius = DIAMETER / VOXEL_SIZE / 2
    for axis in range(3):
        for away in (0, 3, 5, 7):
            place = np.array([16.0, 32.0, 32.0])
            place[axis] += away
            opened.window.views.go_to(place)
            wanted = [2 * np.sqrt(radius**2 - away**2)] if away < radius else []
            assert opened.window.views.canvases[axis].rings.diameters == pytest.approx(wanted, rel=1e-3)


# ---- reopening ----


def test_a_project_comes_back_with_its_marks(opened: Application) -> None:
    mark(opened, CENTRES[:4])
    before, folder = on_disk(opened), opened.session.project.folder
    opened.project.close()
    assert opened.session.project is None
    opened.project.open_path(folder)
    assert np.array_equal(opened.session.table.positions, before)
    assert folder in opened.project.recent()


def test_the_voxel_size_can_be_corrected_and_is_kept(opened: Application) -> None:
    opened.window.tomograms.voxel_size.setValue(12.5)
    assert opened.session.tomogram.voxel_size == 12.5
    assert opened.session.project.tomogram("blobs").voxel_size == 12.5


# ---- training ----


def quick(desk: Application, steps: int) -> None:
    desk.window.train.minutes.setValue(5)
    values = {"steps": steps, "patch": 32, "batch": 2, "validations": 1, "learning_rate": 5e-3}
    desk.window.train._forms["train"].set_values(values)


def test_cancel_ends_training_at_once(opened: Application, qtbot: QtBot) -> None:
    mark(opened, CENTRES)
    quick(opened, 0)
    opened.train.train()
    qtbot.waitUntil(lambda: bool(multiprocessing.active_children()), timeout=60_000)
    QTest.mouseClick(opened.window.jobs.cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not opened.runner.busy, timeout=3000)  # a second, on a machine that has nothing else to do


# ---- refusals ----


def test_what_cannot_be_done_says_why(desk: Application) -> None:
    desk.project.close()
    window = desk.window
    for button in (window.train.train, window.pick.pick, window.export.export):
        assert not button.isEnabled()
        assert button.toolTip() == "Open a tomogram first."


def test_a_zarr_folder_is_a_tomogram_and_can_be_marked(desk: Application, tmp_path: Path, qtbot: QtBot) -> None:
    data = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    write_zarr(tmp_path / "TS_1.ome.zarr", data, VOXEL_SIZE)
    for chosen in (tmp_path / "TS_1.ome.zarr", tmp_path / "TS_1.ome.zarr" / ".zattrs"):
        desk.project.close()
        desk.project.open_path(chosen)
        qtbot.wait(50)
        assert (tmp_path / "TS_1-picks" / "project.db").exists()
        tomogram = desk.session.tomogram
        assert (tomogram.id, tomogram.path, tomogram.voxel_size) == ("TS_1", tmp_path / "TS_1.ome.zarr", VOXEL_SIZE)
    mark(desk, CENTRES[:1])
    assert len(on_disk(desk)) == 1


def test_the_dialog_offers_what_is_read() -> None:
    from app.window import FILES

    assert all(f"*{suffix}" in FILES for suffix in (".mrc", ".rec", ".gz", ".tif", ".hdf", ".em", ".nrrd"))


def test_a_file_that_is_no_tomogram_is_a_sentence(desk: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from app import notify

    told: list[str] = []
    monkeypatch.setattr(notify, "show", lambda exc, _parent=None: told.append(notify.sentence(exc)))
    desk.project.close()
    (tmp_path / "notes.mrc").write_text("not a tomogram")
    desk.project.open_path(tmp_path / "notes.mrc")
    assert len(told) == 1
    assert "notes.mrc" in told[0]
    assert not list(tmp_path.glob("*-picks"))
