from __future__ import annotations

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from core import learner as learning
from core.augment import Pose
from core.config import NetworkConfig, RunConfig, TrainConfig
from core.device import Compute
from core.hidden import hidden_share, likeness, spared
from core.labels import make_labels
from core.learner import Learner, learning_rate
from core.network import fast, published
from core.sampling import Crop, Trust

PATCH = 16
CPU = Compute(torch.device("cpu"), torch.float32)
HALF = Compute(torch.device("cpu"), torch.float16)


@pytest.fixture(autouse=True, scope="module")
def slim_networks():
    """Few features: what is tested here does not depend on them."""
    before = fast.FEATURES, published.FEATURES
    fast.FEATURES, published.FEATURES = (12, 16, 16), (8, 12, 12, 12)
    yield
    fast.FEATURES, published.FEATURES = before


def config(preset="fast", **train):
    return RunConfig(network=NetworkConfig(preset=preset), train=TrainConfig(patch=32, **{"learning_rate": 5e-3, **train}))


def crop(seed=0, classes=1):
    """A bright ball for each class, of different brightness, in noise."""
    rng = np.random.default_rng(seed)
    centres = np.array([[5.0, 5, 5], [10.0, 10, 10]])[:classes]
    labels = make_labels(centres, np.arange(1, classes + 1), np.full(classes, 8.0), (PATCH,) * 3, "ball", 1.0)
    block = rng.normal(0, 0.3, (PATCH,) * 3).astype(np.float32) + 2 * labels.classes
    return Crop(
        block=block.astype(np.float32),
        pose=Pose(),
        classes=labels.classes,
        trust=np.full((PATCH,) * 3, Trust.UNLABELLED, np.uint8) * (labels.classes == 0) + (labels.classes > 0),
        heights=np.linspace(1, 0, PATCH, dtype=np.float32),
    )


def spoilt():
    good = crop()
    return replace(good, block=np.full_like(good.block, np.nan))


def flat(state):
    """All tensors and numbers of a nested state, by path."""
    if isinstance(state, dict):
        return {f"{k}/{path}": v for k, part in state.items() for path, v in flat(part).items()}
    if isinstance(state, list | tuple):
        return flat(dict(enumerate(state)))
    return {"": state}


def assert_same(one, two):
    one, two = flat(one), flat(two)
    assert one.keys() == two.keys()
    for path, value in one.items():
        same = torch.equal(value, two[path]) if isinstance(value, torch.Tensor) else value == two[path]
        assert same, path


@pytest.mark.parametrize("preset", ["fast", "published"])
@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize("loss", ["mixed", "dice"])
def test_a_few_steps_lower_the_loss(preset, classes, loss):
    learner = Learner(config(preset, loss=loss, augment=False, hard_margin=0.0), classes, CPU)
    seen = [learner.step([crop(classes=classes)], i, 1e-2) for i in range(12)]
    assert all(map(math.isfinite, seen))
    assert seen[-1] < 0.93 * seen[0]


def test_the_same_seed_begins_with_the_same_weights():
    states = [Learner(config(seed=seed), 1, CPU).state()["network"] for seed in (1, 1, 2)]
    assert_same(states[0], states[1])
    assert not torch.equal(states[0]["head.weight"], states[2]["head.weight"])


def test_two_learners_learn_the_same_and_continuing_is_exact():
    one, two = Learner(config(), 1, CPU), Learner(config(), 1, CPU)
    for i in range(4):
        one.step([crop(i)], i, 1e-3)
    for i in range(2):
        two.step([crop(i)], i, 1e-3)
    three = Learner(config(seed=9), 1, CPU)
    three.load_state(copy.deepcopy(two.state()))
    for i in range(2, 4):
        three.step([crop(i)], i, 1e-3)
    assert_same(one.state(), three.state())


@pytest.mark.parametrize("average", [0.99, 0.0])
def test_a_loss_that_is_not_finite_changes_nothing(average):
    learner = Learner(config(average=average), 1, CPU)
    learner.step([crop()], 0, 1e-3)
    before = copy.deepcopy(learner.state())
    assert math.isnan(learner.step([spoilt()], 1, 1e-3))
    assert_same(learner.state(), before)
    assert math.isfinite(learner.step([crop()], 2, 1e-3))


def test_a_gradient_that_is_not_finite_changes_nothing(monkeypatch):
    learner = Learner(config(), 1, CPU)
    learner.step([crop()], 0, 1e-3)
    learner.whole = True  # as who counts the steps does
    before = copy.deepcopy(learner.state())
    monkeypatch.setattr(learning, "masked_dice", lambda logits, *_: (logits - logits).sum().clamp_min(0).sqrt())
    assert math.isnan(learner.step([crop()], 1, 1e-3))
    assert_same(learner.state(), before)


def test_an_interrupt_while_the_loss_is_computed_changes_nothing(monkeypatch):
    learner = Learner(config(), 1, CPU)
    learner.step([crop()], 0, 1e-3)
    learner.whole = True  # as who counts the steps does
    before = copy.deepcopy(learner.state())
    monkeypatch.setattr(learning, "masked_dice", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        learner.step([crop()], 1, 1e-3)
    assert_same(learner.state(), before)
    assert learner.whole


def test_an_interrupt_while_weights_change_is_remembered(monkeypatch):
    learner = Learner(config(), 1, CPU)
    monkeypatch.setattr(learner.optimiser, "step", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        learner.step([crop()], 0, 1e-3)
    assert not learner.whole


def test_half_precision_survives_a_loss_that_is_not_finite():
    learner = Learner(config(), 1, HALF)
    learner.step([crop()], 0, 1e-3)
    weights = copy.deepcopy(learner.state()["network"])
    assert math.isnan(learner.step([spoilt()], 1, 1e-3))
    assert_same(learner.state()["network"], weights)
    assert math.isfinite(learner.step([crop()], 2, 1e-3))


def test_the_running_average_follows_the_weights():
    learner = Learner(config(average=0.5), 1, CPU)
    trail = []
    for i in range(3):
        learner.step([crop(i)], i, 1e-3)
        trail.append(copy.deepcopy(dict(learner.network.state_dict())))
    expected = trail[0]["head.bias"]
    for count, state in enumerate(trail[1:], 1):
        decay = min(0.5, (1 + count) / (10 + count))
        expected = decay * expected + (1 - decay) * state["head.bias"]
    torch.testing.assert_close(learner.best_network.state_dict()["head.bias"], expected)
    assert not torch.equal(learner.best_network.state_dict()["head.bias"], trail[-1]["head.bias"])


def test_without_an_average_the_network_itself_is_the_best():
    learner = Learner(config(average=0.0), 1, CPU)
    assert learner.best_network is learner.network


def test_measuring_the_loss_learns_nothing_and_repeats():
    learner = Learner(config(), 1, CPU)
    learner.step([crop()], 0, 1e-3)
    before = copy.deepcopy(learner.state())
    assert learner.validation_loss([crop(1)]) == learner.validation_loss([crop(1)])
    assert_same(learner.state(), before)


def test_noise_depends_on_its_seed_and_is_off_without_augmentation():
    def first_loss(seed, **train):
        return Learner(config(**train), 1, CPU).step([crop()], seed, 1e-3)

    assert first_loss(1) == first_loss(1) != first_loss(2)
    assert first_loss(1, augment=False) == first_loss(2, augment=False)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("fraction", [0.0, 0.02, 0.25, 0.5])
@pytest.mark.parametrize("kind", ["spread", "ties", "certain"])
def test_exactly_the_most_particle_like_unlabelled_voxels_are_left_out(channels, fraction, kind):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, channels, 8, 8, 8, generator=generator)
    logits = {"spread": logits, "ties": logits.round(), "certain": logits - 60 if channels == 1 else logits * 0}[kind]
    if channels > 1 and kind == "certain":
        logits[:, 0] = 60
    trust = torch.randint(0, 3, (2, 1, 8, 8, 8), generator=generator).to(torch.uint8)
    likely = likeness(logits)
    weights = spared((trust > Trust.NOTHING).float(), likely, trust == Trust.UNLABELLED, fraction)
    unlabelled = trust == Trust.UNLABELLED
    left_out = unlabelled & (weights == 0)
    assert int(left_out.sum()) == int(fraction * int(unlabelled.sum()))
    assert (weights[trust == Trust.LABEL] == 1).all()
    assert (weights[trust == Trust.NOTHING] == 0).all()
    if left_out.any():
        assert likely[left_out].min() >= likely[unlabelled & ~left_out].max()


@pytest.mark.parametrize("classes", [1, 2])
def test_the_share_of_particles_is_what_the_unweighted_probabilities_add_up_to(classes):
    logits = torch.zeros(1, 1 if classes == 1 else 3, 4, 4, 4)
    logits[:, -1, 0] = {1: 10.0, 2: 20.0}[classes]  # a quarter is almost surely a particle
    logits[:, 0, 1:] += {1: -10.0, 2: 20.0}[classes]
    trust = torch.full((1, 1, 4, 4, 4), int(Trust.UNLABELLED), dtype=torch.uint8)
    likely, nowhere = likeness(logits), torch.zeros_like(trust, dtype=torch.bool)
    assert hidden_share(trust, None, likely, 5.0) == pytest.approx(0.25, abs=1e-3)
    assert hidden_share(trust, nowhere, likely, 5.0) == pytest.approx(0.25, abs=1e-3)
    assert hidden_share(trust, nowhere, torch.full_like(likely, 0.5), 5.0) == pytest.approx(1 / 6)
    trust[:, :, 0] = Trust.LABEL
    assert hidden_share(trust, nowhere, likely, 5.0) == pytest.approx(0, abs=1e-3)
    assert hidden_share(torch.zeros_like(trust), nowhere, likely, 5.0) is None


def test_the_share_of_particles_is_no_more_than_the_clicks_allow():
    """Of the unlabelled, a tenth scores as high as clicks do and another 30 % nearly as high: look-alikes."""
    likely = torch.cat([torch.full((200,), 0.99), torch.full((80,), 0.99), torch.full((240,), 0.9), torch.full((480,), 0.001)])
    trust = torch.full((1000,), int(Trust.UNLABELLED), dtype=torch.uint8)
    trust[:200] = Trust.LABEL
    clicked = trust == Trust.LABEL
    assert hidden_share(trust, torch.zeros_like(clicked), likely, 1.0) == pytest.approx((80 * 0.99 + 240 * 0.9) / 800, abs=1e-3)
    assert hidden_share(trust, clicked, likely, 1.0) == pytest.approx(80 / 800)
    likely[100:200] = 0.9  # half of the clicks score lower: then twice as many may be hidden
    assert hidden_share(trust, clicked, likely, 1.0) == pytest.approx(2 * 80 / 800, rel=0.02)


@pytest.mark.parametrize("clicks", [0, 5, 19.5, 20, 100])
def test_clicks_say_how_many_particles_are_hidden_once_there_are_enough_of_them(clicks, monkeypatch):
    asked = []

    def bounded(trust, clicked, likely, weight):
        asked.append(clicked)
        return hidden_share(trust, clicked, likely, weight)

    monkeypatch.setattr("core.learner.hidden_share", bounded)
    some = crop()
    Learner(config(augment=False), 1, CPU, clicks).step([some], 0, 1e-3)
    if clicks < 20:
        assert asked == [None]
    else:
        assert asked[0].numpy().tolist() == [[(some.classes > 0).tolist()]]


def test_what_is_left_out_follows_what_the_network_holds_for_particles():
    learner = Learner(config(augment=False, hard_margin=1.0), 1, CPU)
    before = learner.share
    learner.step([crop()], 0, 1e-3)
    assert learner.share != before
    other = Learner(config(seed=5), 1, CPU)
    other.load_state(copy.deepcopy(learner.state()))
    assert other.share == learner.share


def test_a_step_without_unlabelled_voxels_says_nothing_of_them():
    learner = Learner(config(), 1, CPU)
    known = crop()
    learner.step([replace(known, trust=np.full_like(known.trust, Trust.LABEL))], 0, 1e-3)
    assert learner.share == learning.FIRST_SHARE


def test_the_learning_rate_rises_for_a_tenth_and_falls_for_the_rest():
    rates = [learning_rate(2e-3, f) for f in np.linspace(0, 1, 1001)]
    assert rates[0] == pytest.approx(2e-3 / 30)
    assert max(rates) == rates[100] == pytest.approx(2e-3)
    assert rates[-1] == pytest.approx(2e-3 / 3000)
    assert (np.diff(rates[:101]) > 0).all()
    assert (np.diff(rates[100:]) < 0).all()
    assert learning_rate(2e-3, 1.7) == rates[-1]


def test_the_learning_rate_of_a_step_is_the_one_given():
    learner = Learner(config(), 1, CPU)
    learner.step([crop()], 0, 1.25e-4)
    assert [group["lr"] for group in learner.optimiser.param_groups] == [1.25e-4]


def test_gradients_are_shortened(monkeypatch):
    learner = Learner(config(loss="dice", average=0.0), 1, CPU)
    monkeypatch.setattr(learning, "masked_dice", lambda logits, *_: 1e6 * logits.sum())
    learner.step([crop()], 0, 1e-3)
    norm = torch.stack([p.grad.norm() for p in learner.network.parameters()]).norm()
    assert norm == pytest.approx(learning.LARGEST_GRADIENT, rel=1e-3)
