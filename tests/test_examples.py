from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.config import RunConfig, TrainConfig
from core.errors import TrainingError
from core.examples import Example, check_examples, chosen, divide, with_patch
from core.particles import ClassSpec, ParticleTable, Status
from core.tomogram import Box, Tomogram

SHAPE = (32, 48, 64)
RIBOSOME, FERRITIN = ClassSpec(id=1, name="ribosome", diameter=120.0), ClassSpec(id=4, name="ferritin", diameter=60.0)
CONFIG = TrainConfig(patch=32, split="clicks")
BY_TOMOGRAM = TrainConfig(patch=32, split="tomogram")


def tomogram(id_="t", shape=SHAPE, voxel_size=10.0):
    return Tomogram(id=id_, path=None, voxel_size=voxel_size, data=np.zeros(shape, np.float32))


def example(positions, class_ids=1, id_="t", status=Status.ACCEPTED, shape=SHAPE, voxel_size=10.0, **more):
    particles = ParticleTable.build(id_, positions, class_ids, status=status)
    return Example(tomogram=tomogram(id_, shape, voxel_size), particles=particles, **more)


def spread(n, seed=0, shape=SHAPE):
    return np.random.default_rng(seed).uniform(0, np.array(shape) - 1, (n, 3))


def refused(examples, says, classes=(RIBOSOME,), config=CONFIG):
    with pytest.raises(TrainingError, match=says):
        check_examples(examples, classes, config)


def test_what_can_be_learnt_is_let_through():
    check_examples([example(spread(5)), example(np.zeros((0, 3)), id_="empty")], [RIBOSOME], CONFIG)


@pytest.mark.parametrize(
    "examples",
    [
        [],
        [example(np.zeros((0, 3)))],
        [example(spread(5), status=Status.CANDIDATE)],
        [example(spread(5), status=Status.REJECTED)],
        [example([[1, 40, 1]], region=Box((0, 0, 0), (32, 24, 64)))],
    ],
    ids=["no tomogram", "no click", "candidates", "rejected", "outside the region"],
)
def test_without_accepted_clicks_there_is_nothing_to_learn(examples):
    refused(examples, "needs particle centres, but no accepted one was given: click some or import a file")


def test_without_classes_there_is_nothing_to_learn():
    refused([example(spread(5))], "at least one class .*: add a class", classes=())


def test_a_class_without_clicks_is_named():
    refused([example(spread(5))], "Class 'ferritin' has no accepted particle .*: click some or leave", (RIBOSOME, FERRITIN))


@pytest.mark.parametrize("outside", [[32.0, 5, 5], [5, -0.6, 5], [5, 5, 63.5], [5, 5, np.nan], [np.inf, 5, 5]])
def test_clicks_outside_the_volume_are_counted_and_the_first_is_shown(outside):
    where = rf"\({outside[0]:.1f}, {outside[1]:.1f}, {outside[2]:.1f}\)"
    refused(
        [example([[5, 5, 5], outside])], rf"1 of 2 centres of 't' lie outside its \(32, 48, 64\) voxels .* first at {where}: check"
    )


def test_clicks_on_the_outermost_voxels_are_inside():
    check_examples([example([[0, 0, 0], [31.4, 47, 63]])], [RIBOSOME], CONFIG)


@pytest.mark.parametrize("voxel_size", [0.0, -1.0, np.nan])
def test_an_unknown_voxel_size_is_told(voxel_size):
    refused([example(spread(5), voxel_size=voxel_size)], "voxel size of 't' is not known.*give it in Å")


@pytest.mark.parametrize(("voxel_size", "voxels"), [(31.0, "3.9"), (120.0, "1.0")])
def test_a_particle_too_small_to_be_seen_is_refused(voxel_size, voxels):
    refused(
        [example(spread(5), voxel_size=voxel_size)], f"'ribosome' measures {voxels} voxels in 't', but 4 or more are needed: check"
    )


@pytest.mark.parametrize(("voxel_size", "voxels"), [(7.4, "16.2"), (1.0, "120.0")])
def test_a_particle_too_large_for_the_patch_is_refused(voxel_size, voxels):
    says = f"'ribosome' measures {voxels} voxels in 't', more than half the training patch of 32: check"
    refused([example(spread(5), voxel_size=voxel_size)], says)


@pytest.mark.parametrize("voxel_size", [30.0, 7.5])
def test_the_limits_of_size_are_allowed(voxel_size):
    check_examples([example(spread(5), voxel_size=voxel_size)], [RIBOSOME], CONFIG)


def test_diameters_are_checked_in_every_tomogram():
    fine, coarse = example(spread(5)), example(spread(5), id_="coarse", voxel_size=40.0)
    refused([fine, coarse], "'ribosome' measures 3.0 voxels in 'coarse'")


def test_two_tomograms_of_one_name_are_refused():
    one, two = example(spread(5)), example(spread(5), voxel_size=12.0)
    refused([one, two], "Two tomograms are called 't'")
    check_examples([one, replace(one, role="validation")], [RIBOSOME], CONFIG)


@pytest.mark.parametrize(
    ("voxel_size", "patch", "batch"), [(12.0, 64, 8), (5.0, 64, 8), (3.0, 80, 4), (2.0, 120, 1), (1.0, 128, 1)]
)
def test_the_crops_follow_from_the_largest_particle(voxel_size, patch, batch):
    examples = [example(spread(5), voxel_size=voxel_size), example(spread(5), id_="coarse", voxel_size=20.0)]
    chosen = with_patch(TrainConfig(), examples, [RIBOSOME, FERRITIN])
    assert (chosen.patch, chosen.batch) == (patch, batch)
    if voxel_size > 1:
        for config in (TrainConfig(), chosen):
            check_examples(examples, [RIBOSOME], config)
    else:
        refused(examples, "120.0 voxels .* more than half the training patch of 128: .* bin", config=TrainConfig())


def test_a_size_of_the_crops_that_was_given_stays():
    assert with_patch(CONFIG, [example(spread(5), voxel_size=3.0)], [RIBOSOME]) is CONFIG


def test_what_follows_from_the_diameters_is_said() -> None:
    said = chosen(RunConfig(train=TrainConfig(steps=0, minutes=4.0)), [12.0, 40.0])
    assert "Crops of 80 voxels (twice the largest particle of 40), 4 of them in a step." in said
    assert "Labels 6 to 19 voxels wide (0.48 of the diameter). At most 4 min. Learning rate up to 0.002, since the network" in said
    assert "Crops of 64 voxels (the smallest), 8 of" in chosen(RunConfig(), [25.0])
    said = chosen(RunConfig(train=TrainConfig(steps=7, minutes=1.0, patch=96, start="scratch")), [25.0])
    assert "Crops of 96 voxels (as set), 8 of them" in said
    assert "Labels 12 voxels wide" in said
    assert "At most 1 min or 7 steps. Learning rate up to 0.002, from scratch." in said


@pytest.mark.parametrize("shape", [SHAPE, (32, 64, 48)])
@pytest.mark.parametrize(("n", "fraction", "held"), [(40, 0.2, 8), (40, 0.5, 20), (5, 0.2, 1), (12, 0.1, 1)])
def test_a_slab_with_that_part_of_the_clicks_is_held_back(shape, n, fraction, held):
    whole = example(spread(n, 1, shape), shape=shape, complete=True)
    training, validation, notices = divide([whole], [RIBOSOME], replace(CONFIG, validation=fraction))
    (near,), (far,) = training, validation
    axis = 1 if shape[1] > shape[2] else 2
    assert len(far.accepted) == held
    assert len(near.accepted) == n - held
    assert near.box.high[axis] == far.box.low[axis]
    assert near.box.shape[axis] + far.box.shape[axis] == shape[axis]
    assert notices == []


def test_clicks_side_by_side_are_not_parted_from_their_slab():
    positions = np.array([[5, 5, x] for x in (10, 10, 10, 10, 50, 50)], float)
    _, (far,), _ = divide([example(positions, complete=True)], [RIBOSOME], CONFIG)
    assert len(far.accepted) == 2
    at_one_place = example(np.full((6, 3), 10.0), complete=True)
    training, validation, notices = divide([at_one_place], [RIBOSOME], CONFIG)
    assert training == validation == [at_one_place]
    assert "only estimated" in notices[0]


def test_a_tomogram_is_not_divided_if_all_its_clicks_are_in_the_slab():
    bunched, other = example(np.full((6, 3), 10.0), id_="bunched"), example(spread(20))
    training, validation, _ = divide([bunched, other], [RIBOSOME], CONFIG)
    assert training[0] is bunched
    assert [e.tomogram.id for e in validation] == ["t"]


def test_a_slab_lies_within_the_region():
    region = Box((4, 8, 16), (28, 40, 60))
    (near,), (far,), _ = divide([example(spread(60), region=region, complete=True)], [RIBOSOME], CONFIG)
    assert near.box.low == region.low
    assert far.box.high == region.high
    assert near.box.high[2] == far.box.low[2]


@pytest.mark.parametrize(("n", "split"), [(1, "auto"), (4, "auto"), (100, "auto"), (1, "clicks"), (4, "clicks")])
def test_where_no_click_can_be_spared_none_is_held_back_and_it_is_said(n, split):
    some = example(spread(n))
    training, validation, notices = divide([some], [RIBOSOME], replace(CONFIG, split=split))
    assert training == validation == [some]
    assert notices == ["Nothing is held back to measure F1 on, so that it is only estimated."]


def test_clicks_are_held_back_where_all_is_annotated_or_where_it_is_asked_for():
    whole, some = example(spread(9), complete=True), example(spread(40), id_="some")
    for split, held in (("auto", ["t"]), ("clicks", ["t", "some"])):
        training, validation, notices = divide([whole, some], [RIBOSOME], replace(CONFIG, split=split))
        assert [e.tomogram.id for e in validation] == held
        assert [e.region is None for e in training] == [False, split == "auto"]
        assert notices == []


def test_splitting_off_nothing_is_possible():
    whole = example(spread(40))
    training, validation, notices = divide([whole], [RIBOSOME], replace(CONFIG, split="none"))
    assert training == validation == [whole]
    assert len(notices) == 1


def both_kinds(ferritin_at):
    clicks = spread(40, shape=(32, 48, 40))
    return example(np.concatenate([clicks, ferritin_at]), [1] * len(clicks) + [4] * len(ferritin_at))


@pytest.mark.parametrize("ferritin_at", [[[5, 5, 60.0]], [[5, 5, 60.0], [9, 9, 62.0]]])
def test_no_class_loses_all_its_training_clicks(ferritin_at):
    whole = both_kinds(ferritin_at)
    training, _, notices = divide([whole], [RIBOSOME, FERRITIN], CONFIG)
    assert 4 in np.concatenate([e.accepted.class_ids for e in training])
    assert "Nothing is held back" in notices[0]


def test_where_a_class_is_taught_by_another_tomogram_its_last_clicks_may_be_held_back():
    one, two = both_kinds([[5, 5, 60.0]]), example(spread(3), 4, id_="other")
    training, validation, notices = divide([one, two], [RIBOSOME, FERRITIN], CONFIG)
    assert set(np.concatenate([e.accepted.class_ids for e in training])) == {1, 4}
    assert 4 in validation[0].accepted.class_ids
    assert notices == []


def test_classes_that_are_not_trained_do_not_matter():
    whole = both_kinds([[5, 5, 60.0], [9, 9, 62.0]])
    training, validation, notices = divide([whole], [RIBOSOME], replace(CONFIG, validation=0.3))
    assert training != validation
    assert notices == []
    only_others = example(spread(9), 4, id_="others", role="validation")
    training, validation, notices = divide([example(spread(9)), only_others], [RIBOSOME], CONFIG)
    assert validation == training
    assert "Nothing is held back" in notices[0]


def named(ids, **more):
    return [example(spread(8, seed), id_=id_, **more) for seed, id_ in enumerate(ids)]


def test_a_whole_tomogram_is_held_back_and_named():
    examples = named("abc")
    training, validation, notices = divide(examples, [RIBOSOME], BY_TOMOGRAM)
    assert training == examples[:2]
    assert validation == examples[2:]
    assert notices == ["Tomogram 'c' is held back for validation."]


def test_a_tomogram_without_clicks_or_for_training_only_is_not_the_one_held_back():
    examples = [*named("ab"), *named("c", role="train"), example(np.zeros((0, 3)), id_="d")]
    training, validation, _ = divide(examples, [RIBOSOME], BY_TOMOGRAM)
    assert validation == [examples[1]]
    assert training == [examples[0], *examples[2:]]


def test_the_only_tomogram_with_a_class_is_not_held_back():
    examples = [example(spread(8), 4, id_="a"), *named("b"), example(spread(8), id_="c"), example(spread(8), 4, id_="d")]
    _, validation, _ = divide(examples[:3], [RIBOSOME, FERRITIN], BY_TOMOGRAM)
    assert validation == [examples[2]]
    _, validation, _ = divide([examples[0], examples[1], examples[3]], [RIBOSOME, FERRITIN], BY_TOMOGRAM)
    assert validation == [examples[3]]


@pytest.mark.parametrize(
    "examples",
    [
        named("a"),
        [example(spread(8), id_="a"), example(np.zeros((0, 3)), id_="b")],
        [example(spread(8), id_="a"), example(spread(8), 4, id_="b")],
        named("ab", role="train"),
    ],
    ids=["one", "one with clicks", "a class each", "both for training"],
)
def test_where_no_tomogram_can_be_spared_none_is_held_back(examples):
    classes = [RIBOSOME, FERRITIN] if 4 in examples[-1].particles.class_ids else [RIBOSOME]
    with pytest.raises(TrainingError, match=r"To hold back a whole tomogram, .*split by clicks"):
        divide(examples, classes, BY_TOMOGRAM)


@pytest.mark.parametrize("split", ["auto", "clicks", "tomogram", "none"])
def test_roles_go_before_the_split(split):
    examples = [*named("ab"), *named("c", role="validation")]
    training, validation, notices = divide(examples, [RIBOSOME], replace(CONFIG, split=split))
    assert training == examples[:2]
    assert validation == examples[2:]
    assert notices == []


def test_a_tomogram_for_training_only_keeps_all_its_clicks():
    examples = [*named("a", complete=True), *named("b", role="train")]
    training, validation, _ = divide(examples, [RIBOSOME], CONFIG)
    assert training[1] is examples[1]
    assert [e.tomogram.id for e in validation] == ["a"]


def test_something_must_be_left_to_train_on():
    with pytest.raises(TrainingError, match=r"Class 'ribosome' .* held back for validation: leave"):
        divide(named("ab", role="validation"), [RIBOSOME], CONFIG)
    ferritin = example(spread(5), 4, id_="f", role="validation")
    with pytest.raises(TrainingError, match="Class 'ferritin'"):
        divide([*named("a"), ferritin], [RIBOSOME, FERRITIN], CONFIG)
