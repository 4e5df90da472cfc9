from __future__ import annotations

import csv
import errno
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import starfile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.errors import ConfigError, FileFormatError, PickerError
from core.io.particles import TiltSeriesGeometry, TomogramPicks, read_particles, write_particles, write_parts
from core.io.particles.comparing import TOLERANCE
from core.io.particles.values import Frame, Unit, Written
from core.particles import ClassSpec, ParticleTable
from core.tomogram import Tomogram

CLASSES = (ClassSpec(id=1, name="ribosome, 80S", diameter=250.0), ClassSpec(id=7, name="proteasome", diameter=150.0))
FRAME = Frame(voxel_size=13.48, shape=(200, 960, 928), tilt_series=TiltSeriesGeometry(pixel_size=3.37, size=(801, 3838, 3710)))

coordinates = st.floats(-1e4, 1e6, allow_subnormal=False)
tables = st.integers(1, 6).flatmap(
    lambda n: st.builds(
        lambda zyx, ids, scores: ParticleTable.build("a", zyx, ids, scores=scores),
        arrays(np.float64, (n, 3), elements=coordinates),
        arrays(np.int64, (n,), elements=st.sampled_from([1, 7])),
        arrays(np.float32, (n,), elements=st.floats(0, 1, width=32)),
    )
)
words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).map(str.strip).filter(bool)


def _file(folder: Path, content: str | bytes, name: str = "picks.coords") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def _picks(
    n: int, name: str = "TS_01", class_id: int = 1, seed: int = 0, frame: Frame = FRAME, scored: bool = True
) -> TomogramPicks:
    rng = np.random.default_rng(seed)
    positions = rng.random((n, 3)) * (np.asarray(frame.shape) - 1)
    scores = rng.random(n).astype(np.float32) if scored else None
    return TomogramPicks(name=name, table=ParticleTable.build(name, positions, class_id, scores=scores), frame=frame)


# ---- .coords: what comes in ----

GOOD = {
    "blanks": "10 20 30\n11 21 31.5\n",
    "tabs": "10\t20\t30\n11\t21\t31.5\n",
    "commas": "10,20,30\n11,21,31.5\n",
    "commas and blanks": "10, 20, 30\n11 ,21, 31.5\n",
    "semicolons and decimal commas": "10;20;30\n11;21;31,5\n",
    "Windows line ends": "10 20 30\r\n11 21 31.5\r\n",
    "old Macintosh line ends": "10 20 30\r11 21 31.5\r",
    "no last line end": "10 20 30\n11 21 31.5",
    "blank lines and comments": "# picked by hand\n\n10 20 30\n  \n# more\n11 21 31.5\n\n",
    "byte order mark": "\ufeff10 20 30\n11 21 31.5\n",
    "aligned": "    10     20     30\n    11     21     31.5\n",
    "header": "X Y Z\n10 20 30\n11 21 31.5\n",
    "header in another order": "z,y,x\n30,20,10\n31.5,21,11\n",
    "header as a comment": "# x y z\n10 20 30\n11 21 31.5\n",
    "header that says nothing": "column row section\n10 20 30\n11 21 31.5\n",
    "exponents": "1e1 2.0E+1 30\n11 21 31.5\n",
    "UTF-16": "10 20 30\n11 21 31.5\n".encode("utf-16"),
}


@pytest.mark.parametrize("named", [None, "coords"])
@pytest.mark.parametrize("case", GOOD)
def test_coords_are_read_as_they_are_meant(tmp_path: Path, case: str, named: str | None) -> None:
    picks = read_particles(_file(tmp_path, GOOD[case]), format=named)
    assert picks.positions.tolist() == [[30, 20, 10], [31.5, 21, 11]]
    assert picks.unit is Unit.VOXEL
    assert picks.class_ids is None
    assert bool(picks.notices) == (case == "header that says nothing")


def test_coords_with_class_and_score(tmp_path: Path) -> None:
    picks = read_particles(_file(tmp_path, "1\t512\t388.25\t97\t0.5\n2\t1\t2\t3\tnan\n"))
    assert picks.positions.tolist() == [[97, 388.25, 512], [3, 2, 1]]
    assert picks.class_ids is not None
    assert picks.class_ids.tolist() == [1, 2]
    np.testing.assert_array_equal(picks.scores, [0.5, np.nan])


def test_four_columns_are_read_only_when_their_meaning_is_certain(tmp_path: Path) -> None:
    path = _file(tmp_path, "1 10 20 30\n2 11 21 31\n")
    with pytest.raises(FileFormatError, match=r"4 columns.*DeepETPicker.*crYOLO.*say which"):
        read_particles(path)
    told = read_particles(path, format="coords")
    headed = read_particles(_file(tmp_path, "class_id x y z\n1 10 20 30\n2 11 21 31\n", "headed.coords"))
    for picks in (told, headed):
        assert picks.positions.tolist() == [[30, 20, 10], [31, 21, 11]]
        np.testing.assert_array_equal(picks.class_ids, [1, 2])


BAD = {
    "empty": ("", "is empty"),
    "blank": ("\n \n", "holds no coordinates"),
    "comments only": ("# nothing\n", "holds no coordinates"),
    "header only": ("x y z\n", "header but no coordinates"),
    "unknown header only": ("these are picks\n", "holds no coordinates"),
    "NaN": ("1 2 3\n4 nan 6\n", "line 2: a position must be three finite numbers"),
    "infinite": ("1 2 3\n\n4 5 inf\n", "line 3: a position must be three finite numbers"),
    "not a number": ("1 2 3\n4 5 6\n# a\n7 here 9\n", "line 4: expected a number for y, not 'here'"),
    "first row wrong": ("1 2 three\n4 5 6\n", "line 1: expected a number for z, not 'three'"),
    "decimal comma": ("1,5\t2,5\t3,5\n", "line 1: expected a number for x, not '1,5'"),
    "two columns": ("1 2\n3 4\n", "line 1: expected columns 3 .* not 2"),
    "six columns": ("1 2 3 4 5 6\n", "not 6"),
    "ragged": ("1 2 3\n4 5\n", "line 2: expected 3 columns as in the lines before, not 2"),
    "ragged to more": ("1 2 3\n1 4 5 6\n", "line 2: expected 3 columns"),
    "class 0": ("0 1 2 3 0.5\n", "line 1: a class must be a whole number from 1 on, not 0"),
    "class with decimals": ("1 1 2 3 0.5\n1.5 1 2 3 0.5\n", "line 2: a class must be"),
    "infinite score": ("1 1 2 3 inf\n", "line 1: a score must be a finite number"),
    "prose": ("Dear all,\nplease find the picks below.\n", "expected"),
    "binary": (bytes(range(256)) * 9, "not a text file"),
    "binary without zeros": (b"\xff\xfa\x80\x81" * 50, "not a text file"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_coords_are_one_sentence_with_the_place(tmp_path: Path, case: str) -> None:
    content, sentence = BAD[case]
    path = _file(tmp_path, content)
    with pytest.raises(FileFormatError, match=sentence) as told:
        read_particles(path, format="coords")
    _is_one_sentence(str(told.value), path)
    with pytest.raises(FileFormatError):
        read_particles(path)


def write_relion5(path: Path, parts: list[TomogramPicks], **options: Any) -> Written:
    return write_parts(path, parts, CLASSES, format="relion5", options=options)


def _is_one_sentence(text: str, path: Path) -> None:
    assert path.name in text
    assert text.endswith(".")
    assert "\n" not in text
    assert len(re.findall(r"[.!?] [A-Z]", text)) == 0, text


@pytest.mark.parametrize("format", [None, "coords", "csv", "relion5"])
def test_what_is_no_file_is_a_sentence(tmp_path: Path, format: str | None) -> None:
    with pytest.raises(FileFormatError, match="no such file or folder"):
        read_particles(tmp_path / "missing.coords", format=format)
    with pytest.raises(FileFormatError, match="is a folder"):
        read_particles(tmp_path, format=format)
    with pytest.raises(FileFormatError, match="part of the path is a file"):
        read_particles(_file(tmp_path, "1 2 3") / "picks.coords", format=format)


@pytest.fixture
def unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = _file(tmp_path, "1 2 3\n")
    path.chmod(0)
    if os.access(path, os.R_OK):  # root reads everything: let the system say what it says to everybody else

        def refuse(*_args: Any, **_kwargs: Any) -> Any:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

        monkeypatch.setattr(Path, "open", refuse)
    return path


def test_no_permission_is_a_sentence(unreadable: Path) -> None:
    with pytest.raises(FileFormatError, match=r"Cannot read .*picks\.coords: you have no permission"):
        read_particles(unreadable)


# ---- .coords: what goes out ----


def test_coords_as_the_published_program_writes_them(tmp_path: Path) -> None:
    table = ParticleTable.build("a", [[97.4, 387.6, 512]], 1, scores=np.float32([0.25]))
    part = [TomogramPicks(name="a", table=table, frame=FRAME)]
    expected = {
        "1\t512\t388\t97\n": {"decimals": 0},
        "512\t388\t97\n": {"decimals": 0, "columns": "x y z"},
        "1\t512.000\t387.600\t97.400\n": {},
        "1\t512.00\t387.60\t97.40\t0.25\n": {"decimals": 2, "columns": "class x y z score"},
    }
    for text, options in expected.items():
        write_parts(tmp_path / "a.coords", part, CLASSES, options=options)
        assert (tmp_path / "a.coords").read_bytes() == text.encode()


def test_coords_of_several_tomograms_are_several_files(tmp_path: Path) -> None:
    parts = [_picks(3, "a"), _picks(2, "b/c", seed=1)]
    written = write_parts(tmp_path / "out.coords", parts, CLASSES)
    assert written.files == (tmp_path / "out" / "a.coords", tmp_path / "out" / "b_c.coords")
    for file, part in zip(written.files, parts, strict=True):
        np.testing.assert_allclose(read_particles(file, format="coords").positions, part.table.positions, atol=1e-3)


# ---- tables with a header ----


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("x,y,z", Unit.VOXEL),
        ("X,Y,Z", Unit.VOXEL),
        ("coord_x,coord_y,coord_z", Unit.VOXEL),
        ("x_coord,y_coord,z_coord", Unit.VOXEL),
        ("Position X,Position Y,Position Z", Unit.VOXEL),
        ("x (px),y (px),z (px)", Unit.VOXEL),
        ("x_angstrom,y_angstrom,z_angstrom", Unit.ANGSTROM),
        ("X [Å],Y [Å],Z [Å]", Unit.ANGSTROM),
        ("x_A,y_A,z_A", Unit.ANGSTROM),
    ],
)
def test_headers_people_write(tmp_path: Path, header: str, unit: Unit) -> None:
    picks = read_particles(_file(tmp_path, f"{header}\n1.5,2,3\n", "t.csv"))
    assert picks.positions.tolist() == [[3, 2, 1.5]]
    assert picks.unit is unit


def test_columns_are_found_by_name_in_any_order(tmp_path: Path) -> None:
    text = 'Score;Tomogram;z;Class;x;y;note\r\n0,5;TS_01;3;"ribosome; 80S";1,5;2;"a ""good"" one"\r\n;TS_02;6;p;4;5;\r\n'
    picks = read_particles(_file(tmp_path, text, "t.csv"))
    assert picks.positions.tolist() == [[3, 2, 1.5], [6, 5, 4]]
    assert picks.class_names == ("ribosome; 80S", "p")
    assert picks.tomograms == ("TS_01", "TS_02")
    np.testing.assert_array_equal(picks.scores, [0.5, np.nan])


def test_voxels_are_preferred_and_the_user_has_the_last_word(tmp_path: Path) -> None:
    path = _file(tmp_path, "x\ty\tz\tx_angstrom\ty_angstrom\tz_angstrom\n1\t2\t3\t10\t20\t30\n", "t.tsv")
    assert read_particles(path).positions.tolist() == [[3, 2, 1]]
    picks = read_particles(path, unit=Unit.ANGSTROM)
    assert (picks.positions.tolist(), picks.unit) == ([[30, 20, 10]], Unit.ANGSTROM)
    plain = _file(tmp_path, "x y z\n1 2 3\n", "plain.txt")
    assert read_particles(plain, unit=Unit.ANGSTROM).unit is Unit.ANGSTROM
    with pytest.raises(FileFormatError, match="names its columns x_angstrom, which is not voxel"):
        read_particles(_file(tmp_path, "x_angstrom,y_angstrom,z_angstrom\n1,2,3\n"), unit=Unit.VOXEL)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a,b,c\n1,2,3\n", "no header with columns x, y and z"),
        ("x,y\n1,2\n", "no header with columns x, y and z"),
        ("x,y,z\n", "header but no coordinates"),
        ("x,y,z\n1,2,3\n1,2\n", "line 3: expected 3 columns as in the header, not 2"),
        ("x,y,z\n1,2,3\n\n1,2,3,4\n", "line 4: expected 3 columns"),
        ("x,y,z\n1,2,\n", "line 2: expected a number for z, not ''"),
        ("x,y,z,score\n1,2,3,good\n", "line 2: expected a number for score, not 'good'"),
        ("x,y,z\n1,2,nan\n", "line 2: a position must be three finite numbers"),
        ("class_id,x,y,z\n2.5,1,2,3\n", "line 2: a class must be a whole number"),
        ('class,x,y,z\n"' + "rib" * 100_000, "line 2: not a row of a table"),
    ],
)
def test_bad_tables_are_one_sentence_with_the_place(tmp_path: Path, text: str, sentence: str) -> None:
    path = _file(tmp_path, text, "t.csv")
    with pytest.raises(FileFormatError, match=sentence) as told:
        read_particles(path, format="csv")
    _is_one_sentence(str(told.value), path)


@given(table=tables, name=words, specs=st.lists(words, min_size=2, max_size=2, unique=True))
@example(table=ParticleTable.build("a", [[1, 2, 3]]), name="#1", specs=['"', ","])
@settings(max_examples=40)
@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_tables_come_back_to_the_last_digit(table: ParticleTable, name: str, specs: list[str], suffix: str) -> None:
    classes = [ClassSpec(id=number, name=word, diameter=1.0) for number, word in zip((1, 7), specs, strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"t{suffix}"
        write_parts(path, [TomogramPicks(name=name, table=table, frame=FRAME)], classes)
        picks = read_particles(path)
    names = {spec.id: spec.name for spec in classes}
    np.testing.assert_array_equal(picks.positions, table.positions)
    np.testing.assert_array_equal(picks.scores, table.scores)
    np.testing.assert_array_equal(picks.class_ids, table.class_ids)
    assert picks.class_names == tuple(names[number] for number in table.class_ids.tolist())
    assert picks.tomograms == (name,) * len(table)


@pytest.mark.parametrize("voxel_size", [0.0, 1.35, 13.48])
def test_tables_hold_angstrom_where_the_voxel_size_is_known(tmp_path: Path, voxel_size: float) -> None:
    part = _picks(5, frame=Frame(voxel_size=voxel_size, shape=(50, 60, 70)), scored=False)
    path = tmp_path / "t.csv"
    write_parts(path, [part], CLASSES)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = [[row[f"{axis}_angstrom"] for axis in "zyx"] for row in rows]
    if voxel_size:
        np.testing.assert_allclose(np.array(found, float), part.table.positions * voxel_size, atol=5.1e-4)
    else:
        assert found == [["", "", ""]] * 5
    assert {row["score"] for row in rows} == {""}


# ---- RELION ----


def _geometry(size: tuple[int, int, int] | None, pixel_size: float, voxel_size: float) -> Frame:
    tilt_series = TiltSeriesGeometry(pixel_size=pixel_size, size=size)
    return Frame(voxel_size=voxel_size, shape=(200, 960, 928), tilt_series=tilt_series)


@pytest.mark.parametrize("size", [None, (801, 3838, 3710), (1023, 3838, 3710)])
@pytest.mark.parametrize(("pixel_size", "voxel_size"), [(3.37, 13.48), (1.0825, 8.66), (13.48, 13.48)])
def test_relion5_holds_the_centred_coordinates_of_its_formula(
    tmp_path: Path, size: tuple[int, int, int] | None, pixel_size: float, voxel_size: float
) -> None:
    part = _picks(20, "rec_TS_01.mrc", frame=_geometry(size, pixel_size, voxel_size))
    written = write_relion5(tmp_path / "picks.star", [part])
    binning = voxel_size / pixel_size
    unbinned = np.asarray(size or np.asarray(part.frame.shape) * binning)[::-1]
    expected = (part.table.positions[:, ::-1] * binning - unbinned / 2) * pixel_size
    listed = starfile.read(written.files[0], always_dict=True, parse_as_string=["rlnTomoName"])
    assert list(listed) == ["coordinate_files"]
    assert listed["coordinate_files"]["rlnTomoName"].tolist() == ["TS_01"]
    assert listed["coordinate_files"]["rlnTomoImportParticleFile"].tolist() == [str(tmp_path / "picks" / "TS_01.star")]
    blocks = starfile.read(tmp_path / "picks" / "TS_01.star", always_dict=True)
    assert list(blocks) == ["particles"]
    found = blocks["particles"]
    assert set(found["rlnTomoName"]) == {"TS_01"}
    np.testing.assert_allclose(found[[f"rlnCenteredCoordinate{axis}Angst" for axis in "XYZ"]], expected, atol=1e-6)
    np.testing.assert_allclose(found["rlnAutopickFigureOfMerit"], part.table.scores, atol=1e-6)
    assert bool(written.notices) == (size is None)
    assert all(b"\r" not in file.read_bytes() for file in written.files)


@given(table=tables, voxel_size=st.floats(0.5, 30), binning=st.sampled_from([1, 2, 3.7, 8]))
@settings(max_examples=20)
def test_relion5_comes_back_within_a_hundredth_of_a_voxel(table: ParticleTable, voxel_size: float, binning: float) -> None:
    frame = _geometry((801, 3838, 3710), voxel_size / binning, voxel_size)
    one = table.select(table.class_ids == table.class_ids[0])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picks.star"
        write_parts(path, [TomogramPicks(name="007", table=one, frame=frame)], CLASSES)
        picks = read_particles(path)
    np.testing.assert_allclose(frame.to_voxels(picks.positions, picks.unit), one.positions, atol=0.01)
    np.testing.assert_allclose(picks.scores, one.scores, atol=1e-6)
    assert picks.tomograms == ("007",) * len(one)


def test_relion5_of_several_tomograms_and_classes(tmp_path: Path) -> None:
    both = _picks(4, "TS_01")
    both.table.class_ids[1::2] = 7
    parts = [both, _picks(3, "TS_02_13.48Apx", class_id=7, seed=1), _picks(0, "TS_03")]
    written = write_relion5(tmp_path / "picks.star", parts, relion_folder=str(tmp_path))
    names = ["picks_ribosome__80S.star", "picks_proteasome.star"]
    assert [file.name for file in written.files[:2]] == names
    listed = starfile.read(written.files[1])
    assert listed["rlnTomoImportParticleFile"].tolist() == ["picks_proteasome/TS_01.star", "picks_proteasome/TS_02.star"]
    picks = read_particles(written.files[1])
    assert picks.tomograms == ("TS_01",) * 2 + ("TS_02",) * 3
    expected = np.concatenate([both.table.positions[1::2], parts[1].table.positions])
    np.testing.assert_allclose(FRAME.to_voxels(picks.positions, picks.unit), expected, atol=0.01)


def test_relion5_writes_scores_only_where_all_have_one(tmp_path: Path) -> None:
    parts = [_picks(4, "TS_01"), _picks(3, "TS_02", scored=False)]
    files = write_relion5(tmp_path / "picks.star", parts).files[1:]
    assert [set(starfile.read(file)) for file in files] == [set(starfile.read(files[0]))] * 2
    assert "rlnAutopickFigureOfMerit" not in starfile.read(files[0])


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        (
            [_picks(2, frame=Frame(voxel_size=10, shape=(9, 9, 9)))],
            "pixel size of its tilt series .* must be known, and for 'TS_01' it is not",
        ),
        ([_picks(2, frame=_geometry(None, 2.0, 0.0))], "voxel size of the tomogram in Å must be known"),
        ([_picks(2, "rec_TS_01"), _picks(2, "TS_01_bin4")], "2 tomograms would be called 'TS_01'"),
        ([_picks(2, "my tomogram")], "cannot hold the tomogram name 'my tomogram'"),
        ([_picks(2, "data_1")], "cannot hold the tomogram name"),
        ([_picks(0)], "no particles to export"),
    ],
)
def test_relion5_refuses_what_it_cannot_say(tmp_path: Path, parts: list[TomogramPicks], sentence: str) -> None:
    with pytest.raises(PickerError, match=sentence):
        write_parts(tmp_path / "picks.star", parts, CLASSES)
    assert list(tmp_path.rglob("*.star")) == []


def test_relion5_is_compared_after_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.io.particles.comparing.TOLERANCE", -TOLERANCE)
    with pytest.raises(PickerError, match="does not read back"):
        write_parts(tmp_path / "picks.star", [_picks(5)], CLASSES)
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


STAR_HEADS = {
    "RELION 4": ("rlnTomoName", Unit.PIXEL),
    "Warp": ("rlnMicrographName", Unit.VOXEL),
    "DeepETPicker": (None, Unit.VOXEL),
}


@pytest.mark.parametrize("program", STAR_HEADS)
def test_corner_coordinates_of_other_programs(tmp_path: Path, program: str) -> None:
    label, unit = STAR_HEADS[program]
    columns = [f"_rlnCoordinate{axis}" for axis in "XYZ"] + ([f"_{label}"] if label else [])
    text = "data_\n\nloop_\n" + "\n".join(f"{column} #{n}" for n, column in enumerate(columns, 1))
    row = "40.5 20 12" + (" 001" if label else "")
    path = _file(tmp_path, f"{text}\n{row}\n", "a.star")
    picks = read_particles(path)
    assert picks.unit is unit
    assert picks.tomograms == (("001",) if label else None)
    assert len(picks.notices) == 1
    assert read_particles(path, unit=Unit.ANGSTROM).unit is Unit.ANGSTROM
    np.testing.assert_allclose(FRAME.to_voxels(picks.positions, Unit.PIXEL), [[3, 5, 10.125]])


PREAMBLE = "data_particles\n\nloop_\n_rlnTomoName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n_rlnCoordinateZ #4\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("data_\n", "not a STAR file that can be read"),
        ("data_\n\nloop_\n", "holds no coordinates"),
        (PREAMBLE, "its table is empty"),
        (PREAMBLE + "a 1 2 nan\n", "row 1: a position must be three finite numbers"),
        (PREAMBLE + "a 1 2 3\na 1 2\n", "row 2: a position must be three finite numbers"),
        (PREAMBLE + "a 1 2 3\na 1 2 3 4\n", "not a STAR file that can be read"),
        (PREAMBLE + "a 1 2 here\n", "rlnCoordinateZ holds something that is not a number"),
        (PREAMBLE.replace("CoordinateZ", "AngleRot") + "a 1 2 3\n", "holds no coordinates"),
        ("data_x\n\n_rlnTomoName a\n", "holds no coordinates"),
        ("data_x\n\nloop_\n_rlnTomoImportParticleFile #1\nmissing.star\n", "no such file"),
        (b"data_\n\0\0\0", "not a text file"),
    ],
)
def test_bad_star_files_are_a_sentence(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    with pytest.raises(FileFormatError, match=sentence) as error:
        read_particles(_file(tmp_path, text, "a.star"), format="relion5")
    assert "\n" not in str(error.value)


# ---- anything at all ----

scraps = st.lists(
    st.sampled_from(["data_", "loop_", "_rlnCoordinateX", "_rlnTomoImportParticleFile", "x", "y", "z", "class", "#", '"', "'"])
    | st.sampled_from([",", ";", "\t", " ", "\n", "\r\n", "1", "-2.5", "nan", "inf", "1e999", "é", "\x0c", "."]),
    max_size=60,
).map("".join)


@given(content=st.binary(max_size=200) | scraps.map(str.encode) | scraps.map(lambda text: (PREAMBLE + text).encode()))
@settings(max_examples=60)
@pytest.mark.parametrize("format", [None, "coords", "csv", "relion5"])
def test_anything_is_read_or_refused_with_a_sentence(content: bytes, format: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = _file(Path(folder), content)
        try:
            picks = read_particles(path, format=format)
        except FileFormatError:
            return
    assert len(picks) > 0
    assert np.isfinite(picks.positions).all()


# ---- units ----


@given(
    positions=arrays(np.float64, (4, 3), elements=st.floats(-100, 2000)),
    voxel_size=st.floats(0.5, 30),
    binning=st.floats(1, 16),
    unit=st.sampled_from(Unit),
)
@settings(max_examples=50)
def test_units_turn_back(positions: np.ndarray, voxel_size: float, binning: float, unit: Unit) -> None:
    frame = _geometry((801, 3838, 3710), voxel_size / binning, voxel_size)
    np.testing.assert_allclose(frame.to_voxels(frame.from_voxels(positions, unit), unit), positions, atol=1e-6)


def test_units_that_lack_what_they_need() -> None:
    with pytest.raises(FileFormatError, match="voxel size"):
        Frame(voxel_size=0.0, shape=(9, 9, 9)).to_voxels(np.zeros((1, 3)), Unit.ANGSTROM)
    with pytest.raises(FileFormatError, match="pixel size"):
        Frame(voxel_size=10.0, shape=(9, 9, 9)).to_voxels(np.zeros((1, 3)), Unit.PIXEL)
    with pytest.raises(ConfigError, match="pixel size"):
        TiltSeriesGeometry(pixel_size=float("inf"))
    with pytest.raises(ConfigError, match="unbinned"):
        TiltSeriesGeometry(pixel_size=1.0, size=(0, 1, 1))


# ---- the registry ----


def test_content_decides_before_the_name(tmp_path: Path) -> None:
    write_parts(tmp_path / "a.star", [_picks(3)], CLASSES)
    renamed = _file(tmp_path, (tmp_path / "a" / "TS_01.star").read_bytes(), "a.coords")
    assert read_particles(renamed).unit is Unit.CENTRED
    assert read_particles(_file(tmp_path, "10,20,30\n", "no_header.csv")).positions.tolist() == [[30, 20, 10]]
    assert read_particles(_file(tmp_path, "class,x,y,z\na,1,2,3\n", "table.coords")).class_names == ("a",)


def test_unknown_formats_are_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"not a file of particles that is known; these are: relion5 \(RELION 5: \.star\)"):
        read_particles(_file(tmp_path, "PK something else", "a.zip"))
    with pytest.raises(ConfigError, match="no format 'nope'"):
        read_particles(tmp_path / "a.star", format="nope")
    with pytest.raises(ConfigError, match=r"ending of a\.xyz names no format"):
        write_parts(tmp_path / "a.xyz", [_picks(1)], CLASSES)


@pytest.mark.parametrize("suffix", [".coords", ".csv", ".tsv", ".star"])
def test_one_tomogram_is_written_by_the_suffix(tmp_path: Path, suffix: str) -> None:
    tomogram = Tomogram(id="TS_01", path=None, voxel_size=13.48, data=np.zeros((8, 9, 10), np.float32))
    table = ParticleTable.build("TS_01", [[1.25, 2.5, 3]])
    path = tmp_path / f"a{suffix}"
    written = write_particles(path, table, CLASSES, tomogram, tilt_series=TiltSeriesGeometry(pixel_size=13.48))
    assert written.files[0] == path
    picks = read_particles(path, format={".coords": "coords"}.get(suffix))
    np.testing.assert_allclose(Frame(voxel_size=13.48, shape=(8, 9, 10)).to_voxels(picks.positions, picks.unit), table.positions)


@pytest.mark.parametrize("suffix", [".coords", ".csv", ".star"])
def test_a_failed_export_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    written = write_parts(path, [_picks(3)], CLASSES)
    before = {file: file.read_bytes() for file in written.files}

    def full(*_args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PickerError, match="the disk is full"):
        write_parts(path, [_picks(5, seed=1)], CLASSES)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(PickerError, match="a folder of this name is in the way"):
        write_parts(tmp_path / "a.csv", [_picks(1)], CLASSES)
    _file(tmp_path, "x", "b")
    with pytest.raises(PickerError, match="a file of this name is in the way"):
        write_parts(tmp_path / "b.star", [_picks(1)], CLASSES)
