from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.checkpoint import Checkpoint
from core.config import NetworkConfig, RunConfig
from core.errors import CheckpointError
from core.network import build
from core.particles import ClassSpec
from core.transfer import handed_on

SMALL, MIDDLE, LARGE = (
    ClassSpec(id=i, name=n, diameter=d, color="#ffffff") for i, n, d in ((1, "s", 100), (2, "m", 160), (3, "l", 300))
)


def learnt(*classes: ClassSpec, preset: str = "fast") -> Checkpoint:
    torch.manual_seed(1)
    config = RunConfig(network=NetworkConfig(preset=preset))
    weights = build(config.network, len(classes)).state_dict()
    return Checkpoint(config=config, classes=classes, voxel_size=10.0, weights=weights, calibration={}, thresholds={}, metrics={})


def logits(weights: dict[str, torch.Tensor], network: NetworkConfig, classes: int) -> torch.Tensor:
    made = build(network, classes).eval()
    made.load_state_dict(weights)
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 1, 16, 16, 16)).astype(np.float32))
    with torch.no_grad():
        return made(x, torch.zeros(1, 16))[0]


def test_the_same_classes_keep_all_weights():
    start = learnt(SMALL, LARGE)
    assert handed_on(start, start.config.network, [replace(SMALL, id=7), replace(LARGE, id=8)], 10.0) is start.weights


@pytest.mark.parametrize("preset", ["fast", "published"])
@pytest.mark.parametrize(("voxel_size", "nearest"), [(10.0, (0, 1)), (4.0, (2, 1))])
def test_a_single_new_class_begins_as_the_odds_of_the_nearest_sizes_in_voxels(preset, voxel_size, nearest):
    start = learnt(SMALL, MIDDLE, LARGE, preset=preset)
    new = ClassSpec(id=1, name="new", diameter=115, color="#ffffff")
    before = logits(start.weights, start.config.network, 3)
    after = logits(handed_on(start, start.config.network, [new], voxel_size), start.config.network, 1)
    odds = before[1:] - before[:1]
    torch.testing.assert_close(after[0], odds[list(nearest)].mean(0), atol=1e-4, rtol=1e-4)


def test_several_new_classes_begin_with_a_background_of_zero():
    start = learnt(SMALL, MIDDLE, LARGE)
    before = logits(start.weights, start.config.network, 3)
    after = logits(handed_on(start, start.config.network, [replace(MIDDLE, name="x"), LARGE], 10.0), start.config.network, 2)
    odds = before[1:] - before[:1]
    torch.testing.assert_close(after[0], torch.zeros_like(after[0]))
    torch.testing.assert_close(after[1], odds[[0, 1]].mean(0), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(after[2], odds[[1, 2]].mean(0), atol=1e-4, rtol=1e-4)


def test_a_class_more_begins_as_what_the_only_one_found():
    start = learnt(SMALL)
    before = logits(start.weights, start.config.network, 1)
    after = logits(handed_on(start, start.config.network, [SMALL, LARGE], 10.0), start.config.network, 2)
    torch.testing.assert_close(after[1] - after[0], before[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(after[2] - after[0], before[0], atol=1e-4, rtol=1e-4)


def test_another_network_is_refused():
    with pytest.raises(CheckpointError, match="has the network 'fast', not 'published': choose that network"):
        handed_on(learnt(SMALL), NetworkConfig(preset="published"), [SMALL], 10.0)


def test_weights_that_fit_no_network_are_refused():
    start = learnt(SMALL)
    del start.weights["ups.0.weight"]
    with pytest.raises(CheckpointError, match="was damaged; choose another"):
        handed_on(start, start.config.network, [LARGE], 10.0)
