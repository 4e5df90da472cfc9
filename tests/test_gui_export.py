"""Exporting from the window: what is shown before, and a command that does the same."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtWidgets import QScrollArea

from core.cli import run
from core.io.volumes import write_mrc
from core.particles import ClassSpec, ParticleTable, Source, Status

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.launch import Application


@pytest.fixture
def picked(desk: Application, tmp_path: Path) -> Application:
    """Two tomograms with marks and candidates of two classes, one without any, and thresholds."""
    rng = np.random.default_rng(0)
    files = [tmp_path / f"rec_TS_0{number}_bin4.mrc" for number in (1, 2, 3)]
    for file in files:
        write_mrc(file, rng.normal(size=(16, 60, 60)).astype(np.float32), 10.0)
    desk.project.close()
    desk.project.open_paths([str(file) for file in files])
    store = desk.session.project.store
    store.add_class(ClassSpec(id=2, name="big one", diameter=120.0))
    for file in files[:2]:
        for status in (Status.ACCEPTED, Status.CANDIDATE, Status.REJECTED):
            places = rng.uniform((0, 0, 0), (15, 59, 59), (30, 3))
            table = ParticleTable.build(
                file.stem, places, rng.integers(1, 3, 30), scores=rng.random(30), source=Source.PICKED, status=status
            )
            store.add_many(table)
    review = desk.session.review_of(1)
    desk.session.set_review({1: replace(review, threshold=0.3, min_distance=0.4, edge=3.0), 2: replace(review, threshold=0.65)})
    desk.window.go_to_step(4)
    return desk


def choose(application: Application, name: str) -> None:
    kind = application.window.export.kind
    kind.setCurrentIndex(next(row for row in range(kind.count()) if kind.itemData(row)[0] == name))


def written(folder: Path) -> dict[str, bytes]:
    """All bytes of all files, but for the time in the comment that starfile begins each file with."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {str(file.relative_to(folder)): re.sub(rb"^# Created by .*\n", b"", file.read_bytes()) for file in files}


@pytest.mark.engine
@pytest.mark.parametrize(
    ("which", "scope", "kind", "named"),  # every two of them in every combination
    [
        (0, 0, "relion5", False),
        (1, 1, "relion5", True),
        (0, 1, "csv", True),
        (1, 0, "csv", False),
        (0, 1, "coords", False),
        (1, 0, "coords", True),
    ],
)
def test_the_copied_command_writes_the_same_bytes(
    picked: Application, tmp_path: Path, which: int, scope: int, kind: str, named: bool
) -> None:
    panel, place = picked.window.export, tmp_path / "out"
    place.mkdir()
    row = next(row for row in range(panel.kind.count()) if panel.kind.itemData(row)[0] == kind)
    panel.kind.setCurrentIndex(row)
    panel.which.setCurrentIndex(which)
    panel.scope.setCurrentIndex(scope)
    panel.pixel_size.setValue(2.5)
    if kind == "coords":
        panel.classes.setCurrentIndex(panel.classes.findData(2))
    if named:
        panel.tomograms.cells.item(0, 1).setText("Position_7")
    panel.path.setText(str(place / f"picks{panel.suffix}"))
    panel.copy.click()
    picked.export.export()
    assert "read back and checked" in panel.result.text()
    from_window = written(place)
    for file in place.rglob("*"):
        if file.is_file():
            file.unlink()
    words = shlex.split(panel.command.text())
    panel.classes.setCurrentIndex(0)
    picked.project.close()
    assert run(words[1:]) == 0
    assert from_window
    assert written(place) == from_window
    if named and kind != "coords":
        assert any(b"Position_7" in text or "Position_7" in name for name, text in from_window.items())


def test_the_files_are_shown_before_they_are_written(picked: Application, tmp_path: Path, qtbot: QtBot) -> None:
    panel = picked.window.export
    panel.kind.setCurrentIndex(next(row for row in range(panel.kind.count()) if panel.kind.itemData(row)[0] == "relion5"))
    panel.which.setCurrentIndex(0)
    panel.scope.setCurrentIndex(1)
    panel.pixel_size.setValue(2.5)
    panel.tomograms.cells.item(1, 1).setText("Position_7")
    panel.path.setText(str(tmp_path / "new" / "picks.star"))
    qtbot.waitUntil(lambda: "Position_7" in panel.tree.toPlainText(), timeout=10_000)
    assert "TS_01" in panel.tree.toPlainText()
    assert not (tmp_path / "new").exists()
    assert picked.keeper.current().export.names == {"rec_TS_02_bin4": "Position_7"}


def test_two_tomograms_of_one_name_are_a_sentence_before_the_export(picked: Application, qtbot: QtBot) -> None:
    panel = picked.window.export
    panel.kind.setCurrentIndex(next(row for row in range(panel.kind.count()) if panel.kind.itemData(row)[0] == "relion5"))
    panel.scope.setCurrentIndex(1)
    panel.pixel_size.setValue(2.5)
    panel.tomograms.cells.item(1, 1).setText("TS_01")
    qtbot.waitUntil(lambda: "2 tomograms would be called" in panel.tree.toPlainText(), timeout=10_000)


def test_the_pixel_size_is_asked_for_and_never_guessed(picked: Application) -> None:
    panel = picked.window.export
    choose(picked, "relion5")
    assert panel.pixel_size.value() == 0
    assert not panel.export.isEnabled()
    assert "pixel size of the unbinned tilt series" in panel.export.toolTip()
    panel.pixel_size.setValue(2.5)
    assert panel.export.isEnabled()
    panel.pixel_size.setValue(0)
    choose(picked, "csv")
    assert panel.export.isEnabled()


@pytest.mark.engine
@pytest.mark.parametrize(
    "words", [["--threshold", "ghost=0.5"], ["--threshold", "particle"], ["--edge", "particle=-1"], ["--threshold", "particle=2"]]
)
def test_wrong_words_on_the_command_line_are_a_sentence(picked: Application, tmp_path: Path, words: list[str]) -> None:
    folder = picked.session.project.folder
    picked.project.close()
    assert run(["export", str(folder), "--out", str(tmp_path / "a.csv"), "--status", "shown", *words]) == 1
    assert not (tmp_path / "a.csv").exists()


TOMOGRAMS = """data_global

loop_
_rlnTomoName #1
_rlnTomoTiltSeriesPixelSize #2
_rlnTomoSizeX #3
_rlnTomoSizeY #4
_rlnTomoSizeZ #5
TS_01 2.5 241 240 65
TS_02 2.5 240 240 64
"""


def test_choices_of_formats_and_geometry_reach_the_files_and_the_command(picked: Application, tmp_path: Path) -> None:
    panel, place = picked.window.export, tmp_path / "out"
    place.mkdir()
    (tmp_path / "tomograms.star").write_text(TOMOGRAMS)
    choose(picked, "relion5")
    panel.scope.setCurrentIndex(0)
    picked.session.set_tomogram(picked.session.project.tomogram("rec_TS_01_bin4"))
    panel.geometry.setText(str(tmp_path / "tomograms.star"))
    form = panel.choices
    form.set_values({"centre": "S/2-1", "relion_folder": str(tmp_path)})
    form.edited.emit()
    panel.path.setText(str(place / "picks.star"))
    command = panel.command.text()
    assert "--option centre=S/2-1" in command
    assert "--tomograms-star" in command
    assert "--pixel-size" not in command
    picked.export.export()
    assert "read back and checked" in panel.result.text()
    assert "unbinned size" not in panel.result.toolTip()
    from_window = written(place)
    for file in [file for file in place.rglob("*") if file.is_file()]:
        file.unlink()
    words = shlex.split(command)
    picked.project.close()
    assert run(words[1:]) == 0
    assert {name: lines_of(text) for name, text in written(place).items()} == {
        name: lines_of(text) for name, text in from_window.items()
    }


def lines_of(content: bytes) -> list[bytes]:
    """Without the line that tells the time."""
    return [line for line in content.splitlines() if not line.startswith(b"#")]


def test_choices_are_kept_for_each_format_and_with_the_project(picked: Application) -> None:
    panel = picked.window.export
    choose(picked, "coords")
    panel.choices.set_values({"decimals": 0})
    choose(picked, "csv")
    assert panel.options == {}
    assert panel.choices is None
    choose(picked, "cmm")
    panel.choices.set_values({"origin_x": -5.5})
    choose(picked, "coords")
    assert panel.options == {"decimals": 0}
    config = panel.config
    assert config.options == {"coords.decimals": "0", "cmm.origin_x": "-5.5"}
    panel.set_config(replace(config, options={}))
    assert panel.options == {}
    panel.set_config(replace(config, options={**config.options, "coords.gone": "1", "nonsense.a": "b"}))
    assert panel.options == {"decimals": 0}
    choose(picked, "cmm")
    assert panel.options == {"origin_x": -5.5}


@pytest.mark.parametrize("step", range(5))
def test_the_window_fits_a_small_screen_at_every_step(picked: Application, step: int) -> None:
    picked.window.go_to_step(step)
    least = picked.window.minimumSizeHint()
    assert (least.width() <= 1100, least.height() <= 700) == (True, True), least
    panel = picked.window._panels.currentWidget()
    areas = [panel] if isinstance(panel, QScrollArea) else [one for one in panel.findChildren(QScrollArea) if one.isVisible()]
    for area in areas:
        if isinstance(area, QScrollArea) and area.widget() is not None:
            assert area.widget().minimumSizeHint().width() <= area.viewport().width()


@pytest.mark.parametrize("name", ["relion5", "dynamo", "csv"])
def test_the_button_and_what_is_odd_are_in_sight_on_a_small_screen(picked: Application, qtbot: QtBot, name: str) -> None:
    window, panel = picked.window, picked.window.export
    window.go_to_step(4)
    window.resize(1100, 700)
    choose(picked, name)
    panel.set_files([], "", ["One thing is odd.", "Another one, which takes some more words to tell, is odd as well."])
    panel.set_result("done")
    qtbot.wait(50)
    for widget in (panel.export, panel.notices, panel.result):
        assert widget.visibleRegion().boundingRect() == widget.rect()


def test_the_first_rows_are_shown(picked: Application, tmp_path: Path, qtbot: QtBot) -> None:
    panel = picked.window.export
    choose(picked, "portal")
    panel.path.setText(str(tmp_path / "new.ndjson"))
    qtbot.waitUntil(lambda: '{"type": "point"' in panel.tree.toPlainText(), timeout=10_000)
    panel.geometry.setText(str(tmp_path / "missing.star"))
    choose(picked, "relion5")
    qtbot.waitUntil(lambda: "no such file" in panel.preview.text(), timeout=10_000)
    assert not panel.export.isEnabled()
    assert panel.command.text() == ""
