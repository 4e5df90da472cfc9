"""The heart of it, by mouse in the real window: click, train, pick, correct, train again, export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from core.io.particles import read_particles
from core.metrics import evaluate
from core.particles import ParticleTable, Source, Status

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.launch import Application
    from core.types import Positions

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
CLICKS = 10
MINUTE = 60_000
QUICK = {"steps": 60, "patch": 56, "batch": 2, "validations": 1, "learning_rate": 5e-3}


def press(button: Any) -> None:
    assert button.isEnabled(), button.toolTip()
    QTest.mouseClick(button, LEFT)


def click(desk: Application, axis: int, position: Positions, button: Any = LEFT) -> None:
    views, voxel_size = desk.window.views, desk.session.tomogram.voxel_size
    views.go_to(position)
    canvas = views.canvases[axis]
    place = QPoint(*canvas.to_pixels(position, voxel_size))
    QTest.mouseMove(canvas.native, place)
    QTest.mouseClick(canvas.native, button, Qt.KeyboardModifier.NoModifier, place)


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
    desk.window.train._forms["train"].set_values(QUICK)
    desk.window.train.minutes.setValue(3)
    press(desk.window.train.train)
    assert desk.runner.name == "Training"
    qtbot.waitUntil(lambda: desk.session.model is not None and not desk.runner.busy, timeout=3 * MINUTE)
    assert desk.window.step == 3  # nobody had to go there


def rejected_two(desk: Application) -> None:
    """One by its button, one with the right mouse button on the canvas."""
    desk.window.forward.trigger()
    press(desk.window.pick.reject)
    row = np.flatnonzero((desk.session.table.statuses == Status.CANDIDATE) & desk.session.shown)[-1]
    click(desk, 0, desk.session.table.positions[row], RIGHT)
    assert (desk.session.table.statuses == Status.REJECTED).sum() == 2


def moved_threshold(desk: Application) -> None:
    """By mouse on the slider, down to where all are shown, and back."""
    slider, session = desk.window.pick.threshold, desk.session
    table, few = session.table, session.ids(Status.CANDIDATE, shown=True)
    QTest.mouseClick(slider, LEFT, Qt.KeyboardModifier.NoModifier, QPoint(slider.width() - 8, slider.height() // 2))
    value = slider.value()
    assert session.review[1].threshold == pytest.approx(value / 1000)
    slider.setValue(0)
    every = session.ids(Status.CANDIDATE, shown=True)
    assert set(few.tolist()) < set(every.tolist())
    assert desk.window.pick.count.text().startswith(f"{len(every)} of {len(every)} ")
    assert session.table is table  # a view, no picking and no reading
    slider.setValue(value)
    assert set(session.ids(Status.CANDIDATE, shown=True).tolist()) <= set(few.tolist())


def exported(desk: Application, path: Path) -> Positions:
    """Write a STAR file by mouse; read it with another library, (n, 3) zyx voxels."""
    import starfile

    panel, tomogram = desk.window.export, desk.session.tomogram
    go_to(desk, 4)
    panel.which.setCurrentIndex(1)
    panel.path.setText(str(path))
    assert not panel.export.isEnabled()
    assert "pixel size of the unbinned tilt series" in panel.export.toolTip()
    panel.pixel_size.setValue(tomogram.voxel_size)
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
