"""The heart of it, by mouse in the real window: click, train, pick, correct, train again, export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QStyle, QStyleOptionSlider

from app.panels.export import WHAT
from core.io.particles import read_particles
from core.metrics import evaluate
from core.particles import ParticleTable, Source, Status

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.launch import Application
    from core.types import Positions

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
NO_KEY = Qt.KeyboardModifier.NoModifier
CLICKS = 10
MINUTE = 60_000
QUICK = {"steps": 60, "patch": 56, "batch": 2, "validations": 1, "learning_rate": 0.005}


def press(button: Any) -> None:
    assert button.isEnabled(), button.toolTip()
    QTest.mouseClick(button, LEFT)


def keyed(field: Any, text: str) -> None:
    """Click into a field, and type in place of what stands there."""
    assert field.isEnabled(), field.toolTip()
    QTest.mouseClick(getattr(field, "lineEdit", lambda: field)(), LEFT)
    QTest.keyClick(field, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(field, text)
    QTest.keyClick(field, Qt.Key.Key_Return)


def chosen(combo: Any, text: str) -> None:
    """Go down a list with the arrow keys."""
    while combo.currentText() != text:
        row = combo.currentIndex()
        QTest.keyClick(combo, Qt.Key.Key_Down)
        assert combo.currentIndex() == row + 1


def dragged(slider: Any, value: int) -> None:
    """Take the handle of a slider to a value."""
    option = QStyleOptionSlider()
    slider.initStyleOption(option)
    style, control = slider.style(), QStyle.ComplexControl.CC_Slider
    handle, groove = (
        style.subControlRect(control, option, part, slider)
        for part in (QStyle.SubControl.SC_SliderHandle, QStyle.SubControl.SC_SliderGroove)
    )
    start, room = handle.center(), groove.width() - handle.width()
    by = QStyle.sliderPositionFromValue(0, slider.maximum(), value, room) - (handle.x() - groove.x())
    QTest.mousePress(slider, LEFT, NO_KEY, start)
    for part in (0.5, 1.0):  # QTest.mouseMove holds no button down
        place = QPointF(start + QPoint(round(part * by), 0))
        QApplication.sendEvent(slider, QMouseEvent(QEvent.Type.MouseMove, place, LEFT, LEFT, NO_KEY))
    QTest.mouseRelease(slider, LEFT, NO_KEY, start + QPoint(by, 0))


def click(desk: Application, axis: int, position: Positions, button: Any = LEFT) -> None:
    views, voxel_size = desk.window.views, desk.session.tomogram.voxel_size
    views.go_to(position)
    canvas = views.canvases[axis]
    place = QPoint(*canvas.to_pixels(position, voxel_size))
    QTest.mouseMove(canvas.native, place)
    QTest.mouseClick(canvas.native, button, NO_KEY, place)


def go_to(desk: Application, step: int) -> None:
    press(desk.window.steps.button(step))
    assert desk.window.step == step


def truth_of(desk: Application) -> ParticleTable:
    """The ribosomes that were simulated."""
    centres = read_particles(desk.session.project.folder / "centres.csv")
    mine = np.array(centres.class_names) == "ribosome"
    return ParticleTable.build(desk.session.tomogram.id, centres.positions[mine])


def inner(truth: ParticleTable, shape: tuple[int, int, int], margin: float = 8.0) -> Positions:
    inside = ((truth.positions > margin) & (truth.positions < np.array(shape) - 1 - margin)).all(axis=1)
    return truth.positions[inside]


def opened_sample(desk: Application, qtbot: QtBot) -> ParticleTable:
    press(desk.window.start.sample)
    qtbot.waitUntil(lambda: desk.session.tomogram is not None and not desk.runner.busy, timeout=2 * MINUTE)
    laid_out: list[list[tuple[int, int]]] = []

    def steady() -> bool:
        """Qt lays the canvases out when they are first seen."""
        laid_out.append([canvas.to_pixels(np.zeros(3), 10.0) for canvas in desk.window.views.canvases])
        return laid_out[-3:] == [laid_out[-1]] * 3

    qtbot.waitUntil(steady)
    return truth_of(desk)


def marked(desk: Application, centres: Positions) -> None:
    go_to(desk, 1)
    for number, centre in enumerate(centres):
        click(desk, number % 3, centre)
    assert np.abs(desk.session.table.positions - centres).max() < 1


def trained(desk: Application, qtbot: QtBot) -> None:
    go_to(desk, 2)
    panel = desk.window.train
    keyed(panel.minutes, panel.minutes.textFromValue(3))
    press(panel.advanced)
    for name, value in QUICK.items():
        editor = panel._forms["train"]._editors[name]
        keyed(editor, editor.textFromValue(value))
    press(panel.advanced)
    asked = panel.values()["train"]
    assert asked["minutes"] == 3
    assert QUICK.items() <= asked.items()
    press(panel.train)
    assert desk.runner.name == "Training"
    qtbot.waitUntil(lambda: desk.session.model is not None and not desk.runner.busy, timeout=3 * MINUTE)
    assert desk.window.step == 3  # nobody had to go there


def rejected_two(desk: Application) -> None:
    """One by its button, one with the right mouse button on the canvas."""
    press(desk.window.pick.on)
    press(desk.window.pick.reject)
    row = np.flatnonzero((desk.session.table.statuses == Status.CANDIDATE) & desk.session.shown)[-1]
    click(desk, 0, desk.session.table.positions[row], RIGHT)
    assert (desk.session.table.statuses == Status.REJECTED).sum() == 2


def moved_threshold(desk: Application) -> None:
    """Drag the slider into the midst of the scores, down to where all are shown, and back."""
    slider, session = desk.window.pick.threshold, desk.session
    table, value = session.table, slider.value()
    every = session.ids(Status.CANDIDATE)
    scores = table.scores[table.statuses == Status.CANDIDATE]
    for place in (round(slider.maximum() * float(np.median(scores))), 0, value):
        dragged(slider, place)
        assert slider.value() == pytest.approx(place, abs=slider.maximum() / 100)  # one pixel is some thousandths
        threshold = slider.value() / slider.maximum()
        assert session.review[1].threshold == threshold
        shown = session.ids(Status.CANDIDATE, shown=True)
        assert set(shown.tolist()) == set(every[scores >= threshold].tolist())
        assert desk.window.pick.count.text().startswith(f"{len(shown)} of {len(every)} ")
    assert len(shown) > 2
    assert session.table is table  # a view, no picking and no reading


def exported(desk: Application, path: Path) -> Positions:
    """Write a STAR file by mouse; read it with another library, (n, 3) zyx voxels."""
    import starfile

    panel, tomogram = desk.window.export, desk.session.tomogram
    go_to(desk, 4)
    chosen(panel.which, WHAT["shown"])
    keyed(panel.path, str(path))
    assert not panel.export.isEnabled()
    assert "pixel size of the unbinned tilt series" in panel.export.toolTip()
    keyed(panel.pixel_size, panel.pixel_size.textFromValue(tomogram.voxel_size))
    press(panel.export)
    assert "read back and checked" in panel.result.text()
    files = [file for file in path.parent.rglob("*.star") if "rlnCenteredCoordinateXAngst" in file.read_text()]
    rows = starfile.read(files[0])
    centred = rows[[f"rlnCenteredCoordinate{axis}Angst" for axis in "ZYX"]].to_numpy()
    return centred / tomogram.voxel_size + np.array(tomogram.shape) / 2


def test_click_train_pick_correct_train_again_export(desk: Application, qtbot: QtBot, tmp_path: Path) -> None:
    session, window = desk.session, desk.window
    truth = opened_sample(desk, qtbot)
    marked(desk, inner(truth, session.tomogram.shape)[:CLICKS])
    trained(desk, qtbot)
    press(window.pick.pick)
    qtbot.waitUntil(lambda: not desk.runner.busy, timeout=2 * MINUTE)
    assert window.pick.score_map.opacity.isEnabled()
    moved_threshold(desk)
    rejected_two(desk)
    former = session.model
    press(window.pick.again)
    assert desk.runner.name == "Training"
    qtbot.waitUntil(lambda: session.model != former and not desk.runner.busy, timeout=3 * MINUTE)
    assert session.model != former
    picked = session.table.select(session.shown & (session.table.statuses == Status.CANDIDATE))
    assert set(picked.sources) == {Source.PICKED}
    positions = exported(desk, tmp_path / "picks.star")
    wanted = session.table.select(session.shown & (session.table.statuses != Status.REJECTED)).positions
    np.testing.assert_allclose(positions, wanted, atol=0.01)
    found = evaluate(truth, picked, tuple(session.classes.values()), session.tomogram.voxel_size, radius=1.0).pooled
    assert found.precision > 0.5, found
