"""What the Export step asks of each tomogram, by the keyboard and the mouse, and what the command line makes of it."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

import mrcfile
import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLineEdit

from core.cli import run
from core.config import ReviewConfig
from core.io.particles import read_particles
from core.io.particles.asking import Asked
from core.io.particles.registry import WRITABLE, format_named
from core.io.volumes import write_mrc
from core.particles import ParticleTable, Status
from core.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.launch import Application
    from app.panels.export import ExportPanel

NAMES = ("rec_TS_01_bin4", "rec_TS_12_bin4", "empty")
TOMOGRAMS = """data_global

loop_
_rlnTomoName #1
_rlnTomoTiltSeriesPixelSize #2
_rlnTomoSizeX #3
_rlnTomoSizeY #4
_rlnTomoSizeZ #5
TS_01 2.5 241 240 65
Position_12 2.5 240 240 64
"""


@pytest.fixture
def filled(desk: Application, tmp_path: Path) -> Application:
    """Two tomograms with particles and one without."""
    rng = np.random.default_rng(0)
    files = [tmp_path / f"{name}.mrc" for name in NAMES]
    for file in files:
        write_mrc(file, np.zeros((16, 60, 60), np.int8), 10.0)
    desk.project.close()
    desk.project.open_paths([str(file) for file in files])
    spec = desk.session.classes[1]
    desk.session.project.store.update_class(replace(spec, diameter=20.0))  # so small that none hides another
    for name in NAMES[:2]:
        for status in (Status.ACCEPTED, Status.CANDIDATE, Status.REJECTED):
            places = rng.uniform((0, 0, 0), (15, 59, 59), (9, 3))
            desk.session.project.store.add_many(ParticleTable.build(name, places, scores=rng.random(9), status=status))
    desk.window.go_to_step(4)
    desk.window.export.scope.setCurrentIndex(1)
    return desk


def choose(panel: ExportPanel, name: str) -> None:
    panel.kind.setCurrentIndex(next(row for row in range(panel.kind.count()) if panel.kind.itemData(row)[0] == name))


def shown(panel: ExportPanel) -> list[Asked]:
    cells = panel.tomograms.cells
    return [] if panel.tomograms.isHidden() else [one for at, one in enumerate(Asked, 1) if not cells.isColumnHidden(at)]


def cell(panel: ExportPanel, row: int, asked: Asked) -> str:
    return panel.tomograms.cells.item(row, 1 + list(Asked).index(asked)).text()


def type_in(qtbot: QtBot, panel: ExportPanel, row: int, asked: Asked, text: str) -> None:
    """Double-click a cell, type and press Enter, as people do."""
    cells = panel.tomograms.cells
    panel.area.ensureWidgetVisible(cells)
    place = cells.visualItemRect(cells.item(row, 1 + list(Asked).index(asked))).center()
    qtbot.mouseClick(cells.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseDClick(cells.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: cells.viewport().findChild(QLineEdit) is not None)
    editor = cells.viewport().findChild(QLineEdit)
    editor.selectAll()
    qtbot.keyClick(editor, Qt.Key.Key_Delete)
    qtbot.keyClicks(editor, text)
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: cells.viewport().findChild(QLineEdit) is None)


def same_by_command(application: Application, folder: Path, name: str) -> dict[str, bytes]:
    """Press Export, run the shown command into another folder, and return the files, which must be the same."""
    panel, places = application.window.export, (folder / "window", folder / "command")
    for place in places:
        place.mkdir()
    panel.path.setText(str(places[0] / name))
    words = shlex.split(panel.command.text())
    application.export.export()
    assert "read back and checked" in panel.result.text()
    application.project.close()
    assert run([word.replace(str(places[0]), str(places[1])) for word in words[1:]]) == 0
    ours, theirs = (contents(place) for place in places)
    assert ours
    assert ours == theirs
    return ours


def contents(folder: Path) -> dict[str, list[bytes]]:
    """Lines of all files but comments, which tell the time, with the folder's own name taken out."""
    found = {}
    for file in sorted(one for one in folder.rglob("*") if one.is_file()):
        text = file.read_bytes().replace(str(folder).encode(), b"")
        found[str(file.relative_to(folder))] = [line for line in text.splitlines() if not line.startswith(b"#")]
    return found


@pytest.mark.parametrize(
    ("format", "columns"),
    [
        ("relion5", [Asked.NAME, Asked.SIZE]),
        ("relion4", [Asked.NAME]),
        ("csv", [Asked.NAME]),
        ("stopgap", [Asked.NUMBER]),
        ("em-motl", [Asked.NUMBER]),
        ("dynamo", [Asked.NAME, Asked.NUMBER]),
    ],
)
def test_only_what_the_format_needs_is_asked(filled: Application, format: str, columns: list[Asked]) -> None:
    panel = filled.window.export
    choose(panel, format)
    assert shown(panel) == columns
    assert [panel.tomograms.cells.item(row, 0).text() for row in range(panel.tomograms.cells.rowCount())] == list(NAMES[:2])
    assert panel.pixel_size.isVisible() == format.startswith("relion")


def test_untouched_values_say_where_they_come_from(filled: Application, tmp_path: Path) -> None:
    panel = filled.window.export
    choose(panel, "stopgap")
    assert [cell(panel, row, Asked.NUMBER) for row in (0, 1)] == ["1", "12"]
    assert panel.tomograms.sources.text() == "From the end of the name: number."
    choose(panel, "relion5")
    assert (cell(panel, 0, Asked.SIZE), cell(panel, 0, Asked.NAME)) == ("", "TS_01")
    panel.pixel_size.setValue(2.5)
    assert cell(panel, 0, Asked.SIZE) == "240,240,64"
    assert "times its binning" in panel.tomograms.sources.text()
    (tmp_path / "tomograms.star").write_text(TOMOGRAMS)
    panel.geometry.setText(str(tmp_path / "tomograms.star"))
    assert "does not name 'TS_12'" in panel.preview.text()
    panel.tomograms.cells.item(1, 1).setText("Position_12")
    assert "tomograms.star: unbinned size and pixel size." in panel.tomograms.sources.text()
    assert (cell(panel, 0, Asked.SIZE), cell(panel, 0, Asked.PIXEL_SIZE)) == ("241,240,65", "2.5")
    assert not panel.tomograms.cells.item(0, 3).flags() & Qt.ItemFlag.ItemIsEditable
    assert not panel.pixel_size.isEnabled()
    assert panel.export.isEnabled()


@pytest.mark.parametrize("format", ["stopgap", "dynamo", "em-motl"])
def test_numbers_are_typed_kept_and_written(filled: Application, tmp_path: Path, qtbot: QtBot, format: str) -> None:
    panel, folder = filled.window.export, filled.session.project.folder
    choose(panel, format)
    assert "--number" not in panel.command.text()
    type_in(qtbot, panel, 0, Asked.NUMBER, "0x4y2")  # neither a leading nought nor a letter goes in
    assert panel.config.numbers == {NAMES[0]: 42}
    assert f"--number {NAMES[0]}=42 --number {NAMES[1]}=12" in panel.command.text()
    name = f"picks{panel.suffix}"
    same_by_command(filled, tmp_path, name)
    assert load_settings(folder / "settings.toml")[0].export.numbers == {NAMES[0]: 42}
    found = read_particles(tmp_path / "window" / name, format=format)
    assert set(found.tomograms) == ({*NAMES[:2]} if format == "dynamo" else {"42", "12"})


def test_an_emptied_cell_goes_back_to_what_is_found(filled: Application, qtbot: QtBot) -> None:
    panel = filled.window.export
    choose(panel, "stopgap")
    type_in(qtbot, panel, 1, Asked.NUMBER, "7")
    type_in(qtbot, panel, 1, Asked.NUMBER, "")
    assert (cell(panel, 1, Asked.NUMBER), panel.config.numbers) == ("12", {})


def test_two_of_one_number_are_refused_before_the_export(filled: Application, qtbot: QtBot) -> None:
    panel = filled.window.export
    choose(panel, "stopgap")
    type_in(qtbot, panel, 0, Asked.NUMBER, "12")
    panel.path.setText("picks.star")
    qtbot.waitUntil(lambda: "a number of its own" in panel.tree.toPlainText(), timeout=10_000)


def test_unbinned_sizes_are_typed_and_written(filled: Application, tmp_path: Path, qtbot: QtBot) -> None:
    panel = filled.window.export
    choose(panel, "relion5")
    panel.pixel_size.setValue(2.5)
    type_in(qtbot, panel, 0, Asked.SIZE, "242, 241, 66")
    panel.tomograms.same.trigger()
    type_in(qtbot, panel, 1, Asked.SIZE, "239,240,64")
    assert panel.config.sizes == {NAMES[0]: "242, 241, 66", NAMES[1]: "239,240,64"}
    before = filled.session.project.store.table(NAMES[0], status=Status.ACCEPTED).positions
    same_by_command(filled, tmp_path, "picks.star")
    text = (tmp_path / "window" / "picks" / "TS_01.star").read_text()
    rows = [line.split() for line in text.splitlines() if line and line[0] in "T-0123456789" and "TS_01" in line]
    written = np.array([[float(word) for word in row if word != "TS_01"][:3] for row in rows])
    np.testing.assert_allclose(written, before[:, ::-1] * 10 - np.array([242, 241, 66]) / 2 * 2.5, atol=1e-3)


@pytest.mark.parametrize(("typed", "words"), [("64,240,240", "does not fit"), ("240,240", "Expected the unbinned size")])
def test_a_size_that_cannot_be_is_refused_with_a_sentence(filled: Application, qtbot: QtBot, typed: str, words: str) -> None:
    panel = filled.window.export
    choose(panel, "relion5")
    panel.pixel_size.setValue(2.5)
    type_in(qtbot, panel, 0, Asked.SIZE, typed)
    qtbot.waitUntil(lambda: words in panel.tree.toPlainText() + panel.preview.text(), timeout=10_000)


def test_a_tomograms_star_that_lacks_the_empty_ones_does_for_both(filled: Application, tmp_path: Path) -> None:
    panel, folder = filled.window.export, filled.session.project.folder
    (tmp_path / "tomograms.star").write_text(TOMOGRAMS)
    choose(panel, "relion5")
    panel.geometry.setText(str(tmp_path / "tomograms.star"))
    panel.tomograms.cells.item(1, 1).setText("Position_12")
    same_by_command(filled, tmp_path, "picks.star")
    kept = load_settings(folder / "settings.toml")[0].export
    assert kept.tomograms_star == str(tmp_path / "tomograms.star")
    filled.project.open_path(str(folder))
    assert panel.geometry.text() == kept.tomograms_star


@pytest.mark.engine
@pytest.mark.parametrize("what", range(5))
def test_whatever_is_chosen_the_command_chooses_too(filled: Application, tmp_path: Path, what: int) -> None:
    panel = filled.window.export
    choose(panel, "csv")
    panel.which.setCurrentIndex(what)
    filled.session.set_review({1: ReviewConfig(threshold=0.0)})
    written = same_by_command(filled, tmp_path, "picks.csv")
    expected = {0: 9, 1: 18, 2: 9, 3: 9, 4: 27}[what] * 2
    assert len(written["picks.csv"]) - 1 == expected


def test_a_missing_voxel_size_is_asked_for(filled: Application) -> None:
    panel, project = filled.window.export, filled.session.project
    with mrcfile.open(project.store.tomogram(NAMES[2]).path, "r+") as file:
        file.voxel_size = 0.0
    project.store.add_many(ParticleTable.build(NAMES[2], np.array([[1.0, 2, 3]])))
    choose(panel, "cmm")
    assert f"Give the voxel size of {NAMES[2]} in step 1" in panel.preview.text()
    assert not panel.export.isEnabled()
    project.store.update_tomogram(replace(project.store.tomogram(NAMES[2]), voxel_size=12.0))
    panel.edited.emit()
    assert panel.export.isEnabled()


@pytest.mark.engine
@pytest.mark.parametrize("name", [known.name for known in WRITABLE])
def test_what_nobody_touched_is_what_the_command_line_takes(filled: Application, name: str) -> None:
    panel = filled.window.export
    choose(panel, name)
    assert panel.options == {}
    assert "--option" not in panel.command.text()
    if panel.choices is not None:
        assert panel.choices.config() == format_named(name).options()


def test_a_pixel_size_keeps_its_digits(filled: Application, qtbot: QtBot) -> None:
    panel = filled.window.export
    choose(panel, "relion4")
    assert panel.pixel_size.text() == "not given"
    panel.pixel_size.selectAll()
    qtbot.keyClicks(panel.pixel_size, "1.34567")
    qtbot.keyClick(panel.pixel_size, Qt.Key.Key_Return)
    assert (panel.pixel_size.text(), panel.config.pixel_size) == ("1.34567 Å", 1.34567)
    assert "--pixel-size 1.34567 " in panel.command.text() + " "
