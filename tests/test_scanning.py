from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from core import scanning
from core.config import LabelConfig, PickConfig
from core.device import Compute
from core.labels import make_labels
from core.messages import Progress
from core.nms import Peaks
from core.particles import ClassSpec, Source, Status
from core.preprocess import Prepared
from core.scanning import Found, scan, targets
from core.tiling import Grid, best_shape, plan
from core.tomogram import Box, Tomogram

SHAPE = (72, 60, 66)
CLASSES = (ClassSpec(id=2, name="large", diameter=120.0), ClassSpec(id=9, name="small", diameter=80.0))
VOXEL_SIZE = 10.0
LABEL = LabelConfig()


class Reader:
    """Stands for a scanner: gives out parts of a score map that is already there, tile by tile."""

    compute = Compute(torch.device("cpu"), torch.float32)

    def __init__(self, score_map, tile=32):
        self.score_map, self.tile, self.read = score_map, tile, []

    def tiles(self, region, volume, tallest=2**40):
        self.tallest = tallest
        return plan(region, (self.tile,) * 3, Grid(overlap=8, stride=8))

    def scores(self, prepared, tiles):
        for tile in tiles:
            self.read.append(tile.core)
            yield tile, self.score_map[(slice(None), *(slice(a, b) for a, b in zip(tile.core.low, tile.core.high, strict=True)))]


def spread(pitch, shape, seed):
    """A centre somewhere in the middle of each cell of a grid."""
    cells = itertools.product(*(range(n // pitch) for n in shape))
    rng = np.random.default_rng(seed)
    return np.array([(np.array(c) + 0.5) * pitch + rng.uniform(-0.15, 0.15, 3) * pitch for c in cells])


CENTRES = {2: spread(20, SHAPE, 0), 9: spread(15, SHAPE, 1)}


def score_map(noise=0.0):
    """Perfect labels of both classes."""
    drawn = []
    for spec in CLASSES:
        at, n = CENTRES[spec.id], len(CENTRES[spec.id])
        labels = make_labels(
            at, np.ones(n, int), np.full(n, spec.diameter / VOXEL_SIZE), SHAPE, LABEL.kind, LABEL.diameter_fraction
        )
        drawn.append(labels.classes > 0)
    wave = noise * np.random.default_rng(0).random((len(CLASSES), *SHAPE))
    return np.maximum(np.array(drawn), wave).astype(np.float16)


def prepared():
    empty = np.zeros(SHAPE, np.float32)
    return Prepared(tomogram=Tomogram(id="t", path=None, voxel_size=VOXEL_SIZE, data=empty), scale=1.0, offset=0.0)


def wanted(**pick):
    return targets(CLASSES, VOXEL_SIZE, LABEL, PickConfig(**pick))


def finished(job):
    """Run a scan: everything it said, and what it returned."""
    said = []
    while True:
        try:
            said.append(next(job))
        except StopIteration as stop:
            return said, stop.value


def scanned(look, region=None, **pick):
    return finished(scan(prepared(), look, wanted(**pick), region or Box((0, 0, 0), SHAPE)))


def places(peaks):
    return sorted((*np.round(p, 4).tolist(), round(float(s), 4)) for p, s in zip(peaks.positions, peaks.scores, strict=True))


@pytest.mark.parametrize("tile", [32, 48, 96])
@pytest.mark.parametrize("nms", ["graded", "published"])
def test_every_centre_is_found_once_with_its_class(tile, nms):
    _, found = scanned(Reader(score_map(), tile), nms=nms)
    table = found.table("t", wanted(nms=nms))
    for spec in CLASSES:
        positions = table.positions[table.class_ids == spec.id]
        distance, which = cKDTree(CENTRES[spec.id]).query(positions)
        if nms == "graded":  # the published variant lets no pick come near one of another class
            assert sorted(which) == list(range(len(CENTRES[spec.id])))
        assert distance.max() < (0.5 if nms == "graded" else 1.8)  # also where the label is narrower than a pool


def test_tiles_make_no_difference():
    noisy = score_map(noise=0.4)
    _, whole = scanned(Reader(noisy, 104))
    _, parts = scanned(Reader(noisy, 32))
    for one, other in zip(whole.peaks, parts.peaks, strict=True):
        assert len(one) > 30
        assert places(one) == places(other)


@pytest.mark.parametrize(
    "region",
    [Box((10, 12, 14), (60, 50, 48)), Box((0, 20, 0), (72, 33, 66)), Box((30, 0, 0), (31, 60, 66)), Box((64, 52, 58), SHAPE)],
)
def test_a_region_gives_the_peaks_of_the_whole_that_lie_inside(region):
    noisy = score_map(noise=0.4)
    _, whole = scanned(Reader(noisy))
    look = Reader(noisy)
    _, part = scanned(look, region)
    for one, other in zip(whole.peaks, part.peaks, strict=True):
        inside = region.contains(np.round(one.positions))
        # a voxel's sub-voxel place may lie half a voxel outside: it is the voxel that counts
        expected = [p for p in places(one) if region.contains(np.array([p[:3]]))[0]]
        got = [p for p in places(other) if region.contains(np.array([p[:3]]))[0]]
        assert got == expected
        assert abs(len(other) - inside.sum()) <= 3
    halo = max(how.halo for how in wanted().poolings)
    assert all((np.array(core.low) >= np.array(region.low) - halo).all() for core in look.read)
    assert all((np.array(core.high) <= np.array(region.high) + halo).all() for core in look.read)


def test_what_is_announced_adds_up_to_the_result_and_nothing_is_said_twice():
    said, found = scanned(Reader(score_map(noise=0.4), 32))
    parts = [m for m in said if isinstance(m, Found)]
    assert len(parts) > 2
    for i, whole in enumerate(found.peaks):
        assert sorted(itertools.chain.from_iterable(places(part.peaks[i]) for part in parts)) == places(whole)
        assert (np.diff(whole.scores) <= 0).all()


def test_candidates_are_announced_while_tiles_finish():
    said, _ = scanned(Reader(score_map(), 32))
    kinds = [isinstance(m, Found) for m in said]
    assert True in kinds[: len(kinds) // 2]
    progress = [m for m in said if isinstance(m, Progress)]
    assert (np.diff([m.done for m in progress]) > 0).all()
    assert progress[-1].done == progress[-1].total == np.prod(SHAPE)
    assert progress[-1].eta == 0


def test_of_the_score_map_no_more_is_held_than_a_row_of_tiles_needs(monkeypatch):
    seen = []
    real = scanning.find_peaks

    def watched(map_, *args):
        seen.append((map_.dtype, map_.base.shape))
        return real(map_, *args)

    monkeypatch.setattr(scanning, "find_peaks", watched)
    scanned(Reader(score_map()))
    halo = max(how.halo for how in wanted().poolings)
    assert {dtype for dtype, _ in seen} == {np.dtype(np.float16)}
    assert max(shape[1] for _, shape in seen) <= 16 + 2 * halo < SHAPE[0]
    assert {(shape[0], *shape[2:]) for _, shape in seen} == {(len(CLASSES), *SHAPE[1:])}


def test_peaks_found_while_the_next_row_is_scored_are_the_same(monkeypatch):
    noisy = score_map(noise=0.4)
    said, expected = scanned(Reader(noisy))
    monkeypatch.setattr(scanning, "BESIDE", ("cpu",))
    late, found = scanned(Reader(noisy))
    for one, other in zip(expected.peaks, found.peaks, strict=True):
        assert places(one) == places(other)
    told = [[i for i, m in enumerate(all_) if isinstance(m, Found)] for all_ in (said, late)]
    assert len(told[0]) == len(told[1]) > 2
    assert told[1][0] > told[0][0]


def test_rows_of_tiles_are_only_as_tall_as_the_score_map_has_room_for(monkeypatch):
    monkeypatch.setattr(scanning, "available", lambda: 4 * 100 * 2 * len(CLASSES) * SHAPE[1] * SHAPE[2])
    look = Reader(score_map())
    scanned(look)
    assert look.tallest == 100 - 4 * max(how.halo for how in wanted().poolings)
    region = Box((0, 0, 0), (512, 2048, 2048))
    grid = Grid(overlap=32, stride=8, volume=region.high, outside=32)
    for tallest in (128, 60, 1):
        tiles = plan(region, best_shape(region, 12_500_000, grid, tallest), grid)
        assert max(tile.core.shape[0] for tile in tiles) <= max(tallest, 8)


class BoxMask:
    """A mask that is a box."""

    def __init__(self, box):
        self.box = box

    def touches(self, box):
        return all(a < d and c < b for a, b, c, d in zip(box.low, box.high, self.box.low, self.box.high, strict=True))

    def inside(self, positions):
        return self.box.contains(positions)


@pytest.mark.parametrize("box", [Box((40, 0, 0), (60, 30, 66)), Box((0, 20, 20), (8, 24, 30)), Box((70, 58, 60), SHAPE)])
def test_a_mask_saves_tiles_and_changes_no_peak_within(box):
    noisy, mask = score_map(noise=0.4), BoxMask(box)
    _, whole = scanned(Reader(noisy))
    look = Reader(noisy)
    job = scan(prepared(), look, wanted(), Box((0, 0, 0), SHAPE), mask=mask)
    said, part = finished(job)
    progress = [m for m in said if isinstance(m, Progress)]
    assert 0 < len(look.read) < len(Reader(noisy).tiles(Box((0, 0, 0), SHAPE), SHAPE))
    assert progress[-1].done == progress[-1].total == sum(np.prod(core.shape) for core in look.read)
    for one, other in zip(whole.peaks, part.peaks, strict=True):
        inside = [Peaks(p.positions[box.contains(p.positions)], p.scores[box.contains(p.positions)]) for p in (one, other)]
        assert places(inside[0]) == places(inside[1])


def test_a_mask_that_holds_nothing_costs_nothing():
    look = Reader(score_map())
    mask = BoxMask(Box((0, 0, 0), (1, 1, 1)))
    mask.touches = lambda _: False
    said, found = finished(scan(prepared(), look, wanted(), Box((0, 0, 0), SHAPE), mask=mask))
    assert not look.read
    assert not [m for m in said if isinstance(m, Progress)]
    assert all(len(p) == 0 for p in found.peaks)


def test_the_scale_of_what_is_looked_for_follows_the_voxel_size():
    fine, coarse = (targets(CLASSES, size, LABEL, PickConfig(min_distance=0.5)) for size in (5.0, 10.0))
    assert coarse.distances == (6.0, 4.0)
    assert fine.distances == (12.0, 8.0)
    assert fine.poolings[0].pools > coarse.poolings[0].pools
    assert coarse.across == 0


def test_the_published_variant_keeps_half_the_smallest_diameter_between_all_picks():
    found = targets(CLASSES, VOXEL_SIZE, LABEL, PickConfig(nms="published"))
    assert found.across == 4.0
    assert found.distances == (0.0, 0.0)


def peaks(positions, scores):
    return Peaks(np.array(positions, float).reshape(-1, 3), np.array(scores, np.float32))


LARGE = peaks([[10, 10, 10], [10, 10, 15], [10, 10, 30]], [0.9, 0.8, 0.3])
SMALL = peaks([[10, 10, 12], [10, 10, 40]], [0.85, 0.95])


def test_classes_keep_their_distance_each_for_itself():
    table = Found((LARGE, SMALL)).table("t", wanted(min_distance=0.6))
    assert table.scores.tolist() == pytest.approx([0.95, 0.9, 0.85, 0.3])
    assert table.class_ids.tolist() == [9, 2, 9, 2]
    assert set(table.sources) == {Source.PICKED}
    assert set(table.statuses) == {Status.CANDIDATE}
    assert table.tomogram_id == "t"


def test_in_the_published_variant_the_better_class_wins():
    table = Found((LARGE, SMALL)).table("t", wanted(nms="published"))
    assert table.positions[:, 2].tolist() == [40, 10, 15, 30]


def test_nothing_found_is_an_empty_table():
    _, found = scanned(Reader(np.zeros((2, *SHAPE), np.float16)))
    assert len(found.table("t", wanted())) == 0
    assert len(found.table("t", wanted(nms="published"))) == 0
