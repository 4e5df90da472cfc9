from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from core.config import ReviewConfig
from core.errors import ConfigError, PickerError
from core.io.volumes import open_tomogram, write_mrc
from core.masks import (
    GoldMask,
    MaskConfig,
    Masks,
    MembraneMask,
    SlabMask,
    VolumeMaskFile,
    config_for,
    find_beads,
    find_slab,
    given_slab,
    masks_of,
    near_segmentation,
    shade,
    volume_mask,
)
from core.messages import Notice, drain
from core.particles import ClassSpec, ParticleTable, Status
from core.review import masked, shown
from core.settings import Settings, load_settings, save_settings
from core.simulate import PhantomConfig, simulate
from core.tomogram import Box, Tomogram

RNG = np.random.default_rng(7)


def made(data, voxel_size=10.0, name="t"):
    return Tomogram(id=name, path=None, voxel_size=voxel_size, data=data)


@pytest.fixture(scope="module")
def layered():
    return drain(simulate(PhantomConfig(shape=(96, 192, 192), vacuum=28, counts={"ribosome": 20, "globule": 10}, gold=4, snr=0.3)))


def test_surfaces_of_a_layer_between_vacuum_are_found(layered):
    slab = drain(find_slab(layered.tomogram))
    assert slab.low is not None
    assert slab.high is not None
    assert abs(slab.low.height - 27.5) < 7  # few particles reach the faces
    assert abs(slab.high.height - 67.5) < 7
    assert slab.inside(layered.truth.positions).mean() > 0.9
    assert not slab.inside(np.array([[5.0, 90, 90], [90.0, 90, 90]])).any()


@pytest.mark.parametrize("voxel_size", [5.0, 10.0])
def test_surfaces_lie_between_the_voxels_where_the_texture_ends(voxel_size):
    size = int(1000 / voxel_size)
    rng, low, high = np.random.default_rng(0), size * 3 // 10 // 6 * 6, size * 7 // 10 // 6 * 6  # faces of grains
    data = rng.normal(0, 0.3, (size, 120, 120)).astype(np.float32)
    data[low:high] += 3 * gaussian_filter(rng.normal(0, 1, (size, 120, 120)).astype(np.float32), 30 / voxel_size)[low:high]
    slab = drain(find_slab(made(data, voxel_size)))
    assert (slab.low.height, slab.high.height) == pytest.approx((low - 0.5, high - 0.5), abs=0.1)


def test_a_tilted_layer_gives_a_tilted_plane(layered):
    slope = 0.1
    columns = np.round(slope * (np.arange(192) - 95.5)).astype(int)
    data = np.stack([np.roll(layered.tomogram.data[:, :, x], by, axis=0) for x, by in enumerate(columns)], axis=2)
    slab = drain(find_slab(replace(layered.tomogram, data=data)))
    assert slab.low is not None
    assert abs(slab.low.slope_x - slope) < 0.05
    assert abs(slab.low.slope_y) < 0.05


def test_where_matter_fills_the_tomogram_no_surface_is_found_but_at_its_faces():
    full = drain(simulate(PhantomConfig(shape=(64, 192, 192), counts={"ribosome": 40, "globule": 40}, snr=0.3)))
    slab = drain(find_slab(full.tomogram))
    assert slab.low is None or slab.low.height < 13  # up to there, ice: no ribosome reaches through a face
    assert slab.high is None or slab.high.height > 50


def test_gold_beads_are_found_where_they_are_and_nowhere_else(layered):
    found = drain(find_beads(layered.tomogram, 100.0))
    away = np.linalg.norm(found[:, None] - layered.gold[None], axis=2)
    assert len(found) == len(layered.gold) == 4
    assert (away.min(axis=1) < 2).all()
    without = drain(simulate(PhantomConfig(shape=(48, 128, 128), counts={"ribosome": 10}, gold=0, snr=0.3)))
    assert not len(drain(find_beads(without.tomogram, 100.0)))


def test_given_planes_and_their_margin():
    tomogram = made(np.zeros((100, 50, 50), np.int8))
    slab = given_slab(tomogram, 20, 80, tilt_y=0, tilt_x=45, margin=5)
    rows = np.array([[25.0, 24.5, 24.5], [24.0, 24.5, 24.5], [35.0, 24.5, 34.5], [34.0, 24.5, 34.5], [75.0, 24.5, 24.5]])
    assert slab.inside(rows).tolist() == [True, False, True, False, True]
    assert not slab.touches(Box((0, 20, 40), (20, 40, 50)))
    assert slab.touches(Box((0, 20, 0), (20, 40, 10)))


@pytest.mark.parametrize("factor", [0.5, 1, 2, 4])
def test_a_mask_of_another_binning_covers_the_same_places(factor):
    tomogram = made(np.zeros((16, 40, 48), np.int8))
    shape = [int(n / factor) for n in tomogram.shape]
    data = np.zeros(shape, np.int8)
    data[:, :, : shape[2] // 2] = 1
    mask = drain(volume_mask(tomogram, made(data, 10.0 * factor, "m")))
    places = np.array([[8.0, 20, 23], [8.0, 20, 24], [0.0, 0, 0], [15.0, 39, 47]])
    assert mask.inside(places).tolist() == [True, False, True, False]
    assert replace(mask, keep=False).inside(places).tolist() == [False, True, False, True]


def test_boxes_that_a_mask_does_not_need_are_known():
    data = np.zeros((16, 32, 32), np.uint8)
    data[:, :8, 3:9] = 1
    mask = drain(volume_mask(made(data), made(data)))
    assert mask.touches(Box((0, 0, 0), (16, 8, 8)))
    assert not mask.touches(Box((0, 8, 0), (16, 32, 32)))
    outside = replace(mask, keep=False)
    assert not outside.touches(Box((0, 0, 3), (16, 8, 9)))
    assert outside.touches(Box((0, 0, 3), (16, 9, 9)))


def test_a_mask_of_another_field_of_view_is_told_of():
    steps = volume_mask(made(np.zeros((16, 40, 48), np.int8)), made(np.ones((16, 40, 30), np.int8)))
    assert any(isinstance(message, Notice) and "along x" in message.text for message in steps)


def test_a_mask_without_a_voxel_is_refused():
    with pytest.raises(ConfigError, match="above 0"):
        drain(volume_mask(made(np.zeros((4, 4, 4))), made(np.zeros((4, 4, 4)))))


def test_distance_to_a_segmentation():
    data = np.zeros((24, 40, 40), np.int8)
    data[:, :, 10:13] = 1
    voxels = drain(volume_mask(made(data), made(data)))
    near = drain(near_segmentation(voxels, 5.0, True))
    rows = np.array([[12.0, 20, 11], [12.0, 20, 17], [12.0, 20, 18], [12.0, 20, 5], [12.0, 20, 4]])
    assert near.inside(rows).tolist() == [True, True, False, True, False]
    assert replace(near, keep=False).inside(rows).tolist() == [False, False, True, False, True]
    assert not near.touches(Box((0, 0, 30), (8, 8, 38)))
    assert near.touches(Box((0, 0, 10), (8, 8, 18)))


def test_where_all_is_segmented_everything_is_near():
    voxels = drain(volume_mask(made(np.zeros((8, 8, 8))), made(np.ones((8, 8, 8)))))
    near = drain(near_segmentation(voxels, 5.0, True))
    assert near.inside(np.array([[4.0, 4, 4]])).all()
    assert near.touches(Box((0, 0, 0), (8, 8, 8)))
    assert not replace(near, keep=False).inside(np.array([[4.0, 4, 4]])).any()


def test_masks_are_views_of_candidates_and_never_touch_what_was_judged():
    tomogram = made(np.zeros((100, 50, 50), np.int8))
    masks = Masks({"slab": given_slab(tomogram, 20, 80, 0, 0)})
    table = ParticleTable.build("t", [[10, 9, 9], [50, 9, 9], [10, 30, 30]], scores=np.full(3, 0.9), status=Status.CANDIDATE)
    table = replace(table, statuses=np.array([Status.CANDIDATE, Status.CANDIDATE, Status.ACCEPTED]))
    classes = {1: ClassSpec(id=1, name="r", diameter=100)}
    reviews = {1: ReviewConfig(min_distance=1.0)}
    assert shown(table, reviews, classes, tomogram.shape, 10.0, masks).tolist() == [False, True, True]
    assert shown(table, reviews, classes, tomogram.shape, 10.0).all()
    assert masked(table, masks).tolist() == [True, False, False]
    assert masks.hidden(table.positions)["slab"].tolist() == [True, False, True]


def test_what_was_found_is_kept_by_content(tmp_path, layered):
    path = tmp_path / "t.mrc"
    write_mrc(path, layered.tomogram.data, 10.0)
    tomogram = open_tomogram(path)
    config = MaskConfig(gold=GoldMask(on=True), slab=SlabMask(on=True))
    first = drain(masks_of(tomogram, config, tmp_path / "cache"))
    files = list((tmp_path / "cache" / "masks").iterdir())
    assert len(files) == 2
    for file in files:
        known = json.loads(file.read_text())
        if "positions" in known:
            file.write_text(json.dumps({"positions": [[1, 2, 3]]}))
    again = drain(masks_of(tomogram, config, tmp_path / "cache"))
    assert again.parts["slab"] == first.parts["slab"]
    assert again.parts["gold"].positions.tolist() == [[1, 2, 3]]


def test_volumes_by_the_tomograms_name_and_missing_ones(tmp_path):
    tomogram = made(np.zeros((8, 16, 16), np.int8), name="TS_1")
    write_mrc(tmp_path / "TS_1_mask.mrc", np.ones((8, 16, 16), np.int8), 10.0)
    volume = VolumeMaskFile(on=True, path=str(tmp_path / "{tomogram}_mask.mrc"), keep="outside")
    membrane = MembraneMask(on=True, path=str(tmp_path / "none.mrc"))
    masks = drain(masks_of(tomogram, MaskConfig(volume=volume)))
    assert not masks.inside(np.array([[4.0, 4, 4]])).any()
    with pytest.raises(PickerError, match="no segmentation"):
        drain(masks_of(tomogram, MaskConfig(membrane=membrane)))


def test_what_is_drawn_lies_where_picks_are_hidden():
    tomogram = made(np.zeros((100, 60, 50), np.int8))
    mask = given_slab(tomogram, 20, 80, 0, 0)
    masked_out, factor = drain(shade(mask, tomogram.shape, edge=50))
    assert masked_out.shape == (50, 30, 25)
    assert factor == (2.0, 2.0, 2.0)
    assert masked_out[:10].all()
    assert not masked_out[10:40].any()


def test_settings_come_back_and_what_is_odd_is_told(tmp_path):
    configs = {
        "": MaskConfig(gold=GoldMask(on=True, diameter=15)),
        "TS 1.a": MaskConfig(slab=SlabMask(on=True, surfaces="given", low=3)),
    }
    save_settings(Settings(masks=configs), tmp_path / "s.toml")
    loaded, notices = load_settings(tmp_path / "s.toml")
    assert loaded.masks == configs
    assert not notices
    assert config_for(configs, "other").gold.diameter == 15
    assert config_for(configs, "TS 1.a").active == ("slab",)
    (tmp_path / "s.toml").write_text("version = 1\n[masks.a.gold]\ndiameter = -1\n[masks.b.gold]\non = true\n")
    loaded, notices = load_settings(tmp_path / "s.toml")
    assert list(loaded.masks) == ["b"]
    assert "masks.a" in notices[0]
