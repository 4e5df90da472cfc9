"""Models of IMOD and points as text, checked by other people's code and by files written out by hand."""

from __future__ import annotations

import struct
import warnings
from typing import TYPE_CHECKING, Any

import imodmodel
import numpy as np
import pytest
from imodmodel import ImodModel
from imodmodel.models import Contour, Object

from core.errors import AmbiguousFormatError, FileFormatError, PickerError
from core.io.particles import TomogramPicks, read_particles, write_parts
from core.io.particles.values import Frame
from core.particles import ClassSpec, ParticleTable

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = (
    ClassSpec(id=1, name="ribosome", diameter=250.0, color="#ff8000"),
    ClassSpec(id=2, name="barrel", diameter=150.0),
    ClassSpec(id=3, name="ä" * 40, diameter=150.0),
    ClassSpec(id=4, name="ä" * 41, diameter=150.0),
)
FRAME = Frame(voxel_size=13.48, shape=(200, 960, 928))
ZYX = np.array([[12.25, 100.5, 7.0], [3.0, 44.125, 88.5]])
XYZ = [[7.5, 101.0, 12.25], [89.0, 44.625, 3.0]]


def part(class_ids: int | list[int] = 1, frame: Frame = FRAME, **more: Any) -> TomogramPicks:
    scores = np.float32(more.pop("scores", [0.25, 0.75]))
    return TomogramPicks(name="TS_01", table=ParticleTable.build("TS_01", ZYX, class_ids, scores=scores), frame=frame, **more)


def written(folder: Path, one: TomogramPicks, **options: Any) -> Path:
    return write_parts(folder / "a.mod", [one], CLASSES, format="imod", options=options).files[0]


def objects_of(folder: Path, *objects: Object) -> Path:
    for one in objects:
        one.update_sizes()
    model = ImodModel(objects=list(objects))
    model.update_sizes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of pydantic, which writes them
        model.to_file(folder / "other.mod")
    return folder / "other.mod"


def contour(*points: tuple[float, float, float]) -> Contour:
    return Contour(points=np.array(points))


CENTRES = "10.5 20.5 30\n1.5 2.5 -3\n"


@pytest.mark.parametrize("name", ["a.txt", "a.pts", "a.xyz"])
def test_three_columns_of_centres_as_imod_has_them_are_asked_about(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(CENTRES)
    if name == "a.xyz":  # another ending, the same look
        path.write_text(CENTRES.replace(" ", "\t"))
    with pytest.raises(AmbiguousFormatError, match="3 columns, x and y ending in") as caught:
        read_particles(path)
    assert set(caught.value.formats) == {"coords", "imod-text"}
    np.testing.assert_array_equal(read_particles(path, format="imod-text").positions, [[30, 20, 10], [-3, 2, 1]])
    np.testing.assert_array_equal(read_particles(path, format="coords").positions, [[30, 20.5, 10.5], [-3, 2.5, 1.5]])


@pytest.mark.parametrize("content", ["10.5 20.5 30\n1.5 2 3\n", "10.5 20.5 30.5\n", "10 20 30\n", "10.25 20.5 30\n"])
def test_three_columns_that_are_not_all_centres_are_not_asked_about(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(content)
    assert read_particles(tmp_path / "a.txt").positions[0, 2] == float(content.split()[0])


def test_the_ending_of_deepetpicker_says_enough(tmp_path: Path) -> None:
    (tmp_path / "a.coords").write_text(CENTRES)
    assert read_particles(tmp_path / "a.coords").positions[0].tolist() == [30, 20.5, 10.5]


# ---- what other code reads in ours ----


def test_a_model_is_read_by_other_code(tmp_path: Path) -> None:
    table = imodmodel.read(written(tmp_path, part([1, 2])))
    np.testing.assert_allclose(table[["x", "y", "z"]], XYZ)
    assert table["object_id"].tolist() == [0, 1]


def test_the_header_tells_size_and_unit(tmp_path: Path) -> None:
    head = ImodModel.from_file(written(tmp_path, part())).header
    assert (head.xmax, head.ymax, head.zmax, head.objsize) == (928, 960, 200, 1)
    assert head.pixelsize == pytest.approx(1.348)
    assert (head.units, head.zscale, head.xscale, head.drawmode, head.point, head.res, head.thresh) == (-9, 1, 1, 1, -1, 3, 128)


def test_an_object_has_name_color_and_size_of_its_class(tmp_path: Path) -> None:
    first, second = ImodModel.from_file(written(tmp_path, part([1, 2]))).objects
    assert (first.header.name, second.header.name) == ("ribosome", "barrel")
    assert first.color == pytest.approx((1, 128 / 255, 0))
    assert (first.header.pdrawsize, second.header.pdrawsize) == (round(125 / 13.48), round(75 / 13.48))
    assert first.header.flags.scattered
    assert not first.header.flags.open
    assert (first.header.contsize, len(first.contours)) == (1, 1)


def test_scores_are_values_of_points(tmp_path: Path) -> None:
    for values, expected in ((True, [(10, 0, 0.25), (10, 1, 0.75)]), (False, [])):
        one = ImodModel.from_file(written(tmp_path, part(), values=values)).objects[0].contours[0]
        assert [(entry.type, entry.index, entry.value) for entry in one.extra] == expected
    one = ImodModel.from_file(written(tmp_path, part(scores=[np.nan, 0.5]))).objects[0].contours[0]
    assert [(entry.index, entry.value) for entry in one.extra] == [(1, 0.5)]


def test_without_a_voxel_size_there_is_no_unit(tmp_path: Path) -> None:
    told = write_parts(tmp_path / "a.mod", [part(frame=Frame(voxel_size=0.0, shape=(9, 9, 9)))], CLASSES, format="imod")
    head = ImodModel.from_file(told.files[0]).header
    assert (head.pixelsize, head.units) == (1, 0)
    assert "voxel size is not known" in told.notices[0]


def test_the_first_bytes_are_as_specified(tmp_path: Path) -> None:
    content = written(tmp_path, part()).read_bytes()
    assert content[:8] == b"IMODV1.2"
    assert struct.unpack_from(">4i", content, 8 + 128) == (928, 960, 200, 1)
    assert content[240:244] == b"OBJT"
    assert content[420:424] == b"CONT"
    assert struct.unpack_from(">iIii6f", content, 424) == (2, 0, 0, 0, *XYZ[0], *XYZ[1])
    assert content[464:468] == b"COST"
    assert struct.unpack_from(">ihhif", content, 468) == (24, 10, 132, 0, 0.25)
    assert content[-4:] == b"IEOF"


def test_long_names_are_cut_between_letters(tmp_path: Path) -> None:
    found = read_particles(written(tmp_path, part(3)))
    assert found.class_names == ("ä" * 31,) * 2
    with pytest.raises(PickerError, match="first 63 letters"):
        written(tmp_path, part([3, 4]))


# ---- what we read in others ----


def test_a_model_of_other_code_is_read(tmp_path: Path) -> None:
    first = Object(contours=[contour((1.5, 2.5, 3)), contour((4.5, 5.5, 6), (7.5, 8.5, 9))])
    found = read_particles(objects_of(tmp_path, first, Object(contours=[contour((10, 20, 30))])))
    assert found.positions.tolist() == [[3, 2, 1], [6, 5, 4], [9, 8, 7], [30, 19.5, 9.5]]
    assert found.class_ids.tolist() == [1, 1, 1, 2]
    assert found.extras["contour"].tolist() == [1, 2, 2, 1]
    assert found.scores is None


def test_the_centre_of_the_first_voxel_may_be_told(tmp_path: Path) -> None:
    path = objects_of(tmp_path, Object(contours=[contour((1.5, 2.5, 3.5))]))
    for told, expected in (("0.5 0.5 0", [3.5, 2, 1]), ("0.5 0.5 0.5", [3, 2, 1]), ("0 0 0", [3.5, 2.5, 1.5])):
        assert read_particles(path, options={"first_voxel": told}).positions.tolist() == [expected]
        (tmp_path / "a.txt").write_text("1.5 2.5 3.5\n")
        text = read_particles(tmp_path / "a.txt", format="imod-text", options={"first_voxel": told})
        assert text.positions.tolist() == [expected]
        table = imodmodel.read(written(tmp_path, part(), first_voxel=told))
        np.testing.assert_allclose(table[["x", "y", "z"]], ZYX[:, ::-1] + [float(word) for word in told.split()])


def test_objects_with_and_without_names(tmp_path: Path) -> None:
    first, second = Object(contours=[contour((1, 1, 1))]), Object(contours=[contour((2, 2, 2))])
    first.header.name = "ribosome"
    assert read_particles(objects_of(tmp_path, first, second)).class_names == ("ribosome", "object 2")
    alone = read_particles(objects_of(tmp_path, second))
    assert (alone.class_names, alone.class_ids) == (None, None)


def blocks(*more: bytes, flags: int = 0) -> bytes:
    """A model of one point 10.5 20.5 30 by hand, with further blocks."""
    numbers = struct.pack(
        ">4iI4i6f5ifi i3f", 9, 9, 9, 1, flags, 1, 1, 0, 255, 0, 0, 0, 1, 1, 2.5, 0, 0, -1, 3, 128, 1.0, 0, 0, 0, 0, 0
    )
    one = struct.pack(">64s16IiIii3fi8B2i", b"", *(0,) * 16, 1, 512, 0, 1, 0, 1, 0, 5, *(0,) * 8, 0, 0)
    points = struct.pack(">iIii3f", 1, 0, 0, 0, 10.5, 20.5, 30.0)
    return b"IMODV1.2" + bytes(128) + numbers + b"OBJT" + one + b"CONT" + points + b"".join(more) + b"IEOF"


def test_blocks_that_do_not_matter_are_left_out(tmp_path: Path) -> None:
    mesh = b"MESH" + struct.pack(">2iI2h", 2, 3, 0, 0, 0) + bytes(24 + 12)
    other = b"IMAT" + struct.pack(">i", 16) + bytes(16) + b"VIEW" + struct.pack(">i", 4) + bytes(4)
    size = b"SIZE" + struct.pack(">if", 4, 7.0)
    (tmp_path / "a.mod").write_bytes(blocks(size, mesh, other))
    found = read_particles(tmp_path / "a.mod")
    assert found.positions.tolist() == [[30, 20, 10]]
    assert found.notices == ()


def test_a_model_with_y_and_z_exchanged(tmp_path: Path) -> None:
    (tmp_path / "a.mod").write_bytes(blocks(flags=1 << 16))
    found = read_particles(tmp_path / "a.mod")
    assert found.positions.tolist() == [[20, 30, 10]]
    assert "y and z exchanged" in found.notices[0]


@pytest.mark.parametrize(("known", "moved"), [(True, 1.0), (False, 0.0)])
def test_a_model_of_a_part_of_an_image(tmp_path: Path, known: bool, moved: float) -> None:
    image = b"MINX" + struct.pack(">i18f", 72, 1, 1, 1, 200, 400, 600, 0, 0, 0, 2, 2, 2, 0, 0, 0, 0, 0, 0)
    (tmp_path / "a.mod").write_bytes(blocks(image, flags=(1 << 14) * known))
    found = read_particles(tmp_path / "a.mod")
    assert found.positions.tolist() == [[30, 20, 10]]
    assert bool(found.notices) == known
    full = read_particles(tmp_path / "a.mod", options={"full_image": True})
    np.testing.assert_allclose(full.positions, [[30 + 300 * moved, 20 + 200 * moved, 10 + 100 * moved]])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"IMODV1.2", "is a damaged model"),
        (b"IMODV1.1" + bytes(400), "is not a model of IMOD"),
        (blocks()[:-4], "the end of the model is missing"),
        (blocks(b"IMAT\x7f\xff\xff\xff"), "a block tells of 2147483647 bytes"),
        (blocks(b"CONT\x7f\xff\xff\xff" + bytes(12)), "a block tells of 25769803780 bytes"),
        (blocks(b"CONT\xff\xff\xff\xff" + bytes(12)), "a block tells of -1 bytes"),
        (blocks(b"MESH\x7f\xff\xff\xff" + bytes(12)), "a block tells of"),
        (blocks()[:240] + blocks()[420:], "is a damaged model"),
        (blocks().replace(struct.pack(">f", 10.5), struct.pack(">f", np.nan)), "point 1: a position must be"),
        (
            blocks().replace(struct.pack(">i", 1) + bytes(12), bytes(16)).replace(struct.pack(">3f", 10.5, 20.5, 30), b""),
            "without points",
        ),
        (blocks(b"COST" + struct.pack(">ihhif", 12, 10, 4, 0, np.inf)), "whose value is infinite"),
    ],
)
def test_damaged_models_are_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "a.mod").write_bytes(content)
    with pytest.raises(FileFormatError, match=sentence):
        read_particles(tmp_path / "a.mod", format="imod")


# ---- text ----


def text(folder: Path, columns: str) -> str:
    options = {"columns": columns}
    return write_parts(folder / "a.txt", [part([1, 2])], CLASSES, format="imod-text", options=options).files[0].read_text()


def test_points_as_text_have_the_columns_that_are_asked_for(tmp_path: Path) -> None:
    rows = ["       7.500      101.000       12.250", "      89.000       44.625        3.000"]
    assert text(tmp_path, "x y z").splitlines() == rows
    assert text(tmp_path, "contour x y z").splitlines() == [f"     1 {row}" for row in rows]
    assert text(tmp_path, "object contour x y z").splitlines() == [f"     {n}      1 {row}" for n, row in enumerate(rows, 1)]


@pytest.mark.parametrize(
    ("rows", "classes", "contours"),
    [
        ("  7.50  101.00  12.25\n 89.00 44.62 3.00\n", None, None),
        ("1 7.50 101.00 12.25\n4 89.00 44.62 3.00\n", None, [1, 4]),
        ("1 1 7.50 101.00 12.25\n2 3 89.00 44.62 3.00\n", [1, 2], [1, 3]),
        ("0 0 7.50 101.00 12.25\n1 2 89.00 44.62 3.00\n", [1, 2], [0, 2]),
    ],
)
def test_points_of_model2point_are_read(tmp_path: Path, rows: str, classes: list[int] | None, contours: list[int] | None) -> None:
    (tmp_path / "a.txt").write_text(rows)
    found = read_particles(tmp_path / "a.txt", format="imod-text")
    np.testing.assert_allclose(found.positions, ZYX, atol=0.006)
    assert (None if found.class_ids is None else found.class_ids.tolist()) == classes
    assert (found.extras["contour"].tolist() if "contour" in found.extras else None) == contours
    assert bool(found.notices) == rows.startswith("0")


def test_text_that_may_be_of_others_is_asked_about(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1 7.50 101.00 12.25\n")
    with pytest.raises(AmbiguousFormatError) as told:
        read_particles(tmp_path / "a.txt")
    assert "imod-text" in told.value.formats


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [("1 2\n", "has 2 columns"), ("1 2 3\n1 2\n", "line 2"), ("1 2 inf\n", "finite"), ("1.5 1 1 2 3\n", "whole number")],
)
def test_odd_text_is_refused(tmp_path: Path, rows: str, sentence: str) -> None:
    (tmp_path / "a.txt").write_text(rows)
    with pytest.raises(FileFormatError, match=sentence):
        read_particles(tmp_path / "a.txt", format="imod-text")
