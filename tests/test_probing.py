from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from core.augment import Pose
from core.config import RunConfig, TrainConfig
from core.device import Compute
from core.labels import make_labels
from core.learner import Learner
from core.losses import probabilities
from core.messages import Progress
from core.network import fast
from core.probing import linear_probe
from core.sampling import Crop, Trust

PATCH = 32
CPU = Compute(torch.device("cpu"), torch.float32)


@pytest.fixture(autouse=True, scope="module")
def slim_network():
    before = fast.FEATURES
    fast.FEATURES = (12, 16, 16)
    yield
    fast.FEATURES = before


def crop(step, number, classes):
    """A ball for each class, of different brightness, somewhere in noise; one in four is not clicked."""
    rng = np.random.default_rng([step, number])
    centres = np.array([rng.uniform([6, 6, 5 + 16 * c], [26, 26, 11 + 16 * c]) for c in range(classes)])
    labels = make_labels(centres, np.arange(1, classes + 1), np.full(classes, 8.0), (PATCH,) * 3, "ball", 1.0)
    block = rng.normal(0, 0.3, (PATCH,) * 3) + np.choose(labels.classes, [0.0, 2.0, -2.0])
    known = labels.classes * (number % 4 > 0)
    trust = np.where(known > 0, Trust.LABEL, Trust.UNLABELLED).astype(np.uint8)
    return Crop(block.astype(np.float32), Pose(), known.astype(np.uint8), trust, np.linspace(1, 0, PATCH, dtype=np.float32))


def sampler(classes):
    return SimpleNamespace(train=SimpleNamespace(batch=4), batch=lambda step: [crop(step, number, classes) for number in range(4)])


def separation(learner, classes):
    """Mean probability of each class within its balls, less that in all other voxels."""
    crops = [crop(1000 + step, 3, classes) for step in range(4)]
    network = learner.network.eval()
    gaps = []
    for one in crops:
        with torch.no_grad():
            p = probabilities(network(torch.from_numpy(one.block)[None, None], torch.from_numpy(one.heights)[None]))[0].numpy()
        p = p if len(p) == 1 else p[1:]
        gaps.append([p[c][one.classes == c + 1].mean() - p[c][one.classes != c + 1].mean() for c in range(classes)])
    return np.mean(gaps, 0)


@pytest.mark.parametrize("classes", [1, 2])
def test_the_head_learns_to_tell_clicks_and_nothing_else_changes(classes):
    learner = Learner(RunConfig(train=TrainConfig(patch=32)), classes, CPU)
    before = {name: value.clone() for name, value in learner.network.state_dict().items()}
    poor = separation(learner, classes)
    told = list(linear_probe(learner, sampler(classes), classes))
    assert all(isinstance(message, Progress) for message in told)
    assert told[-1].done == told[-1].total
    after = learner.network.state_dict()
    assert {name for name in before if not torch.equal(before[name], after[name])} == {"head.weight", "head.bias"}
    assert (separation(learner, classes) > poor + 0.4).all()
    assert torch.equal(learner.best_network.state_dict()["head.weight"], after["head.weight"])


def test_the_same_clicks_give_the_same_head():
    heads = []
    for _ in range(2):
        learner = Learner(RunConfig(train=TrainConfig(patch=32)), 1, CPU)
        list(linear_probe(learner, sampler(1), 1))
        heads.append(learner.network.head.weight.detach().clone())
    assert torch.equal(*heads)
