from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy import ndimage
from scipy.spatial.transform import Rotation

from core.augment import BRIGHTNESS, CONTRAST, SMALL_TURN_CHANCE, Pose, draw_pose, vary_intensity

PATCH = 32
MIRRORS = [m for n in range(4) for m in itertools.combinations(range(3), n)]
OFFSET = np.array([[3.0, -5.5, 7.25]])


def small_turn(degrees, axis, scale=1.0):
    return Rotation.from_rotvec(np.deg2rad(degrees) * np.array(axis) / np.linalg.norm(axis)).as_matrix() * scale


SMALL_TURNS = [small_turn(15, (1, 0, 0)), small_turn(-12, (1, 2, -1), 1.05), small_turn(8, (0, 1, 1), 0.8), np.eye(3) * 0.7]


def blob(offset, edge, sigma=1.5):
    """Draw a spot at an offset from the middle of a cube."""
    squared = sum((i - (edge - 1) / 2 - o) ** 2 for i, o in zip(np.indices((edge,) * 3), offset, strict=True))
    return torch.from_numpy(np.exp(-squared / (2 * sigma**2)).astype(np.float32))


def middle(block):
    """Return the centre of mass as an offset from the middle of the cube."""
    return np.array(ndimage.center_of_mass(block.numpy())) - (len(block) - 1) / 2


@pytest.mark.parametrize("matrix", [None, *SMALL_TURNS])
@pytest.mark.parametrize("quarter", range(4))
@pytest.mark.parametrize("mirrors", MIRRORS)
def test_a_particle_ends_where_its_offset_says(matrix, quarter, mirrors):
    pose = Pose(matrix, quarter, mirrors)
    turned = pose.block(blob(OFFSET[0], PATCH + 2 * pose.margin(PATCH)), PATCH)
    assert turned.shape == (PATCH,) * 3
    np.testing.assert_allclose(middle(turned), pose.offsets(OFFSET)[0], atol=0.1)


def test_a_quarter_turn_goes_from_y_towards_x():
    np.testing.assert_array_equal(Pose(quarter=1).offsets(np.array([[0.0, 1, 0]])), [[0, 0, 1]])


@pytest.mark.parametrize("quarter", range(4))
@pytest.mark.parametrize("mirrors", MIRRORS)
def test_quarter_turns_and_mirrors_keep_every_voxel(quarter, mirrors):
    block = torch.randn(8, 8, 8)
    pose = Pose(quarter=quarter, mirrors=mirrors)
    turned = pose.block(block, 8)
    voxels = np.stack(np.indices(block.shape), -1).reshape(-1, 3)
    moved = np.round(pose.offsets(voxels - 3.5) + 3.5).astype(int)
    assert pose.margin(8) == 0
    np.testing.assert_array_equal(turned.numpy()[tuple(moved.T)], block.numpy()[tuple(voxels.T)])


def test_no_turn_changes_nothing():
    block = torch.randn(8, 8, 8)
    assert torch.equal(Pose().block(block, 8), block)


def test_offsets_are_not_changed_in_place():
    before = OFFSET.copy()
    Pose(mirrors=(0, 1, 2)).offsets(OFFSET)
    np.testing.assert_array_equal(OFFSET, before)


@pytest.mark.parametrize("matrix", SMALL_TURNS)
def test_the_margin_suffices(matrix):
    pose = Pose(matrix)
    margin, more = pose.margin(PATCH), 6
    block = torch.randn((PATCH + 2 * (margin + more),) * 3)
    inner = block[more:-more, more:-more, more:-more]
    torch.testing.assert_close(pose.block(inner, PATCH), pose.block(block, PATCH), atol=1e-3, rtol=0)


def test_the_margin_is_no_larger_than_needed():
    pose = Pose(SMALL_TURNS[0])
    assert pose.margin(PATCH) < 0.3 * PATCH


def test_the_same_seed_draws_the_same_poses():
    one, two = ([draw_pose(np.random.default_rng(seed), 15, 0.05) for seed in range(20)] for _ in range(2))
    for a, b in zip(one, two, strict=True):
        assert (a.quarter, a.mirrors) == (b.quarter, b.mirrors)
        np.testing.assert_array_equal(a.matrix, b.matrix)


def test_poses_are_of_all_kinds_and_within_their_limits():
    rng = np.random.default_rng(0)
    poses = [draw_pose(rng, 15, 0.05) for _ in range(600)]
    turned = [pose.matrix for pose in poses if pose.matrix is not None]
    scales = np.cbrt(np.linalg.det(turned))
    angles = [Rotation.from_matrix(m / s).magnitude() for m, s in zip(turned, scales, strict=True)]
    assert len(turned) == pytest.approx(SMALL_TURN_CHANCE * len(poses), rel=0.2)
    assert {(p.quarter, p.mirrors) for p in poses} == set(itertools.product(range(4), MIRRORS))
    assert 0.95 <= scales.min() < 0.96 < 1.04 < scales.max() <= 1.05
    assert 12 < np.rad2deg(max(angles)) <= 15


def test_no_small_turn_where_none_is_wanted():
    rng = np.random.default_rng(0)
    assert all(draw_pose(rng, 0, 0).matrix is None for _ in range(50))


def varied(images, seed):
    return vary_intensity(images, torch.Generator().manual_seed(seed))


def test_intensities_vary_by_seed_and_keep_their_shape():
    images = torch.randn(4, 1, 8, 8, 8)
    assert varied(images, 1).shape == images.shape
    assert torch.equal(varied(images, 1), varied(images, 1))
    assert not torch.equal(varied(images, 1), varied(images, 2))


def test_contrast_and_brightness_stay_within_their_limits_and_differ_between_crops():
    images = torch.cat([torch.zeros(64, 1, 12, 12, 12), torch.ones(64, 1, 12, 12, 12)])
    means = varied(images, 3).mean((1, 2, 3, 4))
    assert means[:64].abs().max() < BRIGHTNESS + 0.05  # what noise may add to the mean of so many voxels
    assert (means[64:] - 1).abs().max() < BRIGHTNESS + CONTRAST + 0.05
    assert means[:64].std() > 0.05


def test_about_half_of_the_crops_get_noise():
    noise = varied(torch.zeros(200, 1, 6, 6, 6), 4).std((1, 2, 3, 4))
    assert int((noise < 1e-6).sum()) == pytest.approx(100, abs=25)
    assert 0.3 < noise.max() < 0.5
