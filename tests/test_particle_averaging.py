"""Tables of programs that average subtomograms: Dynamo, STOPGAP, AV3 and its kin, PEET; read and checked by other people's code."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dynamotable
import emfile
import numpy as np
import pandas as pd
import pytest
import starfile
from imodmodel import ImodModel
from imodmodel.models import Contour, Object
from scipy.spatial.transform import Rotation

from core.errors import ConfigError, FileFormatError, PickerError
from core.io.particles import TomogramPicks, read_particles, write_parts
from core.io.particles.values import Frame
from core.particles import ClassSpec, ParticleTable

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = (ClassSpec(id=1, name="ribosome", diameter=250.0), ClassSpec(id=2, name="barrel", diameter=150.0))
FRAME = Frame(voxel_size=13.48, shape=(200, 960, 928))
ZYX = np.array([[12.25, 100.5, 7.0], [3.0, 44.125, 88.5]])
TURNS = Rotation.from_euler("zxz", [[10, 20, 30], [-80, 100, 170]], degrees=True)
"""From the particle to the tomogram; z-x-z around the axes of the tomogram."""
NUMBERED = pytest.mark.parametrize("format", ["dynamo", "stopgap", "em-motl"])
ORIENTED = pytest.mark.parametrize("format", ["dynamo", "stopgap", "em-motl", "peet"])


def part(name: str = "TS_01", class_ids: int | list[int] = 1, **more: Any) -> TomogramPicks:
    table = ParticleTable.build(name, ZYX, class_ids, scores=np.float32([0.25, 0.75]))
    return TomogramPicks(name=name, table=table, frame=FRAME, **more)


def dynamo_row(**columns: str) -> str:
    words = ["0"] * 42
    for column, word in columns.items():
        words[int(column[1:]) - 1] = word
    return " ".join(words) + "\n"


# ---- what they have in common ----


@ORIENTED
def test_orientations_come_back(tmp_path: Path, format: str) -> None:
    written = write_parts(tmp_path / "a.x", [part(orientations=TURNS.as_quat())], CLASSES, format=format)
    found = read_particles(written.pieces[0].path, format=format).orientations
    assert found is not None
    np.testing.assert_allclose(Rotation.from_quat(found).as_matrix(), TURNS.as_matrix(), atol=1e-6)


@ORIENTED
def test_angles_of_zero_are_unknown_orientations(tmp_path: Path, format: str) -> None:
    written = write_parts(tmp_path / "a.x", [part()], CLASSES, format=format)
    assert read_particles(written.pieces[0].path, format=format).orientations is None


@NUMBERED
def test_numbers_of_tomograms_are_those_given(tmp_path: Path, format: str) -> None:
    written = write_parts(tmp_path / "a.x", [part("left", number=8), part("right", number=4)], CLASSES, format=format)
    expected = ("left", "right") if format == "dynamo" else ("8", "4")
    assert written.names == expected
    assert read_particles(written.files[0], format=format).tomograms == tuple(np.repeat(expected, 2))


@NUMBERED
def test_numbers_that_were_found_are_told(tmp_path: Path, format: str) -> None:
    written = write_parts(tmp_path / "a.x", [part("TS_03"), part("TS_10")], CLASSES, format=format)
    assert "TS_03 = 3, TS_10 = 10" in written.notices[0]


@pytest.mark.parametrize(("format", "column"), [("dynamo", "reg"), ("stopgap", "object"), ("em-motl", "geom3")])
def test_columns_of_others_survive_a_round_trip(tmp_path: Path, format: str, column: str) -> None:
    given = part(extras={column: np.array([3.0, 8.0]), "stranger": np.array(["a", "b"])})
    written = write_parts(tmp_path / "a.x", [given], CLASSES, format=format)
    again = read_particles(written.files[0], format=format)
    assert again.extras[column].tolist() == [3, 8]
    assert "stranger" not in again.extras


@NUMBERED
def test_scores_that_are_missing_or_all_zero_are_no_defect(tmp_path: Path, format: str) -> None:
    for scores in ([np.nan, 0.5], [0.0, 0.0], [np.nan, np.nan]):
        one = part()
        one = replace(one, table=one.table.with_scores(np.float32(scores)))
        found = read_particles(write_parts(tmp_path / "a.x", [one], CLASSES, format=format).files[0], format=format).scores
        assert (found is None) == (not np.nan_to_num(scores).any())


# ---- Dynamo ----


def test_dynamo_is_read_by_other_code(tmp_path: Path) -> None:
    parts = [part("TS_03", [1, 2], orientations=TURNS.as_quat()), part("TS_10", orientations=TURNS.as_quat())]
    options = {"tomogram_folder": "/data/rec", "tilt_min": -50.0, "tilt_max": 54.0}
    written = write_parts(tmp_path / "a.tbl", parts, CLASSES, format="dynamo", options=options)
    table = dynamotable.read(str(tmp_path / "a.tbl"), str(tmp_path / "a.doc"))
    assert table.shape == (4, 43)
    np.testing.assert_allclose(table[["x", "y", "z"]], np.tile(ZYX[:, ::-1] + 1, (2, 1)))
    np.testing.assert_allclose(table["cc"], [0.25, 0.75] * 2)
    assert table["tomo"].tolist() == [3, 3, 10, 10]
    assert table["class"].tolist() == [1, 2, 1, 1]
    assert table["tag"].tolist() == [1, 2, 3, 4]
    assert table["tomo_file"].tolist() == ["/data/rec/TS_03.mrc"] * 2 + ["/data/rec/TS_10.mrc"] * 2
    assert set(table["apix"]) == {13.48}
    assert (set(table["ftype"]), set(table["ymintilt"]), set(table["ymaxtilt"])) == ({1}, {-50}, {54})
    turns = Rotation.from_euler("zxz", table[["tdrot", "tilt", "narot"]].to_numpy()[:2], degrees=True).inv()
    np.testing.assert_allclose(turns.as_matrix(), TURNS.as_matrix(), atol=1e-7)
    assert "  " not in (tmp_path / "a.tbl").read_text()
    assert [file.name for file in written.files] == ["a.tbl", "TS_03.tbl", "TS_10.tbl", "a.doc", "a.vll"]


def test_a_table_of_dynamotable_is_read(tmp_path: Path) -> None:
    angles = TURNS.inv().as_euler("zxz", degrees=True)
    table = pd.DataFrame({"x": [8.0, 89.5], "y": [101.5, 45.125], "z": [13.25, 4.0], "dx": [0, -1], "class": [2, 5]})
    table[["tdrot", "tilt", "narot"]], table["cc"] = angles, [0.25, 0.75]
    table["tomo_file"] = ["/data/TS_03.mrc", "/data/TS_10.mrc"]
    dynamotable.write(table, str(tmp_path / "a.tbl"))
    found = read_particles(tmp_path / "a.tbl")  # it numbers tomograms from 0
    np.testing.assert_allclose(found.voxels(FRAME), np.add(ZYX, [[0, 0, 0], [0, 0, -1]]))
    assert (found.tomograms, found.class_ids.tolist()) == (("TS_03", "TS_10"), [2, 5])
    np.testing.assert_allclose(found.scores, [0.25, 0.75])
    np.testing.assert_allclose(Rotation.from_quat(found.orientations).as_matrix(), TURNS.as_matrix(), atol=1e-9)


def test_dynamo_lists_each_volume_with_its_table(tmp_path: Path) -> None:
    write_parts(tmp_path / "a.tbl", [part("TS_03"), part("TS_10")], CLASSES, format="dynamo")
    assert (tmp_path / "a.doc").read_text() == "3 TS_03.mrc\n10 TS_10.mrc\n"
    assert (tmp_path / "a.vll").read_text() == (
        "TS_03.mrc\n* index = 3\n* apix = 13.48\n> a/TS_03.tbl\nTS_10.mrc\n* index = 10\n* apix = 13.48\n> a/TS_10.tbl\n"
    )
    tables = [(tmp_path / "a" / f"{name}.tbl").read_text() for name in ("TS_03", "TS_10")]
    assert "".join(tables) == (tmp_path / "a.tbl").read_text()
    write_parts(tmp_path / "b.tbl", [part("TS_03.rec")], CLASSES, format="dynamo")
    assert (tmp_path / "b.vll").read_text() == "TS_03.rec\n* index = 3\n* apix = 13.48\n> b.tbl\n"


def test_dynamo_by_hand(tmp_path: Path) -> None:
    rows = [
        dynamo_row(c1="1", c4="0.5", c5="-1", c6="2", c10="0.3", c20="7", c22="2", c24="11", c25="21", c26="31"),
        dynamo_row(c1="2", c10="0.4", c20="9", c22="2", c24="12.5", c25="22", c26="32"),
    ]
    (tmp_path / "a.tbl").write_text("".join(rows))
    (tmp_path / "indices_column20.doc").write_text("7 /data/one/TS_07.rec\n9 C:\\data\\my tomogram.mrc\n")
    found = read_particles(tmp_path / "a.tbl")
    np.testing.assert_allclose(found.voxels(FRAME), [[32, 19, 10.5], [31, 21, 11.5]])
    assert found.tomograms == ("TS_07", "my tomogram")
    assert found.class_ids.tolist() == [2, 2]
    np.testing.assert_allclose(found.scores, [0.3, 0.4])
    assert "index_base=0 or half_pixel=true" in found.notices[0]
    half = read_particles(tmp_path / "a.tbl", format="dynamo", options={"half_pixel": True})
    np.testing.assert_allclose(half.voxels(FRAME) - found.voxels(FRAME), 0.5)
    zero = read_particles(tmp_path / "a.tbl", format="dynamo", options={"index_base": "0"})
    np.testing.assert_allclose(zero.voxels(FRAME) - found.voxels(FRAME), 1)


def test_dynamo_may_count_from_half_a_pixel(tmp_path: Path) -> None:
    for base, first in (("1", 0.5), ("0", -0.5)):
        options = {"half_pixel": True, "index_base": base}
        written = write_parts(tmp_path / "b.tbl", [part()], CLASSES, format="dynamo", options=options)
        np.testing.assert_allclose(dynamotable.read(str(tmp_path / "b.tbl"))[["x", "y", "z"]], ZYX[:, ::-1] + first)
        assert f"the centre of the first one at {first:g}" in written.notices[1]


def test_dynamo_of_26_columns_without_numbers_and_classes(tmp_path: Path) -> None:
    (tmp_path / "a.tbl").write_text(" ".join(["0"] * 23 + ["1", "2", "3"]))
    found = read_particles(tmp_path / "a.tbl")
    assert (found.tomograms, found.class_ids, found.scores, found.orientations) == (None, None, None, None)
    assert found.voxels(FRAME).tolist() == [[2, 1, 0]]


def test_a_map_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.tbl").write_text(dynamo_row(c20="4", c24="1", c25="1", c26="1"))
    (tmp_path / "a.doc").write_bytes(b"\xd0\xcf\x11\xe0 a text document")
    found = read_particles(tmp_path / "a.tbl")
    assert found.tomograms == ("4",)
    assert "a.doc is not a map" in found.notices[1]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (dynamo_row(c24="1+2i"), r"line 1: x \(column 24\) is a complex number"),
        (dynamo_row(c7="0.5-0.1i"), r"tdrot \(column 7\) is a complex number"),
        (dynamo_row() + "1 2 3\n", "line 2: expected 42 columns as in the lines before, not 3"),
        (dynamo_row(c24="here"), "line 1: expected a number, not 'here'"),
        (dynamo_row(c24="NaN"), "particle 1: a position must be three finite numbers"),
        (dynamo_row(c4="Inf"), "particle 1: a shift must be three finite numbers"),
        (dynamo_row(c20="1.5"), "the number of a tomogram must be a whole number"),
        (dynamo_row(c10="1e60"), "a score must be a finite number"),
        ("1 2 3\n", "has 3 columns; a table of Dynamo has at least 26"),
        ("# nothing\n", "holds no rows of numbers"),
    ],
)
def test_odd_tables_of_dynamo_are_refused(tmp_path: Path, row: str, sentence: str) -> None:
    (tmp_path / "a.tbl").write_text(row)
    with pytest.raises(FileFormatError, match=sentence):
        read_particles(tmp_path / "a.tbl", format="dynamo")


def test_complex_numbers_elsewhere_keep_their_real_part(tmp_path: Path) -> None:
    (tmp_path / "a.tbl").write_text(dynamo_row(c28="0.5+1.5e-3i", c24="1", c25="1", c26="1") + dynamo_row(c28="2"))
    found = read_particles(tmp_path / "a.tbl")
    assert found.extras["daxis"].tolist() == [0.5, 2]
    assert "complex" in found.notices[0]


def test_classes_that_are_none_are_left_out_and_told(tmp_path: Path) -> None:
    (tmp_path / "a.tbl").write_text(dynamo_row(c22="-1") + dynamo_row(c22="1"))
    found = read_particles(tmp_path / "a.tbl", format="dynamo")
    assert found.class_ids is None
    assert "one is -1" in found.notices[-1]


def test_what_dynamo_cannot_be_told(tmp_path: Path) -> None:
    with pytest.raises(PickerError, match="blanks separate"):
        write_parts(tmp_path / "a.tbl", [part("my tomogram")], CLASSES, format="dynamo")
    with pytest.raises(PickerError, match="same name in the table map"):
        write_parts(tmp_path / "a.tbl", [part("TS_01"), part("TS_01.mrc")], CLASSES, format="dynamo")
    with pytest.raises(PickerError, match="give the table a name"):
        write_parts(tmp_path / "a.doc", [part()], CLASSES, format="dynamo")
    with pytest.raises(ConfigError, match="tilt range"):
        write_parts(tmp_path / "a.tbl", [part()], CLASSES, format="dynamo", options={"tilt_min": 70.0})
    assert not any(tmp_path.iterdir())


# ---- STOPGAP ----

FIELDS = "motl_idx tomo_num object subtomo_num halfset orig_x orig_y orig_z score x_shift y_shift z_shift phi psi the class"


def test_stopgap_is_read_by_other_code(tmp_path: Path) -> None:
    given = part("TS_03", [1, 2], orientations=TURNS.as_quat())
    write_parts(tmp_path / "a.star", [given], CLASSES, format="stopgap")
    blocks = starfile.read(tmp_path / "a.star", always_dict=True)
    assert list(blocks) == ["stopgap_motivelist"]
    table = blocks["stopgap_motivelist"]
    assert list(table) == FIELDS.split()
    assert table[["orig_x", "orig_y", "orig_z"]].to_numpy().tolist() == [[8, 101, 13], [89, 45, 4]]
    np.testing.assert_allclose(table[["x_shift", "y_shift", "z_shift"]], [[0, 0.5, 0.25], [0.5, 0.125, 0]])
    assert table["tomo_num"].tolist() == [3, 3]
    assert table["halfset"].tolist() == ["A", "B"]
    assert table["class"].tolist() == [1, 2]
    turns = Rotation.from_euler("zxz", table[["phi", "the", "psi"]].to_numpy(), degrees=True)
    np.testing.assert_allclose(turns.as_matrix(), TURNS.as_matrix(), atol=1e-6)


def test_a_motive_list_that_starfile_wrote_is_read(tmp_path: Path) -> None:
    row = dict(zip(FIELDS.split(), [1, 5, 2, 77, "B", 11, 21, 31, 0.4, 0.5, -1, 2, 0, 0, 90, 3], strict=True))
    starfile.write({"stopgap_motivelist": pd.DataFrame([row, row])}, tmp_path / "a.star")
    found = read_particles(tmp_path / "a.star")
    np.testing.assert_allclose(found.voxels(FRAME), [[32, 19, 10.5]] * 2)
    assert (found.tomograms, found.class_ids.tolist()) == (("5", "5"), [3, 3])


def test_stopgap_writes_whole_numbers_and_plain_labels(tmp_path: Path) -> None:
    write_parts(tmp_path / "a.star", [part("TS_03")], CLASSES, format="stopgap")
    lines = (tmp_path / "a.star").read_text().splitlines()
    assert lines[:4] == ["", "data_stopgap_motivelist", "", "loop_"]
    assert lines[4:20] == [f"_{name}" for name in FIELDS.split()]
    words = lines[20].split()
    assert [words[place] for place in (0, 1, 2, 3, 5, 6, 7, 15)] == ["1", "3", "1", "1", "8", "101", "13", "1"]


def test_stopgap_by_hand(tmp_path: Path) -> None:
    head = "data_stopgap_motivelist\n\nloop_\n" + "".join(f"_{name}\n" for name in FIELDS.split())
    (tmp_path / "a.star").write_text(head + "1 5 2 77 B 11 21 31 0.4 0.5 -1 2 0 0 90 3\n2 5 2 78 A 12 22 32 0.5 0 0 0 0 0 0 3\n")
    found = read_particles(tmp_path / "a.star")
    np.testing.assert_allclose(found.voxels(FRAME), [[32, 19, 10.5], [31, 21, 11]])
    assert found.tomograms == ("5", "5")
    assert found.class_ids.tolist() == [3, 3]
    assert found.extras["halfset"].tolist() == ["B", "A"]
    np.testing.assert_allclose(Rotation.from_quat(found.orientations[0]).apply([0, 0, 1]), [0, -1, 0], atol=1e-9)
    again = write_parts(
        tmp_path / "b.star", [TomogramPicks.read("TS_05", found, FRAME, found.class_ids)], CLASSES, format="stopgap"
    )
    table = starfile.read(again.files[0])
    assert table["subtomo_num"].tolist() == [77, 78]
    assert table["halfset"].tolist() == ["B", "A"]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [("_orig_x", "_other", "expected a table with orig_x"), (" 11 ", " here ", "the column orig_x holds something")],
)
def test_odd_motive_lists_of_stopgap_are_refused(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    head = "data_stopgap_motivelist\n\nloop_\n" + "".join(f"_{name}\n" for name in FIELDS.split())
    row = "1 5 2 77 B 11 21 31 0.4 0.5 -1 2 0 0 90 3\n"
    (tmp_path / "a.star").write_text((head + row * 2).replace(old, new))
    with pytest.raises(FileFormatError, match=sentence):
        read_particles(tmp_path / "a.star", format="stopgap")


# ---- EM motive lists ----


def test_an_em_motive_list_is_read_by_other_code(tmp_path: Path) -> None:
    write_parts(tmp_path / "a.em", [part("TS_03", [1, 2], orientations=TURNS.as_quat())], CLASSES, format="em-motl")
    _, table = emfile.read(tmp_path / "a.em")
    assert table.shape == (1, 2, 20)
    rows = table[0]
    np.testing.assert_allclose(rows[:, 0], [0.25, 0.75])
    assert rows[:, [3, 4, 5, 19]].tolist() == [[1, 3, 1, 1], [2, 3, 2, 2]]
    assert rows[:, 7:10].tolist() == [[8, 101, 13], [89, 45, 4]]
    np.testing.assert_allclose(rows[:, 10:13], [[0, 0.5, 0.25], [0.5, 0.125, 0]])
    turns = Rotation.from_euler("zxz", rows[:, [16, 18, 17]], degrees=True)
    np.testing.assert_allclose(turns.as_matrix(), TURNS.as_matrix(), atol=1e-6)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int16])
def test_an_em_motive_list_of_other_code_is_read(tmp_path: Path, kind: type) -> None:
    table = np.zeros((1, 3, 20), kind)
    table[0, :, 7:10] = [[11, 21, 31], [1, 1, 1], [2, 3, 4]]
    table[0, :, 19], table[0, :, 4] = 2, 6
    emfile.write(tmp_path / "a.em", table)
    found = read_particles(tmp_path / "a.em")
    assert found.voxels(FRAME).tolist() == [[30, 20, 10], [0, 0, 0], [3, 2, 1]]
    assert (found.tomograms, found.class_ids.tolist()) == (("6",) * 3, [2, 2, 2])


def test_an_em_motive_list_of_a_large_endian_machine(tmp_path: Path) -> None:
    table = np.zeros((2, 20), ">f4")
    table[:, 7:10] = 5
    head = bytes([3, 0, 0, 5]) + np.array([20, 2, 1], ">i4").tobytes()
    (tmp_path / "a.em").write_bytes(head.ljust(512, b"\0") + table.tobytes())
    assert read_particles(tmp_path / "a.em").voxels(FRAME).tolist() == [[4, 4, 4]] * 2


def test_em_files_that_are_no_motive_lists_are_refused(tmp_path: Path) -> None:
    emfile.write(tmp_path / "volume.em", np.zeros((4, 5, 20), np.float32))
    with pytest.raises(FileFormatError, match="not a motive list"):
        read_particles(tmp_path / "volume.em", format="em-motl")
    head = bytes([6, 0, 0, 5]) + np.array([20, 2**31 - 1, 1], "<i4").tobytes()
    (tmp_path / "cut.em").write_bytes(head.ljust(512, b"\0"))
    with pytest.raises(FileFormatError, match="is cut short: its header tells of 2147483647 particles"):
        read_particles(tmp_path / "cut.em")


def test_numbers_that_an_em_file_would_change_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PickerError, match="up to 16777216 only, not 20240501"):
        write_parts(tmp_path / "a.em", [part("TS_20240501")], CLASSES, format="em-motl")


# ---- PEET ----

HEADER = (
    "CCC,reserved,reserved,pIndex,wedgeWT,NA,NA,NA,NA,NA,xOffset,yOffset,zOffset,NA,NA,reserved,EulerZ(1),EulerZ(3),EulerX(2),"
    "reserved CREATED WITH PEET Version 1.15.0\n"
)
PEET_ROW = "{score},0,0,{index},1,0,0,0,0,0,{x},0,0,0,0,0,0,0,90,{number}\n"


def peet(folder: Path, rows: list[dict[str, float]]) -> Path:
    points = [[10.5, 20.5, 30.0], [11.5, 21.5, 31.0], [12.5, 22.5, 32.0]]
    one = Object(contours=[Contour(points=np.array(points))])
    one.update_sizes()
    model = ImodModel(objects=[one])
    model.update_sizes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of pydantic, which writes them
        model.to_file(folder / "a.mod")
    usual = {"score": 0.5, "x": 0, "number": 1}
    (folder / "a.csv").write_text(HEADER + "".join(PEET_ROW.format(**(usual | row)) for row in rows))
    return folder / "a.csv"


def test_peet_by_hand(tmp_path: Path) -> None:
    path = peet(tmp_path, [{"index": 1, "x": 0.5}, {"index": 2, "score": 0.25}, {"index": 3, "number": 2}])
    for file in (path, tmp_path / "a.mod"):
        found = read_particles(file, format="peet")
        np.testing.assert_allclose(found.voxels(FRAME), [[30, 20, 10.5], [31, 21, 11], [32, 22, 12]])
        assert found.class_ids.tolist() == [1, 1, 2]
        np.testing.assert_allclose(found.scores, [0.5, 0.25, 0.5])
        np.testing.assert_allclose(Rotation.from_quat(found.orientations[0]).apply([0, 0, 1]), [0, -1, 0], atol=1e-9)
        assert any("centre of a pixel" in notice for notice in found.notices)
    assert len(read_particles(path)) == 3


def test_where_peet_has_the_first_voxel_may_be_told(tmp_path: Path) -> None:
    path = peet(tmp_path, [{"index": 1}, {"index": 2}, {"index": 3}])
    corner = read_particles(path, format="peet", options={"first_voxel": "0 0 0"})
    np.testing.assert_allclose(corner.voxels(FRAME)[0], [30, 20.5, 10.5])
    higher = {"first_voxel": "0.5 0.5 0.5"}
    written = write_parts(tmp_path / "b.mod", [part()], CLASSES, format="peet", options=higher)
    np.testing.assert_allclose(ImodModel.from_file(written.files[0]).objects[0].contours[0].points, ZYX[:, ::-1] + 0.5)


def test_peet_finds_the_points_of_rows_that_are_left(tmp_path: Path) -> None:
    path = peet(tmp_path, [{"index": 3}, {"index": 1}])
    assert read_particles(path).voxels(FRAME).tolist() == [[32, 22, 12], [30, 20, 10]]


def test_peet_whose_files_do_not_fit_is_refused(tmp_path: Path) -> None:
    path = peet(tmp_path, [{"index": 1}, {"index": 4}])
    with pytest.raises(FileFormatError, match="2 particles and its model 3 points"):
        read_particles(path)
    (tmp_path / "a.mod").unlink()
    with pytest.raises(FileFormatError, match=r"a\.mod side by side, and the latter is missing"):
        read_particles(path)


def test_peet_writes_a_model_and_a_list_for_each_tomogram(tmp_path: Path) -> None:
    written = write_parts(tmp_path / "a.mod", [part("TS_01", [1, 2]), part("TS_02")], CLASSES, format="peet")
    assert [file.name for file in written.files] == ["TS_01.mod", "TS_01.csv", "TS_02.mod", "TS_02.csv"]
    points = ImodModel.from_file(written.files[0]).objects[0].contours[0].points
    np.testing.assert_allclose(points, ZYX[:, ::-1] + [0.5, 0.5, 0])
    head, *rows = written.files[1].read_text().splitlines()
    assert head.split(",") == HEADER.split(" ")[0].split(",")
    assert rows[1].split(",") == ["0.75", "0", "0", "2", "1", *["0"] * 14, "2"]
