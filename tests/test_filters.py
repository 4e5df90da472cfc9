from __future__ import annotations

import numpy as np
import pytest

from core.errors import FileFormatError
from core.filters import binned, gaussian_sigma, high_pass, low_pass, measure, normalisation, slab_mean, smooth, statistics
from core.messages import Progress


def _noise(shape=(12, 20, 30), offset=5.0, spread=3.0, dtype=np.float32, seed=0):
    return np.random.default_rng(seed).normal(offset, spread, shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", ">i2", "u2", "f2", "f4", ">f4", "f8"])
def test_statistics_are_those_of_the_whole(dtype):
    volume = _noise(offset=50).astype(dtype)
    found, whole = statistics(volume), volume.astype(np.float64)
    assert found.mean == pytest.approx(whole.mean(), rel=1e-6)
    assert found.std == pytest.approx(whole.std(), rel=1e-6)
    assert (found.minimum, found.maximum) == pytest.approx((whole.min(), whole.max()))
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(whole, [0.1, 99.9])))
    assert (found.not_finite, found.first_not_finite) == (0, None)


def _many_slabs(monkeypatch, voxels=1000, samples=10**9):
    monkeypatch.setattr("core.filters.measuring._SLAB_VOXELS", voxels)
    monkeypatch.setattr("core.filters.measuring.SAMPLE_VOXELS", samples)


@pytest.mark.parametrize("voxels", [1, 700, 1300, 10**6])
def test_slabs_do_not_change_the_statistics(monkeypatch, voxels):
    volume = _noise()
    expected = statistics(volume)
    _many_slabs(monkeypatch, voxels)
    found = statistics(volume)
    for name in ("mean", "std", "low", "high", "minimum", "maximum"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name)), name


def test_small_deviations_on_a_large_offset_survive(monkeypatch):
    _many_slabs(monkeypatch)
    volume = (np.arange(2 * 40 * 50) % 2).reshape(2, 40, 50) + 1e6
    assert statistics(volume.astype(np.float32)).std == pytest.approx(0.5)


def test_a_sample_gives_the_percentiles_of_a_large_volume(monkeypatch):
    _many_slabs(monkeypatch, samples=50_000)
    volume = _noise((40, 100, 100), offset=0, spread=1)
    found = statistics(volume)
    assert [(volume < found.low).mean(), (volume < found.high).mean()] == pytest.approx([0.001, 0.999], abs=5e-4)
    assert found.maximum == volume.max()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_no_numbers_are_counted_and_left_out(monkeypatch, bad):
    _many_slabs(monkeypatch)
    volume = _noise()
    volume[7, 3, 2] = volume[7, 3, 1] = volume[11, 0, 0] = bad
    found = statistics(volume)
    assert (found.not_finite, found.first_not_finite) == (3, (7, 3, 1))
    assert found.mean == pytest.approx(volume[np.isfinite(volume)].mean(), rel=1e-6)
    assert np.isfinite([found.low, found.high, found.minimum, found.maximum]).all()


def test_nothing_but_nan_is_not_a_number():
    found = statistics(np.full((2, 3, 4), np.nan, np.float32))
    assert found.not_finite == 24
    assert np.isnan([found.mean, found.std, found.low, found.high]).all()
    with pytest.raises(FileFormatError):
        normalisation(found, "standardise")


def test_measuring_reports_progress(monkeypatch):
    _many_slabs(monkeypatch)
    messages = list(measure(_noise()))
    assert all(isinstance(m, Progress) for m in messages)
    assert len(messages) == 12
    assert (messages[-1].done, messages[-1].total) == (12 * 20 * 30,) * 2


@pytest.mark.parametrize("dtype", ["i1", "f4"])
def test_normalised_volumes_have_the_promised_scale(dtype):
    volume = _noise(offset=10, spread=20).astype(dtype)
    found = statistics(volume)
    affine = normalisation(found, "standardise")
    standard = volume * affine.scale + affine.offset
    assert [standard.mean(), standard.std()] == pytest.approx([0, 1], abs=1e-5)
    affine = normalisation(found, "minmax")
    assert [found.low * affine.scale + affine.offset, found.high * affine.scale + affine.offset] == pytest.approx([0, 1], abs=1e-6)


@pytest.mark.parametrize("kind", ["standardise", "minmax"])
@pytest.mark.parametrize("value", [0.0, 0.1, -7.3])
def test_a_constant_volume_is_refused(kind, value):
    with pytest.raises(FileFormatError, match="same value"):
        normalisation(statistics(np.full((3, 4, 5), value, np.float32)), kind)


def test_a_few_bright_voxels_are_scaled_by_the_extremes():
    volume = np.zeros((10, 20, 20), np.float32)
    volume[5, 5, 5] = 4
    assert normalisation(statistics(volume), "minmax").scale == pytest.approx(0.25)


# ---- Gaussian filters


def _wave(period, n=240, axis=2):
    line = np.cos(np.pi * (2 * np.arange(n) + 1) / period)
    shape = [1, 1, 1]
    shape[axis] = n
    return np.broadcast_to(line.reshape(shape), [n if i == axis else 4 for i in range(3)]).astype(np.float32)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(("voxel_size", "resolution"), [(10.0, 80.0), (1.35, 10.8), (4.0, 160.0)])
def test_a_filter_halves_the_amplitude_at_its_resolution(axis, voxel_size, resolution):
    wave = _wave(resolution / voxel_size, axis=axis)
    assert np.allclose(low_pass(wave, resolution, voxel_size), wave / 2, atol=1e-3)
    assert np.allclose(high_pass(wave, resolution, voxel_size), wave / 2, atol=1e-3)


def test_filters_keep_what_they_should_and_remove_the_rest():
    slow, fast = _wave(80), _wave(5)
    assert np.allclose(low_pass(slow + fast, 15 * 10, 10), slow, atol=0.1)
    assert np.allclose(high_pass(slow + fast, 30 * 10, 10), fast, atol=0.15)


def test_a_high_pass_removes_the_mean():
    assert abs(high_pass(_noise(offset=100), 200, 10).mean()) < 1e-3


@pytest.mark.parametrize("sigma", [1.2, 2.0, 3.3])
def test_smoothing_is_a_gaussian_in_real_space(sigma):
    volume = np.zeros((41, 41, 41), np.float32)
    volume[20, 20, 20] = 1
    zyx = np.indices(volume.shape) - 20
    expected = np.exp(-(zyx**2).sum(axis=0) / (2 * sigma**2)) / (2 * np.pi * sigma**2) ** 1.5
    assert np.allclose(smooth(volume, sigma), expected, atol=2e-3 * expected.max())


def test_faces_are_mirrored_so_that_nothing_leaks_across():
    volume = np.zeros((30, 4, 4), np.float32)
    volume[0] = 1
    result = smooth(volume, 2)
    assert result.sum() == pytest.approx(16, rel=1e-4)
    assert abs(result[15:]).max() < 1e-4


def test_the_sigma_belongs_to_the_half_amplitude():
    sigma = gaussian_sigma(50, 10)
    assert np.exp(-2 * (np.pi * sigma * 10 / 50) ** 2) == pytest.approx(0.5)


# ---- binning and slab means


@pytest.mark.parametrize(("shape", "factor"), [((4, 6, 8), 2), ((5, 7, 9), 2), ((9, 9, 10), 3), ((4, 5, 6), 1)])
def test_binning_averages_cubes_and_drops_remainders(shape, factor):
    volume = _noise(shape, dtype=np.int16)
    result = binned(volume, factor)
    assert result.shape == tuple(n // factor for n in shape)
    z, y, x = (n - 1 for n in result.shape)
    cube = volume[z * factor : (z + 1) * factor, y * factor : (y + 1) * factor, x * factor : (x + 1) * factor]
    assert result[z, y, x] == pytest.approx(cube.mean(), rel=1e-5)
    assert result.dtype == np.float32


def test_the_binned_position_is_the_middle_of_the_cube():
    z = np.arange(12, dtype=np.float32)[:, None, None] * np.ones((1, 4, 4), np.float32)
    assert binned(z, 4)[:, 0, 0].tolist() == [1.5, 5.5, 9.5]


@pytest.mark.parametrize(("z", "n", "expected"), [(5, 1, 5.0), (5, 3, 5.0), (5, 4, 5.5), (0, 3, 0.5), (9, 5, 8.0), (0, 1, 0.0)])
def test_slab_means_are_centred_and_clipped_at_the_faces(z, n, expected):
    volume = np.arange(10, dtype=np.int8)[:, None, None] * np.ones((1, 2, 3), np.int8)
    assert np.array_equal(slab_mean(volume, z, n), np.full((2, 3), expected, np.float32))
