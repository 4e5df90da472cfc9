"""The dialog that evaluates and compares, worked by mouse and keys in the real window."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QFileDialog

from core.io.particles import write_particles
from core.io.volumes import write_mrc
from core.masks import MaskConfig, VolumeMaskFile
from core.origins import Origin
from core.particles import ClassSpec, ParticleTable, Source, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from app.launch import Application

VOXEL, SHAPE = 10.0, (24, 64, 64)
TRUTH = [(12, 10, 10), (12, 10, 40), (12, 40, 10), (12, 40, 40)]
PLACES = [(12, 11, 10), (12, 10, 41), (12, 40, 12), (12, 60, 60), (12, 30, 58)]
SCORES = np.array([0.9, 0.8, 0.7, 0.65, 0.3], np.float32)
PATIENCE = 120


def wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not until():
        assert time.monotonic() < end
        QApplication.processEvents()
        time.sleep(0.005)


@pytest.fixture
def opened(desk: Application, tmp_path: Path) -> Iterator[Application]:
    """Two tomograms, four marks in one of them, a run with three hits and two picks on nothing."""
    for name in ("one", "two"):
        write_mrc(tmp_path / f"{name}.mrc", np.random.default_rng(0).normal(0, 1, SHAPE).astype(np.float32), VOXEL)
    left = np.zeros(SHAPE, np.int8)
    left[:, :, :30] = 1
    write_mrc(tmp_path / "left.mrc", left, VOXEL)
    desk.project.close()
    desk.project.open_path(tmp_path / "one.mrc")
    project = desk.session.project
    project.add_tomogram(tmp_path / "two.mrc")
    project.store.update_class(ClassSpec(id=1, name="ribosome", diameter=100.0))
    project.store.add_class(ClassSpec(id=2, name="proteasome", diameter=80.0))
    project.store.add_many(ParticleTable.build("one", TRUTH, [1, 1, 2, 2], source=Source.MANUAL))
    run = project.new_run("pick")
    for name in ("one", "two"):
        picks = ParticleTable.build(name, PLACES, 1, scores=SCORES, source=Source.PICKED, status=Status.CANDIDATE)
        write_particles(run / f"{name}.csv", picks, project.store.classes(), project.tomogram(name))
    project.store.add_many(ParticleTable.build("two", PLACES[:2], 1, scores=SCORES[:2], status=Status.CANDIDATE))
    desk.window.go_to_step(3)
    desk.window.evaluation.tabs.setCurrentIndex(0)
    desk.window.evaluation.evaluate.rule.setCurrentIndex(0)
    yield desk
    desk.window.evaluation.hide()


def look(desk: Application) -> Any:
    """Press the button in step 4 and wait for figures."""
    button = next(b for b in desk.window.closer.children() if getattr(b, "text", str)() == "Evaluate…")
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    settle(desk)
    return desk.window.evaluation


def settle(desk: Application) -> None:
    controller = desk.evaluation
    wait(lambda: controller._job is None and not controller._stale.isActive() and not controller._moved.isActive())


def choose(box: Any, text: str) -> None:
    """Choose by keys, as a person who types the beginning does."""
    box.setFocus()
    row = next(row for row in range(box.count()) if box.itemText(row).startswith(text))
    while box.currentIndex() != row:
        QTest.keyClick(box, Qt.Key.Key_Down if box.currentIndex() < row else Qt.Key.Key_Up)


def confusion(page: Any) -> list[list[str]]:
    return [
        [page.table.item(row, place).text() for place in range(page.table.columnCount())] for row in range(page.table.rowCount())
    ]


def test_a_run_is_scored_against_the_marks_and_the_threshold_is_a_view(opened: Application) -> None:
    page = look(opened).evaluate
    assert page.picks.currentText().startswith("all picks of")
    assert page.reference.currentText() == "accepted particles of this project"
    assert confusion(page) == [["2", "1", "1"], ["0", "0", "0"], ["0", "1", ""]]
    choose(page.classes, "ribosome")
    assert page.summary.text().startswith(
        "F1 0.67 at the current threshold: 2 of 2 found, 2 of 4 picks are on nothing. Best: 1.00 at 0.75."
    )
    assert page.notice.text().startswith("one is not annotated completely")
    opened.window.pick.threshold.setValue(850)
    settle(opened)
    assert page.summary.text().startswith("F1 0.67 at the current threshold: 1 of 2 found, 0 of 1 picks")
    assert page.score.line.value() == pytest.approx(0.85)


def test_the_best_threshold_is_taken_over_for_the_class_that_is_shown(opened: Application) -> None:
    page = look(opened).evaluate
    assert page.use_best.toolTip() == "Choose a class first: each has its own threshold."
    choose(page.classes, "ribosome")
    QTest.mouseClick(page.use_best, Qt.MouseButton.LeftButton)
    assert opened.session.review_of(1).threshold == pytest.approx(0.75)
    assert opened.window.pick.value.text() == "0.75"
    settle(opened)
    assert page.summary.text().startswith("F1 1.00 at the current threshold")


def test_a_rule_of_a_challenge_changes_what_counts(opened: Application) -> None:
    page = look(opened).evaluate
    choose(page.rule, "CZII")
    settle(opened)
    assert page.summary.text().startswith("F4")
    choose(page.rule, "SHREC")
    settle(opened)
    assert page.summary.text().startswith("F1 0.75 at the current threshold: 3 of 4 found")


def test_masks_leave_out_what_lies_elsewhere_until_that_is_switched_off(opened: Application) -> None:
    dialog = look(opened)
    before = dialog.evaluate.summary.text()
    assert dialog.within.toolTip() == "No mask is in use; see Masks…."
    opened.session.set_masks(
        {"one": MaskConfig(volume=VolumeMaskFile(on=True, path=str(opened.session.project.folder.parent / "left.mrc")))}
    )
    settle(opened)
    assert "1 of 2 found, 1 of 2 picks are on nothing" in dialog.evaluate.summary.text()
    assert "Within the masks only: 2 references and 3 picks lie outside." in dialog.evaluate.notice.text()
    QTest.mouseClick(dialog.within, Qt.MouseButton.LeftButton, pos=QPoint(8, dialog.within.height() // 2))
    settle(opened)
    assert dialog.evaluate.summary.text() == before
    QTest.mouseClick(dialog.within, Qt.MouseButton.LeftButton, pos=QPoint(8, dialog.within.height() // 2))
    settle(opened)
    opened.session.set_masks({})


def test_a_new_mark_is_scored_without_being_asked_for(opened: Application) -> None:
    page = look(opened).evaluate
    choose(page.classes, "ribosome")
    opened.session.project.store.add("one", (12, 60, 60), 1)
    settle(opened)
    assert "3 of 3 found" in page.summary.text()
    opened.window.undo.trigger()
    settle(opened)
    assert "2 of 2 found" in page.summary.text()


def test_without_a_reference_an_estimate_is_given_and_called_one(opened: Application) -> None:
    page = look(opened).evaluate
    choose(page.reference, "nothing")
    settle(opened)
    assert page.notice.text().startswith("An estimate, not a measurement")
    assert "F1 about 0.83" in page.summary.text()  # 2 * 3.05 / (4 + 3.35)
    assert not page.errors.isVisible()
    assert not page.save.isEnabled()


def test_a_file_is_asked_for_and_what_is_wrong_with_it_is_said_in_the_dialog(
    opened: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = opened.session.project
    page = look(opened).evaluate
    path = tmp_path / "expert.tsv"
    write_particles(path, ParticleTable.build("one", TRUTH[:1], 1), project.store.classes(), project.tomogram("one"))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    page.reference.setCurrentIndex(page.reference.findText("file…"))
    settle(opened)
    assert page.reference.origin == Origin("file", path)
    assert "1 of 1 found" in page.summary.text()
    path.write_text("nothing of the kind")
    choose(page.rule, "one radius")
    settle(opened)
    assert page.summary.text() == ""
    assert "expert.tsv" in page.notice.text()
    assert not page.use_best.isEnabled()


@pytest.mark.engine
def test_plots_are_saved(opened: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = look(opened).evaluate
    (tmp_path / "plots").mkdir()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "plots"))
    QTest.mouseClick(page.save, Qt.MouseButton.LeftButton)
    settle(opened)
    assert {"precision-recall.png", "confusion.svg"} <= {path.name for path in (tmp_path / "plots").iterdir()}


def test_two_sets_are_compared_and_a_click_flies_to_where_they_differ(opened: Application) -> None:
    dialog = look(opened)
    bar = dialog.tabs.tabBar()
    QTest.mouseClick(bar, Qt.MouseButton.LeftButton, pos=bar.tabRect(1).center())
    settle(opened)
    page = dialog.compare
    choose(page.scope, "all")
    settle(opened)
    assert page.summary.text() == "2 in both, 1 of another class, 1 only in A, 7 only in B; agreement 0.29 (1: the same)."
    assert page.model.rowCount() == 9
    row = next(row for row, one in enumerate(page.model.rows) if one.tomogram == "two")
    page.list.scrollTo(page.model.index(row, 0))
    QTest.mouseClick(page.list.viewport(), Qt.MouseButton.LeftButton, pos=page.list.visualRect(page.model.index(row, 1)).center())
    assert opened.session.tomogram.id == "two"
    np.testing.assert_allclose(opened.window.views.position, page.model.rows[row].position, atol=0.51)
    QTest.mouseClick(page.agreed, Qt.MouseButton.LeftButton, pos=QPoint(8, page.agreed.height() // 2))
    assert page.model.rowCount() == 11


def test_the_dialog_goes_with_its_project_and_needs_a_tomogram(opened: Application) -> None:
    dialog = look(opened)
    opened.project.close()
    assert not dialog.isVisible()
    assert not opened.window.evaluate.isEnabled()
    assert opened.window.evaluate.toolTip() == "Open a tomogram first."


@pytest.mark.engine
def test_a_report_is_written_from_the_window(opened: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "report.html"), ""))
    button = next(b for b in opened.window.closer.children() if getattr(b, "text", str)() == "Report…")
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert opened.window.report.toolTip() == "Something else is running; wait for it or cancel it."
    wait(lambda: not opened.runner.busy)
    assert "ribosome" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert opened.window.report.isEnabled()
