from __future__ import annotations

import pytest
import torch

from core.losses import channel_targets, masked_cross_entropy, masked_dice


@pytest.fixture
def classes():
    classes = torch.zeros(1, 8, 8, 8, dtype=torch.uint8)
    classes[0, 2:4, 2:4, 2:4] = 1
    classes[0, 5:7, 5:7, 5:7] = 2
    return classes


@pytest.mark.parametrize("channels", [1, 3])
def test_a_perfect_map_costs_nothing_and_a_wrong_one_much(classes, channels):
    targets = channel_targets(classes, channels)
    weights = torch.ones(1, 1, 8, 8, 8)
    perfect, wrong = 40 * (targets - 0.5), -40 * (targets - 0.5)
    assert masked_dice(perfect, targets, weights) == pytest.approx(0, abs=1e-4)
    assert masked_cross_entropy(perfect, targets, weights, 5.0) == pytest.approx(0, abs=1e-4)
    assert masked_dice(wrong, targets, weights) > 0.6
    assert masked_cross_entropy(wrong, targets, weights, 5.0) > 10


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_not_known_does_not_count(classes, channels):
    targets = channel_targets(classes, channels)
    weights = torch.ones(1, 1, 8, 8, 8)
    weights[..., 5:, 5:, 5:] = 0
    logits = torch.zeros_like(targets)
    changed = logits.clone()
    changed[..., 5:, 5:, 5:] = 30
    for loss in (masked_dice, lambda *a: masked_cross_entropy(*a, 5.0)):
        assert loss(logits, targets, weights) == loss(changed, targets, weights)


def test_particles_weigh_more_than_background(classes):
    targets = channel_targets(classes, 1)
    weights = torch.ones(1, 1, 8, 8, 8)
    blind = torch.full_like(targets, -3.0)
    assert masked_cross_entropy(blind, targets, weights, 5.0) > masked_cross_entropy(blind, targets, weights, 1.0)


def test_nothing_known_gives_a_finite_loss(classes):
    targets = channel_targets(classes, 1)
    nothing = torch.zeros(1, 1, 8, 8, 8)
    assert torch.isfinite(masked_dice(targets, targets, nothing))
    assert masked_cross_entropy(targets, targets, nothing, 5.0) == 0
