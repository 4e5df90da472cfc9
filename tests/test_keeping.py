"""What files tell of particles beyond places, classes and scores survives a project."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import starfile
from scipy.spatial.transform import Rotation

from core.cli import run
from core.delivery import deliver
from core.io.particles import read_particles, write_parts
from core.io.particles.keeping import noted, recalled
from core.io.particles.values import Frame, ReadPicks, TomogramPicks
from core.io.volumes import write_mrc
from core.particles import ClassSpec, ParticleTable, Status
from core.project import Project
from core.project.proposing import ImportOrder, carry_out

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RIBOSOME = ClassSpec(id=1, name="ribosome", diameter=50.0)
ZYX = np.array([[3.0, 4.5, 5.25], [10.0, 20.0, 30.0], [15.0, 8.0, 33.0]])
TURNS = Rotation.from_euler("ZYZ", [[10, 20, 30], [40, 50, 60], [70, 80, 90]], degrees=True)
STAR = """
data_particles

loop_
_rlnTomoName
_rlnCoordinateX
_rlnCoordinateY
_rlnCoordinateZ
_rlnAngleRot
_rlnAngleTilt
_rlnAnglePsi
_rlnHelicalTubeID
_rlnMicrographName
one 10.0 20.0 5.0 10.0 20.0 30.0 7 first.mrc
one 30.0 10.0 15.0 40.0 50.0 60.0 8 second.mrc
one 35.0 25.0 10.0 70.0 80.0 90.0 9 third.mrc
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "project") as made:
        made.store.add_class(RIBOSOME)
        write_mrc(tmp_path / "one.mrc", np.zeros((20, 30, 40), np.int8), 10.0)
        made.add_tomogram(tmp_path / "one.mrc")
        yield made


def brought(project: Project, tmp_path: Path, **changes: object) -> np.ndarray:
    (tmp_path / "in.star").write_text(STAR)
    order = ImportOrder(path=tmp_path / "in.star", tomogram_ids=("one",), class_id=1, pixel_size=10.0, **changes)
    return carry_out(project, order)


@pytest.mark.parametrize("turned", [True, False])
def test_notes_say_all_that_was_read(turned: bool) -> None:
    extras = {"tube": np.array([7, 8, 9]), "name": np.array(["a", "", "ü"], object), "weight": np.array([0.1, np.nan, 3.0])}
    turns = TURNS.as_quat() if turned else None
    found, columns, notices = recalled(noted(ReadPicks(positions=ZYX, orientations=turns, extras=extras)))
    assert (found is not None) == turned
    if turned:
        np.testing.assert_array_equal(found, turns)
    assert list(columns) == list(extras)
    for name, column in extras.items():
        np.testing.assert_array_equal(columns[name], column)
    assert columns["tube"].dtype.kind == "i"
    assert notices == ()


def test_nothing_told_is_nothing_kept() -> None:
    assert noted(ReadPicks(positions=ZYX)) is None
    assert recalled([None, None]) == (None, {}, ())


def test_what_only_some_particles_have_is_said() -> None:
    notes = noted(ReadPicks(positions=ZYX, orientations=TURNS.as_quat(), extras={"tube": np.arange(3)}))
    turns, columns, notices = recalled([*notes, None])
    np.testing.assert_allclose(turns[3], [0, 0, 0, 1])
    assert columns == {}
    assert "1 of 4 particles have no orientation" in notices[0]
    assert notices[1].endswith("left out: tube.")


def test_angles_and_columns_survive_import_moves_judgement_and_export(project: Project, tmp_path: Path) -> None:
    ids = brought(project, tmp_path, status=Status.CANDIDATE)
    project.store.accept(ids)
    project.store.move(int(ids[0]), (5, 21, 11))
    project.store.remove(int(ids[1]))
    out = tmp_path / "out.star"
    delivered = deliver(project, out, "relion4", tomogram_ids=["one"], pixel_size=10.0)
    table = starfile.read(out, always_dict=True)["particles"]
    assert delivered.notices == ()
    np.testing.assert_allclose(table[["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]], [[10, 20, 30], [70, 80, 90]], atol=1e-4)
    assert table["rlnHelicalTubeID"].tolist() == [7, 9]
    assert table["rlnMicrographName"].tolist() == ["first.mrc", "third.mrc"]


def test_undo_and_redo_take_the_notes_along_across_restarts(project: Project, tmp_path: Path) -> None:
    ids = brought(project, tmp_path)
    before = project.store.notes("one")
    assert sorted(before) == ids.tolist()
    project.store.remove(ids)
    assert project.store.notes("one") == {}
    project.close()
    with Project.open(project.folder) as again:
        assert again.store.undo().startswith("Remove 3")
        assert again.store.notes("one") == before
        again.store.undo()
        assert again.store.notes("one") == {}
        again.store.redo()
        assert again.store.notes("one") == before


def test_of_those_outside_the_notes_go_too(project: Project, tmp_path: Path) -> None:
    rows = "x,y,z,tag\n1,2,3,a\n99,2,3,b\n5,6,7,c\n"
    (tmp_path / "in.csv").write_text(rows)
    order = ImportOrder(path=tmp_path / "in.csv", tomogram_ids=("one",), outside="drop")
    ids = carry_out(project, order)
    told = recalled([project.store.notes("one")[number] for number in ids.tolist()])[1]
    assert told["tag"].tolist() == ["a", "c"]


def test_the_commands_keep_them_too(project: Project, tmp_path: Path) -> None:
    turned = TomogramPicks(
        name="one",
        table=ParticleTable.build("one", ZYX, 1),
        frame=Frame(voxel_size=10.0, shape=(20, 30, 40)),
        orientations=TURNS.as_quat(),
    )
    write_parts(tmp_path / "in.tbl", [turned], (RIBOSOME,), format="dynamo")
    project.close()
    folder = str(project.folder)
    assert run(["import", folder, str(tmp_path / "in.tbl"), "--tomogram", "one"]) == 0
    assert run(["export", folder, "--out", str(tmp_path / "out.tbl"), "--format", "dynamo", "--number", "one=1"]) == 0
    found = read_particles(tmp_path / "out.tbl", format="dynamo")
    np.testing.assert_allclose(Rotation.from_quat(found.orientations).as_matrix(), TURNS.as_matrix(), atol=1e-3)
