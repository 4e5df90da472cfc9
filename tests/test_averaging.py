from __future__ import annotations

import json
from typing import TYPE_CHECKING

import mrcfile
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from core.averaging import AverageConfig, average
from core.cli import run
from core.cutting import Slabs, central_slabs, corner_of, decoys, edge_of, grey, slab_contrast, within
from core.errors import ConfigError
from core.io.volumes import write_mrc
from core.messages import drain
from core.particles import ClassSpec, ParticleTable, Source, Status
from core.project import Project
from core.tomogram import Tomogram
from core.wedge import about_z, radial_profile, wedge_weight, whole_weight

if TYPE_CHECKING:
    from pathlib import Path

SIZE, DIAMETER = 10.0, 80.0


def places(count: int = 30) -> np.ndarray:
    """On a grid, and off it by parts of a voxel."""
    grid = np.stack(np.meshgrid([16, 36], np.arange(16, 100, 20), np.arange(16, 100, 20), indexing="ij"), axis=-1).reshape(-1, 3)
    return grid[:count] + np.random.default_rng(1).uniform(-0.5, 0.5, (min(count, len(grid)), 3))


def phantom(at: np.ndarray, noise: float = 1.0) -> Tomogram:
    """Dark Gaussian balls exactly where they are said to be, in noise."""
    shape = (52, 112, 112)
    z, y, x = np.indices(shape, np.float32)
    volume = np.random.default_rng(0).normal(0, noise, shape).astype(np.float32)
    for pz, py, px in at:
        near = tuple(slice(max(0, int(p) - 9), int(p) + 11) for p in (pz, py, px))
        away = (z[near] - pz) ** 2 + (y[near] - py) ** 2 + (x[near] - px) ** 2
        volume[near] -= 2 * np.exp(-away / (2 * 2.5**2))
    return Tomogram(id="TS", path=None, voxel_size=SIZE, data=volume)


def test_particles_show_in_the_average_and_decoys_do_not() -> None:
    at = places()
    made = drain(average([(phantom(at), at)], DIAMETER, AverageConfig(tilts=None)))
    assert made.volume.shape == made.decoy.shape == (16, 16, 16)
    assert np.unravel_index(gaussian_filter(made.volume, 1).argmin(), made.volume.shape) == (8, 8, 8)
    assert made.count == 30
    assert made.signal > 4
    assert made.profile[0] < -1
    assert abs(made.decoy_profile[:3]).max() < 0.6
    np.testing.assert_allclose(made.radii, SIZE * np.arange(8), atol=3)


def test_sub_volumes_are_shifted_by_parts_of_a_voxel() -> None:
    at = places()
    exact = drain(average([(phantom(at, 1e-4), at)], DIAMETER, AverageConfig(tilts=None))).volume
    rounded = drain(average([(phantom(at, 1e-4), np.round(at))], DIAMETER, AverageConfig(tilts=None))).volume
    one = np.array([[26.0, 56.0, 56.0]])
    wanted = drain(average([(phantom(one, 1e-4), one)], DIAMETER, AverageConfig(tilts=None))).volume
    assert np.abs(exact - wanted).max() < 0.12
    assert np.abs(exact - wanted).max() < np.abs(rounded - wanted).max() / 2


def test_centring_brings_particles_back_but_never_further_than_a_quarter_of_their_diameter() -> None:
    at = places()
    away = np.random.default_rng(2).normal(size=at.shape)
    wrong = at + 1.9 * away / np.linalg.norm(away, axis=1, keepdims=True)
    tomogram = phantom(at, 0.3)
    before = drain(average([(tomogram, wrong)], DIAMETER, AverageConfig(tilts=None)))
    after = drain(average([(tomogram, wrong)], DIAMETER, AverageConfig(tilts=None, rounds=3)))
    assert after.profile[0] < before.profile[0] - 0.1
    assert 0 < after.moved <= DIAMETER / 4 + 1e-6


def test_the_wedge_takes_out_what_was_not_recorded_and_keeps_the_rest() -> None:
    weight = whole_weight(wedge_weight(16, (-60, 60)), 16)
    assert weight[0, 0, 0] == weight[0, 5, 0] == weight[0, 0, 5] == 1
    assert weight[5, 0, 0] == weight[-5, 0, 1] == 0
    np.testing.assert_array_equal(weight, np.roll(weight[::-1, ::-1, ::-1], 1, axis=(0, 1, 2)))
    at = places()
    made = drain(average([(phantom(at), at)], DIAMETER, AverageConfig()))
    whole = drain(average([(phantom(at), at)], DIAMETER, AverageConfig(tilts=None)))
    power, full = (np.abs(np.fft.fftn(one.volume)) ** 2 for one in (made, whole))
    assert power[5:8, 0, 0].sum() < full[5:8, 0, 0].sum() / 3  # what is cut from the padded box leaks a little
    assert np.corrcoef(made.volume.ravel(), whole.volume.ravel())[0, 1] > 0.8


def test_averaging_about_z_leaves_circles() -> None:
    at = places()
    volume = drain(average([(phantom(at), at)], DIAMETER, AverageConfig(about_z=True))).volume
    np.testing.assert_allclose(volume[:, 8, 3:14], volume[:, 3:14, 8], atol=1e-4)
    np.testing.assert_allclose(volume[:, 8, 9:14], volume[:, 8, 7:2:-1], atol=1e-4)
    assert about_z(np.ones((8, 8, 8), np.float32)) == pytest.approx(1)


def test_profiles_are_means_over_shells() -> None:
    away = np.sqrt(((np.indices((12, 12, 12)) - 6.0) ** 2).sum(axis=0)).astype(np.float32)
    radii, means = radial_profile(away, 2.0)
    np.testing.assert_allclose(means, radii / 2, atol=1e-5)
    np.testing.assert_allclose(radii / 2, np.arange(6), atol=0.3)


def test_decoys_lie_between_the_particles_and_away_from_them() -> None:
    at = places()
    drawn = decoys(at, at, 50, 6.0, np.random.default_rng(0))
    assert len(drawn) == 50
    assert (drawn >= at.min(axis=0)).all()
    assert (drawn <= at.max(axis=0)).all()
    assert np.linalg.norm(drawn[:, None] - at, axis=2).min() >= 6
    assert len(decoys(at, at, 5, 1e4, np.random.default_rng(0))) == 5  # nowhere is that far: nearer, then


def test_the_decoy_of_a_single_particle_lies_elsewhere() -> None:
    at = np.array([[14.0, 14, 14]])
    made = drain(average([(phantom(at, 0.1), at)], DIAMETER, AverageConfig(tilts=None)))
    assert made.signal > 2


@pytest.mark.parametrize(
    ("size", "count", "said"), [(0.0, 3, "voxel size of TS is not known"), (SIZE, 0, "no particles to average")]
)
def test_what_cannot_be_averaged_is_a_sentence(size: float, count: int, said: str) -> None:
    tomogram = Tomogram(id="TS", path=None, voxel_size=size, data=np.zeros((9, 9, 9), np.float32))
    with pytest.raises(ConfigError, match=said):
        drain(average([(tomogram, np.full((count, 3), 4.0))], DIAMETER))


# ---- cutting ----


def test_slabs_are_cut_through_the_centre_and_mirrored_at_the_faces() -> None:
    data = np.random.default_rng(0).normal(size=(20, 22, 24)).astype(np.float32)
    tomogram = Tomogram(id="TS", path=None, voxel_size=SIZE, data=data)
    slabs = central_slabs(tomogram, np.array([10.2, 9.8, 12.0]), Slabs(edge=8, thickness=3))
    np.testing.assert_allclose(slabs[0], data[9:12, 6:14, 8:16].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(slabs[1], data[6:14, 9:12, 8:16].mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(slabs[2], data[6:14, 6:14, 11:14].mean(axis=2), rtol=1e-5)
    edge = central_slabs(tomogram, np.zeros(3), Slabs(edge=8))
    np.testing.assert_array_equal(edge[0][4:, 4:], data[0, :4, :4])
    np.testing.assert_array_equal(edge[0][3], edge[0][4])
    assert corner_of(np.array([10.4, 0.6, 3.0]), 8) == (6, -3, -1)
    boxes = np.array([[4.0, 4, 4], [16, 18, 20], [3, 10, 10], [10, 19, 10]])
    assert within(tomogram, boxes, 8).tolist() == [True, True, False, False]


def test_slabs_fit_the_particle_and_contrast_fits_the_slabs() -> None:
    how = Slabs.fit(250.0, SIZE)
    assert (how.edge, how.thickness, how.low_pass) == (50, 8, 62.5)
    assert Slabs.fit(20.0, 0.0).low_pass == 0
    tomogram = phantom(places())
    low, high = slab_contrast(tomogram, Slabs(edge=16, thickness=3, low_pass=40.0))
    rough = slab_contrast(tomogram, Slabs(edge=16))
    assert rough[0] < low < high < rough[1]
    assert grey(np.array([low - 1, low, high, high + 1], np.float32), (low, high)).tolist() == [0, 0, 255, 255]
    with pytest.raises(ConfigError, match="too large"):
        edge_of(1e6, 1.0)


# ---- the command ----


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, at = tmp_path_factory.mktemp("work") / "balls", places()
    write_mrc(folder.parent / "TS.mrc", phantom(at).data, SIZE)
    with Project.create(folder) as work:
        work.add_tomogram(folder.parent / "TS.mrc")
        work.store.add_class(ClassSpec(id=1, name="ball", diameter=DIAMETER))
        scores = np.linspace(0.9, 0.1, len(at))
        work.store.add_many(
            ParticleTable.build("TS", at, 1, scores=scores, source=Source.PICKED, status=Status.CANDIDATE),
        )
    return folder


def test_the_command_writes_average_decoys_and_picture(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "mean.mrc"
    words = ["average", str(project), "--class", "ball", "--status", "candidate", "--top", "20", "--out", str(out), "--json"]
    assert run(words) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["count"], said["class"]) == (20, "ball")
    assert said["signal"] > 3
    with mrcfile.open(out) as file:
        assert file.data.shape == (16, 16, 16)
        assert file.voxel_size.x == pytest.approx(SIZE)
        assert file.data[8, 8, 8] < -1
    assert (tmp_path / "mean_decoy.mrc").exists()
    assert (tmp_path / "mean.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "mean.png"], "written as .mrc"),
        (["--out", "mean.mrc"], "no particles to average"),
        (["--out", "mean.mrc", "--class", "rod"], "no class rod"),
        (["--out", "mean.mrc", "--box", "15"], "even number"),
    ],
)
def test_wrong_orders_are_refused_in_a_sentence(
    project: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["average", str(project), *words]) == 1
    assert said in " ".join(capsys.readouterr().err.split())
