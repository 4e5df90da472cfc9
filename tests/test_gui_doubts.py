"""What looks odd about particles is told by the command line and by the dialog alike, and on the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mrcfile
import numpy as np
import pytest

pytest.importorskip("napari")

from core.cli import run
from core.io.particles import TomogramPicks, write_parts
from core.io.particles.frames import Frame
from core.io.volumes import write_mrc
from core.particles import ClassSpec, ParticleTable, Status
from core.project import Project
from core.project.checking import looks_mirrored
from core.tomogram import Tomogram

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.launch import Application

SHAPE, SIZE = (40, 120, 120), 10.0
PARTICLE = ClassSpec(id=1, name="particle", diameter=200.0)
STAR = (
    "data_global\n\nloop_\n_rlnTomoName #1\n_rlnTomoTiltSeriesPixelSize #2\n_rlnTomoSizeX #3\n_rlnTomoSizeY #4\n_rlnTomoSizeZ #5\n"
    "TS_01 5 480 480 160\n"
)
WARNINGS = {
    "right": "",
    "outside": "2 of 30 positions lie outside TS_01",
    "binned": "about 2 times as much",
    "unbinned": "divided by 4",
    "small": "such as 4",
    "star": "is about 2 times the extent",
    "mirrored": "if z were mirrored",
    "origin": "puts the first voxel at (30, 20, 10)",
}


def places() -> np.ndarray:
    """Thirty on a grid, all in the lower half of z."""
    grid = np.stack(np.meshgrid([6, 14], [15, 45, 75], [20, 40, 60, 80, 100], indexing="ij"), axis=-1)
    return grid.reshape(-1, 3).astype(float)


def specimen() -> np.ndarray:
    """Dark balls of 80 Å where the particles are, in noise."""
    volume = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    for z, y, x in places().astype(int):
        volume[z - 3 : z + 4, y - 4 : y + 5, x - 4 : x + 5] -= 1.0
    return volume


def case(name: str, folder: Path) -> list[str]:
    """Write a tomogram and a file of particles with something odd; return the options that the import takes."""
    tomogram, at = folder / "TS_01.mrc", places()
    write_mrc(tomogram, specimen(), SIZE)
    if name == "origin":
        with mrcfile.open(tomogram, "r+") as file:
            file.header.origin = (30, 20, 10)
    if name == "outside":
        at[:2, 2] = 500
    if name == "mirrored":
        at[:, 0] = SHAPE[0] - 1 - at[:, 0]
    at = {"small": at / 5, "unbinned": at * 4}.get(name, at)
    frame = Frame(voxel_size=20.0 if name == "binned" else SIZE, shape=SHAPE)
    if name == "star":
        (folder / "tomograms.star").write_text(STAR)
        at_pixels = "\n".join(f"TS_01 {x * 2} {y * 2} {z * 2}" for z, y, x in at)
        head = "data_particles\n\nloop_\n_rlnTomoName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n_rlnCoordinateZ #4\n"
        (folder / "in.star").write_text(head + at_pixels + "\n")
        return [str(folder / "in.star"), "--tomograms-star", str(folder / "tomograms.star")]
    path = folder / ("in.tbl" if name == "binned" else "in.csv")
    part = TomogramPicks(name="TS_01", table=ParticleTable.build("TS_01", at), frame=frame)
    write_parts(path, [part], [PARTICLE], format="dynamo" if name == "binned" else "csv")
    return [str(path)]


@pytest.mark.engine
@pytest.mark.parametrize("name", WARNINGS)
def test_the_command_line_warns_on_the_way_in(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    words = case(name, tmp_path)
    with Project.create(tmp_path / "project") as project:
        project.store.add_class(PARTICLE)
        project.add_tomogram(tmp_path / "TS_01.mrc")
    assert run(["import", str(tmp_path / "project"), *words, "--tomogram", "TS_01", "--outside", "keep"]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert {one for one, text in WARNINGS.items() if text and text in said} == ({name} - {"right"})


@pytest.mark.parametrize("name", WARNINGS)
def test_the_dialog_warns_on_the_way_in(desk: Application, tmp_path: Path, name: str) -> None:
    words = case(name, tmp_path)
    desk.project.close()
    desk.project.open_paths([str(tmp_path / "TS_01.mrc")])
    dialog = desk.window.importing
    dialog.outside.setCurrentIndex(dialog.outside.findData("keep"))
    dialog.star.setText(words[-1] if name == "star" else "")
    desk.importing.open_path(words[0])
    said = dialog.problem.text()
    allowed = dialog.accept_button.isEnabled()
    dialog.reject()
    dialog.star.clear()
    assert allowed
    assert {one for one, text in WARNINGS.items() if text and text in said} == ({name} - {"right"})


def test_a_refusal_does_not_hide_the_other_warnings(desk: Application, tmp_path: Path) -> None:
    words = case("outside", tmp_path)
    with mrcfile.open(tmp_path / "TS_01.mrc", "r+") as file:
        file.header.origin = (30, 20, 10)
    desk.project.close()
    desk.project.open_paths([str(tmp_path / "TS_01.mrc")])
    dialog = desk.window.importing
    dialog.outside.setCurrentIndex(dialog.outside.findData(None))
    desk.importing.open_path(words[0])
    assert not dialog.accept_button.isEnabled()
    assert "choose drop" in dialog.problem.text()
    assert dialog.problem.text().count("lie outside") == 1
    assert WARNINGS["origin"] in dialog.problem.text()
    dialog.reject()


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A project with a particle outside its tomogram, which has a header origin, and a tomograms.star of another binning."""
    case("origin", tmp_path)
    (tmp_path / "tomograms.star").write_text(STAR)
    with Project.create(tmp_path / "project") as project:
        project.store.add_class(PARTICLE)
        project.add_tomogram(tmp_path / "TS_01.mrc")
        at = places()
        at[:2, 2] = 500
        project.store.add_many(ParticleTable.build("TS_01", at, status=Status.ACCEPTED))
    return tmp_path / "project"


@pytest.mark.engine
def test_the_command_line_warns_on_the_way_out(odd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--format", "relion5", "--tomograms-star", str(tmp_path / "tomograms.star")]
    assert run(["export", str(odd), "--out", str(tmp_path / "out" / "picks.star"), *words]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert [name for name in ("outside", "star", "origin") if WARNINGS[name] in said] == ["outside", "star", "origin"]


def test_the_export_step_warns_before_anything_is_written(desk: Application, odd: Path, tmp_path: Path, qtbot: QtBot) -> None:
    desk.project.close()
    desk.project.open_path(str(odd))
    desk.window.go_to_step(4)
    panel = desk.window.export
    panel.kind.setCurrentIndex(next(row for row in range(panel.kind.count()) if panel.kind.itemData(row)[0] == "relion5"))
    panel.geometry.setText(str(tmp_path / "tomograms.star"))
    panel.path.setText(str(tmp_path / "out" / "picks.star"))
    qtbot.waitUntil(lambda: WARNINGS["origin"] in panel.notices.text(), timeout=10_000)
    assert panel.notices.isVisible()
    assert WARNINGS["outside"] in panel.notices.text()
    assert WARNINGS["star"] in panel.notices.text()
    assert not (tmp_path / "out").exists()


@pytest.mark.engine
def test_too_few_particles_or_none_to_see_say_nothing_of_mirrors() -> None:
    turned = places()
    turned[:, 0] = SHAPE[0] - 1 - turned[:, 0]
    tomogram = Tomogram(id="t", path=None, voxel_size=SIZE, data=specimen())
    assert looks_mirrored(turned, tomogram)
    assert not looks_mirrored(turned[:19], tomogram)
    noise = Tomogram(id="t", path=None, voxel_size=SIZE, data=np.random.default_rng(1).normal(size=SHAPE))
    rng = np.random.default_rng(2)
    assert not any(looks_mirrored(rng.uniform(0, np.array(SHAPE) - 1, (40, 3)), noise) for _ in range(100))
