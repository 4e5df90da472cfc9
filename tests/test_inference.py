from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from core import inference
from core.config import NetworkConfig, PickConfig
from core.device import Compute
from core.inference import Scanner, scanner
from core.network import build, fast, published
from core.preprocess import Prepared
from core.tiling import plan
from core.tomogram import Box, Tomogram

CPU = Compute(torch.device("cpu"), torch.float32)
SHAPE = (24, 64, 40)
WHOLE = Box((0, 0, 0), SHAPE)


@pytest.fixture(autouse=True, scope="module")
def slim_networks():
    """Few features: how far a network sees, and how it pools, does not depend on them."""
    before = fast.FEATURES, published.FEATURES
    fast.FEATURES, published.FEATURES = (8, 12, 16), (6, 8, 8, 8)
    yield
    fast.FEATURES, published.FEATURES = before


def prepared(data=None):
    data = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32) if data is None else data
    return Prepared(tomogram=Tomogram(id="t", path=None, voxel_size=10.0, data=data), scale=1.0, offset=0.0)


def network(preset="fast", classes=1):
    """Random weights, with the statistics of the noise and a head whose probabilities spread as those of a trained one."""
    torch.manual_seed(1)
    made = build(NetworkConfig(preset=preset), classes).train()
    with torch.no_grad():
        for _ in range(8):
            made(torch.randn(2, 1, 32, 32, 32), torch.rand(2, 32))
        logits = made.eval()(torch.randn(1, 1, 32, 32, 32), torch.zeros(1, 32))
        made.head.weight *= 2 / logits.std()
    return made


@pytest.fixture(scope="module")
def ours():
    return network()


def score_map(look, volume, region=WHOLE):
    """Put the tiles together."""
    result = None
    for tile, scores in look.scores(volume, look.tiles(region)):
        if result is None:
            result = np.full((len(scores), *region.shape), np.nan, np.float32)
        z, y, x = (slice(a - o, b - o) for a, b, o in zip(tile.core.low, tile.core.high, region.low, strict=True))
        result[:, z, y, x] = scores
    return result


@pytest.fixture(scope="module")
def whole(ours):
    """One tile that holds everything."""
    look = Scanner(ours, CPU, 144, 32)
    assert len(look.tiles(WHOLE)) == 1
    return score_map(look, prepared())


def test_the_network_is_as_sure_as_a_trained_one(whole):
    assert whole.std() > 0.2


@pytest.fixture(scope="module")
def tiled(ours):
    """The same from several tiles."""
    return score_map(Scanner(ours, CPU, 96, 32), prepared())


def test_tiles_agree_with_the_whole(whole, tiled):
    difference = np.abs(tiled - whole)
    assert difference.max() < 0.002
    assert difference.mean() < 5e-5


def test_a_region_agrees_with_the_whole(ours, whole):
    region = Box((8, 13, 2), (20, 63, 38))
    z, y, x = (slice(a, b) for a, b in zip(region.low, region.high, strict=True))
    assert np.abs(score_map(Scanner(ours, CPU, 96, 32), prepared(), region) - whole[:, z, y, x]).max() < 0.002


def test_more_overlap_agrees_better(ours, whole, tiled):
    errors = [np.abs(score_map(Scanner(ours, CPU, 32 + 2 * o, o), prepared()) - whole).max() for o in (8, 16)]
    assert errors[0] > errors[1] > np.abs(tiled - whole).max()


@pytest.mark.parametrize("axis", [1, 2])
def test_nothing_jumps_at_seams(ours, whole, tiled, axis):
    seams = sorted({t.core.low[axis] - 1 for t in Scanner(ours, CPU, 96, 32).tiles(WHOLE)} - {-1})
    assert seams
    steps, expected = (np.diff(m[0], axis=axis).take(seams, axis) for m in (tiled, whole))
    assert np.abs(expected).mean() > 0.05
    assert np.abs(steps - expected).max() < 0.003


@pytest.mark.parametrize("classes", [1, 3])
def test_scores_are_probabilities_in_half_precision_one_map_a_class(classes):
    look = Scanner(network(classes=classes).eval(), CPU, 96, 16)
    tile, scores = next(look.scores(prepared(), look.tiles(WHOLE)))
    assert scores.dtype == np.float16
    assert scores.shape == (classes, *tile.core.shape)
    assert scores.min() >= 0
    assert scores.max() <= 1
    assert scores.astype(float).sum(0).max() <= 1.01


def test_several_classes_are_those_of_the_softmax_without_the_background():
    made = network(classes=3).eval()
    volume = prepared()
    look = Scanner(made, CPU, 144, 32)
    (tile,) = look.tiles(WHOLE)
    block = torch.from_numpy(volume.block(tile.outer.low, tile.outer.shape))[None, None]
    height = torch.from_numpy(inference.heights(tile.outer.low[0], tile.outer.shape[0], SHAPE[0]))[None]
    with torch.inference_mode():
        expected = made(block, height).softmax(1)[0, 1:][(slice(None), *tile.inner)]
    np.testing.assert_allclose(score_map(look, volume), expected.numpy(), atol=1e-3)


def test_the_height_is_that_of_the_tomogram_whatever_the_tile(ours, monkeypatch):
    seen = []
    monkeypatch.setattr(inference, "heights", lambda *args: seen.append(args) or np.zeros(args[1], np.float32))
    look = Scanner(ours, CPU, 48, 16)
    tiles = look.tiles(WHOLE)[:3]
    list(look.scores(prepared(), tiles))
    assert seen == [(t.outer.low[0], t.outer.shape[0], SHAPE[0]) for t in tiles]


def test_averaging_over_turns_makes_the_map_turn_with_the_tomogram(ours):
    data = np.random.default_rng(2).normal(size=(24, 32, 32)).astype(np.float32)
    box = Box((0, 0, 0), data.shape)
    turned = np.ascontiguousarray(np.rot90(data, 1, (1, 2)))
    for turns, expected in ((4, True), (1, False)):
        look = Scanner(ours, CPU, 64, 16, turns)
        one, two = (score_map(look, prepared(d), box) for d in (data, turned))
        agree = np.abs(np.rot90(one, 1, (2, 3)) - two).max() < 0.002
        assert agree == expected


def test_averaging_over_turns_is_the_mean_of_four_maps(ours):
    data = np.random.default_rng(3).normal(size=(16, 24, 24)).astype(np.float32)
    box = Box((0, 0, 0), data.shape)
    maps = [
        np.rot90(score_map(Scanner(ours, CPU, 56, 16), prepared(np.ascontiguousarray(np.rot90(data, k, (1, 2)))), box), -k, (2, 3))
        for k in range(4)
    ]
    averaged = score_map(Scanner(ours, CPU, 56, 16, 4), prepared(data), box)
    np.testing.assert_allclose(averaged, np.mean(maps, 0), atol=2e-3)


@pytest.mark.parametrize(
    ("shape", "region"), [((5, 9, 12), None), ((1, 40, 40), None), ((40, 40, 40), Box((39, 0, 39), (40, 1, 40)))]
)
def test_thin_volumes_and_regions_are_scored(ours, shape, region):
    data = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    found = score_map(Scanner(ours, CPU, 48, 8), prepared(data), region or Box((0, 0, 0), shape))
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("tile", "overlap", "expected"), [(96, 16, (96, 16)), (96, 0, (96, 32)), (48, 16, (48, 16)), (32, 0, (32, 8))]
)
def test_tile_and_overlap_are_those_that_were_set_as_far_as_they_fit(ours, tile, overlap, expected):
    look = scanner(ours, "fast", 64, CPU, PickConfig(tile=tile, overlap=overlap))
    assert (look.tile, look.overlap) == expected
    assert look.tiles(WHOLE)


@pytest.mark.parametrize(("free", "tile"), [(1e6, 64), (1e9, 128), (1e12, inference.LARGEST_TILE)])
def test_the_tile_follows_the_free_memory(ours, monkeypatch, free, tile):
    monkeypatch.setattr(inference, "free_memory", lambda device: int(free))
    assert scanner(ours, "fast", 64, CPU, PickConfig()).tile == tile


@pytest.mark.parametrize("patch", [32, 72])
@pytest.mark.parametrize("tile", [0, 128])
def test_the_published_network_sees_tiles_of_the_training_patch_only(patch, tile):
    look = scanner(build(NetworkConfig(preset="published"), 1), "published", patch, CPU, PickConfig(tile=tile))
    tiles = look.tiles(Box((3, 0, 0), (40, 100, 50)))
    assert {t.outer.shape for t in tiles} == {(patch,) * 3}
    covered = np.zeros((40, 100, 50), int)
    for t in tiles:
        covered[tuple(slice(a, b) for a, b in zip(t.core.low, t.core.high, strict=True))] += 1
    assert (covered[3:] == 1).all()
    assert not covered[:3].any()
    margins = [min(c - o for c, o in zip(t.core.low, t.outer.low, strict=True)) for t in tiles]
    margins += [min(o - c for c, o in zip(t.core.high, t.outer.high, strict=True)) for t in tiles]
    assert min(margins) >= look.overlap


def test_fixed_tiles_lie_on_the_grid_of_the_stride():
    tiles = plan(Box((5, 0, 0), (60, 100, 30)), 48, 12, 8, fixed=True)
    assert {(a + 12) % 8 for t in tiles for a in t.outer.low} == {0}


def test_a_scanner_leaves_the_network_ready_to_score(ours):
    look = scanner(network(), "fast", 64, CPU, PickConfig(flips=True))
    assert not look.network.training
    assert look.turns == 4
    assert scanner(ours, "fast", 64, CPU, PickConfig()).turns == 1


def test_no_turn_at_all_is_a_defect(ours):
    look = Scanner(ours, CPU, 48, 16, 0)
    with pytest.raises(ValueError, match="turns"):
        next(look.scores(prepared(), look.tiles(WHOLE)))


def test_scoring_reads_no_more_than_the_tile(ours):
    class Watched:
        shape, dtype, read = (64, 300, 300), np.dtype(np.float32), 0

        def __getitem__(self, key):
            box = [range(n)[k] for n, k in zip(self.shape, key, strict=True)]
            self.read = max(self.read, int(np.prod([len(b) for b in box])))
            return np.zeros([len(b) for b in box], np.float32)

    data = Watched()
    look = Scanner(ours, CPU, 48, 8)
    tiles = look.tiles(Box((0, 0, 0), data.shape))
    list(itertools.islice(look.scores(prepared(data), tiles), 3))
    assert 0 < data.read <= 48**3
