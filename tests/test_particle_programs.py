"""What single programs expect of their files."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import starfile
from scipy.spatial.transform import Rotation

from core.cli import run
from core.errors import AmbiguousFormatError, ConfigError, FileFormatError, PickerError
from core.io.particles import TiltSeriesGeometry, TomogramPicks, read_particles, write_parts
from core.io.particles.names import tilt_series_name, tomogram_numbers
from core.io.particles.tomograms import geometry_of, read_tomograms_star
from core.io.particles.values import Frame, Unit
from core.io.volumes import write_mrc
from core.particles import ClassSpec, ParticleTable
from core.project import Project

CLASSES = (ClassSpec(id=1, name="ribosome", diameter=250.0), ClassSpec(id=2, name="barrel", diameter=150.0))
FRAME = Frame(voxel_size=13.48, shape=(200, 960, 928), tilt_series=TiltSeriesGeometry(pixel_size=3.37, size=(801, 3838, 3710)))
ZYX = np.array([[12.25, 100.5, 7.0], [3.0, 44.125, 88.5]])
AXES = "XYZ"


def part(name: str = "TS_01", class_ids: int | list[int] = 1, **more: Any) -> TomogramPicks:
    table = ParticleTable.build(name, ZYX, class_ids, scores=np.float32([0.25, 0.75]))
    return TomogramPicks(name=name, table=table, frame=FRAME, **more)


def star(folder: Path, columns: dict[str, str], rows: list[str], block: str = "particles", name: str = "a.star") -> Path:
    head = "\n".join(f"_{column} #{n}" for n, column in enumerate(columns, 1))
    path = folder / name
    path.write_text(f"data_{block}\n\nloop_\n{head}\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


# ---- names and numbers ----


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("TS_01", "TS_01"),
        ("rec_TS_01.mrc", "TS_01"),
        ("TS_01_10.00Apx", "TS_01"),
        ("TS_01_10.00Apx.mrc", "TS_01"),
        ("TS_01_10.00Apx.mrc.gz", "TS_01"),
        ("rec_tomo12_bin4", "tomo12"),
        ("tomo12.bin4.rec", "tomo12"),
        ("TS_01.tomostar", "TS_01"),
        ("TS_01_bin4_13.48Apx.MRC", "TS_01"),
        ("2024.05.01_TS_3", "2024.05.01_TS_3"),
        ("rec_", "rec_"),
        (".mrc", ".mrc"),
    ],
)
def test_names_of_tilt_series(name: str, expected: str) -> None:
    assert tilt_series_name(name) == expected


@pytest.mark.parametrize(
    ("names", "given", "expected"),
    [
        (["TS_03", "TS_10"], [None, None], (3, 10)),
        (["a3", "b3"], [None, None], (1, 2)),
        (["TS_00", "TS_01"], [None, None], (1, 2)),
        (["left", "right"], [8, 4], (8, 4)),
    ],
)
def test_numbers_of_tomograms(names: list[str], given: list[int | None], expected: tuple[int, ...]) -> None:
    numbers, notices = tomogram_numbers([part(name, number=number) for name, number in zip(names, given, strict=True)])
    assert numbers == expected
    assert bool(notices) == (given[0] is None)


@pytest.mark.parametrize("given", [[1, 1], [1, None]])
def test_numbers_that_do_not_tell_tomograms_apart(given: list[int | None]) -> None:
    with pytest.raises(PickerError, match="a number of its own"):
        tomogram_numbers([part(number=number) for number in given])


# ---- tomograms.star ----

TOMOGRAMS = ["rlnTomoName", "rlnTomoTiltSeriesPixelSize", "rlnTomoSizeX", "rlnTomoSizeY", "rlnTomoSizeZ", "rlnTomoTomogramBinning"]


def tomograms_star(folder: Path) -> Path:
    return star(folder, dict.fromkeys(TOMOGRAMS, ""), ["TS_01 3.37 3710 3838 801 4.0", "007 2.5 400 300 200 4.0"], "global")


def test_the_geometry_of_tilt_series_is_read(tmp_path: Path) -> None:
    found = read_tomograms_star(tomograms_star(tmp_path))
    assert found["TS_01"] == TiltSeriesGeometry(pixel_size=3.37, size=(801, 3838, 3710))
    assert geometry_of(found, ["rec_TS_01", "b"], {"b": "007"}) == {"rec_TS_01": found["TS_01"], "b": found["007"]}
    with pytest.raises(FileFormatError, match=r"does not name .b..*it has TS_01, 007"):
        geometry_of(found, ["b"])


@pytest.mark.parametrize(
    ("columns", "row", "sentence"),
    [
        (["rlnTomoName", "rlnVoltage"], "a 300", "is not RELION's tomograms.star"),
        (TOMOGRAMS[:2], "a 0", "makes no sense"),
        (TOMOGRAMS[:2], "a here", "makes no sense"),
        (TOMOGRAMS, "a 1 2 3 <NA> 1", "makes no sense"),
    ],
)
def test_a_geometry_that_makes_no_sense_is_a_sentence(tmp_path: Path, columns: list[str], row: str, sentence: str) -> None:
    with pytest.raises(FileFormatError, match=sentence):
        read_tomograms_star(star(tmp_path, dict.fromkeys(columns, ""), [row], "global"))


# ---- RELION ----


def test_the_centre_of_relion5_moves_by_one_pixel(tmp_path: Path) -> None:
    found = {}
    for centre in ("S/2", "S/2-1"):
        written = write_parts(tmp_path / f"{centre[-1]}.star", [part()], CLASSES, format="relion5", options={"centre": centre})
        found[centre] = starfile.read(written.files[1])
        back = read_particles(written.files[0], options={"centre": centre})
        np.testing.assert_allclose(back.voxels(FRAME), ZYX, atol=1e-6)
    for axis in AXES:
        column = f"rlnCenteredCoordinate{axis}Angst"
        np.testing.assert_allclose(found["S/2-1"][column] - found["S/2"][column], 3.37, atol=2e-6)
    with pytest.raises(ConfigError, match="centre must be one of"):
        write_parts(tmp_path / "a.star", [part()], CLASSES, format="relion5", options={"centre": "middle"})


def test_relion4_counts_pixels_of_the_tilt_series(tmp_path: Path) -> None:
    written = write_parts(tmp_path / "a.star", [part("rec_TS_01"), part("TS_02")], CLASSES, format="relion4")
    blocks = starfile.read(written.files[0], always_dict=True)
    assert list(blocks) == ["particles"]
    table = blocks["particles"]
    assert table["rlnTomoName"].tolist() == ["TS_01", "TS_01", "TS_02", "TS_02"]
    np.testing.assert_allclose(table[[f"rlnCoordinate{axis}" for axis in AXES]], np.tile(ZYX[:, ::-1] * 4, (2, 1)))


def test_relion3_writes_voxels_for_each_tomogram_and_class(tmp_path: Path) -> None:
    written = write_parts(tmp_path / "a.star", [part(class_ids=[1, 2]), part("TS_02")], CLASSES, format="relion3")
    names = [str(file.relative_to(tmp_path)) for file in written.files]
    assert names == ["a/TS_01_ribosome.star", "a/TS_02_ribosome.star", "a/TS_01_barrel.star"]
    table = starfile.read(written.files[1])
    assert list(table)[:3] == [f"rlnCoordinate{axis}" for axis in AXES]
    np.testing.assert_allclose(table[list(table)[:3]], ZYX[:, ::-1])


def test_origins_of_relion_become_shifts(tmp_path: Path) -> None:
    columns = ["rlnTomoName", *(f"rlnCoordinate{a}" for a in AXES), *(f"rlnOrigin{a}Angst" for a in AXES)]
    turned = ["rlnTomoSubtomogramRot", "rlnTomoSubtomogramTilt", "rlnTomoSubtomogramPsi"]
    plain = read_particles(star(tmp_path, dict.fromkeys(columns, ""), ["TS_01 40 80 120 3.37 0 -6.74"]), format="relion4")
    np.testing.assert_allclose(plain.voxels(FRAME), [[30.5, 20, 9.75]])
    box = read_particles(star(tmp_path, dict.fromkeys([*columns, *turned], ""), ["TS_01 40 80 120 3.37 0 -6.74 30 40 50"]))
    matrix = Rotation.from_euler("ZYZ", [30, 40, 50], degrees=True).inv().as_matrix()
    expected = (np.array([40, 80, 120]) - matrix @ [3.37, 0, -6.74] / 3.37) / 4
    np.testing.assert_allclose(box.voxels(FRAME)[:, ::-1], [expected])


@pytest.mark.parametrize("format", ["relion5", "relion4", "relion3", "warp"])
def test_orientations_and_columns_of_others_survive_a_round_trip(tmp_path: Path, format: str) -> None:
    columns = [*(f"rlnCoordinate{a}" for a in AXES), "rlnMicrographName", "rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]
    columns += ["rlnClassNumber", "rlnRandomSubset", "rlnImageName", "rlnBeautifulNumber"]
    path = star(
        tmp_path, dict.fromkeys(columns, ""), ["1 2 3 TS_01 10 20 30 3 1 000001@a.mrc 0.125", "4 5 6 TS_01 -10 50 70 4 2 b 7"]
    )
    picks = read_particles(path, format="relion3")
    assert picks.orientations is not None
    expected = Rotation.from_euler("ZYZ", [[10, 20, 30], [-10, 50, 70]], degrees=True).inv().as_matrix()
    np.testing.assert_allclose(Rotation.from_quat(picks.orientations).as_matrix(), expected)
    written = write_parts(tmp_path / "out.star", [TomogramPicks.read("TS_01", picks, FRAME)], CLASSES, format=format)
    again = read_particles(written.files[0], format=format)
    np.testing.assert_allclose(again.voxels(FRAME), [[3, 2, 1], [6, 5, 4]], atol=1e-6)
    assert {name: column.tolist() for name, column in again.extras.items()} == {
        name: column.tolist() for name, column in picks.extras.items()
    }
    np.testing.assert_allclose(again.orientations, picks.orientations)


def test_angles_are_made_where_a_file_of_another_kind_gave_orientations(tmp_path: Path) -> None:
    angles = np.array([[10.0, 20, 30], [0, 0, 45]])
    turned = part(orientations=Rotation.from_euler("ZYZ", angles, degrees=True).inv().as_quat())
    table = starfile.read(write_parts(tmp_path / "a.star", [turned], CLASSES, format="warp").files[0])
    found = Rotation.from_euler("ZYZ", table[["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]].to_numpy(), degrees=True)
    np.testing.assert_allclose(found.as_matrix(), Rotation.from_euler("ZYZ", angles, degrees=True).as_matrix(), atol=1e-7)


def test_a_corrected_file_is_read_anew(tmp_path: Path) -> None:
    columns = dict.fromkeys([f"rlnCoordinate{a}" for a in AXES], "")
    with pytest.raises(FileFormatError):
        read_particles(star(tmp_path, columns, ["1 2 3", "1 2 3 4"]))
    assert len(read_particles(star(tmp_path, columns, ["1 2 3", "1 2 4"]))) == 2


@pytest.mark.parametrize("format", ["relion5", "relion4", "warp"])
def test_files_that_starfile_wrote_are_read(tmp_path: Path, format: str) -> None:
    voxels = ZYX[:, ::-1]
    count = {
        "relion5": lambda: (voxels * 4 - np.array([3710, 3838, 801]) / 2) * 3.37,
        "relion4": lambda: voxels * 4,
        "warp": lambda: voxels,
    }
    columns = [f"rlnCenteredCoordinate{a}Angst" if format == "relion5" else f"rlnCoordinate{a}" for a in AXES]
    table = pd.DataFrame(count[format](), columns=columns)
    table["rlnMicrographName" if format == "warp" else "rlnTomoName"] = "TS_01.tomostar" if format == "warp" else "TS_01"
    table["rlnOpticsGroup"], table["rlnClassNumber"], table["rlnAutopickFigureOfMerit"] = 1, [1, 2], [0.25, 0.75]
    optics = pd.DataFrame({"rlnOpticsGroup": [1], "rlnOpticsGroupName": ["a group"], "rlnImagePixelSize": [3.37]})
    starfile.write({"optics": optics, "particles": table}, tmp_path / "TS_01.star")
    found = read_particles(tmp_path / "TS_01.star", format=format)
    np.testing.assert_allclose(found.voxels(FRAME), ZYX, atol=1e-5)
    assert found.tomograms == ("TS_01.tomostar" if format == "warp" else "TS_01",) * 2
    assert found.extras["rlnClassNumber"].tolist() == [1, 2]
    assert np.asarray(found.scores).tolist() == [0.25, 0.75]
    if format == "relion5":
        listed = pd.DataFrame({"rlnTomoName": ["TS_01"], "rlnTomoImportParticleFile": ["TS_01.star"]})
        starfile.write({"coordinate_files": listed}, tmp_path / "list.star")
        np.testing.assert_allclose(read_particles(tmp_path / "list.star").voxels(FRAME), ZYX, atol=1e-5)


# ---- Warp and M ----


@pytest.mark.parametrize(("angpix", "factor"), [(0.0, 1.0), (13.48, 1.0), (3.37, 4.0)])
def test_warp_names_tilt_series_with_their_ending(tmp_path: Path, angpix: float, factor: float) -> None:
    options = {"coords_angpix": angpix}
    written = write_parts(tmp_path / "a.star", [part("TS_01_13.48Apx")], CLASSES, format="warp", options=options)
    blocks = starfile.read(written.files[0], always_dict=True)
    assert list(blocks) == [""]
    assert set(blocks[""]["rlnMicrographName"]) == {"TS_01.tomostar"}
    np.testing.assert_allclose(blocks[""][[f"rlnCoordinate{a}" for a in AXES]], ZYX[:, ::-1] * factor, atol=1e-6)
    assert f"--coords_angpix {angpix or 13.48:g}" in written.notices[0]
    np.testing.assert_allclose(read_particles(written.files[0], format="warp", options=options).voxels(FRAME), ZYX, atol=1e-6)


def test_matches_of_warp_are_fractions_where_told(tmp_path: Path) -> None:
    columns = dict.fromkeys([*(f"rlnCoordinate{a}" for a in AXES), "rlnMicrographName"], "")
    path = star(tmp_path, columns, ["0.5 0.25 0.1 a.tomostar", "0 0 0.75 a.tomostar"], "")
    assert "give the unit fraction" in read_particles(path).notices[0]
    told = read_particles(path, unit=Unit.FRACTION)
    np.testing.assert_allclose(told.voxels(FRAME), [[20, 240, 464], [150, 0, 0]])
    assert told.notices == ()


def test_species_of_m_are_in_angstrom(tmp_path: Path) -> None:
    columns = [
        *(f"wrpCoordinate{a}1" for a in AXES),
        "wrpAngleRot1",
        "wrpAngleTilt1",
        "wrpAnglePsi1",
        "wrpSourceName",
        "wrpSourceHash",
    ]
    found = read_particles(star(tmp_path, dict.fromkeys(columns, ""), ["134.8 26.96 13.48 10 20 30 TS_01.tomostar 5"]))
    assert (found.unit, found.tomograms) == (Unit.ANGSTROM, ("TS_01.tomostar",))
    np.testing.assert_allclose(found.voxels(FRAME), [[1, 2, 10]])
    assert found.orientations is not None


# ---- rows of numbers, and pickles ----


@pytest.mark.parametrize(
    ("rows", "formats"),
    [("1 10 20 30\n", {"coords", "cryolo"}), ("1 2 10.5 20.5 300\n1 2 1.5 2.5 3\n", {"coords"})],
)
def test_rows_that_mean_two_things_carry_the_formats(tmp_path: Path, rows: str, formats: set[str]) -> None:
    path = tmp_path / "a.txt"
    path.write_text(rows)
    with pytest.raises(AmbiguousFormatError, match="say which it is") as told:
        read_particles(path)
    assert formats <= set(told.value.formats)
    assert len(read_particles(path, format="coords")) == rows.count("\n")


def test_filaments_are_extras(tmp_path: Path) -> None:
    (tmp_path / "a.coords").write_text("10 20 30 1\n11 21 31 2\n")
    picks = read_particles(tmp_path / "a.coords", format="cryolo")
    assert picks.positions.tolist() == [[30, 20, 10], [31, 21, 11]]
    assert picks.extras["filament"].tolist() == [1, 2]


class Bomb:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("exploded"),))


@pytest.mark.parametrize("name", ["picks.tloc", "picks.pkl", "picks.star", "picks"])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("format", [None, "coords"])
def test_pickles_are_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, protocol: int, format: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(pickle.dumps(Bomb(), protocol=protocol))
    way = r"napari-boxmanager saves \.cbox and \.coords" if name.endswith(".tloc") else "as a table with the columns x, y and z"
    with pytest.raises(FileFormatError, match=f"Python pickle.*{way}"):
        read_particles(tmp_path / name, format=format)
    assert not (tmp_path / "exploded").exists()


# ---- the command line ----


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_mrc(tmp_path / "rec_TS_01.mrc", np.zeros((20, 110, 100), np.int8), 13.48)
    with Project.create(tmp_path / "project") as made:
        made.store.add_class(CLASSES[0])
        made.add_tomogram(tmp_path / "rec_TS_01.mrc")
        made.store.add_many(ParticleTable.build("rec_TS_01", ZYX))
    return tmp_path / "project"


def call(*words: object) -> int:
    return run([str(word) for word in words])


def test_the_command_line_reads_geometry_names_and_choices(project: Path, tmp_path: Path) -> None:
    told = ("--format", "relion5", "--option", "centre=S/2-1", "--tomograms-star", tomograms_star(tmp_path))
    assert call("export", project, "--out", tmp_path / "out.star", *told, "--name", "rec_TS_01=007") == 0
    listed = starfile.read(tmp_path / "out.star", parse_as_string=["rlnTomoName"])
    assert listed["rlnTomoName"].tolist() == ["007"]
    words = ("--tomogram", "rec_TS_01", "--name", "007", "--class", "ribosome")
    assert call("import", project, tmp_path / "out.star", *words, *told) == 0
    with Project.open(project) as work:
        np.testing.assert_allclose(work.store.table("rec_TS_01").positions, [*ZYX, *ZYX], atol=1e-5)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--option", "centre=S/2"], "give --format with --option"),
        (["--format", "relion5", "--option", "center=1"], "its options are: centre, relion_folder"),
        (["--format", "relion5", "--name", "TS_01"], "Expected one of the tomograms and its name there"),
        (["--format", "nonsense"], "there are: relion5"),
        (["--format", "m"], "there are: relion5"),
        (["--format", "relion5"], "pixel size of its tilt series"),
    ],
)
def test_the_command_line_says_what_is_wrong(
    project: Path, tmp_path: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("export", project, "--out", tmp_path / "out.star", *words) == 1
    assert says in " ".join(capsys.readouterr().err.split())
