from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from core.annotations import Role
from core.errors import FileFormatError, PickerError, ProjectError
from core.io.particles import TiltSeriesGeometry, read_particles
from core.io.particles.values import Unit
from core.io.volumes import write_mrc
from core.particles import ClassSpec, ParticleTable, Status
from core.project import Project
from core.project.moving import found_again
from core.tomogram import Box

if TYPE_CHECKING:
    from collections.abc import Iterator

SHAPE = (20, 60, 40)
VOXEL_SIZE = 13.48


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    path = tmp_path / "rec_TS_01.mrc"
    write_mrc(path, np.zeros(SHAPE, np.float32), VOXEL_SIZE)
    return path


@pytest.fixture
def project(tmp_path: Path, volume: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "work") as project:
        project.store.add_class(ClassSpec(id=1, name="ribosome", diameter=250.0))
        project.add_tomogram(volume)
        yield project


def _text(folder: Path, text: str, name: str = "picks.coords") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def _coords(folder: Path, zyx: Any) -> Path:
    return _text(folder, "".join(f"{x} {y} {z}\n" for z, y, x in np.asarray(zyx)))


def _spread(n: int = 40) -> Any:
    return np.random.default_rng(0).random((n, 3)) * (np.asarray(SHAPE) - 1)


# ---- the folder ----


def test_a_project_is_made_and_opened_again(tmp_path: Path, project: Project) -> None:
    assert {path.name for path in project.folder.iterdir()} >= {"models", "runs", "project.db"}
    assert (project.models, project.runs) == (tmp_path / "work" / "models", tmp_path / "work" / "runs")
    assert project.runs.is_dir()
    assert project.notice == ""
    project.close()
    for place in (project.folder, project.folder / "project.db"):
        with Project.open(place) as again:
            assert [record.id for record in again.store.tomograms()] == ["rec_TS_01"]


def test_a_project_may_be_made_where_data_lie_already(volume: Path) -> None:
    with Project.create(volume.parent) as project:
        project.add_tomogram(volume)
    assert volume.exists()


def test_folders_that_are_no_projects_are_a_sentence(tmp_path: Path, project: Project, volume: Path) -> None:
    with pytest.raises(ProjectError, match="is a project already; open it"):
        Project.create(project.folder)
    with pytest.raises(ProjectError, match=r"is not a project: it has no project\.db"):
        Project.open(tmp_path)
    with pytest.raises(ProjectError, match=r"There is no folder .*nowhere"):
        Project.open(tmp_path / "nowhere")
    with pytest.raises(ProjectError, match="is not a project"):
        Project.open(volume)
    with pytest.raises(PickerError, match="a file of this name is in the way"):
        Project.create(volume)


def test_no_permission_to_make_a_project_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)  # stands for the real thing, which does not happen to root
    with pytest.raises(PickerError, match=r"Cannot make the folder .*: you have no permission"):
        Project.create(tmp_path / "work")


def test_a_second_opener_is_told(project: Project) -> None:
    with Project.open(project.folder) as second:
        assert "open in another window" in second.notice
        with pytest.raises(ProjectError, match="Nothing was changed"):
            second.store.undo()


def test_runs_never_share_a_folder(project: Project) -> None:
    runs = [project.new_run("train"), project.new_run("train"), project.new_run("pick the/rest")]
    assert len(set(runs)) == 3
    assert all(run.is_dir() and run.parent == project.runs for run in runs)
    assert runs[2].name.endswith("-pick_the_rest")


# ---- tomograms ----


def test_a_tomogram_opens_with_what_the_user_told(project: Project, volume: Path) -> None:
    region = Box((0, 0, 0), (20, 30, 40))
    project.add_tomogram(volume, voxel_size=10.0, id="again", region=region, complete=True, role=Role.VALIDATION)
    assert project.tomogram("rec_TS_01").voxel_size == pytest.approx(VOXEL_SIZE, abs=1e-4)
    assert project.tomogram("again").voxel_size == 10
    assert project.tomogram("again").shape == SHAPE
    assert project.tomogram("again").id == "again"
    assert project.store.tomogram("again").region == region


def test_tomograms_that_cannot_be_added_are_a_sentence(project: Project, volume: Path, tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="'rec_TS_01' already"):
        project.add_tomogram(volume)
    with pytest.raises(FileFormatError):
        project.add_tomogram(tmp_path / "nothing.mrc")
    with pytest.raises(ProjectError, match="reaches outside"):
        project.add_tomogram(volume, id="b", region=Box((0, 0, 0), (21, 10, 10)))
    assert len(project.store.tomograms()) == 1


def test_a_missing_file_is_named_with_what_to_do(project: Project, volume: Path) -> None:
    moved = volume.rename(volume.with_name("moved.mrc"))
    with pytest.raises(ProjectError, match=r"not at .*rec_TS_01\.mrc any more; bring it back"):
        project.tomogram("rec_TS_01")
    assert found_again(project, "rec_TS_01", moved) == ("rec_TS_01",)
    assert project.tomogram("rec_TS_01").path == moved


def test_files_that_were_moved_together_are_found_together_and_undone_as_one(project: Project, volume: Path) -> None:
    project.add_tomogram(shutil.copy(volume, volume.with_name("second.mrc")))
    folder = volume.parent / "elsewhere"
    folder.mkdir()
    for name in (volume.name, "second.mrc"):
        volume.with_name(name).rename(folder / name)
    assert set(found_again(project, "rec_TS_01", folder / volume.name)) == {"rec_TS_01", "second"}
    assert project.tomogram("second").path == folder / "second.mrc"
    project.store.undo()
    assert project.store.tomogram("second").path == volume.with_name("second.mrc")


def test_a_moved_file_is_not_taken_for_another_tomogram_of_the_same_name(project: Project, volume: Path) -> None:
    for name in ("b", "c"):
        (volume.parent / name).mkdir()
        project.add_tomogram(shutil.copy(volume, volume.parent / name / volume.name), id=name)
        (volume.parent / name / volume.name).unlink()
    folder = volume.parent / "elsewhere"
    folder.mkdir()
    volume.rename(folder / volume.name)
    assert found_again(project, "rec_TS_01", folder / volume.name) == ("rec_TS_01",)
    assert project.store.tomogram("b").path == volume.parent / "b" / volume.name


def test_a_file_in_which_the_particles_have_no_room_is_not_taken_for_the_one_that_was_moved(project: Project, volume: Path) -> None:
    project.store.add_class(ClassSpec(id=7, name="a", diameter=100.0))
    project.store.add("rec_TS_01", (np.array(SHAPE) - 1).tolist(), 7)
    write_mrc(volume.with_name("small.mrc"), np.zeros((4, 4, 4), np.int8), 10.0)
    volume.rename(volume.with_name("moved.mrc"))
    with pytest.raises(ProjectError, match="would lie outside"):
        found_again(project, "rec_TS_01", volume.with_name("small.mrc"))
    assert project.store.tomogram("rec_TS_01").path == volume


def test_a_project_moves_with_the_tomograms_inside(tmp_path: Path, project: Project, volume: Path) -> None:
    inside = project.folder / "data.mrc"
    shutil.copy(volume, inside)
    project.add_tomogram(inside)
    project.close()
    moved = project.folder.rename(tmp_path / "elsewhere")
    with Project.open(moved) as again:
        assert again.tomogram("data").path == moved / "data.mrc"


# ---- import ----


def test_an_import_is_exact_and_one_change(project: Project, tmp_path: Path) -> None:
    positions = _spread()
    done = project.import_particles(_coords(tmp_path, positions), "rec_TS_01")
    table = project.store.table("rec_TS_01")
    np.testing.assert_array_equal(table.positions, positions)
    np.testing.assert_array_equal(table.ids, done.ids)
    assert (done.dropped, done.elsewhere, done.notices) == (0, 0, ())
    assert project.store.undo() == "Import 40 particles from picks.coords"
    assert len(project.store.table("rec_TS_01")) == 0


def test_class_score_and_status_arrive(project: Project, tmp_path: Path) -> None:
    project.store.add_class(ClassSpec(id=5, name="proteasome", diameter=100.0))
    path = _text(tmp_path, "class,x,y,z,score\nproteasome,1,2,3,0.5\nribosome,1,2,3,\n5,1,2,3,1\n", "a.csv")
    project.import_particles(path, "rec_TS_01", status=Status.CANDIDATE)
    table = project.store.table("rec_TS_01")
    assert table.class_ids.tolist() == [5, 1, 5]
    np.testing.assert_array_equal(table.scores, [0.5, np.nan, 1])
    assert set(table.statuses) == {Status.CANDIDATE}
    project.import_particles(path, "rec_TS_01", class_id=1)
    assert project.store.table("rec_TS_01").class_ids.tolist() == [5, 1, 5, 1, 1, 1]


@pytest.mark.parametrize("unit", [Unit.ANGSTROM, Unit.PIXEL, Unit.CENTRED, Unit.VOXEL])
def test_units_are_turned_into_voxels(project: Project, tmp_path: Path, unit: Unit) -> None:
    tilt_series = TiltSeriesGeometry(pixel_size=3.37, size=(81, 239, 160))
    voxel_size = project.tomogram("rec_TS_01").voxel_size
    factors = {Unit.ANGSTROM: voxel_size, Unit.PIXEL: voxel_size / 3.37, Unit.CENTRED: voxel_size, Unit.VOXEL: 1.0}
    origin = np.array([81, 239, 160]) * 3.37 / 2 if unit is Unit.CENTRED else 0.0
    z, y, x = np.array([3, 2, 1.5]) * factors[unit] - origin
    path = _text(tmp_path, f"x,y,z\n{x},{y},{z}\n", "a.csv")
    project.import_particles(path, "rec_TS_01", unit=unit, tilt_series=tilt_series)
    np.testing.assert_allclose(project.store.table("rec_TS_01").positions, [[3, 2, 1.5]], atol=1e-9)


def test_only_rows_of_the_tomogram_are_taken(project: Project, tmp_path: Path) -> None:
    path = _text(tmp_path, "tomogram,x,y,z\nTS_01,1,2,3\nTS_02,4,5,6\nTS_01,7,8,9\n", "a.csv")
    done = project.import_particles(path, "rec_TS_01")
    assert (len(done.ids), done.elsewhere) == (2, 1)
    assert project.import_particles(path, "rec_TS_01", name="TS_02").elsewhere == 2
    with pytest.raises(FileFormatError, match="No row of the file is for tomogram 'TS_03'; it names TS_01, TS_02: say which"):
        project.import_particles(path, "rec_TS_01", name="TS_03")


@pytest.mark.parametrize(
    ("distort", "hint"),
    [
        (lambda zyx: zyx * 4, r"about 4 times too large \(were they picked at another binning\? Give the scale 0\.25\)"),
        (lambda zyx: zyx * VOXEL_SIZE, r"about 13\.48 times too large \(are they in Å\? Give the scale 0\.07418\)"),
        (lambda zyx: zyx[:, ::-1], "if x and z were exchanged"),
        (lambda zyx: zyx + np.array([0, 0, 35]), "which has 40 x 60 x 20 voxels"),
    ],
)
def test_points_outside_are_refused_with_a_hint(project: Project, tmp_path: Path, distort: Any, hint: str) -> None:
    path = _coords(tmp_path, distort(_spread()))
    with pytest.raises(FileFormatError, match=r"\d+ of 40 positions lie outside .*" + hint):
        project.import_particles(path, "rec_TS_01")
    assert len(project.store.table("rec_TS_01")) == 0


def test_the_hint_leads_to_the_right_place(project: Project, tmp_path: Path) -> None:
    project.import_particles(_coords(tmp_path, _spread() * 4), "rec_TS_01", scale=0.25)
    np.testing.assert_allclose(project.store.table("rec_TS_01").positions, _spread())


def test_few_points_outside_are_no_reason_to_doubt_the_binning(project: Project, tmp_path: Path) -> None:
    path = _coords(tmp_path, [*_spread(9), (5, 5, 41)])
    with pytest.raises(FileFormatError, match="1 of 10 positions lie outside") as told:
        project.import_particles(path, "rec_TS_01")
    assert "times" not in str(told.value)
    done = project.import_particles(path, "rec_TS_01", outside="drop")
    assert (len(done.ids), done.dropped) == (9, 1)
    done = project.import_particles(path, "rec_TS_01", outside="keep")
    assert (len(done.ids), done.dropped) == (10, 0)


def test_what_looks_odd_is_told(project: Project, tmp_path: Path) -> None:
    done = project.import_particles(_coords(tmp_path, _spread() / 2), "rec_TS_01")
    assert any("first half of every axis" in notice for notice in done.notices)
    star = _text(tmp_path, "data_\n\nloop_\n" + "".join(f"_rlnCenteredCoordinate{a}Angst\n" for a in "XYZ") + "0 0 0\n", "a.star")
    done = project.import_particles(star, "rec_TS_01")
    assert any("unbinned size" in notice for notice in done.notices)
    np.testing.assert_allclose(project.store.table("rec_TS_01").positions[-1], np.asarray(SHAPE) / 2)


@pytest.mark.parametrize(
    ("text", "options", "sentence"),
    [
        ("class,x,y,z\nvirus,1,2,3\n", {}, r"class virus, which the project does not; it has 1 \(ribosome\)"),
        ("class_id,x,y,z\n3,1,2,3\n", {}, "class 3, which the project does not"),
        ("x,y,z\n1,2,3\n", {"class_id": 8}, "no class 8"),
        ("x,y,z\n1,2,3\n", {"unit": Unit.PIXEL}, "pixels of the tilt series; give its pixel size"),
        ("x,y,z\n1,2,here\n", {}, "line 2"),
    ],
)
def test_what_does_not_fit_is_a_sentence(
    project: Project, tmp_path: Path, text: str, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(PickerError, match=sentence):
        project.import_particles(_text(tmp_path, text, "a.csv"), "rec_TS_01", **options)
    assert project.store.undo() == "Add tomogram rec_TS_01"


def test_a_file_without_classes_needs_to_know_which(project: Project, tmp_path: Path) -> None:
    project.store.add_class(ClassSpec(id=2, name="proteasome", diameter=100.0))
    with pytest.raises(FileFormatError, match=r"does not tell the class .* 1 \(ribosome\), 2 \(proteasome\)"):
        project.import_particles(_coords(tmp_path, [[1, 2, 3]]), "rec_TS_01")


# ---- export ----


@pytest.mark.parametrize("suffix", [".csv", ".star", ".coords"])
def test_an_export_comes_back(project: Project, tmp_path: Path, suffix: str) -> None:
    project.store.add_many(ParticleTable.build("rec_TS_01", _spread()))
    rejected = project.store.add("rec_TS_01", (1, 1, 1), 1, status=Status.REJECTED)
    series = {"rec_TS_01": TiltSeriesGeometry(pixel_size=3.37, size=(80, 240, 160))}
    written = project.export_particles(tmp_path / f"out{suffix}", tilt_series=series)
    project.store.remove(project.store.table("rec_TS_01").ids)
    told = "coords" if suffix == ".coords" else None
    project.import_particles(written.files[0], "rec_TS_01", format=told, tilt_series=series["rec_TS_01"])
    found = project.store.table("rec_TS_01")
    np.testing.assert_allclose(found.positions, _spread(), atol=1e-3)
    assert rejected not in found.ids


def test_an_export_may_be_a_part(project: Project, volume: Path, tmp_path: Path) -> None:
    project.store.add_class(ClassSpec(id=2, name="proteasome", diameter=100.0))
    project.add_tomogram(volume, id="b")
    for tomogram in ("rec_TS_01", "b"):
        project.store.add_many(ParticleTable.build(tomogram, _spread(4), [1, 2, 2, 1]))
    path = tmp_path / "a.csv"
    project.export_particles(path, tomogram_ids=["b"], class_ids=[2], names={"b": "TS_77"})
    picks = read_particles(path)
    assert picks.tomograms == ("TS_77", "TS_77")
    assert picks.class_names == ("proteasome", "proteasome")
    project.export_particles(path)
    assert len(read_particles(path)) == 8
