from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from core import inference
from core.config import NetworkConfig, PickConfig
from core.device import Compute
from core.errors import PickerError
from core.inference import Scanner, scanner
from core.messages import Notice
from core.network import build, fast, published
from core.nms import find_peaks, pooling
from core.preprocess import Prepared
from core.tiling import Grid, plan
from core.tomogram import Box, Tomogram

CPU = Compute(torch.device("cpu"), torch.float32)
KINDS = (torch.float32, torch.bfloat16, torch.float16)
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


def look_with(made, tile, overlap, half_turn=False):
    return Scanner(network=made, compute=CPU, edge=tile, overlap=overlap, outside=overlap, half_turn=half_turn)


def score_map(look, volume, region=WHOLE):
    """Put the tiles together."""
    result = None
    for tile, scores in look.scores(volume, look.tiles(region, volume.tomogram.shape)):
        if result is None:
            result = np.full((len(scores), *region.shape), np.nan, np.float32)
        z, y, x = (slice(a - o, b - o) for a, b, o in zip(tile.core.low, tile.core.high, region.low, strict=True))
        result[:, z, y, x] = scores
    return result


@pytest.fixture(scope="module")
def whole(ours):
    """One tile that holds everything."""
    look = look_with(ours, 144, 32)
    assert len(look.tiles(WHOLE, SHAPE)) == 1
    return score_map(look, prepared())


def test_the_network_is_as_sure_as_a_trained_one(whole):
    assert whole.std() > 0.2


@pytest.fixture(scope="module")
def tiled(ours):
    """The same from several tiles."""
    return score_map(look_with(ours, 96, 32), prepared())


def test_tiles_agree_with_the_whole(whole, tiled):
    difference = np.abs(tiled - whole)
    assert difference.max() < 0.002
    assert difference.mean() < 5e-5


def test_a_region_agrees_with_the_whole(ours, whole):
    region = Box((8, 13, 2), (20, 63, 38))
    z, y, x = (slice(a, b) for a, b in zip(region.low, region.high, strict=True))
    assert np.abs(score_map(look_with(ours, 96, 32), prepared(), region) - whole[:, z, y, x]).max() < 0.002


def test_more_overlap_agrees_better(ours, whole, tiled):
    errors = [np.abs(score_map(look_with(ours, 32 + 2 * o, o), prepared()) - whole).max() for o in (8, 16)]
    assert errors[0] > errors[1] > np.abs(tiled - whole).max()


@pytest.mark.parametrize("axis", [1, 2])
def test_nothing_jumps_at_seams(ours, whole, tiled, axis):
    seams = sorted({t.core.low[axis] - 1 for t in look_with(ours, 96, 32).tiles(WHOLE, SHAPE)} - {-1})
    assert seams
    steps, expected = (np.diff(m[0], axis=axis).take(seams, axis) for m in (tiled, whole))
    assert np.abs(expected).mean() > 0.05
    assert np.abs(steps - expected).max() < 0.003


@pytest.mark.parametrize("classes", [1, 3])
def test_scores_are_probabilities_in_half_precision_one_map_a_class(classes):
    look = look_with(network(classes=classes).eval(), 96, 16)
    tile, scores = next(look.scores(prepared(), look.tiles(WHOLE, SHAPE)))
    assert scores.dtype == np.float16
    assert scores.shape == (classes, *tile.core.shape)
    assert scores.min() >= 0
    assert scores.max() <= 1
    assert scores.astype(float).sum(0).max() <= 1.01


def test_several_classes_are_those_of_the_softmax_without_the_background():
    made = network(classes=3).eval()
    volume = prepared()
    look = look_with(made, 144, 32)
    (tile,) = look.tiles(WHOLE, SHAPE)
    block = torch.from_numpy(volume.block(tile.outer.low, tile.outer.shape))[None, None]
    height = torch.from_numpy(inference.heights(tile.outer.low[0], tile.outer.shape[0], SHAPE[0]))[None]
    with torch.inference_mode():
        expected = made(block, height).softmax(1)[0, 1:][(slice(None), *tile.inner)]
    np.testing.assert_allclose(score_map(look, volume), expected.numpy(), atol=1e-3)


def test_the_height_is_that_of_the_tomogram_whatever_the_tile(ours, monkeypatch):
    seen = []
    monkeypatch.setattr(inference, "heights", lambda *args: seen.append(args) or np.zeros(args[1], np.float32))
    look = look_with(ours, 48, 16)
    tiles = look.tiles(WHOLE, SHAPE)[:3]
    list(look.scores(prepared(), tiles))
    assert seen == [(t.outer.low[0], t.outer.shape[0], SHAPE[0]) for t in tiles]


def test_the_map_averaged_with_that_of_a_half_turn_turns_with_the_tomogram(ours):
    data = np.random.default_rng(2).normal(size=(24, 32, 40)).astype(np.float32)
    box, part = Box((0, 0, 0), data.shape), Box((2, 3, 5), (20, 24, 40))
    turned = np.ascontiguousarray(data[:, ::-1, ::-1])
    averaged = {}
    for half_turn in (False, True):
        look = look_with(ours, 64, 16, half_turn)
        one, two = (score_map(look, prepared(d), box) for d in (data, turned))
        averaged[half_turn] = one
        assert (np.abs(one[..., ::-1, ::-1] - two).max() < 0.002) == half_turn
    plain = look_with(ours, 64, 16)
    expected = (score_map(plain, prepared(data), box) + score_map(plain, prepared(turned), box)[..., ::-1, ::-1]) / 2
    np.testing.assert_allclose(averaged[True], expected, atol=2e-3)
    within = score_map(look_with(ours, 64, 16, True), prepared(data), part)
    np.testing.assert_allclose(within, averaged[True][:, 2:20, 3:24, 5:40], atol=0.02)


@pytest.mark.parametrize(
    ("shape", "region"), [((5, 9, 12), None), ((1, 40, 40), None), ((40, 40, 40), Box((39, 0, 39), (40, 1, 40)))]
)
def test_thin_volumes_and_regions_are_scored(ours, shape, region):
    data = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    found = score_map(look_with(ours, 48, 8), prepared(data), region or Box((0, 0, 0), shape))
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("tile", "overlap", "expected"), [(96, 16, (96, 16)), (96, 0, (96, 32)), (48, 16, (48, 16)), (32, 0, (32, 8))]
)
def test_tile_and_overlap_are_those_that_were_set_as_far_as_they_fit(ours, tile, overlap, expected):
    look = scanner(ours, "fast", 64, CPU, PickConfig(tile=tile, overlap=overlap))
    assert (look.edge, look.overlap) == expected
    assert look.tiles(WHOLE, SHAPE)


@pytest.mark.parametrize(("free", "voxels"), [(1e6, 128**3), (1.6e9, 5_000_000), (1e12, 12_500_000)])
def test_the_tile_follows_the_free_memory_and_leaves_room_for_the_score_map(ours, monkeypatch, free, voxels):
    monkeypatch.setattr(inference, "free_memory", lambda device: int(free))
    look = scanner(ours, "fast", 64, CPU, PickConfig())
    assert look.limit == voxels
    volume = (200, 960, 928)
    largest = max(np.prod(t.outer.shape) for t in look.tiles(Box((0, 0, 0), volume), volume))
    assert 0.5 * voxels < largest <= max(voxels, 72**3)


@pytest.mark.parametrize("preset", ["fast", "published"])
def test_folding_and_computing_only_the_core_change_nothing(preset):
    made = network(preset).eval()
    x, height = torch.randn(1, 1, 48, 40, 56), torch.rand(1, 48)
    folded = scanner(made, preset, 48, CPU, PickConfig()).network
    assert not [m for m in folded.modules() if isinstance(m, torch.nn.BatchNorm3d)]
    with torch.inference_mode():
        expected = made(x, height)
        for core in (((12, 36), (8, 32), (12, 44)), ((0, 48), (5, 6), (3, 17)), ((0, 7), (33, 40), (0, 56))):
            z, y, w = (slice(a, b) for a, b in core)
            torch.testing.assert_close(folded(x, height, core), expected[:, :, z, y, w], atol=1e-4, rtol=1e-4)
    assert [m for m in made.modules() if isinstance(m, torch.nn.BatchNorm3d)]


def test_a_device_that_is_given_the_next_tile_before_the_last_is_fetched_scores_the_same(ours, tiled, monkeypatch):
    monkeypatch.setattr(inference, "BEHIND", {"cpu": 1})
    look = look_with(ours, 96, 32)
    np.testing.assert_array_equal(score_map(look, prepared()), tiled)
    tiles = look.tiles(WHOLE, SHAPE)
    look.network = Small(ours, 2**40, None)
    steps = look.scores(prepared(), tiles)
    assert next(steps)[0] == tiles[0]
    assert len(look.network.seen) == 2
    assert [tile for tile, _ in steps] == tiles[1:]


def test_folded_and_in_16_bits_the_picks_are_the_same():
    """Of the processor, where autocast rounds as it does on a GPU."""
    made = network("fast").eval()
    data = np.random.default_rng(5).normal(size=(40, 40, 40)).astype(np.float32)
    box = Box((0, 0, 0), data.shape)
    plain = Scanner(network=made, compute=CPU, edge=64, overlap=12, outside=12)
    looks = [scanner(made, "fast", 64, Compute(CPU.device, kind), PickConfig(tile=64, overlap=12)) for kind in KINDS]
    how = pooling("graded", 8.0, 4.0, 0.3)
    expected, *found = [find_peaks(score_map(look, prepared(data), box)[0], how) for look in (plain, *looks)]
    assert len(expected) > 40
    tree = cKDTree(expected.positions)
    for peaks, tolerance in zip(found, (1e-3, 0.03, 0.01), strict=True):
        assert abs(len(peaks) - len(expected)) <= 0.05 * len(expected)
        distance, which = tree.query(peaks.positions)
        same = distance < 1
        assert same.mean() > 0.95
        assert np.abs(peaks.scores - expected.scores[which])[same].max() < tolerance


class Small(torch.nn.Module):
    """A network on a device that holds no more than so many voxels at once."""

    def __init__(self, made, voxels, error):
        super().__init__()
        self.made, self.voxels, self.error, self.seen = made, voxels, error, []

    def forward(self, x, *rest):
        self.seen.append(tuple(x.shape[2:]))
        if x.numel() > self.voxels:
            raise self.error
        return self.made(x, *rest)


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
    MemoryError(),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda e: type(e).__name__)
def test_where_memory_does_not_suffice_tiles_are_halved_and_only_those_not_done_are_computed(ours, whole, error):
    look = look_with(ours, 64, 8)
    tiles = look.tiles(WHOLE, SHAPE)
    least = min(int(np.prod(t.outer.shape)) for t in tiles)
    look.network = Small(ours, least - 1, error)
    result, told = np.full((1, *SHAPE), np.nan, np.float32), []
    for step in look.scores(prepared(), tiles):
        if isinstance(step, Notice):
            told.append(step.text)
            continue
        part = (slice(None), *(slice(a, b) for a, b in zip(step[0].core.low, step[0].core.high, strict=True)))
        assert np.isnan(result[part]).all()
        result[part] = step[1]
    assert np.isfinite(result).all()
    assert np.abs(result - whole).mean() < 0.02  # as far as so little context allows
    assert told
    assert all("does not suffice" in text for text in told)
    refused = [shape for shape in look.network.seen if np.prod(shape) >= least]
    assert len(refused) == len(told) <= 3
    assert look.limit < least
    again = [step for step in look.scores(prepared(), tiles) if isinstance(step, Notice)]
    assert not again  # what was learnt holds for the rows and tomograms to come


def test_a_memory_that_suffices_for_nothing_is_told(ours):
    look = look_with(ours, 96, 8)
    look.network = Small(ours, 0, MemoryError())
    with pytest.raises(PickerError, match="does not suffice"):
        list(look.scores(prepared(), look.tiles(WHOLE, SHAPE)))


def test_other_errors_are_no_lack_of_memory(ours):
    look = look_with(ours, 96, 8)
    look.network = Small(ours, 0, RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes"):
        list(look.scores(prepared(), look.tiles(WHOLE, SHAPE)))


@pytest.mark.parametrize("patch", [32, 72])
@pytest.mark.parametrize("tile", [0, 128])
def test_the_published_network_sees_tiles_of_the_training_patch_only(patch, tile):
    look = scanner(build(NetworkConfig(preset="published"), 1), "published", patch, CPU, PickConfig(tile=tile))
    tiles = look.tiles(Box((3, 0, 0), (40, 100, 50)), (40, 100, 50))
    assert {t.outer.shape for t in tiles} == {(patch,) * 3}
    covered = np.zeros((40, 100, 50), int)
    for t in tiles:
        covered[tuple(slice(a, b) for a, b in zip(t.core.low, t.core.high, strict=True))] += 1
    assert (covered[3:] == 1).all()
    assert not covered[:3].any()
    for t in tiles:
        for a, b, c, d, n in zip(t.outer.low, t.outer.high, t.core.low, t.core.high, (40, 100, 50), strict=True):
            assert c - a >= look.overlap or a <= -look.outside
            assert b - d >= look.overlap or b >= n + look.outside


def test_fixed_tiles_lie_on_the_grid_of_the_stride():
    tiles = plan(Box((5, 0, 0), (60, 100, 30)), (48, 48, 48), Grid(overlap=12, stride=8, fixed=True))
    assert {a % 8 for t in tiles for a in t.outer.low} == {0}


def test_a_scanner_leaves_the_network_ready_to_score(ours):
    look = scanner(network(), "fast", 64, CPU, PickConfig(half_turn=True))
    assert not look.network.training
    assert look.half_turn
    assert not scanner(ours, "fast", 64, CPU, PickConfig()).half_turn


def test_scoring_reads_no_more_than_the_tile(ours):
    class Watched:
        shape, dtype, read = (64, 300, 300), np.dtype(np.float32), 0

        def __getitem__(self, key):
            box = [range(n)[k] for n, k in zip(self.shape, key, strict=True)]
            self.read = max(self.read, int(np.prod([len(b) for b in box])))
            return np.zeros([len(b) for b in box], np.float32)

    data = Watched()
    look = look_with(ours, 48, 8)
    tiles = look.tiles(Box((0, 0, 0), data.shape), data.shape)
    list(itertools.islice(look.scores(prepared(data), tiles), 3))
    assert 0 < data.read <= 48**3
