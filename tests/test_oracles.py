"""Projects of copick and images of OME-Zarr, both ways, by the programs themselves, each in an environment of its own.

``make test`` and ``make oracles`` make the environments; without them these tests are left out.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from core.io.particles import TomogramPicks, read_particles, write_parts
from core.io.particles.values import Frame
from core.io.volumes import open_tomogram, write_zarr
from core.particles import ClassSpec, ParticleTable

if TYPE_CHECKING:
    from collections.abc import Callable

    Asked = Callable[[str, Path], dict[str, Any]]

HERE = Path(__file__).parent
CLASSES = (
    ClassSpec(id=1, name="ribosome", diameter=250.0, color="#ff0000"),
    ClassSpec(id=2, name="ATP synthase", diameter=200.0, color="#00ff33"),
)
FRAME = Frame(voxel_size=10.0, shape=(40, 300, 70))
ZYX = np.array([[10.0, 20.5, 30.25], [30.0, 50.0, 60.0]])
TURNS = Rotation.from_euler("ZYZ", [[10.0, 20, 30], [40, 50, 60]], degrees=True)
VOLUME = np.random.default_rng(0).normal(size=FRAME.shape).astype("f4")


def ask(program: str, folder: Path) -> dict[str, Any]:
    """Let a program read ``ours`` and write ``theirs``."""
    python = Path(os.environ.get(f"{program.upper()}_PYTHON", HERE.parent / f".venv-{program.replace('_', '-')}/bin/python"))
    if not python.exists():
        pytest.skip(f"run `make oracles`, which makes the environment of {program}")
    script = HERE / f"oracle_{program}.py"
    done = subprocess.run([python, "-W", "ignore", script, folder], capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads((folder / "told.json").read_text()))


# ---- copick ----


def part(name: str, class_ids: Any, **others: Any) -> TomogramPicks:
    table = ParticleTable.build(name, ZYX, class_ids, scores=np.float32([0.25, 0.5]))
    return TomogramPicks(name=name, table=table, frame=FRAME, **others)


@pytest.fixture(scope="module")
def copick(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("copick")
    parts = [part("TS_01", [1, 2]), part("TS_02", 1, orientations=TURNS.as_quat())]
    write_parts(folder / "ours/copick_config.json", parts, CLASSES, format="copick", options={"user": "me", "session": "7"})
    spacing = folder / "ours/ExperimentRuns/TS_01/VoxelSpacing10.000"
    spacing.mkdir()
    write_zarr(spacing / "wbp.zarr", VOLUME, 10.0)
    np.save(folder / "volume.npy", VOLUME)
    turns = np.tile(np.eye(4), (2, 1, 1))
    turns[:, :3, :3], turns[0, :3, 3] = TURNS.as_matrix(), [10, -20, 5]
    order = {"points": (ZYX[:, ::-1] * 10).tolist(), "turns": turns.tolist(), "scores": [0.75, 0.125]}
    (folder / "order.json").write_text(json.dumps(order | {"volume": str(folder / "volume.npy")}))
    return folder, ask("copick", folder)


def test_copick_finds_our_picks_objects_and_tomogram(copick: tuple[Path, dict[str, Any]]) -> None:
    _, told = copick
    first, second = [302.5, 205.0, 100.0, 0.25], [600.0, 500.0, 300.0, 0.5]
    assert {name: picks["points"] for name, picks in told["picks"].items()} == {
        "TS_01 ribosome me 7": [first],
        "TS_01 ATP-synthase me 7": [second],
        "TS_02 ribosome me 7": [first, second],
    }
    assert [picks["trusted"] for _, picks in sorted(told["picks"].items())] == [False, False, True]
    turned = np.array(told["picks"]["TS_02 ribosome me 7"]["turns"])
    np.testing.assert_allclose(turned[:, :3, :3], TURNS.as_matrix(), atol=1e-9)
    assert told["objects"] == {"ribosome": [125.0, 255, 0, 0, 255], "ATP-synthase": [100.0, 0, 255, 51, 255]}
    shape, finest, coarser = told["volumes"]["TS_01 10 wbp"]
    assert shape == [*FRAME.shape]
    assert finest == pytest.approx(VOLUME.sum(dtype="f8"), abs=1e-3)
    assert coarser == pytest.approx(VOLUME.reshape(20, 2, 150, 2, 35, 2).mean((1, 3, 5)).sum(), abs=1e-2)


def test_picks_and_tomograms_of_copick_are_read(copick: tuple[Path, dict[str, Any]]) -> None:
    run = copick[0] / "theirs/ExperimentRuns/TS_03"
    found = read_particles(run / "Picks/them_5_ribosome.json")
    np.testing.assert_allclose(found.voxels(FRAME), np.add(ZYX, [[0.5, -2, 1], [0, 0, 0]]))
    assert (found.class_names, found.tomograms) == (("ribosome",) * 2, ("TS_03",) * 2)
    np.testing.assert_allclose(found.scores, [0.75, 0.125])
    np.testing.assert_allclose(Rotation.from_quat(found.orientations).as_matrix(), TURNS.as_matrix(), atol=1e-9)
    tomogram = open_tomogram(run / "VoxelSpacing10.000/wbp.zarr")
    assert (tomogram.voxel_size, tomogram.notices) == (10.0, ())
    np.testing.assert_array_equal(np.asarray(tomogram.data), VOLUME)
    assert [level.factor for level in tomogram.levels] == [(2, 2, 2), (4, 4, 4)]
    # means of blocks, though the file tells of no translation
    assert [level.offset for level in tomogram.levels] == [(0.5,) * 3, (1.5,) * 3]


# ---- OME-Zarr ----

KINDS = ("i1", "i2", "u2", "f4")


def volume(kind: str) -> Any:
    return VOLUME if kind == "f4" else np.rint(np.abs(VOLUME) * 20).astype(kind)


@pytest.fixture(scope="module")
def ome_zarr(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("ome_zarr")
    (folder / "ours").mkdir()
    for kind in KINDS:
        write_zarr(folder / f"ours/{kind}.ome.zarr", volume(kind), 13.48)
    write_zarr(folder / "ours/no_size.ome.zarr", VOLUME, 0.0)
    np.save(folder / "volume.npy", VOLUME)
    return folder, ask("ome_zarr", folder)


@pytest.mark.parametrize("kind", KINDS)
def test_ome_zarr_reads_what_we_write(ome_zarr: tuple[Path, dict[str, Any]], kind: str) -> None:
    told = ome_zarr[1][f"{kind}.ome.zarr"]
    assert told["axes"] == [{"name": name, "type": "space", "unit": "angstrom"} for name in "zyx"]
    assert told["shapes"] == [[40, 300, 70], [20, 150, 35]]
    assert {np.dtype(one) for one in told["types"]} == {np.dtype(kind)}
    assert told["sums"][0] == pytest.approx(volume(kind).sum(dtype="f8"), abs=1e-3)
    np.testing.assert_array_equal(told["corner"], volume(kind)[:2, :2, :2])
    scales = [[one["scale"] for one in level if one["type"] == "scale"] for level in told["transforms"]]
    shifts = [[one["translation"] for one in level if one["type"] == "translation"] for level in told["transforms"]]
    assert scales == [[[13.48] * 3], [[26.96] * 3]]
    assert shifts == [[[0.0] * 3], [[6.74] * 3]]


def test_a_size_that_is_not_known_has_no_unit(ome_zarr: tuple[Path, dict[str, Any]]) -> None:
    assert ome_zarr[1]["no_size.ome.zarr"]["axes"] == [{"name": name, "type": "space"} for name in "zyx"]


@pytest.mark.parametrize("name", ["cubes_4", "cubes_5", "sections_4", "sections_5", "shards_5"])
def test_images_of_ome_zarr_are_read(ome_zarr: tuple[Path, dict[str, Any]], name: str) -> None:
    tomogram = open_tomogram(ome_zarr[0] / f"theirs/{name}.zarr")
    np.testing.assert_array_equal(np.asarray(tomogram.data), VOLUME)
    np.testing.assert_array_equal(tomogram.data[7, 33:65, ::-3], VOLUME[7, 33:65, ::-3])
    assert tomogram.voxel_size == pytest.approx(13.48)
    assert (tomogram.notices, tomogram.origin) == ((), (0, 0, 0))
    expected = (2.0, 2.0, 2.0) if name.startswith("cubes") else (1.0, 2.0, 2.0)
    level = tomogram.levels[0]
    assert level.factor == pytest.approx(expected)
    assert level.offset == pytest.approx([(factor - 1) / 2 for factor in expected])
    assert level.data.shape == (20 if expected[0] == 2 else 40, 150, 35)


@pytest.mark.parametrize("name", ["no_unit_4", "no_unit_5"])
def test_the_voxel_size_is_asked_for_where_ome_zarr_wrote_no_unit(ome_zarr: tuple[Path, dict[str, Any]], name: str) -> None:
    tomogram = open_tomogram(ome_zarr[0] / f"theirs/{name}.zarr")
    assert tomogram.voxel_size == 0
    assert "a voxel size of 1.348, but not in which unit" in " ".join(tomogram.notices)
    assert open_tomogram(tomogram.path, voxel_size=13.48).voxel_size == 13.48
