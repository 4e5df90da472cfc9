from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from core.config import PreprocessConfig
from core.errors import ConfigError, FileFormatError, PickerError
from core.filters import high_pass, low_pass
from core.io.volumes import open_tomogram, write_mrc
from core.messages import Progress, drain
from core.preprocess import preprocess
from core.tomogram import Tomogram

SHAPE = (10, 14, 18)
BOTH = PreprocessConfig(low_pass=50, high_pass=120)


def _volume(dtype=np.float32, seed=0):
    return np.random.default_rng(seed).normal(20, 10, SHAPE).astype(dtype)


def _tomogram(folder, data=None, voxel_size=10.0):
    write_mrc(folder / "a.mrc", _volume() if data is None else data, voxel_size)
    return open_tomogram(folder / "a.mrc")


def _whole(prepared):
    return prepared.block((0, 0, 0), SHAPE)


@pytest.mark.parametrize("dtype", [np.int8, np.float32])
@pytest.mark.parametrize(("kind", "mean"), [("standardise", 0.0), ("minmax", 0.5)])
def test_without_filters_no_copy_is_written(tmp_path, dtype, kind, mean):
    cache = tmp_path / "cache"
    tomogram = _tomogram(tmp_path, _volume(dtype))
    prepared = drain(preprocess(tomogram, PreprocessConfig(normalisation=kind), cache))
    assert prepared.tomogram is tomogram
    assert not list(cache.glob("*.mrc"))
    assert _whole(prepared).mean() == pytest.approx(mean, abs=0.05)


def test_blocks_are_normalised_and_mirrored_at_the_faces(tmp_path):
    prepared = drain(preprocess(_tomogram(tmp_path), PreprocessConfig(), tmp_path))
    block = prepared.block((-3, 4, 15), (6, 5, 6))
    assert block.dtype == np.float32
    assert block.shape == (6, 5, 6)
    assert np.array_equal(block[:3], block[3:][::-1])
    assert np.allclose(block[3:, :, :3], (_volume()[:3, 4:9, 15:] - _volume().mean()) / _volume().std(), atol=1e-5)


CONFIGS = [PreprocessConfig(low_pass=50), PreprocessConfig(high_pass=120), BOTH]


def _expected(data, config, voxel_size):
    if config.low_pass:
        data = low_pass(data, config.low_pass, voxel_size)
    if config.high_pass:
        data = high_pass(data, config.high_pass, voxel_size)
    return (data - data.mean()) / data.std()


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("voxel_size", [4.0, 13.48])
@pytest.mark.parametrize("strip", [1, 700, 10**6])
def test_filtering_by_strips_and_slabs_equals_filtering_the_whole(tmp_path, monkeypatch, config, voxel_size, strip):
    monkeypatch.setattr("core.preprocess._STRIP_VOXELS", strip)
    prepared = drain(preprocess(_tomogram(tmp_path, voxel_size=voxel_size), config, tmp_path / "cache"))
    assert np.allclose(_whole(prepared), _expected(_volume(), config, voxel_size), atol=1e-4)
    assert len(list((tmp_path / "cache").glob("*.mrc"))) == 1
    assert prepared.tomogram.voxel_size == voxel_size
    assert prepared.tomogram.id == "a"


@pytest.mark.parametrize("config", CONFIGS)
def test_a_volume_in_memory_is_filtered_in_memory(tmp_path, config):
    tomogram = Tomogram(id="m", path=None, voxel_size=10, data=_volume())
    prepared = drain(preprocess(tomogram, config, tmp_path / "cache"))
    assert np.allclose(_whole(prepared), _expected(_volume(), config, 10), atol=1e-4)
    assert not (tmp_path / "cache").exists()


def _copy_of(tomogram, config, cache):
    return drain(preprocess(tomogram, config, cache)).tomogram.path


def test_the_filtered_copy_is_found_again(tmp_path):
    tomogram, cache = _tomogram(tmp_path), tmp_path / "cache"
    copy = _copy_of(tomogram, BOTH, cache)
    written = copy.stat().st_mtime_ns
    assert _copy_of(tomogram, BOTH, cache) == copy
    assert copy.stat().st_mtime_ns == written
    assert _copy_of(tomogram, replace(BOTH, normalisation="minmax"), cache) == copy


def _rewritten(folder):
    tomogram = _tomogram(folder, _volume(seed=1))
    os.utime(tomogram.path, ns=(1, 1))
    return tomogram


@pytest.mark.parametrize(
    ("change", "config"),
    [
        (lambda folder: open_tomogram(folder / "a.mrc", voxel_size=11), BOTH),
        (lambda folder: open_tomogram(folder / "a.mrc", signed=False), BOTH),
        (_rewritten, BOTH),
        (lambda folder: open_tomogram(folder / "a.mrc"), PreprocessConfig(low_pass=50)),
        (lambda folder: open_tomogram(folder / "a.mrc"), PreprocessConfig(low_pass=50, high_pass=130)),
    ],
    ids=["voxel size", "signed", "content", "one filter", "other resolution"],
)
def test_whatever_changes_the_result_makes_another_copy(tmp_path, change, config):
    cache = tmp_path / "cache"
    first = _copy_of(_tomogram(tmp_path, _volume(np.int8) - np.int8(30)), BOTH, cache)
    assert _copy_of(change(tmp_path), config, cache) != first


def test_cancelling_leaves_nothing_half_written(tmp_path, monkeypatch):
    monkeypatch.setattr("core.preprocess._STRIP_VOXELS", 500)
    job = preprocess(_tomogram(tmp_path), BOTH, tmp_path / "cache")
    stages = []
    while "Filtering along y and x" not in stages:
        message = next(job)
        assert isinstance(message, Progress)
        stages.append(message.stage)
    job.close()
    assert os.listdir(tmp_path / "cache") == []


@pytest.mark.parametrize("config", CONFIGS)
def test_filters_need_a_voxel_size(tmp_path, config):
    with pytest.raises(ConfigError, match="voxel size of a is unknown"):
        drain(preprocess(_tomogram(tmp_path, voxel_size=0.0), config, tmp_path))


@pytest.mark.parametrize(("bad", "words"), [(np.nan, "1 voxel that is"), (np.inf, "1 voxel that is")])
def test_voxels_that_are_no_numbers_are_refused(tmp_path, bad, words):
    data = _volume()
    data[3, 4, 5] = bad
    tomogram = _tomogram(tmp_path, data)
    with pytest.raises(FileFormatError, match=f"{words} not a number .* x = 5, y = 4, z = 3"):
        drain(preprocess(tomogram, BOTH, tmp_path / "cache"))
    assert not (tmp_path / "cache").exists()


def test_many_bad_voxels_are_counted(tmp_path):
    with pytest.raises(FileFormatError, match="2520 voxels that are"):
        drain(preprocess(_tomogram(tmp_path, np.full(SHAPE, np.nan, np.float32)), BOTH, tmp_path / "cache"))


def test_a_constant_tomogram_is_refused(tmp_path):
    with pytest.raises(FileFormatError, match="same value"):
        drain(preprocess(_tomogram(tmp_path, np.ones(SHAPE, np.int8)), PreprocessConfig(), tmp_path))


def test_a_cache_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "cache").write_text("a file is in the way")
    with pytest.raises(PickerError, match="Cannot make the folder"):
        drain(preprocess(_tomogram(tmp_path), BOTH, tmp_path / "cache"))
