"""Training shared by processes comes to the same weights as training in one."""

from __future__ import annotations

import math
import multiprocessing
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from core.checkpoint import load_tensors
from core.config import PickConfig, RunConfig, TrainConfig
from core.crew import shared_by
from core.device import choose
from core.errors import ConfigError, TrainingError
from core.examples import Example
from core.labels import make_labels
from core.learner import Learner
from core.messages import Progress, drain
from core.particles import ClassSpec, ParticleTable
from core.peers import pool_norms
from core.tomogram import Tomogram
from core.training import KIND, VERSION, train

DIAMETER, VOXEL_SIZE = 8.0, 10.0
CENTRES = np.array([[z, y, x] for z in (9, 22) for y in (9, 24, 39) for x in (9, 24, 39)], float)
CONFIG = RunConfig(
    train=TrainConfig(
        start="scratch",
        steps=4,
        validations=1,
        patch=32,
        batch=4,
        device="cpu",
        precision="float32",
        split="none",
        learning_rate=1e-3,
    ),
    pick=PickConfig(device="cpu", precision="float32", tile=64, overlap=8),
)


def job(run, config=CONFIG, **more):
    n = len(CENTRES)
    balls = make_labels(CENTRES, np.ones(n, int), np.full(n, DIAMETER), (32, 48, 48), "ball", 1.0).classes
    data = np.random.default_rng(0).normal(0, 0.5, balls.shape) - 4.0 * balls
    volume = Tomogram(id="t", path=None, voxel_size=VOXEL_SIZE, data=data.astype(np.float32))
    clicked = Example(tomogram=volume, particles=ParticleTable.build("t", CENTRES, 1), complete=False)
    return train([clicked], [ClassSpec(id=1, name="ball", diameter=DIAMETER * VOXEL_SIZE)], config, run, **more)


def learnt(run):
    return load_tensors(run / "last.pt", KIND, VERSION)


def distance(one, two):
    """Euclidean, over all weights and statistics."""
    return math.sqrt(sum(float((tensor.double() - two[name].double()).square().sum()) for name, tensor in one.items()))


def test_two_processes_learn_what_one_does_with_the_same_crops(tmp_path):
    said = []
    for name, devices in (("one", 1), ("two", 2)):
        drain(job(tmp_path / name, devices=devices), lambda m: said.append(m.detail) if isinstance(m, Progress) else None)
    one, two = (learnt(tmp_path / name) for name in ("one", "two"))
    losses = [detail.partition(",")[0] for detail in said if detail.startswith("loss")]
    assert losses[:4] == losses[4:]  # to three decimals
    start = Learner(CONFIG, 1, choose("cpu", "float32")).state()
    for part in ("network", "average"):
        assert distance(one["learner"][part], two["learner"][part]) < 0.01 * distance(one["learner"][part], start[part])
    assert one["learner"]["share"] == pytest.approx(two["learner"]["share"], rel=1e-4)
    assert one["course"]["step"] == two["course"]["step"] == 4
    assert not multiprocessing.active_children()


def test_a_process_beside_that_dies_becomes_a_sentence_and_the_run_can_go_on(tmp_path):
    steps = job(tmp_path / "run", replace(CONFIG, train=replace(CONFIG.train, steps=50)), devices=2)
    for message in steps:
        if isinstance(message, Progress) and message.stage == "Training":
            break
    multiprocessing.active_children()[0].kill()
    with pytest.raises(TrainingError, match="trained beside was ended"):
        drain(steps)
    assert learnt(tmp_path / "run")["course"]["step"] >= 1
    assert not multiprocessing.active_children()


def test_pooled_norms_of_one_process_are_the_usual_ones():
    torch.manual_seed(0)
    usual = nn.Sequential(nn.Sequential(nn.BatchNorm3d(3)), nn.ReLU())
    pooled = nn.Sequential(nn.Sequential(nn.BatchNorm3d(3)), nn.ReLU())
    pool_norms(pooled, 1)
    assert list(pooled.state_dict()) == list(usual.state_dict())
    x = torch.randn(2, 3, 4, 5, 6) * 3 + 1
    pooled.eval()(x)
    torch.testing.assert_close(pooled(x), usual.eval()(x))


@pytest.mark.parametrize(("asked", "batch", "size"), [(None, 8, 4), (None, 6, 3), (None, 7, 1), (2, 8, 2), (1, 7, 1)])
def test_a_step_is_divided_among_the_devices_that_divide_it(asked, batch, size, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert shared_by(TrainConfig(batch=batch), asked) == size


def test_what_cannot_be_divided_is_refused(monkeypatch):
    with pytest.raises(ConfigError, match="cannot be divided among 3"):
        shared_by(TrainConfig(batch=8, device="cpu"), 3)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ConfigError, match="at most 2 devices"):
        shared_by(TrainConfig(batch=8), 4)
