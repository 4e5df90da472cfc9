from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from core.config import NetworkConfig
from core.network import build
from core.network.blocks import heights, patch_coordinates


def multiplications(network) -> float:
    """Return the multiply-accumulate operations per voxel."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network.eval()(torch.zeros(1, 1, 32, 32, 32), torch.zeros(1, 32))
    return counter.get_total_flops() / 2 / 32**3


@pytest.fixture(scope="module")
def published():
    return build(NetworkConfig(preset="published"), 1)


def test_published_network_has_the_published_size(published):
    assert sum(p.numel() for p in published.parameters()) == 2_429_845
    assert multiplications(published) == pytest.approx(146_000, rel=0.01)


def test_fast_network_needs_at_least_five_times_fewer_operations(published):
    assert multiplications(build(NetworkConfig(preset="fast"), 1)) * 5 <= multiplications(published)


@pytest.mark.parametrize("preset", ["fast", "published"])
@pytest.mark.parametrize(("classes", "channels"), [(1, 1), (3, 4)])
def test_output_has_one_map_a_class_and_a_background_for_several(preset, classes, channels):
    network = build(NetworkConfig(preset=preset), classes).eval()
    with torch.inference_mode():
        logits = network(torch.zeros(2, 1, 16, 24, 32), torch.zeros(2, 16))
    assert logits.shape == (2, channels, 16, 24, 32)


def test_fast_network_gives_the_same_wherever_the_tile_lies():
    torch.manual_seed(0)
    network = build(NetworkConfig(preset="fast"), 1).eval()
    volume = torch.randn(1, 1, 16, 160, 160)
    with torch.inference_mode():
        whole = network(volume, torch.zeros(1, 16))
        part = network(volume[..., 8:152, 8:152], torch.zeros(1, 16))
    torch.testing.assert_close(part[..., 64:80, 64:80], whole[..., 72:88, 72:88], rtol=1e-3, atol=1e-4)


def test_fast_network_sees_the_height():
    torch.manual_seed(0)
    network = build(NetworkConfig(preset="fast"), 1).eval()
    volume = torch.randn(1, 1, 16, 16, 16)
    with torch.inference_mode():
        assert not torch.allclose(network(volume, torch.zeros(1, 16)), network(volume, torch.ones(1, 16)))


def test_both_networks_learn(published):
    for network in (published, build(NetworkConfig(), 1)):
        network.train()
        network(torch.randn(1, 1, 16, 16, 16), torch.zeros(1, 16)).mean().backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_patch_coordinates_run_from_minus_one_to_one():
    grid = patch_coordinates(torch.zeros(1, 1, 3, 4, 5))
    assert grid.shape == (1, 3, 3, 4, 5)
    assert grid[0, 0, :, 0, 0].tolist() == [-1, 0, 1]
    assert grid[0, 2, 0, 0, 0] == -1
    assert grid[0, 2, 0, 0, -1] == 1


def test_heights_are_zero_in_the_middle_and_one_at_the_faces_and_beyond():
    assert heights(-1, 7, 5).tolist() == [1, 1, 0.5, 0, 0.5, 1, 1]
