from __future__ import annotations

import json
import math
import multiprocessing
import os
import signal
import time
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from core import learner as learning
from core import training
from core.checkpoint import load_checkpoint, load_tensors
from core.config import LabelConfig, NetworkConfig, PickConfig, RunConfig, TrainConfig
from core.configfile import load_config
from core.errors import CheckpointError, PickerError, TrainingError
from core.examples import Example
from core.host import hosted
from core.labels import make_labels
from core.messages import EpochDone, Notice, PicksFound, Progress, drain
from core.network import fast, published
from core.particles import ClassSpec, ParticleTable
from core.picking import pick
from core.supply import Supply
from core.tomogram import Tomogram
from core.training import train

DIAMETER, VOXEL_SIZE = 8.0, 10.0
CLASS = ClassSpec(id=3, name="ball", diameter=DIAMETER * VOXEL_SIZE)
OTHER = ClassSpec(id=4, name="shell", diameter=DIAMETER * VOXEL_SIZE)
CENTRES = np.array([[z, y, x] for z in (9, 22) for y in (9, 24, 39) for x in (9, 24, 39)], float)
CONFIG = RunConfig(
    train=TrainConfig(
        start="scratch", steps=6, validations=3, patch=32, batch=1, background=0.2, device="cpu", precision="float32"
    ),
    pick=PickConfig(device="cpu", precision="float32", tile=64, overlap=8),
)


TIMES = ("seconds", "stepped", "waited", "waiting")


def slim():
    """Give both networks few features: what is tested here does not depend on them, and they compute ten times faster."""
    fast.FEATURES, published.FEATURES = (8, 12, 12), (4, 4, 4, 4)


@pytest.fixture(autouse=True, scope="module")
def slim_networks():
    before = fast.FEATURES, published.FEATURES
    slim()
    yield
    fast.FEATURES, published.FEATURES = before


def trained_with(config=CONFIG, **settings):
    return replace(config, train=replace(config.train, **settings))


def example(id_="t", class_ids=3, complete=True, **more):
    """Bright balls in noise."""
    n = len(CENTRES)
    balls = make_labels(CENTRES, np.ones(n, int), np.full(n, DIAMETER), (32, 48, 48), "ball", 1.0).classes
    data = np.random.default_rng(0).normal(0, 0.5, balls.shape) - 4.0 * balls
    volume = Tomogram(id=id_, path=None, voxel_size=VOXEL_SIZE, data=data.astype(np.float32))
    return Example(tomogram=volume, particles=ParticleTable.build(id_, CENTRES, class_ids), complete=complete, **more)


def job(run, config=CONFIG, **more):
    return train([example()], [CLASS], config, run, **more)


def last(run):
    return load_tensors(run / "last.pt", training.KIND, training.VERSION)


def leaves(value, path=""):
    """All tensors and numbers of nested plain data, by path; times are left out, since no two runs share them."""
    if isinstance(value, dict | list | tuple):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        return {p: v for k, part in parts if k not in TIMES for p, v in leaves(part, f"{path}/{k}").items()}
    return {path: value}


def assert_same(one, two):
    one, two = leaves(one), leaves(two)
    assert one.keys() == two.keys()
    different = [p for p in one if not (torch.equal(one[p], two[p]) if isinstance(one[p], torch.Tensor) else one[p] == two[p])]
    assert different == []


def assert_same_run(one, two):
    assert_same(last(one), last(two))
    best, other = (load_checkpoint(run / "best.pt") for run in (one, two))
    assert_same(best.weights, other.weights)
    assert replace(best, weights={}) == replace(other, weights={})
    assert_same(*(json.loads((run / "history.json").read_text()) for run in (one, two)))


def is_training(message, step):
    return isinstance(message, Progress) and message.stage == "Training" and round(message.done * CONFIG.train.steps) == step


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing interrupted: its folder, its messages and its result."""
    run, messages = tmp_path_factory.mktemp("runs") / "whole", []
    return run, messages, drain(job(run), messages.append)


def test_a_run_leaves_its_files(whole):
    run, _, checkpoint = whole
    assert sorted(os.listdir(run)) == ["best.pt", "config.toml", "history.json", "last.pt"]
    assert load_config(run / "config.toml") == CONFIG
    assert replace(load_checkpoint(run / "best.pt"), weights={}) == replace(checkpoint, weights={})


def test_a_run_tells_every_step_and_every_validation(whole):
    run, messages, checkpoint = whole
    steps = [m.done for m in messages if isinstance(m, Progress) and m.stage == "Training"]
    assert steps == pytest.approx([i / 6 for i in range(1, 7)])
    done = [m for m in messages if isinstance(m, EpochDone)]
    assert [m.step for m in done] == [2, 4, 6]
    assert done[0].best
    assert all(math.isfinite(v) for m in done for v in (m.loss, m.validation_loss, m.f1, m.threshold))
    assert done[-1].seconds > done[0].seconds > 0
    assert [entry["step"] for entry in json.loads((run / "history.json").read_text())] == [2, 4, 6]
    best = max((round(m.f1, 4), m.step) for m in done if m.best)
    assert checkpoint.metrics["step"] == best[1]
    assert checkpoint.metrics["f1"] == pytest.approx(best[0], abs=1e-4)


def test_how_long_steps_waited_for_their_crops_is_told_and_kept(whole):
    run, messages, _ = whole
    done = [m for m in messages if isinstance(m, EpochDone)]
    assert all(0 < m.waiting < 1 for m in done)
    assert [entry["waiting"] for entry in json.loads((run / "history.json").read_text())] == [m.waiting for m in done]
    assert all(
        m.detail.endswith("%") and ", waiting for data " in m.detail for m in messages if isinstance(m, Progress) and m.detail
    )
    assert [m.utilisation for m in done] == [None] * 3  # the CPU does not say


def test_crops_that_are_made_ahead_change_nothing(tmp_path, whole, monkeypatch):
    monkeypatch.setattr(training, "Supply", partial(Supply, ahead=False))
    drain(job(tmp_path / "run"))
    assert_same_run(whole[0], tmp_path / "run")


def test_a_checkpoint_says_what_it_was_trained_on(whole):
    checkpoint = whole[2]
    assert checkpoint.config == CONFIG
    assert checkpoint.classes == (CLASS,)
    assert checkpoint.voxel_size == VOXEL_SIZE
    assert checkpoint.thresholds.keys() == checkpoint.calibration.keys() == {3}


@pytest.mark.parametrize("preset", ["fast", "published"])
def test_balls_in_noise_are_learnt_and_picked(tmp_path, preset):
    config = replace(
        trained_with(steps=40 if preset == "fast" else 1, validations=1, learning_rate=1e-2, average=0.5, augment=False),
        network=NetworkConfig(preset=preset),
        label=LabelConfig(diameter_fraction=0.8),
    )
    checkpoint = drain(job(tmp_path / "run", config))
    heard = []
    result = drain(pick(example().tomogram, checkpoint, config.pick), heard.append)
    assert result.classes == (CLASS,)
    assert any(isinstance(m, PicksFound) for m in heard)
    if preset == "fast":
        assert checkpoint.metrics["f1"] > 0.8
        assert len(result.picks()) == pytest.approx(len(CENTRES), abs=2)


def test_two_runs_are_the_same_to_the_last_bit(tmp_path, whole):
    drain(job(tmp_path / "again"))
    assert_same_run(tmp_path / "again", whole[0])


STOPS = {
    "after a step": lambda m: is_training(m, 3),
    "before a validation": lambda m: is_training(m, 4),
    "within a validation": lambda m: isinstance(m, Progress) and m.stage == "Validating",
    "after a validation": lambda m: isinstance(m, EpochDone),
    "before the last validation": lambda m: is_training(m, 6),
}


@pytest.mark.parametrize("stop", STOPS)
def test_a_run_that_was_closed_and_resumed_ends_as_if_nothing_had_been(tmp_path, whole, stop):
    steps = job(tmp_path)
    next(m for m in steps if STOPS[stop](m))
    steps.close()
    checkpoint = drain(job(tmp_path, resume=True))
    assert_same_run(tmp_path, whole[0])
    assert_same(checkpoint.weights, whole[2].weights)


def run_and_die(run, step):
    slim()
    for message in job(run):
        if is_training(message, step):
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("step", [3, 5])
def test_a_run_that_was_killed_and_resumed_ends_as_if_nothing_had_been(tmp_path, whole, step):
    process = multiprocessing.get_context("spawn").Process(target=run_and_die, args=(tmp_path, step))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert last(tmp_path)["course"]["step"] < step
    drain(job(tmp_path, resume=True))
    assert_same_run(tmp_path, whole[0])


def test_a_run_that_is_cancelled_in_another_process_leaves_its_last_step_within_a_second(tmp_path):
    steps = hosted(train, [example()], [CLASS], trained_with(steps=500, validations=1), tmp_path)
    next(m for m in steps if isinstance(m, Progress) and m.stage == "Training" and m.done >= 3 / 500)
    started = time.monotonic()
    steps.close()
    assert time.monotonic() - started < 1
    assert last(tmp_path)["course"]["step"] >= 3
    assert json.loads((tmp_path / "history.json").read_text()) == []  # long before any validation


def test_between_validations_the_state_is_written_down_now_and_then(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "KEPT_EVERY", 0.0)
    steps = job(tmp_path, trained_with(steps=500, validations=1))
    next(m for m in steps if isinstance(m, Progress) and m.stage == "Training" and m.done >= 4 / 500)
    assert last(tmp_path)["course"]["step"] == 3
    steps.close()


def test_an_interrupt_within_a_step_is_as_if_the_step_had_not_begun(tmp_path, whole, monkeypatch):
    with monkeypatch.context() as patched:
        count = iter(range(99))
        real = learning.masked_cross_entropy

        def interrupted(*args):
            if next(count) == 3:
                raise KeyboardInterrupt
            return real(*args)

        patched.setattr(learning, "masked_cross_entropy", interrupted)
        with pytest.raises(KeyboardInterrupt):
            drain(job(tmp_path))
    assert last(tmp_path)["course"]["step"] == 2  # the third loss was that of a validation
    drain(job(tmp_path, resume=True))
    assert_same_run(tmp_path, whole[0])


def test_an_interrupt_while_weights_change_falls_back_to_the_last_validation(tmp_path, whole, monkeypatch):
    with monkeypatch.context() as patched:
        count = iter(range(99))
        real = torch.optim.swa_utils.AveragedModel.update_parameters

        def interrupted(self, model):
            if next(count) == 3:
                raise KeyboardInterrupt
            real(self, model)

        patched.setattr(torch.optim.swa_utils.AveragedModel, "update_parameters", interrupted)
        with pytest.raises(KeyboardInterrupt):
            drain(job(tmp_path))
    assert last(tmp_path)["course"]["step"] == 2
    drain(job(tmp_path, resume=True))
    assert_same_run(tmp_path, whole[0])


def test_a_best_checkpoint_that_could_not_be_written_is_written_after_resuming(tmp_path, whole, monkeypatch):
    def full(*_):
        raise PickerError("Cannot write best.pt: the disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(training, "save_checkpoint", full)
        with pytest.raises(PickerError, match="disk is full"):
            drain(job(tmp_path))
    drain(job(tmp_path, resume=True))
    assert_same_run(tmp_path, whole[0])


def test_resuming_a_finished_run_gives_its_result_again(whole):
    run, _, checkpoint = whole
    before, heard = last(run), []
    again = drain(job(run, resume=True), heard.append)
    assert not any(isinstance(m, EpochDone) or is_training(m, 6) for m in heard)
    assert_same(again.weights, checkpoint.weights)
    assert_same(last(run), before)


def test_a_resumed_run_may_get_a_longer_budget(tmp_path, whole):
    drain(job(tmp_path, trained_with(steps=2, validations=2)))
    heard = []
    drain(job(tmp_path, trained_with(steps=4, validations=2), resume=True), heard.append)
    assert [m.step for m in heard if isinstance(m, EpochDone)] == [4]
    assert load_config(tmp_path / "config.toml").train.steps == 4


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (trained_with(learning_rate=1e-3), r"train\.learning_rate = 0\.001"),
        (trained_with(patch=40, seed=1), r"train\.patch = 40, train\.seed = 1"),
        (replace(CONFIG, label=LabelConfig(kind="ball")), r"label\.kind = 'ball'"),
        (replace(CONFIG, network=NetworkConfig(preset="published")), r"network\.preset = 'published'"),
    ],
)
def test_resuming_with_other_settings_is_refused_and_changes_nothing(whole, config, says):
    run = whole[0]
    before = {name: (run / name).read_bytes() for name in os.listdir(run)}
    with pytest.raises(CheckpointError, match=rf"was begun with other settings than {says}: use those in its config\.toml"):
        drain(job(run, config, resume=True))
    assert {name: (run / name).read_bytes() for name in os.listdir(run)} == before


def test_resuming_with_other_classes_is_refused(whole):
    both = example(class_ids=[3, 4] * 9)
    with pytest.raises(CheckpointError, match="cannot be resumed"):
        drain(train([both], [CLASS, OTHER], CONFIG, whole[0], resume=True))


def test_resuming_what_never_began_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(CheckpointError, match=r"last\.pt, but it cannot be opened: there is no such file"):
        drain(job(tmp_path / "none", resume=True))
    assert os.listdir(tmp_path) == []


def test_a_run_may_start_from_a_checkpoint(tmp_path, whole):
    tiny = trained_with(steps=1, validations=1, learning_rate=1e-9, average=0.0)
    started = drain(job(tmp_path, tiny, start=whole[2]))
    for name, value in started.weights.items():
        if "running" not in name and "tracked" not in name:
            torch.testing.assert_close(value, whole[2].weights[name], atol=1e-6, rtol=0)


def test_starting_from_another_network_is_refused(tmp_path, whole):
    config = replace(CONFIG, network=NetworkConfig(preset="published"))
    with pytest.raises(CheckpointError, match="has the network 'fast', not 'published'"):
        drain(train([example()], [CLASS], config, tmp_path / "run", start=whole[2]))
    assert not (tmp_path / "run").exists()


def test_a_class_more_goes_on_from_what_was_learnt(tmp_path, whole):
    tiny = trained_with(steps=1, validations=1, learning_rate=1e-9, average=0.0)
    started = drain(train([example(class_ids=[3, 4] * 9)], [CLASS, OTHER], tiny, tmp_path / "run", start=whole[2]))
    assert [spec.id for spec in started.classes] == [CLASS.id, OTHER.id]
    name = "encoders.0.first.0.weight"
    torch.testing.assert_close(started.weights[name], whole[2].weights[name], atol=1e-6, rtol=0)


@pytest.mark.parametrize(("preset", "fits"), [("fast", True), ("published", False)])
def test_only_a_new_head_of_sub_voxels_is_fitted_to_the_clicks_first(tmp_path, preset, fits):
    tiny = replace(trained_with(steps=1, validations=1), network=NetworkConfig(preset=preset))
    first = drain(train([example()], [CLASS], tiny, tmp_path / "first"))
    wider = replace(CLASS, diameter=CLASS.diameter * 1.25)
    for number, (spec, expected) in enumerate([(CLASS, False), (wider, fits), (replace(CLASS, name="other"), fits)]):
        said = []
        drain(train([example()], [spec], tiny, tmp_path / str(number), start=first), said.append)
        assert any(isinstance(one, Progress) and one.stage == "Looking at the clicks" for one in said) == expected


def test_a_loss_that_stays_infinite_ends_training_and_keeps_the_best(tmp_path, monkeypatch):
    real, count = learning.masked_dice, iter(range(99))

    def poisoned(*args):
        return real(*args) * (math.nan if next(count) >= 3 else 1)  # two steps and a validation are good

    monkeypatch.setattr(learning, "masked_dice", poisoned)
    with pytest.raises(TrainingError, match=r"not finite for 5 steps in a row at step 7: lower the learning rate \(0\.002\)"):
        drain(job(tmp_path, trained_with(steps=20, validations=10)))
    best = load_checkpoint(tmp_path / "best.pt")
    assert best.metrics["step"] == 2
    state = last(tmp_path)
    assert all(torch.isfinite(v).all() for v in best.weights.values())
    assert all(torch.isfinite(v).all() for v in state["learner"]["network"].values())


def test_single_bad_steps_do_no_harm(tmp_path, monkeypatch):
    real, count = learning.masked_dice, iter(range(99))
    monkeypatch.setattr(learning, "masked_dice", lambda *args: real(*args) * (math.nan if next(count) % 2 else 1))
    heard = []
    drain(job(tmp_path, trained_with(steps=14, validations=1)), heard.append)
    (done,) = (m for m in heard if isinstance(m, EpochDone))
    assert math.isfinite(done.loss)


def test_every_step_of_every_seed_has_its_own_noise(tmp_path, monkeypatch):
    seeds, real = [], learning.vary_intensity
    monkeypatch.setattr(
        learning, "vary_intensity", lambda images, chance: seeds.append(chance.initial_seed()) or real(images, chance)
    )
    for seed in (0, 1):
        drain(job(tmp_path / str(seed), trained_with(steps=4, validations=1, seed=seed)))
    assert len(set(seeds)) == len(seeds) == 8


def test_a_budget_in_minutes_ends_in_time(tmp_path, monkeypatch):
    clock = iter(range(10**6))
    monkeypatch.setattr(training, "time", SimpleNamespace(monotonic=lambda: next(clock)))  # each look takes a second
    heard = []
    drain(job(tmp_path, trained_with(steps=0, minutes=0.1, validations=2)), heard.append)
    done = [m for m in heard if isinstance(m, EpochDone)]
    assert [m.step for m in done] == [3, 5]  # a second each for steps and the first validation
    assert [m.seconds for m in done] == [4, 7]


@pytest.mark.parametrize("limits", [{"steps": 2, "minutes": 600.0}, {"steps": 10**6, "minutes": 1e-9}])
def test_the_first_limit_that_is_reached_ends_training(tmp_path, limits):
    heard = []
    drain(job(tmp_path, trained_with(validations=1, **limits)), heard.append)
    assert [m.step for m in heard if isinstance(m, EpochDone)] == [2 if limits["steps"] == 2 else 1]


def test_no_candidates_are_no_error(tmp_path):
    config = replace(trained_with(steps=1, validations=1), pick=replace(CONFIG.pick, floor=0.999))
    checkpoint = drain(job(tmp_path, config))
    assert checkpoint.metrics["f1"] == 0
    assert 0 <= checkpoint.thresholds[3] <= 1


def test_a_class_without_held_back_clicks_is_no_error(tmp_path):
    class_ids = np.where(CENTRES[:, 1] < 20, 4, 3)
    checkpoint = drain(train([example(class_ids=class_ids)], [CLASS, OTHER], trained_with(steps=1, validations=1), tmp_path))
    assert checkpoint.thresholds.keys() == {3, 4}
    assert all(0 <= v <= 1 for v in checkpoint.thresholds.values())


def test_nothing_held_back_is_said(tmp_path):
    heard = []
    drain(job(tmp_path, trained_with(steps=1, validations=1, split="none")), heard.append)
    assert any(isinstance(m, Notice) and "only estimated" in m.text for m in heard)


def test_where_nothing_is_held_back_the_last_network_is_kept_and_looked_at_once(tmp_path):
    heard = []
    checkpoint = drain(train([example(complete=False)], [CLASS], CONFIG, tmp_path), heard.append)
    done = [m for m in heard if isinstance(m, EpochDone)]
    assert [m.step for m in done] == [2, 4, 6]
    assert all(m.best and m.validation_loss is None for m in done)
    assert [m.f1 is None for m in done] == [True, True, False]
    assert checkpoint.metrics == {"step": 6, "expected_f1": done[-1].f1}
    assert sum(isinstance(m, Progress) and m.stage == "Validating" and m.done == m.total for m in heard) == 1


def test_a_run_that_ends_early_has_a_network_that_was_not_looked_at(tmp_path):
    job = train([example(complete=False)], [CLASS], CONFIG, tmp_path)
    for message in job:
        if isinstance(message, EpochDone):
            job.close()
    kept = load_checkpoint(tmp_path / "best.pt")
    assert kept.metrics == {"step": 2}
    assert kept.thresholds == {3: 0.5}
    finished = drain(train([example(complete=False)], [CLASS], CONFIG, tmp_path, resume=True))
    assert finished.metrics.keys() == {"step", "expected_f1"}


def test_a_size_of_the_crops_that_follows_from_the_particles_is_told_and_kept(tmp_path):
    heard = []
    wide = replace(CLASS, diameter=340.0)
    config = trained_with(steps=1, validations=1, patch=0, batch=8)
    checkpoint = drain(train([example(complete=False)], [wide], config, tmp_path), heard.append)
    assert (checkpoint.config.train.patch, checkpoint.config.train.batch) == (72, 6)
    assert any(
        isinstance(m, Notice) and "Chosen: Crops of 72 voxels (twice the largest particle of 34), 6 of them" in m.text
        for m in heard
    )
    drain(train([example(complete=False)], [wide], config, tmp_path, resume=True))


def test_several_tomograms_of_different_voxel_sizes_are_learnt_together(tmp_path):
    one, two = example("one"), example("two")
    two = replace(two, tomogram=replace(two.tomogram, voxel_size=12.0))
    checkpoint = drain(train([one, two], [CLASS], trained_with(steps=2, validations=1, split="tomogram"), tmp_path))
    assert checkpoint.voxel_size == pytest.approx(10.0)
    checkpoint = drain(train([one, two], [CLASS], trained_with(steps=1, validations=1), tmp_path))
    assert checkpoint.voxel_size == pytest.approx(11.0)


def test_a_run_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(PickerError, match="Cannot make the folder"):
        drain(job(tmp_path / "file" / "run"))


def test_nothing_to_learn_is_refused_before_anything_is_written(tmp_path):
    nothing = replace(example(), particles=ParticleTable.build("t", np.zeros((0, 3))))
    with pytest.raises(TrainingError, match="needs particle centres"):
        drain(train([nothing], [CLASS], CONFIG, tmp_path / "run"))
    assert os.listdir(tmp_path) == []
