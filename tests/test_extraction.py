from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import mrcfile
import numpy as np
import pytest
import starfile
import zarr

from core.cli import run
from core.errors import PickerError
from core.extraction import ExtractConfig, Extracted, extract
from core.io.volumes import write_mrc
from core.messages import drain
from core.particles import ClassSpec, ParticleTable
from core.project import Project
from core.tomogram import Tomogram

if TYPE_CHECKING:
    from pathlib import Path

AT = np.array([[12.0, 14.2, 15.6], [20.0, 16.0, 12.0], [2.0, 10.0, 10.0]])
SHAPE = (32, 34, 36)


def tomogram(kind: str = "float32", size: float = 10.0) -> Tomogram:
    data = (np.random.default_rng(0).normal(size=SHAPE) * 30).astype(kind)
    return Tomogram(id="TS 1", path=None, voxel_size=size, data=data)


def cut_out(folder: Path, dtype: str = "float32", **how: Any) -> tuple[Extracted, np.ndarray]:
    one = tomogram(dtype)
    table = ParticleTable.build(one.id, AT, scores=np.array([0.9, 0.8, 0.7], np.float32))
    return drain(extract([(one, table)], 50.0, folder, ExtractConfig(**how))), one.data


def boxes(star: Path, edge: int) -> list[np.ndarray]:
    """What the STAR file points to, read by other programs' libraries."""
    found = []
    for name in starfile.read(star)["particles"]["rlnImageName"]:
        place, _, file = name.rpartition("@")
        if file.endswith(".zarr"):
            found.append(np.asarray(zarr.open_array(star.parent / file, mode="r")[int(place) - 1]))
            continue
        with mrcfile.open(star.parent / file) as mrc:
            assert mrc.voxel_size.x == pytest.approx(10.0)
            found.append(np.array(mrc.data[int(place) - 1] if place else mrc.data))
    assert all(one.shape == (edge,) * 3 for one in found)
    return found


@pytest.mark.parametrize("kind", ["mrc", "stack", "zarr"])
@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_boxes_are_cut_untouched_and_the_star_file_points_to_them(tmp_path: Path, kind: str, dtype: str) -> None:
    done, data = cut_out(tmp_path / "out", dtype, kind=kind)
    assert (done.edge, done.count, done.padded, done.left_out) == (10, 3, 1, 0)
    found = boxes(done.star, 10)
    np.testing.assert_array_equal(found[0], data[7:17, 9:19, 11:21])
    np.testing.assert_array_equal(found[1], data[15:25, 11:21, 7:17])
    assert found[0].dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found[2][3:], data[:7, 5:15, 5:15])
    assert found[2][:3] == pytest.approx(data[:7, 5:15, 5:15].mean(), abs=0.5 if dtype == "int8" else 1e-3)
    blocks = starfile.read(done.star)
    placed = blocks["particles"][["rlnCoordinateZ", "rlnCoordinateY", "rlnCoordinateX"]].to_numpy()
    np.testing.assert_allclose(placed, AT, atol=1e-5)
    assert blocks["particles"]["rlnAutopickFigureOfMerit"].tolist() == pytest.approx([0.9, 0.8, 0.7])
    optics = blocks["optics"] if isinstance(blocks["optics"], dict) else blocks["optics"].iloc[0]
    assert (optics["rlnImagePixelSize"], optics["rlnImageSize"], optics["rlnImageDimensionality"]) == (10, 10, 3)


def test_boxes_near_a_face_are_left_out_where_asked(tmp_path: Path) -> None:
    done, _ = cut_out(tmp_path / "out", faces="leave")
    assert (done.count, done.padded, done.left_out) == (2, 0, 1)
    assert len(boxes(done.star, 10)) == 2


@pytest.mark.parametrize("kind", ["mrc", "stack", "zarr"])
def test_particles_outside_are_left_out_and_tomograms_called_alike_kept_apart(tmp_path: Path, kind: str) -> None:
    parts = []
    for name in ("TS 1", "TS_1"):
        one = replace(tomogram("float32"), id=name)
        parts.append((one, ParticleTable.build(name, [AT[0], (-60.0, 14, 16), (12.0, 14, 400.0)])))
    done = drain(extract(parts, 50.0, tmp_path / "out", ExtractConfig(kind=kind)))
    assert (done.count, done.padded, done.left_out) == (2, 0, 4)
    assert len(boxes(done.star, 10)) == len(set(starfile.read(done.star)["particles"]["rlnTomoName"])) == 2


def test_contrast_is_inverted_and_the_surroundings_normalised(tmp_path: Path) -> None:
    done, data = cut_out(tmp_path / "out", "int8", invert=True, normalise=True)
    found = boxes(done.star, 10)[0]
    away = np.sqrt(((np.indices((10, 10, 10)) - 5.0) ** 2).sum(axis=0)) > 2.5
    assert (found[away].mean(), found[away].std()) == (pytest.approx(0, abs=1e-5), pytest.approx(1, abs=1e-5))
    assert np.corrcoef(found.ravel(), data[7:17, 9:19, 11:21].ravel())[0, 1] == pytest.approx(-1)


@pytest.mark.parametrize("binning", [2, 3])
def test_binned_boxes_are_means_of_cubes_about_the_particle(tmp_path: Path, binning: int) -> None:
    one = tomogram("int8")
    where = np.array([[15.0, 16.0, 17.0]])
    done = drain(
        extract([(one, ParticleTable.build(one.id, where))], 50.0, tmp_path / "out", ExtractConfig(box=4, binning=binning))
    )
    with mrcfile.open(tmp_path / "out" / "TS_1" / "000001.mrc") as file:
        found, size = np.array(file.data), float(file.voxel_size.x)
    assert size == 10 * binning
    cube = one.data[tuple(slice(int(c) - (binning - 1) // 2, int(c) + binning // 2 + 1) for c in where[0])].astype(float)
    assert cube.shape == (binning,) * 3
    assert found[2, 2, 2] == pytest.approx(cube.mean(), abs=1e-4)
    optics = starfile.read(done.star)["optics"]
    assert (optics if isinstance(optics, dict) else optics.iloc[0])["rlnImagePixelSize"] == 10 * binning


def test_an_earlier_extraction_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    cut_out(tmp_path / "out", box=12)
    done, _ = cut_out(tmp_path / "out")
    assert done.edge == 10
    boxes(done.star, 10)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("dear")
    with pytest.raises(PickerError, match="in the way"):
        cut_out(tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "dear"


@pytest.mark.parametrize(
    ("size", "rows", "how", "said"),
    [
        (0.0, slice(None), {}, "voxel size is not known"),
        (10.0, slice(0, 0), {}, "no particles"),
        (10.0, slice(2, 3), {"faces": "leave"}, "All 1 boxes of 10 voxels reach past a face"),
    ],
)
def test_what_cannot_be_cut_out_is_a_sentence(tmp_path: Path, size: float, rows: slice, how: Any, said: str) -> None:
    table = ParticleTable.build("TS 1", AT[rows])
    with pytest.raises(PickerError, match=said):
        drain(extract([(tomogram(size=size), table)], 50.0, tmp_path / "out", ExtractConfig(**how)))
    assert not (tmp_path / "out").exists()


def test_the_command_says_what_was_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_mrc(tmp_path / "TS.mrc", tomogram().data, 10.0)
    with Project.create(tmp_path / "work") as work:
        work.add_tomogram(tmp_path / "TS.mrc")
        work.store.add_class(ClassSpec(id=1, name="ball", diameter=50.0))
        work.store.add_many(ParticleTable.build("TS", AT, 1))
    assert run(["extract", str(tmp_path / "work"), "--out", str(tmp_path / "out"), "--faces", "leave", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["count"], said["left_out"], said["box"]) == (2, 1, 10)
    assert len(boxes(tmp_path / "out" / "particles.star", 10)) == 2
    assert any("1 of 3" in notice for notice in said["notices"])
