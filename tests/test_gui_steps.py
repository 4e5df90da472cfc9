"""What surrounds training: tomograms and their roles, preparation, settings."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog, QMessageBox, QPushButton

from app import notify
from app.panels.tomogramlist import ALL, USE
from core.annotations import Role
from core.io.volumes import write_mrc
from core.settings import Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.launch import Application

SHAPE, VOXEL_SIZE = (16, 40, 40), 10.0


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Three small tomograms."""
    rng = np.random.default_rng(0)
    for number in (1, 2, 3):
        write_mrc(tmp_path / f"TS_{number}.mrc", rng.normal(7, 3, SHAPE).astype(np.float32), VOXEL_SIZE)
    return sorted(tmp_path.glob("*.mrc"))


@pytest.fixture
def opened(desk: Application, files: list[Path]) -> Application:
    desk.project.close()
    desk.project.open_paths([str(path) for path in files])
    desk.window.go_to_step(0)
    return desk


def names(desk: Application) -> list[str]:
    return [entry.name for entry in desk.window.tomograms.list.entries]


def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(notify, "show", lambda exc, _parent=None: said.append(notify.sentence(exc)))
    return said


# ---- tomograms ----


def test_several_files_become_one_project_and_the_first_is_shown(opened: Application) -> None:
    assert names(opened) == ["TS_1", "TS_2", "TS_3"]
    assert opened.session.tomogram.id == "TS_1"
    assert opened.session.project.folder.name == "TS_1-picks"


def test_a_file_that_was_moved_is_asked_for_where_its_tomogram_is_clicked(
    opened: Application, files: list[Path], tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, asked = opened.window.tomograms.list, []
    (tmp_path / "new").mkdir()
    for path in files[1:]:
        path.rename(tmp_path / "new" / path.name)

    def click(row: int) -> None:
        QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=table.visualItemRect(table.item(row, 0)).center())

    monkeypatch.setattr(QMessageBox, "question", lambda *words: asked.append(words[2]) or QMessageBox.StandardButton.No)
    click(1)
    assert "TS_2 is not at" in asked[0]
    assert opened.session.tomogram.id == "TS_1"
    qtbot.waitUntil(lambda: table.currentRow() == 0)
    assert [index.row() for index in table.selectionModel().selectedRows()] == [0]
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "new" / "TS_2.mrc"), ""))
    click(1)
    assert opened.session.tomogram.id == "TS_2"
    click(2)  # found along with it
    assert opened.session.tomogram.id == "TS_3"


def test_a_project_opens_with_a_tomogram_that_is_there(opened: Application, files: list[Path]) -> None:
    folder = opened.session.project.folder
    files[0].rename(files[0].with_name("away.mrc"))
    opened.project.close()
    opened.project.open_path(folder)
    assert opened.session.tomogram.id == "TS_2"


def test_dropped_files_do_the_same(desk: Application, files: list[Path]) -> None:
    desk.project.close()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in files])
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    place = QPointF(5, 5)
    desk.window.dropEvent(QDropEvent(place, Qt.DropAction.CopyAction, data, left, none))
    assert names(desk) == ["TS_1", "TS_2", "TS_3"]


def test_what_a_tomogram_is_used_for_is_kept_and_can_be_undone(opened: Application) -> None:
    use = opened.window.tomograms.list.cellWidget(1, USE)
    use.setCurrentIndex(use.findData("validation"))
    use.activated.emit(use.currentIndex())
    assert opened.session.project.store.tomogram("TS_2").role is Role.VALIDATION
    opened.window.undo.trigger()
    assert opened.session.project.store.tomogram("TS_2").role is Role.BOTH
    assert opened.window.tomograms.list.cellWidget(1, USE).currentData() == "both"


def test_a_tick_says_that_all_is_marked(opened: Application) -> None:
    opened.window.tomograms.list.item(2, ALL).setCheckState(Qt.CheckState.Checked)
    assert opened.session.project.store.tomogram("TS_3").complete


def test_marks_are_counted_in_the_list(opened: Application) -> None:
    for place in (5.0, 25.0):
        opened.annotate.add(np.array([8.0, place, place]))
    assert [entry.marks for entry in opened.window.tomograms.list.entries] == [2, 0, 0]


@pytest.mark.parametrize(("answer", "left"), [(False, 3), (True, 2)])
def test_a_tomogram_with_particles_is_removed_only_after_a_question(
    opened: Application, monkeypatch: pytest.MonkeyPatch, answer: bool, left: int
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(notify, "ask", lambda question: asked.append(question) or answer)
    opened.annotate.add(np.array([8.0, 9.0, 9.0]))
    QTest.mouseClick(opened.window.tomograms.remove, Qt.MouseButton.LeftButton)
    assert "1 particles" in asked[0]
    assert len(names(opened)) == left
    if answer:
        assert opened.session.tomogram.id == "TS_2"
        opened.window.undo.trigger()
        assert names(opened) == ["TS_1", "TS_2", "TS_3"]
        assert len(opened.session.project.store.table("TS_1")) == 1


def test_the_last_tomogram_can_be_removed_and_comes_back(opened: Application) -> None:
    for _ in range(3):
        QTest.mouseClick(opened.window.tomograms.remove, Qt.MouseButton.LeftButton)
    assert names(opened) == []
    assert opened.session.tomogram is None
    assert not opened.window.tomograms.remove.isEnabled()
    opened.window.undo.trigger()
    assert names(opened) == ["TS_3"]


# ---- preparation ----


def done(opened: Application, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not opened.runner.busy, timeout=20_000)


def test_prepare_fills_the_cache_for_all_used_tomograms(opened: Application, qtbot: QtBot) -> None:
    opened.tomograms._on_list_role("TS_2", "none")
    opened.window.tomograms.preparing.form.set_values({"low_pass": 60.0})
    QTest.mouseClick(opened.window.tomograms.preparing.prepare, Qt.MouseButton.LeftButton)
    done(opened, qtbot)
    cache = opened.session.project.folder / "cache"
    assert len(list(cache.glob("*.mrc"))) == len(list(cache.glob("*.json"))) == 2


def test_what_the_network_sees_is_shown_and_changes_no_position_and_no_file(
    opened: Application, files: list[Path], qtbot: QtBot
) -> None:
    before, views = files[0].read_bytes(), opened.window.views
    views.go_to(np.array([3.0, 11.0, 22.0]))
    opened.annotate.add(np.array([3.0, 11.0, 22.0]))
    opened.window.tomograms.preparing.seen.click()
    done(opened, qtbot)
    assert np.asarray(views.tomogram.data[:]).mean() == pytest.approx(0, abs=1e-4)
    assert views.position.tolist() == [3, 11, 22]
    assert opened.session.table.positions.tolist() == [[3, 11, 22]]
    assert len(views.canvases[0].rings.data) == 1
    opened.annotate.add(np.array([4.0, 5.0, 6.0]))
    opened.window.tomograms.preparing.seen.click()
    assert views.tomogram is opened.session.tomogram
    assert opened.session.table.positions[-1].tolist() == [4, 5, 6]
    assert files[0].read_bytes() == before


def test_filters_that_cannot_be_are_a_sentence(opened: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    said = told(monkeypatch)
    opened.window.tomograms.preparing.form.set_values({"low_pass": 90.0, "high_pass": 60.0})
    opened.window.tomograms.preparing.seen.click()
    assert len(said) == 1
    assert "high_pass must be a coarser" in said[0]
    assert not opened.window.tomograms.preparing.seen.isChecked()


# ---- settings ----


def settings_file(desk: Application) -> Path:
    return desk.session.project.folder / "settings.toml"


def test_settings_of_every_step_travel_with_the_project(opened: Application, files: list[Path], qtbot: QtBot) -> None:
    window, file = opened.window, settings_file(opened)
    window.tomograms.display.slab.setValue(7)
    window.tomograms.preparing.form._editors["low_pass"].setValue(30)
    window.train.minutes.setValue(3.5)
    window.train.split.setCurrentIndex(window.train.split.findData("tomogram"))
    window.snap.trigger()
    window.train.then_pick.click()
    window.pick.form._editors["edge"].setValue(4)
    window.export.kind.setCurrentIndex(1)
    opened.session.set_threshold(1, 0.8)
    qtbot.waitUntil(lambda: file.exists() and bool(load_settings(file)[0].review), timeout=5000)  # not what opening may have kept
    saved, notices = load_settings(file)
    assert notices == ()
    assert (saved.display.slab, saved.preprocess.low_pass, saved.train.minutes) == (7, 30, 3.5)
    assert (saved.train.split, saved.pick.edge, saved.export.format) == ("tomogram", 4, window.export.format)
    opened.project.close()
    assert window.train.minutes.value() == Settings().train.minutes
    assert not window.marks.snap.isChecked()
    assert not window.train.then_pick.isChecked()
    opened.project.open_path(files[0].with_name("TS_1-picks"))
    assert opened.keeper.current() == saved
    assert opened.session.review_of(1).threshold == 0.8
    assert opened.window.views._look.slab == 7


def test_what_was_just_changed_is_kept_when_the_project_closes_at_once(opened: Application) -> None:
    opened.window.train.minutes.setValue(2.5)
    file = settings_file(opened)
    opened.project.close()
    assert load_settings(file)[0].train.minutes == 2.5


def test_contrast_by_hand_holds_for_all_tomograms(opened: Application) -> None:
    display = opened.window.tomograms.display
    display.contrast.setValue((2.0, 9.0))
    opened.project.show_tomogram("TS_2")
    assert opened.window.views.bounds == pytest.approx((2.0, 9.0))
    QTest.mouseClick(display.reset, Qt.MouseButton.LeftButton)
    assert display.config.bounds is None


@pytest.mark.engine
@pytest.mark.parametrize("text", ["[train", "version = 99", "[train]\nbatch = 0"])
def test_a_broken_file_gives_the_usual_settings_and_is_kept_aside(
    opened: Application, files: list[Path], qtbot: QtBot, text: str
) -> None:
    file = settings_file(opened)
    opened.project.close()
    file.write_text(text)
    with qtbot.waitSignal(opened.keeper.said, timeout=1000):
        opened.project.open_path(files[0].with_name("TS_1-picks"))
    assert opened.session.tomogram is not None
    assert opened.keeper.current().train == Settings().train
    opened.window.train.minutes.setValue(4)
    opened.keeper.save()
    assert file.with_name("settings.old.toml").read_text() == text
    assert tomllib.loads(file.read_text())["train"]["minutes"] == 4


def test_settings_are_saved_loaded_and_reset_on_request(
    opened: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, said = opened.window, told(monkeypatch)
    window.train.minutes.setValue(6)
    window.tomograms.display.slab.setValue(5)
    window.tomograms.rings.size.setValue(50)
    window.settings_saved.emit(str(tmp_path / "mine.toml"))
    window.reset_step.trigger()
    assert (window.tomograms.display.slab.value(), window.train.minutes.value()) == (1, 6)
    assert (window.tomograms.rings.size.value(), window.views.ring_style.size) == (100, 1.0)
    window.reset_all.trigger()
    assert opened.keeper.current().train == Settings().train
    window.settings_loaded.emit(str(tmp_path / "mine.toml"))
    assert (window.tomograms.display.slab.value(), window.train.minutes.value()) == (5, 6)
    (tmp_path / "mine.toml").write_text("[train]\nmood = 1")
    window.settings_loaded.emit(str(tmp_path / "mine.toml"))
    assert len(said) == 1
    assert "train.mood" in said[0]


@pytest.mark.parametrize("step", range(5))
def test_no_step_has_more_than_one_primary_button(opened: Application, step: int) -> None:
    opened.window.go_to_step(step)
    buttons = [one.text() for one in opened.window.findChildren(QPushButton, "primary") if one.isVisible()]
    assert len(buttons) <= 1, buttons
