"""Info files of EMAN2, written out by hand after its source, and boxes as text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from core.errors import FileFormatError, PickerError
from core.io.particles import TiltSeriesGeometry, TomogramPicks, read_particles, write_parts
from core.io.particles.eman2info import info_name
from core.io.particles.values import Frame
from core.particles import ClassSpec, ParticleTable

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = (ClassSpec(id=1, name="ribosome", diameter=250.0), ClassSpec(id=2, name="barrel", diameter=150.0))
FRAME = Frame(voxel_size=13.48, shape=(201, 960, 927), tilt_series=TiltSeriesGeometry(pixel_size=3.37))
ZYX = np.array([[12.25, 100.5, 7.0], [3.0, 44.125, 88.5]])
FROM_MIDDLE = (ZYX[:, ::-1] - [463, 480, 100]) * 4
OTHERS = {
    "apix_unbin": 3.37,
    "boxes_3d": [[-4.0, 8.0, 0.0, "manual", 0.0, 0], [4, 4, 4, "tm", 0.5, 3], [1, 2, 3]],
    "class_list": {"0": {"name": "membrane", "boxsize": 40}, "3": {"name": "ribosome", "boxsize": 96, "note": "kept"}},
    "tlt_params": [[0.0, 0.0, -85.5, 60.0, 0.0]],
    "defocus": [3.5],
}


def part(name: str = "TS_01", class_ids: int | list[int] = 1, frame: Frame = FRAME, scores: Any = (0.25, np.nan)) -> TomogramPicks:
    table = ParticleTable.build(name, ZYX, class_ids, scores=np.float32(scores))
    return TomogramPicks(name=name, table=table, frame=frame)


def info(folder: Path, content: Any, name: str = "TS_01_info.json") -> Path:
    (folder / name).write_text(json.dumps(content))
    return folder / name


def test_a_new_file_has_boxes_from_the_middle_and_a_list_of_classes(tmp_path: Path) -> None:
    written = write_parts(tmp_path / "TS_01_info.json", [part(class_ids=[1, 2])], CLASSES, format="eman2")
    found = json.loads(written.files[0].read_text())
    assert set(found) == {"apix_unbin", "boxes_3d", "class_list"}
    assert found["apix_unbin"] == 3.37
    np.testing.assert_allclose([box[:3] for box in found["boxes_3d"]], FROM_MIDDLE)
    assert [box[3:] for box in found["boxes_3d"]] == [["picked", 0.25, 0], ["manual", 0.0, 1]]
    assert found["class_list"] == {"0": {"name": "ribosome", "boxsize": 76}, "1": {"name": "barrel", "boxsize": 46}}
    assert written.notices == ()


def test_what_is_there_stays_but_for_boxes_of_the_same_class(tmp_path: Path) -> None:
    path = info(tmp_path, OTHERS)
    write_parts(path, [part(class_ids=[1, 2])], CLASSES, format="eman2")
    found = json.loads(path.read_text())
    assert {name: found[name] for name in ("apix_unbin", "tlt_params", "defocus")} == {
        name: OTHERS[name] for name in ("apix_unbin", "tlt_params", "defocus")
    }
    assert found["boxes_3d"][:2] == [OTHERS["boxes_3d"][0], [1, 2, 3]]
    assert [box[5] for box in found["boxes_3d"][2:]] == [3, 1]
    assert found["class_list"] == OTHERS["class_list"] | {"1": {"name": "barrel", "boxsize": 46}}


def test_a_second_export_replaces_the_first(tmp_path: Path) -> None:
    path = info(tmp_path, OTHERS)
    for _ in range(2):
        write_parts(path, [part()], CLASSES, format="eman2")
    assert len(json.loads(path.read_text())["boxes_3d"]) == 4


def test_boxes_from_the_first_voxel_stay_so(tmp_path: Path) -> None:
    path = info(tmp_path, {"boxes_3d": [[1, 2, 3, "manual", 0.0, 0]]})
    written = write_parts(path, [part()], CLASSES, format="eman2")
    found = json.loads(path.read_text())
    assert "apix_unbin" not in found
    assert [box[:3] for box in found["boxes_3d"]] == [[1, 2, 3], *ZYX[:, ::-1].tolist()]
    assert [box[5] for box in found["boxes_3d"]] == [0, 1, 1]
    assert "no apix_unbin" in written.notices[0]


def test_the_pixel_size_of_the_file_counts(tmp_path: Path) -> None:
    path = info(tmp_path, {"apix_unbin": 1.685})
    written = write_parts(path, [part()], CLASSES, format="eman2")
    np.testing.assert_allclose([box[:3] for box in json.loads(path.read_text())["boxes_3d"]], FROM_MIDDLE * 2)
    assert "1.685 Å for unbinned pixels, which was taken in place of 3.37" in written.notices[0]
    np.testing.assert_allclose(read_particles(path).voxels(FRAME), ZYX)


def test_boxes_by_hand_are_read(tmp_path: Path) -> None:
    found = read_particles(info(tmp_path, OTHERS))
    np.testing.assert_allclose(found.voxels(FRAME)[:, ::-1], np.add([[-1, 2, 0], [1, 1, 1], [0.25, 0.5, 0.75]], [463, 480, 100]))
    assert found.class_names == ("membrane", "ribosome", "membrane")
    np.testing.assert_array_equal(found.scores, [np.nan, 0.5, np.nan])


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ({"boxes_3d": [[1, 2, 3]]}, None),
        ({"boxes_3d": [[1, 2, 3, "tm", 0.5, 2]]}, ("class 2",)),
        ({"boxes_3d": [[1, 2, 3, "tm", 0.5, 2, 64]], "class_list": {"2": "old name"}}, ("old name",)),
    ],
)
def test_shorter_and_older_boxes_are_read(tmp_path: Path, content: dict[str, Any], names: tuple[str, ...] | None) -> None:
    found = read_particles(info(tmp_path, content))
    assert found.voxels(FRAME).tolist() == [[3, 2, 1]]
    assert found.class_names == names


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ([1], "expected names and their content in braces"),
        ({"other": 1}, "has no boxes of particles"),
        ({"boxes_3d": {"a": 1}}, "must be a list of boxes"),
        ({"boxes_3d": [[1, 2]]}, "must be a list of boxes"),
        ({"boxes_3d": [[1, 2, "x"]]}, "a box that is not x, y, z"),
        ({"boxes_3d": [[1, 2, [3]]]}, "a box that is not x, y, z"),
        ({"boxes_3d": [[1, 2, 3, "tm", 0.5, None]]}, "a box that is not x, y, z"),
        ({"boxes_3d": [[1, 2, float("inf")]]}, "not a finite number"),
        ({"boxes_3d": [[1, 2, 3]], "apix_unbin": 0}, "must be the Å per unbinned pixel"),
    ],
)
def test_odd_info_files_are_refused_and_left_alone(tmp_path: Path, content: Any, sentence: str) -> None:
    path = info(tmp_path, content)
    before = path.read_bytes()
    with pytest.raises(FileFormatError, match=sentence):
        read_particles(path, format="eman2")
    if sentence in ("must be a list of boxes", "expected names and their content in braces", "must be the Å per unbinned pixel"):
        with pytest.raises(FileFormatError, match=sentence):
            write_parts(path, [part()], CLASSES, format="eman2")
        assert path.read_bytes() == before


def test_one_odd_file_of_several_stops_all(tmp_path: Path) -> None:
    path = info(tmp_path, {"boxes_3d": 1}, "TS_02_info.json")
    with pytest.raises(FileFormatError, match="must be a list of boxes"):
        write_parts(tmp_path / "any.json", [part("TS_01"), part("TS_02")], CLASSES, format="eman2")
    assert list(tmp_path.iterdir()) == [path]


def test_several_tomograms_get_the_names_of_eman2(tmp_path: Path) -> None:
    written = write_parts(tmp_path / "any.json", [part("TS_01__bin4"), part("TS_02.hdf")], CLASSES, format="eman2")
    assert [file.name for file in written.files] == ["TS_01_info.json", "TS_02_info.json"]
    with pytest.raises(PickerError, match="the same info file"):
        write_parts(tmp_path / "any.json", [part("TS_01__bin4"), part("TS_01__bin8")], CLASSES, format="eman2")
    alone = write_parts(tmp_path / "any.json", [part()], CLASSES, format="eman2")
    assert "looks for the boxes in info/TS_01_info.json" in alone.notices[0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("TS_01", "TS_01_info.json"),
        ("/a/tomograms/TS_01__bin4.hdf", "TS_01_info.json"),
        ("x_ptcls", "x_info.json"),
        ("__a", "__a_info.json"),
    ],
)
def test_names_of_info_files(name: str, expected: str) -> None:
    assert info_name(name) == expected


def test_boxes_as_text(tmp_path: Path) -> None:
    (tmp_path / "a.box").write_text("10\t20\t30\n11\t21\t31\n")
    assert read_particles(tmp_path / "a.box").voxels(FRAME).tolist() == [[30, 20, 10], [31, 21, 11]]
    (tmp_path / "b.box").write_text("10\t20\t30\t40\n")
    with pytest.raises(FileFormatError, match="as boxes in images have"):
        read_particles(tmp_path / "b.box")
    (tmp_path / "c.box").write_text("10 20\n")
    with pytest.raises(FileFormatError, match="has 2 columns; expected x y z"):
        read_particles(tmp_path / "c.box")
