from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy import ndimage
from scipy.spatial import cKDTree

from core import nms
from core.labels import label_diameter, make_labels
from core.nms import Peaks, find_peaks, max_pool, mean_pool, pooling, thin_out
from core.tomogram import Box

SHAPE = (48, 64, 56)


def spread(rng, pitch):
    """Put one centre somewhere in the middle of each of eight cells of a grid."""
    corners = np.array(list(itertools.product((0.5, 1.5), repeat=3)))
    return pitch * corners + rng.uniform(-0.1 * pitch, 0.1 * pitch, (8, 3))


def perfect_map(centres, diameter, shape=SHAPE):
    n = len(centres)
    drawn = make_labels(centres, np.ones(n, int), np.full(n, float(diameter)), shape, "tball", 0.48)
    return (drawn.classes > 0).astype(np.float32)


def test_pools_are_those_of_the_definition():
    block = torch.rand(12, 13, 14)
    mean = ndimage.uniform_filter(block.numpy(), 5, mode="constant")
    np.testing.assert_allclose(mean_pool(block.clone(), 1).numpy(), mean, atol=1e-5)
    np.testing.assert_array_equal(max_pool(block).numpy(), ndimage.maximum_filter(block.numpy(), 5))


@pytest.mark.parametrize("diameter", [12, 18, 24])
def test_centres_of_perfect_labels_are_found_to_a_fraction_of_a_voxel_with_score_one(diameter):
    rng = np.random.default_rng(diameter)
    centres = spread(rng, 1.2 * diameter)
    how = pooling("graded", diameter, label_diameter(diameter, 0.48), 0.05)
    found = thin_out(find_peaks(perfect_map(centres, diameter, (64, 64, 64)), how), 0.6 * diameter)
    distance, _ = cKDTree(found.positions).query(centres)
    assert len(found) == len(centres)
    assert distance.max() < 0.5
    assert found.scores.min() > 0.85


def test_published_variant_finds_the_same_particles_at_whole_voxels():
    centres = spread(np.random.default_rng(1), 32)
    found = thin_out(find_peaks(perfect_map(centres, 24, (64, 64, 64)), pooling("published", 24, 11, 0.05)), 12)
    distance, _ = cKDTree(found.positions).query(centres)
    assert len(found) == len(centres)
    assert distance.max() < 1.5
    assert (found.positions == np.round(found.positions)).all()


def test_published_variant_pools_a_quarter_of_the_diameter_and_one():
    assert pooling("published", 24, 11, 0.05).pools == 7


@pytest.mark.parametrize("kind", ["graded", "published"])
@pytest.mark.parametrize("edge", [16, 23])
def test_blocks_leave_no_seam(monkeypatch, kind, edge):
    score_map = np.random.default_rng(2).random(SHAPE).astype(np.float32) ** 3
    how = pooling(kind, 12, 6, 0.02)
    whole = find_peaks(score_map, how)
    monkeypatch.setattr(nms, "BLOCK", edge)
    parts = find_peaks(score_map, how)
    assert len(whole) > 20
    assert sorted(map(tuple, parts.positions)) == sorted(map(tuple, whole.positions))


def test_regions_add_up_to_the_whole():
    score_map = np.random.default_rng(3).random(SHAPE).astype(np.float16) ** 3
    how = pooling("graded", 12, 6, 0.02)
    whole = find_peaks(score_map, how)
    halves = [find_peaks(score_map, how, Box((a, 0, 0), (b, *SHAPE[1:]))) for a, b in ((0, 20), (20, SHAPE[0]))]
    assert sorted(map(tuple, np.concatenate([h.positions for h in halves]))) == sorted(map(tuple, whole.positions))


def test_nothing_above_the_floor_is_no_peak():
    assert len(find_peaks(np.full(SHAPE, 0.01, np.float32), pooling("graded", 12, 6, 0.05))) == 0


def test_scores_follow_the_height_of_the_map():
    centres = np.array([[20.0, 20, 20], [20.0, 45, 20]])
    score_map = perfect_map(centres[:1], 16) * 0.9 + perfect_map(centres[1:], 16) * 0.3
    found = thin_out(find_peaks(score_map, pooling("graded", 16, label_diameter(16, 0.48), 0.05)), 8)
    assert found.scores == pytest.approx([0.9, 0.3], rel=0.1)


def test_thinning_keeps_the_best_and_every_pick_keeps_its_distance():
    rng = np.random.default_rng(4)
    positions, scores = rng.uniform(0, 40, (300, 3)), np.sort(rng.random(300).astype(np.float32))[::-1]
    kept = thin_out(Peaks(positions, scores), 6.0)
    assert kept.scores[0] == scores[0]
    assert len(cKDTree(kept.positions).query_pairs(6.0 - 1e-9)) == 0
    dropped = positions[~np.isin(scores, kept.scores)]
    distance, _ = cKDTree(kept.positions).query(dropped)
    assert (distance < 6.0).all()


def test_a_dropped_peak_drops_no_other():
    line = np.array([[0.0, 0, 0], [0, 0, 5], [0, 0, 10]])
    assert len(thin_out(Peaks(line, np.array([0.9, 0.8, 0.7], np.float32)), 6.0)) == 2
