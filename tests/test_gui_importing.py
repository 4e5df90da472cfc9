"""Importing in the window what the command line imports: numbers of tomograms, tilt series, choices of formats, the status."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

from core.cli import run
from core.io.particles import TiltSeriesGeometry, TomogramPicks, read_particles, write_parts
from core.io.particles.frames import Frame
from core.io.volumes import write_mrc
from core.particles import ClassSpec, ParticleTable, Status
from core.project import Project

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot
    from qtpy.QtWidgets import QPushButton

    from app.launch import Application
    from app.panels.importing import ImportDialog

EXPORT = 4  # the step
SHAPE, NAMES = (16, 60, 60), ("left", "right")
PLACES = np.array([[1.0, 2, 3], [4, 5, 6], [7.25, 8, 9]])
CLASSES = [ClassSpec(id=1, name="particle", diameter=200.0)]


@pytest.fixture
def two(desk: Application, tmp_path: Path) -> Application:
    """Two tomograms whose names tell no number."""
    for name in NAMES:
        write_mrc(tmp_path / f"{name}.mrc", np.zeros(SHAPE, np.int8), 10.0)
    desk.project.close()
    desk.project.open_paths([str(tmp_path / f"{name}.mrc") for name in NAMES])
    yield desk
    desk.window.importing.reject()
    desk.window.importing.kind.setCurrentIndex(0)
    desk.window.importing.star.clear()
    desk.window.importing.size.clear()
    desk.window.importing.pixel_size.setValue(0)
    desk.window.importing.status.setCurrentIndex(0)


def numbered(folder: Path, format: str, suffix: str) -> Path:
    """A file with particles of the tomograms 3 and 8."""
    frame = Frame(voxel_size=10.0, shape=SHAPE)
    parts = [
        TomogramPicks(name=f"t{number}", table=ParticleTable.build(f"t{number}", PLACES + number), frame=frame, number=number)
        for number in (3, 8)
    ]
    path = folder / f"in{suffix}"
    write_parts(path, parts, CLASSES, format=format)
    (folder / "in.doc").unlink(missing_ok=True)
    return path


def pick(qtbot: QtBot, dialog: ImportDialog, row: int, tomogram: str) -> None:
    """Choose in the list of a row by the keyboard."""
    combo = dialog.names.cells.cellWidget(row, 2)
    combo.setFocus()
    qtbot.keyClick(combo, Qt.Key.Key_Home)
    for _ in range(combo.findData(tomogram)):
        qtbot.keyClick(combo, Qt.Key.Key_Down)
    qtbot.keyClick(combo, Qt.Key.Key_Return)


def press(button: QPushButton) -> None:
    assert button.isEnabled(), button.toolTip()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def for_all(dialog: ImportDialog) -> None:
    dialog.target.setCurrentIndex(dialog.target.findData(None))


@pytest.mark.parametrize(("format", "suffix"), [("stopgap", ".star"), ("em-motl", ".em"), ("dynamo", ".tbl")])
def test_numbers_in_the_file_are_listed_and_asked_for(
    two: Application, tmp_path: Path, qtbot: QtBot, format: str, suffix: str
) -> None:
    dialog, store = two.window.importing, two.session.project.store
    two.importing.open_path(str(numbered(tmp_path, format, suffix)))
    for_all(dialog)
    cells = dialog.names.cells
    assert dialog.names.isVisible()
    assert [[cells.item(row, at).text() for at in (0, 1)] for row in range(cells.rowCount())] == [["3", "3"], ["8", "3"]]
    assert [cells.cellWidget(row, 2).currentText() for row in (0, 1)] == ["leave out", "leave out"]
    assert not dialog.accept_button.isEnabled()
    assert "it names 3, 8: say which of these it is" in dialog.problem.text()
    pick(qtbot, dialog, 0, "right")
    assert dialog.accept_button.isEnabled()
    assert "3 rows are for other tomograms" in dialog.count.text()
    pick(qtbot, dialog, 1, "left")
    qtbot.mouseClick(dialog.accept_button, Qt.MouseButton.LeftButton)
    for name, number in (("right", 3), ("left", 8)):
        np.testing.assert_allclose(store.table(name).positions, PLACES + number, atol=1e-4)


def test_text_that_means_several_things_is_asked_about(two: Application, tmp_path: Path) -> None:
    dialog = two.window.importing
    (tmp_path / "four.txt").write_text("1 20 30 4\n1 21 31 5\n")
    two.importing.open_path(str(tmp_path / "four.txt"))
    assert "class x y z for DeepETPicker (format coords), or x y z filament for crYOLO" in dialog.problem.text()
    assert not dialog.accept_button.isEnabled()
    for name, place in (("coords", "20.00"), ("cryolo", "1.00")):
        dialog.kind.setCurrentIndex(dialog.kind.findData(name))
        assert dialog.preview.item(0, 1).text() == place
    dialog.kind.setCurrentIndex(0)
    assert dialog.preview.rowCount() == 0


def test_one_number_for_the_one_tomogram_as_on_the_command_line(two: Application, tmp_path: Path, qtbot: QtBot) -> None:
    dialog, folder = two.window.importing, two.session.project.folder
    file = numbered(tmp_path, "stopgap", ".star")
    two.importing.open_path(str(file))
    dialog.target.setCurrentIndex(dialog.target.findData("left"))
    pick(qtbot, dialog, 1, "left")
    qtbot.mouseClick(dialog.accept_button, Qt.MouseButton.LeftButton)
    two.project.close()
    assert run(["import", str(folder), str(file), "--tomogram", "right", "--name", "8"]) == 0
    with Project.open(folder) as project:
        assert len(project.store.table("left")) == 3
        np.testing.assert_array_equal(project.store.table("left").positions, project.store.table("right").positions)


def test_another_file_forgets_the_answers(two: Application, tmp_path: Path, qtbot: QtBot) -> None:
    dialog = two.window.importing
    two.importing.open_path(str(numbered(tmp_path, "stopgap", ".star")))
    for_all(dialog)
    pick(qtbot, dialog, 0, "right")
    dialog.reject()
    two.importing.open_path(str(numbered(tmp_path, "em-motl", ".em")))
    for_all(dialog)
    assert dialog.names.assigned == {}
    assert not dialog.accept_button.isEnabled()


def test_names_that_are_known_are_not_asked_for(two: Application, tmp_path: Path) -> None:
    dialog = two.window.importing
    (tmp_path / "in.csv").write_text("tomogram,x,y,z\nleft,1,2,3\nright,4,5,6\nthird,7,8,9\n")
    two.importing.open_path(str(tmp_path / "in.csv"))
    for_all(dialog)
    assert not dialog.names.isVisible()
    assert dialog.accept_button.isEnabled()
    assert not dialog.star.isVisible()


def centred(folder: Path) -> Path:
    """A list of RELION 5 for an unbinned tomogram that is a little larger than the tomogram times its binning."""
    series = TiltSeriesGeometry(pixel_size=2.5, size=(66, 242, 244))
    frame = Frame(voxel_size=10.0, shape=SHAPE, tilt_series=series)
    part = TomogramPicks(name="left", table=ParticleTable.build("left", PLACES), frame=frame)
    write_parts(folder / "in.star", [part], CLASSES, format="relion5")
    (folder / "tomograms.star").write_text(
        "data_global\n\nloop_\n_rlnTomoName #1\n_rlnTomoTiltSeriesPixelSize #2\n_rlnTomoSizeX #3\n_rlnTomoSizeY #4\n"
        "_rlnTomoSizeZ #5\nleft 2.5 244 242 66\n"
    )
    return folder / "in.star"


@pytest.mark.parametrize("told", ["typed", "star"])
def test_pixel_and_unbinned_size_are_asked_for_where_the_file_counts_in_them(
    two: Application, tmp_path: Path, qtbot: QtBot, told: str
) -> None:
    dialog, folder, file = two.window.importing, two.session.project.folder, centred(tmp_path)
    two.importing.open_path(str(file))
    dialog.target.setCurrentIndex(dialog.target.findData("left"))
    assert dialog.star.isVisible()
    if told == "star":
        qtbot.keyClicks(dialog.star, str(tmp_path / "tomograms.star"))
        qtbot.keyClick(dialog.star, Qt.Key.Key_Return)
        assert not dialog.pixel_size.isEnabled()
    else:
        dialog.pixel_size.setValue(2.5)
        assert "unbinned size of the tomogram is not known" in dialog.problem.text()
        qtbot.keyClicks(dialog.size, "244,242,66")
        qtbot.keyClick(dialog.size, Qt.Key.Key_Return)
        assert "unbinned size" not in dialog.problem.text()
    dialog.status.setCurrentIndex(dialog.status.findData("candidate"))
    qtbot.mouseClick(dialog.accept_button, Qt.MouseButton.LeftButton)
    found = two.session.project.store.table("left")
    assert set(found.statuses.tolist()) == {Status.CANDIDATE}
    np.testing.assert_allclose(found.positions, PLACES, atol=1e-3)
    two.project.close()
    words = ["--tomograms-star", str(tmp_path / "tomograms.star")]
    words = words if told == "star" else ["--pixel-size", "2.5", "--unbinned-size", "244,242,66"]
    assert run(["import", str(folder), str(file), "--tomogram", "right", "--name", "left", *words, "--status", "candidate"]) == 0
    with Project.open(folder) as project:
        np.testing.assert_array_equal(project.store.table("right").positions, found.positions)


def test_a_size_that_does_not_fit_is_a_sentence(two: Application, tmp_path: Path) -> None:
    dialog = two.window.importing
    two.importing.open_path(str(centred(tmp_path)))
    dialog.target.setCurrentIndex(dialog.target.findData("left"))
    dialog.pixel_size.setValue(2.5)
    for text, words in (("64,240,240", "does not fit"), ("240", "Expected the unbinned size")):
        dialog.size.setText(text)
        dialog.size.editingFinished.emit()
        assert words in dialog.problem.text()
        assert not dialog.accept_button.isEnabled()


def test_choices_of_a_named_format_are_asked_for(two: Application, tmp_path: Path) -> None:
    dialog, file = two.window.importing, numbered(tmp_path, "dynamo", ".tbl")
    two.importing.open_path(str(file))
    assert dialog.choices is None
    dialog.kind.setCurrentIndex(dialog.kind.findData("dynamo"))
    assert list(dialog.choices.values()) == ["index_base", "half_pixel"]
    for_all(dialog)
    dialog.names.cells.cellWidget(0, 2).activated.emit(0)
    dialog.choices.set_values({"index_base": "0"})
    dialog.choices.edited.emit()
    two.importing.open_path(str(file))
    assert dialog.answers()["options"] == {"index_base": "0", "half_pixel": False}
    dialog.kind.setCurrentIndex(dialog.kind.findData("csv"))
    assert dialog.choices is None


def test_a_new_class_with_its_diameter(two: Application, tmp_path: Path, qtbot: QtBot) -> None:
    dialog, store = two.window.importing, two.session.project.store
    (tmp_path / "in.csv").write_text("x,y,z\n1,2,3\n")
    two.importing.open_path(str(tmp_path / "in.csv"))
    assert not dialog.class_name.isVisible()
    dialog.classes.setCurrentIndex(dialog.classes.count() - 1)
    assert dialog.class_name.isVisible()
    assert "Give the new class a name" in dialog.problem.text()
    qtbot.keyClicks(dialog.class_name, "particle")
    qtbot.keyClick(dialog.class_name, Qt.Key.Key_Return)
    dialog.diameter.setValue(250.0)
    assert "has a class 'particle' already" in dialog.problem.text()
    dialog.class_name.clear()
    qtbot.keyClicks(dialog.class_name, "proteasome")
    qtbot.keyClick(dialog.class_name, Qt.Key.Key_Return)
    assert dialog.count.text() == "1 particles, 0 of them outside; new classes: proteasome"
    qtbot.mouseClick(dialog.accept_button, Qt.MouseButton.LeftButton)
    assert [(spec.name, spec.diameter) for spec in store.classes()][-1] == ("proteasome", 250.0)
    two.window.undo.trigger()
    assert "proteasome" not in [spec.name for spec in store.classes()]
    dialog.classes.setCurrentIndex(0)


def test_a_file_is_converted_without_what_the_project_has(
    two: Application, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    two.annotate.add(np.array([2.0, 50, 50]))
    (tmp_path / "picks.coords").write_text("3 2 1\n6 5 4\n")
    dialog, panel = two.window.importing, two.window.export
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "picks.coords"), ""))
    QTimer.singleShot(0, lambda: press(dialog.accept_button))  # the dialog waits for it
    two.window.convert_particles.trigger()
    assert two.window.step == EXPORT
    assert panel.classes.currentText() == "picks"
    panel.kind.setCurrentIndex(next(row for row in range(panel.kind.count()) if panel.kind.itemData(row)[0] == "imod-text"))
    panel.path.setText(str(tmp_path / "out.txt"))
    press(panel.export)
    assert "2 particles written" in panel.result.text()
    written = read_particles(tmp_path / "out.txt", format="imod-text").voxels(Frame(voxel_size=10.0, shape=SHAPE))
    np.testing.assert_allclose(written, [[1, 2, 3], [4, 5, 6]])


def test_what_is_converted_needs_its_tomogram_and_asks_for_it(
    desk: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mrc(tmp_path / "only.mrc", np.zeros(SHAPE, np.int8), 10.0)
    desk.project.close()
    titles: list[str] = []
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda _parent, title, *_: (titles.append(title) or [], ""))
    desk.window.convert_particles.trigger()
    assert titles == ["The tomogram that the particles lie in"]
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([str(tmp_path / "only.mrc")], ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    desk.window.convert_particles.trigger()
    assert desk.session.tomogram.id == "only"
