"""Formats of annotation programs and challenges, field by field."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import starfile
from scipy.spatial.transform import Rotation

from core.errors import ConfigError, FileFormatError, PickerError
from core.io.particles import TomogramPicks, read_particles, write_parts
from core.io.particles.values import Frame, ReadPicks, Unit
from core.particles import ClassSpec, ParticleTable

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = (
    ClassSpec(id=1, name="ribosome", diameter=250.0, color="#ff0000"),
    ClassSpec(id=2, name='ATP_synthase <"F1">', diameter=200.0, color="#00ff33"),
)
FRAME = Frame(voxel_size=10.0, shape=(200, 960, 928))
ZYX = np.array([[10.0, 20.5, 30.25], [40.0, 50.0, 60.0]])
TURNS = Rotation.from_euler("ZYZ", [[10.0, 20, 30], [40, 50, 60]], degrees=True).as_quat()


def part(name: str = "TS_01", class_ids: Any = 1, scores: Any = (0.25, 0.5), **others: Any) -> TomogramPicks:
    table = ParticleTable.build(name, ZYX, class_ids, scores=None if scores is None else np.float32(scores))
    return TomogramPicks(name=name, table=table, frame=FRAME, **others)


def golden(folder: Path, text: str, name: str) -> ReadPicks:
    (folder / name).write_text(text, encoding="utf-8")
    return read_particles(folder / name)


def names_in(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


# ---- copick ----

PICKS = """{"pickable_object_name":"ribosome","user_id":"myapp","session_id":"0","run_name":"TS_001","voxel_spacing":null,
 "unit":"angstrom","points":[{"location":{"x":10.0,"y":20.0,"z":30.0},
 "transformation_":[[0.0,-1.0,0.0,5.0],[1.0,0.0,0.0,0.0],[0.0,0.0,1.0,-10.0],[0.0,0.0,0.0,1.0]],"instance_id":3,"score":0.9}],
 "trust_orientation":true}"""


UNMOVED = [
    "[[1.0,0.0,0.0,0.0],[0.0,1.0,0.0,0.0],[0.0,0.0,1.0,0.0],[0.0,0.0,0.0,1.0]]",
    json.dumps(np.eye(4, dtype=int).tolist(), indent=4),
]


@pytest.mark.parametrize("matrix", UNMOVED, ids=["of copick", "whole numbers in lines"])
@pytest.mark.parametrize("trusted", ["true", "false"])
def test_transformations_of_copick_that_do_nothing_are_turns_only_where_trusted(tmp_path: Path, matrix: str, trusted: str) -> None:
    moved = PICKS[PICKS.index("[[0.0,-1") : PICKS.index(',"instance_id"')]
    alone = PICKS.replace(moved, matrix).replace("}],", '},{"location":{"x":1,"y":2,"z":3}}],')
    alone = alone.replace('"trust_orientation":true', f'"trust_orientation":{trusted}')
    found = golden(tmp_path, alone, "a.json")
    np.testing.assert_allclose(found.positions, [[30.0, 20.0, 10.0], [3.0, 2.0, 1.0]])
    assert found.shifts is None
    assert (found.orientations is not None) == (trusted == "true")
    assert found.orientations is None or np.allclose(found.orientations, [0, 0, 0, 1])


def test_copick_is_read_with_shift_turn_and_filament(tmp_path: Path) -> None:
    found = golden(tmp_path, PICKS, "a.json")
    np.testing.assert_allclose(found.voxels(FRAME), [[2.0, 2.0, 1.5]])
    assert (found.class_names, found.tomograms, found.unit) == (("ribosome",), ("TS_001",), Unit.ANGSTROM)
    assert found.extras["instance_id"].tolist() == [3]
    np.testing.assert_allclose(found.scores, [0.9])
    np.testing.assert_allclose(Rotation.from_quat(found.orientations).apply([1, 0, 0]), [[0, 1, 0]], atol=1e-12)
    assert golden(tmp_path, PICKS.replace('"trust_orientation":true', '"trust_orientation":false'), "b.json").orientations is None


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"x":10.0', '"x":"here"', "no location of numbers"),
        ('"x":10.0', '"w":10.0', "no location of numbers"),
        ('"x":10.0', '"x":NaN', "point 1: a location must be three finite"),
        ('"angstrom"', '"furlong"', "counts in 'furlong'"),
        ("-10.0", '"a"', "transformation_ must be 4 x 4"),
        ("0.9", "1e99", "score must be a finite number"),
        ('"points":[', '"points":7,"p":[', "expected an object with a list of points"),
    ],
)
def test_wrong_picks_of_copick_are_a_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    with pytest.raises(FileFormatError, match=sentence):
        golden(tmp_path, PICKS.replace(old, new), "a.json")


def test_copick_gets_the_folders_of_a_project(tmp_path: Path) -> None:
    parts = [part("rec_TS_01.mrc", [1, 2]), part("TS_02_bin4", 1, None, orientations=TURNS)]
    options = {"user": "me", "session": "7"}
    written = write_parts(tmp_path / "copick_config.json", parts, CLASSES, format="copick", options=options)
    assert names_in(tmp_path) == [
        "ExperimentRuns/TS_01/Picks/me_7_ATP-synthase---F1.json",
        "ExperimentRuns/TS_01/Picks/me_7_ribosome.json",
        "ExperimentRuns/TS_02/Picks/me_7_ribosome.json",
        "copick_config.json",
    ]
    content = json.loads((tmp_path / "ExperimentRuns/TS_01/Picks/me_7_ribosome.json").read_text())
    assert content["points"] == [
        {
            "location": {"x": 302.5, "y": 205.0, "z": 100.0},
            "transformation_": np.eye(4).tolist(),
            "instance_id": 0,
            "score": 0.25,
        }
    ]
    assert (content["voxel_spacing"], content["trust_orientation"]) == (10.0, False)
    settings = json.loads(written.files[0].read_text())
    assert settings["pickable_objects"][0]["color"] == [255, 0, 0, 255]
    turned = read_particles(tmp_path / "ExperimentRuns/TS_02/Picks/me_7_ribosome.json")
    np.testing.assert_allclose(Rotation.from_quat(turned.orientations).as_matrix(), Rotation.from_quat(TURNS).as_matrix())
    assert turned.scores is None


def test_copick_leaves_settings_that_are_there(tmp_path: Path) -> None:
    path = tmp_path / "copick_config.json"
    path.write_text('{"pickable_objects": [{"name": "virus"}]}')
    written = write_parts(path, [part()], CLASSES, format="copick")
    assert path.read_text() == '{"pickable_objects": [{"name": "virus"}]}'
    assert "add ribosome to pickable_objects" in written.notices[0]
    (tmp_path / "other.json").write_text("[1, 2]")
    with pytest.raises(PickerError, match="is not the settings of a copick project"):
        write_parts(tmp_path / "other.json", [part()], CLASSES, format="copick")
    with pytest.raises(ConfigError, match="without blanks, underscores"):
        write_parts(path, [part()], CLASSES, format="copick", options={"user": "a_b"})


# ---- CryoET Data Portal ----


def test_the_portal_counts_voxels(tmp_path: Path) -> None:
    found = golden(tmp_path, '{"type":"point","location":{"x":12.0,"y":3.5,"z":77.0}}\n', "a.ndjson")
    assert (found.positions.tolist(), found.unit) == ([[77, 3.5, 12]], Unit.VOXEL)
    line = '{"type":"orientedPoint","location":{"x":1,"y":2,"z":3},"xyz_rotation_matrix":[[0,-1,0],[1,0,0],[0,0,1]]}\n'
    turned = golden(tmp_path, line, "b.ndjson").orientations
    np.testing.assert_allclose(Rotation.from_quat(turned).apply([1, 0, 0]), [[0, 1, 0]], atol=1e-12)
    many = golden(tmp_path, '{"type":"instancePoint","location":{"x":1,"y":2,"z":3},"instance_id":4}\n', "c.ndjson")
    assert many.extras["instance_id"].tolist() == [4]
    mixed = golden(tmp_path, line + '{"type":"point","location":{"x":1,"y":2,"z":3}}\n', "d.ndjson")
    assert "Orientations are left out" in mixed.notices[0]
    with pytest.raises(FileFormatError, match="line 2: expected an object with the type"):
        golden(tmp_path, line + "[1]\n", "e.ndjson")


def test_the_portal_gets_points_of_the_right_type(tmp_path: Path) -> None:
    plain = write_parts(tmp_path / "a.ndjson", [part()], CLASSES, format="portal").files[0].read_text().splitlines()
    assert json.loads(plain[0]) == {"type": "point", "location": {"x": 30.25, "y": 20.5, "z": 10.0}}
    turned = write_parts(tmp_path / "b.ndjson", [part(orientations=TURNS)], CLASSES, format="portal").files[0]
    assert json.loads(turned.read_text().splitlines()[0])["type"] == "orientedPoint"
    np.testing.assert_allclose(
        Rotation.from_quat(read_particles(turned).orientations).as_matrix(), Rotation.from_quat(TURNS).as_matrix()
    )
    parts = [part("TS_01", [1, 2]), part("TS_02")]
    files = write_parts(tmp_path / "c.ndjson", parts, CLASSES, format="portal").files
    assert [str(file.relative_to(tmp_path)) for file in files] == [
        "c/TS_01_ribosome.ndjson",
        "c/TS_02_ribosome.ndjson",
        "c/TS_01_ATP_synthase___F1__.ndjson",
    ]


# ---- Kaggle and SHREC ----


def test_the_challenge_on_kaggle_counts_angstrom(tmp_path: Path) -> None:
    found = golden(tmp_path, "id,experiment,particle_type,x,y,z\n0,TS_5_4,ribosome,100.12,20,30\n", "a.csv")
    assert (found.unit, found.tomograms, found.class_names) == (Unit.ANGSTROM, ("TS_5_4",), ("ribosome",))
    np.testing.assert_allclose(found.voxels(FRAME), [[3, 2, 10.012]])
    assert dict(found.extras) == {}
    path = write_parts(tmp_path / "b.csv", [part("TS_5_4_10.00Apx"), part("TS_6")], CLASSES, format="kaggle").files[0]
    lines = path.read_text().splitlines()
    assert lines[:2] == ["id,experiment,particle_type,x,y,z", "0,TS_5_4,ribosome,302.5000,205.0000,100.0000"]
    assert [line.split(",")[0] for line in lines[1:]] == ["0", "1", "2", "3"]
    with pytest.raises(PickerError, match="2 tomograms would be called"):
        write_parts(tmp_path / "b.csv", [part("TS_6_bin4"), part("TS_6")], CLASSES, format="kaggle")


def test_a_table_of_ours_is_still_written_by_its_ending(tmp_path: Path) -> None:
    for ending in ("csv", "tsv"):
        written = write_parts(tmp_path / f"a.{ending}", [part()], CLASSES)
        assert written.files[0].read_text().startswith("tomogram")


def test_shrec_names_proteins(tmp_path: Path) -> None:
    found = golden(tmp_path, "4V94 10 20 30 0.1 0.2 0.3\nvesicle 1 2 3 0 0 0\n", "a.txt")
    assert (found.positions.tolist(), found.class_names) == ([[30, 20, 10], [3, 2, 1]], ("4V94", "vesicle"))
    assert found.extras["rot2"].tolist() == [0.2, 0.0]
    assert found.orientations is None
    assert "what they mean is not known" in found.notices[0]
    (tmp_path / "b.txt").write_text("3 10 20 30\n")
    numbered = read_particles(tmp_path / "b.txt", format="shrec")
    assert numbered.class_ids is not None
    assert numbered.class_ids.tolist() == [3]
    with pytest.raises(FileFormatError, match="line 2: expected class, x, y, z"):
        golden(tmp_path, "4V94 10 20 30 0.1 0.2 0.3\nvesicle 1 2 3 0 0\n", "c.txt")


# ---- crYOLO ----

CBOX = """data_global

_cbox_format_version 1.0

data_cryolo

loop_
_CoordinateX #1
_CoordinateY #2
_CoordinateZ #3
_Width #4
_Height #5
_Depth #6
_EstWidth #7
_EstHeight #8
_Confidence #9
_NumBoxes #10
_Angle #11
_filamentid #12
10.0 20.0 30.0 8 6 4 8 6 0.5 1 0.0 2
11.0 21.0 31.0 8 6 4 8 6 <NA> 1 0.0 3

data_cryolo_include

loop_
_slice_index #1
30
31
"""


def test_boxes_have_their_corner_in_x_and_y_only(tmp_path: Path) -> None:
    found = golden(tmp_path, CBOX, "a.cbox")
    assert found.positions.tolist() == [[30, 23, 14], [31, 24, 15]]
    np.testing.assert_array_equal(found.scores, [0.5, np.nan])
    assert found.extras["filament"].tolist() == [2, 3]
    with pytest.raises(FileFormatError, match="no boxes in three dimensions"):
        golden(tmp_path, CBOX.replace("_CoordinateZ", "_Other"), "b.cbox")


@pytest.mark.parametrize(("options", "box"), [({}, 25.0), ({"box": 32}, 32.0)])
def test_boxes_as_another_reader_of_star_files_sees_them(tmp_path: Path, options: dict[str, Any], box: float) -> None:
    path = write_parts(tmp_path / "a.cbox", [part()], CLASSES, format="cbox", options=options).files[0]
    blocks = starfile.read(path, always_dict=True)
    assert list(blocks) == ["global", "cryolo", "cryolo_include"]
    table = blocks["cryolo"]
    assert list(table) == [
        *("CoordinateX", "CoordinateY", "CoordinateZ", "Width", "Height", "Depth", "EstWidth", "EstHeight"),
        *("Confidence", "NumBoxes", "Angle"),
    ]
    assert set(table["Width"]) | set(table["Height"]) | set(table["Depth"]) == {box}
    np.testing.assert_allclose(table["CoordinateX"], ZYX[:, 2] - box / 2)
    np.testing.assert_allclose(table["CoordinateZ"], ZYX[:, 0])
    assert blocks["cryolo_include"]["slice_index"].tolist() == [10, 40]
    assert float(blocks["global"]["cbox_format_version"]) == 1.0


def test_coordinates_of_cryolo_keep_filaments(tmp_path: Path) -> None:
    path = write_parts(tmp_path / "a.coords", [part()], CLASSES, format="cryolo").files[0]
    assert path.read_text() == "30.2500 20.5000 10.0000\n60.0000 50.0000 40.0000\n"
    threads = part(extras={"filament": np.array([1.0, 2.0])})
    path = write_parts(tmp_path / "b.coords", [threads], CLASSES, format="cryolo").files[0]
    assert path.read_text() == "30.2500 20.5000 10.0000 1\n60.0000 50.0000 40.0000 2\n"


# ---- ChimeraX ----

MARKER = '<marker id="1" x="-26.133" y="1.7291" z="114.69" r="1" g="1" b="0" radius="1"/>'
SAMPLE = f'<marker_set name="markers">\n{MARKER}\n</marker_set>\n'


def test_markers_are_read(tmp_path: Path) -> None:
    found = golden(tmp_path, SAMPLE, "a.cmm")
    assert (found.positions.tolist(), found.unit, found.class_names) == ([[114.69, 1.7291, -26.133]], Unit.ANGSTROM, ("markers",))
    moved = read_particles(tmp_path / "a.cmm", format="cmm", options={"origin_x": -26.133, "origin_z": 114.69})
    np.testing.assert_allclose(moved.positions, [[0, 1.7291, 0]])
    with pytest.raises(FileFormatError, match="line 1: expected a number for x of a marker"):
        golden(tmp_path, SAMPLE.replace("-26.133", "left"), "b.cmm")
    with pytest.raises(FileFormatError, match="holds no markers"):
        golden(tmp_path, '<marker_set name="markers"/>', "c.cmm")


def test_markers_of_one_class_are_as_chimerax_writes_them(tmp_path: Path) -> None:
    written = write_parts(tmp_path / "a.cmm", [part()], CLASSES, format="cmm")
    assert written.files[0].read_text() == (
        '<marker_set name="ribosome">\n'
        '<marker id="1" x="302.5000" y="205.0000" z="100.0000" r="1" g="0" b="0" radius="125"/>\n'
        '<marker id="2" x="600.0000" y="500.0000" z="400.0000" r="1" g="0" b="0" radius="125"/>\n'
        "</marker_set>\n"
    )
    assert "give its origin" in written.notices[0]
    assert not write_parts(tmp_path / "a.cmm", [part()], CLASSES, format="cmm", options={"origin_y": -5.0}).notices
    assert ' y="200.0000" ' in written.files[0].read_text()


def test_several_classes_are_wrapped_and_odd_names_survive(tmp_path: Path) -> None:
    path = write_parts(tmp_path / "a.cmm", [part(class_ids=[2, 1])], CLASSES, format="cmm").files[0]
    text = path.read_text()
    assert text.startswith("<marker_sets>\n<marker_set")
    assert text.endswith("</marker_set>\n</marker_sets>\n")
    assert all(line.startswith("<") for line in text.splitlines())
    assert read_particles(path).class_names == ("ribosome", 'ATP_synthase <"F1">')


LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>\n<marker_set name="&b;"></marker_set>'
OUTSIDE = '<?xml version="1.0"?>\n<!doctype x [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n<marker_set name="&a;"></marker_set>'


@pytest.mark.parametrize("text", [LAUGHS, OUTSIDE, SAMPLE + "<!ENTITY a 'b'>"], ids=["laughs", "outside", "late"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_definitions_in_markers_are_refused(tmp_path: Path, text: str, encoding: str) -> None:
    (tmp_path / "a.cmm").write_bytes(text.encode(encoding))
    with pytest.raises(FileFormatError, match="definitions of its own"):
        read_particles(tmp_path / "a.cmm")


# ---- napari and ArtiaX ----


def test_napari_orders_axes_z_y_x(tmp_path: Path) -> None:
    found = golden(tmp_path, "index,axis-0,axis-1,axis-2,score,good\n0.0,1.5,2.5,3.5,0.5,yes\n", "a.csv")
    assert found.positions.tolist() == [[1.5, 2.5, 3.5]]
    np.testing.assert_allclose(found.scores, [0.5])
    assert found.extras["good"].tolist() == ["yes"]
    with pytest.raises(FileFormatError, match="more than three axes"):
        golden(tmp_path, "index,axis-0,axis-1,axis-2,axis-3\n0,1,2,3,4\n", "b.csv")
    path = write_parts(tmp_path / "c.csv", [part()], CLASSES, format="napari").files[0]
    assert path.read_text().splitlines()[:2] == [
        "index,axis-0,axis-1,axis-2,class,class_id,score",
        "0,10.0,20.5,30.25,ribosome,1,0.25",
    ]


def test_artiax_gets_tabs_shifts_and_angles(tmp_path: Path) -> None:
    path = write_parts(tmp_path / "a.tsv", [part()], CLASSES, format="artiax").files[0]
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    assert lines[0] == ["pos_x", "pos_y", "pos_z", "shift_x", "shift_y", "shift_z", "phi", "the", "psi", "class_id", "score"]
    assert [float(word) for word in lines[1]] == [30.25, 20.5, 10, 0, 0, 0, 0, 0, 0, 1, 0.25]
    turned = write_parts(tmp_path / "b.tsv", [part(orientations=TURNS)], CLASSES, format="artiax").files[0]
    angles = np.array([[float(word) for word in line.split("\t")[6:9]] for line in turned.read_text().splitlines()[1:]])
    expected = Rotation.from_euler("zxz", angles[:, [0, 1, 2]], degrees=True)  # phi first, then the, then psi, about fixed axes
    np.testing.assert_allclose(expected.as_matrix(), Rotation.from_quat(TURNS).as_matrix(), atol=1e-5)
    back = Rotation.from_quat(read_particles(turned).orientations)
    np.testing.assert_allclose(back.as_matrix(), expected.as_matrix(), atol=1e-9)
    shifted = golden(tmp_path, "\t".join(lines[0]) + "\n10\t20\t30\t1\t2\t3\t0\t0\t0\t2\t0.5\n", "c.tsv")
    assert shifted.positions.tolist() == [[33, 22, 11]]
