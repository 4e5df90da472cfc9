from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from core.augment import Pose
from core.config import LabelConfig, TrainConfig
from core.examples import Example, divide
from core.labels import make_labels
from core.particles import ClassSpec, ParticleTable, Status
from core.preprocess import Prepared
from core.sampling import BORDER, Sampler, Trust, accepted_truth, ground
from core.tomogram import Box, Tomogram

SHAPE = (40, 56, 48)
PATCH = 32
DIAMETER = 8.0  # voxels
VOXEL_SIZE = 10.0
CLASS = ClassSpec(id=3, name="ribosome", diameter=DIAMETER * VOXEL_SIZE)
OTHER = ClassSpec(id=5, name="ferritin", diameter=6 * VOXEL_SIZE)
CENTRES = np.array([[10.3, 12.0, 9.6], [28.0, 40.4, 35.0], [20.0, 27.0, 21.0], [12.0, 44.0, 14.0], [30.0, 10.0, 38.0]])
LABEL = LabelConfig()
TRAIN = TrainConfig(patch=PATCH, batch=4, seed=5)
QUIET = replace(TRAIN, augment=False)
CLICKS_ONLY = {"background": 0.0, "hard_negatives": 0.0}


class Ruler:
    """A volume without end whose voxels tell where they are along one axis."""

    def __init__(self, tomogram, axis):
        self.tomogram, self.axis = tomogram, axis

    def block(self, start, shape):
        along = np.arange(start[self.axis], start[self.axis] + shape[self.axis], dtype=np.float32)
        return np.ascontiguousarray(np.broadcast_to(along[tuple(slice(None) if i == self.axis else None for i in range(3))], shape))


def tomogram(shape=SHAPE, centres=CENTRES, diameter=DIAMETER, voxel_size=VOXEL_SIZE, id_="t"):
    """A bright ball at each centre."""
    n = len(centres)
    balls = make_labels(np.array(centres, float), np.ones(n, int), np.full(n, float(diameter)), shape, "ball", 1.0)
    return Tomogram(id=id_, path=None, voxel_size=voxel_size, data=balls.classes.astype(np.float32))


def table(centres=CENTRES, class_ids=3, statuses=None, id_="t"):
    made = ParticleTable.build(id_, centres, class_ids)
    return made if statuses is None else replace(made, statuses=np.array(statuses))


def prepared(volume):
    return Prepared(tomogram=volume, scale=1.0, offset=0.0)


def sampler(train=TRAIN, particles=None, classes=(CLASS,), volume=None, look=prepared, **more):
    volume = volume or tomogram()
    example = Example(tomogram=volume, particles=table() if particles is None else particles, **more)
    return Sampler([ground(example, look(volume), classes)], train, LABEL)


def turned(crop):
    return crop.pose.block(torch.from_numpy(crop.block), PATCH).numpy()


def crops(drawer, steps=6):
    return [crop for step in range(steps) for crop in drawer.batch(step)]


def where_from(steps=4, **more):
    """Draw crops of rulers: crops and the (patch, patch, patch, 3) tomogram voxel that each of their voxels comes from."""
    axes = [crops(sampler(look=lambda volume, i=i: Ruler(volume, i), **more), steps) for i in range(3)]
    return [(same[0], np.stack([turned(crop) for crop in same], -1)) for same in zip(*axes, strict=True)]


def same_crop(a, b):
    arrays = all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("block", "classes", "trust", "heights"))
    return arrays and (a.pose.quarter, a.pose.mirrors) == (b.pose.quarter, b.pose.mirrors)


def test_the_same_step_gives_the_same_crops_whatever_came_before():
    one, two = sampler(), sampler()
    one.batch(0)
    for step in (3, 7):
        assert all(same_crop(a, b) for a, b in zip(one.batch(step), two.batch(step), strict=True))


def test_other_steps_other_crops_of_a_step_and_other_seeds_differ():
    first = sampler().batch(0)
    assert len(first) == TRAIN.batch
    assert not any(same_crop(a, b) for a, b in zip(first, sampler().batch(1), strict=True))
    assert not any(same_crop(a, b) for a, b in zip(first, sampler(replace(TRAIN, seed=6)).batch(0), strict=True))
    assert not same_crop(first[0], first[1])


@pytest.mark.parametrize("train", [TRAIN, QUIET, replace(TRAIN, rotation=30, scale=0.2)], ids=["augmented", "plain", "strongly"])
def test_labels_lie_on_the_turned_particles(train):
    drawn = crops(sampler(replace(train, **CLICKS_ONLY)), 12)
    inside = np.concatenate([turned(crop)[crop.classes > 0] for crop in drawn])
    outside = np.concatenate([turned(crop)[(crop.classes == 0) & (crop.trust > 0)] for crop in drawn])
    assert inside.mean() > 0.97
    assert outside.mean() < 0.05


def test_labels_are_centred_on_the_turned_particles():
    lonely = CENTRES[2:3]
    drawn = crops(sampler(replace(TRAIN, **CLICKS_ONLY), table(lonely), volume=tomogram(centres=lonely)), 12)
    for crop in drawn:
        label, particle = (np.array(ndimage.center_of_mass(volume)) for volume in (crop.classes > 0, turned(crop)))
        assert np.abs(label - particle).max() < 0.4
    assert sum(crop.pose.matrix is not None for crop in drawn) > 5


def test_crops_around_clicks_hold_a_click_well_inside():
    for crop in crops(sampler(replace(TRAIN, **CLICKS_ONLY)), 12):
        assert ((crop.classes > 0) & (crop.trust == Trust.LABEL)).sum() > 5


REGIONS = [Box((4, 6, 6), (36, 50, 42)), Box((10, 14, 12), (30, 40, 30)), Box((0, 0, 0), SHAPE), Box((36, 52, 44), SHAPE)]


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("train", [TRAIN, QUIET], ids=["augmented", "plain"])
def test_nothing_is_taught_outside_the_region_at_any_pose(region, train):
    centre = (np.array(region.low) + region.high) / 2
    particles, known = table(np.concatenate([CENTRES, [centre]])), 0
    for crop, source in where_from(train=train, particles=particles, region=region, complete=True, steps=5):
        inside = ((source >= np.array(region.low) - 0.5) & (source <= np.array(region.high) - 0.5)).all(-1)
        well_inside = ((source >= region.low) & (source <= np.array(region.high) - 1)).all(-1)
        known += int((crop.trust > 0).sum())
        assert not (crop.trust > 0)[~inside].any()
        central = np.zeros((PATCH,) * 3, bool)
        central[(slice(BORDER, -BORDER),) * 3] = True
        np.testing.assert_array_equal((crop.trust > 0)[central & well_inside], True)
        assert not crop.trust[~central].any()
    assert known > 0


def test_every_voxel_of_the_volume_is_taught_now_and_then():
    numbered = replace(tomogram(), data=np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE))
    drawer = sampler(replace(QUIET, background=0.9, hard_negatives=0.0), volume=numbered, complete=True)
    seen = np.zeros(SHAPE, bool)
    for crop in crops(drawer, 60):
        seen.flat[crop.block[crop.trust > 0].astype(int)] = True
    assert seen.all()


@pytest.mark.parametrize("shape", [(20, 40, 40), (6, 48, 20), (33, 32, 31)])
def test_a_volume_smaller_than_the_patch_is_padded(shape):
    centres = np.array([[3.0, 12, 12], [4.0, 20, 15]])
    volume = tomogram(shape, centres)
    for (crop, source), padded in zip(
        where_from(particles=table(centres), volume=volume), crops(sampler(particles=table(centres), volume=volume), 4), strict=True
    ):
        inside = ((source >= -0.5) & (source <= np.array(shape) - 0.5)).all(-1)
        assert not (crop.trust > 0)[~inside].any()
        assert turned(padded).shape == (PATCH,) * 3
        assert np.isfinite(turned(padded)).all()
        assert padded.heights.shape == (PATCH,)


def test_a_click_at_a_corner_is_learnt():
    corner = np.array([[0.0, 0, 47]])
    for crop in crops(sampler(replace(QUIET, **CLICKS_ONLY), table(corner), volume=tomogram(centres=corner))):
        learnt = (crop.classes > 0) & (crop.trust > 0)
        assert learnt.sum() == 8  # of the 27 voxels of a whole label
        assert turned(crop)[learnt].mean() > 0.97


@pytest.mark.parametrize("train", [TRAIN, QUIET], ids=["augmented", "plain"])
def test_heights_go_with_the_sections(train):
    for crop, source in where_from(train=replace(train, rotation=0.0, scale=0.0)):
        middle = (SHAPE[0] - 1) / 2
        expected = np.minimum(np.abs(source[:, 0, 0, 0] - middle) / middle, 1)
        np.testing.assert_allclose(crop.heights, expected, atol=1e-5)


def test_the_held_back_slab_never_teaches_and_the_rest_never_validates():
    volume, positions = tomogram(), np.random.default_rng(0).uniform(4, np.array(SHAPE) - 5, (30, 3))
    by_clicks = replace(TRAIN, split="clicks")
    (near,), (far,), _ = divide([Example(tomogram=volume, particles=table(positions))], [CLASS], by_clicks)
    cut = near.box.high[1]
    assert cut == far.box.low[1]
    for part, rulers in ((near, where_from), (far, where_from)):
        for crop, source in rulers(particles=part.particles, region=part.box, steps=6):
            y = source[..., 1][crop.trust > 0]
            assert (y <= cut - 0.5).all() if part is near else (y >= cut - 0.5).all()


MODES = {"background": Trust.LABEL, "shell": Trust.NOTHING, "hard": Trust.UNLABELLED}


def judged(crop, radius_low, radius_high, centre):
    """Tell the trust of the central voxels at a distance from a centre."""
    distance = np.sqrt(sum((i - c) ** 2 for i, c in zip(np.indices(crop.trust.shape), centre, strict=True)))
    central = np.zeros(crop.trust.shape, bool)
    central[(slice(BORDER, -BORDER),) * 3] = True
    return set(crop.trust[central & (distance >= radius_low) & (distance < radius_high)].tolist())


def centred(drawer, at=CENTRES[2]):
    """The crop around a place, not turned, and where that place lies in it."""
    crop = drawer._crop(drawer.grounds[0], np.array(at) + 0.01, Pose())
    start = np.floor(np.array(at) + 0.01 - (PATCH - 1) / 2)
    return crop, np.array(at) - start


@pytest.mark.parametrize(("mode", "beyond"), MODES.items())
@pytest.mark.parametrize("shell", [0.75, 1.25])
def test_beyond_the_shell_the_mode_says_what_is_taught(mode, beyond, shell):
    crop, middle = centred(sampler(replace(TRAIN, unlabelled=mode, shell=shell), table(CENTRES[2:3])))
    assert judged(crop, 0, shell * DIAMETER - 0.01, middle) == {Trust.LABEL}
    assert judged(crop, shell * DIAMETER + 0.01, 99, middle) == {beyond}
    assert (crop.classes > 0).sum() > 10


@pytest.mark.parametrize("mode", MODES)
def test_a_completely_annotated_region_teaches_everywhere(mode):
    crop, middle = centred(sampler(replace(TRAIN, unlabelled=mode), table(CENTRES[2:3]), complete=True))
    assert judged(crop, 0, 99, middle) == {Trust.LABEL}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("complete", [True, False])
def test_candidates_are_neutral_and_rejected_picks_teach_background(mode, complete):
    for status, expected in ((Status.CANDIDATE, Trust.NOTHING), (Status.REJECTED, Trust.LABEL)):
        particles = table(CENTRES[1:3], statuses=[Status.ACCEPTED, status])
        crop, middle = centred(sampler(replace(TRAIN, unlabelled=mode), particles, complete=complete))
        assert judged(crop, 0, (DIAMETER - 1) / 2, middle) == {expected}
        ball = judged(crop, 0, DIAMETER / 2 + 1.5, middle)
        assert len(ball) == 1 + (MODES[mode] != expected if not complete else expected != Trust.LABEL)
        label = crop.classes[tuple(slice(int(m) - 3, int(m) + 4) for m in middle)]
        assert not label.any()


def test_a_click_beside_a_candidate_keeps_its_label():
    near = np.array([CENTRES[2], CENTRES[2] + [0, 0, 3]])
    crop, middle = centred(sampler(particles=table(near, statuses=[Status.ACCEPTED, Status.CANDIDATE])))
    assert judged(crop, 0, 1.5, middle) == {Trust.LABEL}


def test_particles_of_other_classes_are_neither_learnt_nor_drawn():
    drawer = sampler(replace(TRAIN, **CLICKS_ONLY), table(CENTRES, [3, 3, 5, 5, 5]))
    drawn = crops(drawer, 8)
    assert {value for crop in drawn for value in np.unique(crop.classes).tolist()} == {0, 1}
    crop, _ = centred(drawer)
    assert not crop.classes[10:20, 10:20, 10:20].any()


def share(drawer, steps, what):
    drawn = crops(drawer, steps)
    return sum(what(crop) for crop in drawn) / len(drawn)


@pytest.mark.parametrize("background", [0.0, 0.5, 0.9])
def test_background_crops_have_their_share(background):
    far = np.array([[5.0, 5, 5]])
    volume = tomogram((64, 128, 128), far)
    drawer = sampler(replace(QUIET, background=background, hard_negatives=0.0, batch=25), table(far), volume=volume)
    assert share(drawer, 7, lambda crop: not (crop.classes > 0).any()) == pytest.approx(background, abs=0.1)


@pytest.mark.parametrize(("rejected", "expected"), [(True, 0.4), (False, 0.0)])
def test_rejected_picks_have_their_share_where_there_are_any(rejected, expected):
    apart = np.array([[20.0, 20, 20], [20.0, 100, 100]])
    statuses = [Status.ACCEPTED, Status.REJECTED if rejected else Status.CANDIDATE]
    train = replace(QUIET, background=0.0, hard_negatives=0.4, batch=20)
    drawer = sampler(train, table(apart, statuses=statuses), volume=tomogram((40, 128, 128), apart))
    assert share(drawer, 7, lambda crop: not (crop.classes > 0).any()) == pytest.approx(expected, abs=0.1)


def test_rare_classes_are_drawn_as_often_as_common_ones():
    rng = np.random.default_rng(0)
    common, rare = rng.uniform((8, 8, 8), (32, 60, 40), (19, 3)), np.array([[20.0, 120, 20]])
    positions = np.concatenate([common, rare])
    drawer = sampler(
        replace(QUIET, batch=20, **CLICKS_ONLY),
        table(positions, [3] * 19 + [5]),
        (CLASS, OTHER),
        tomogram((40, 136, 48), positions),
    )
    assert share(drawer, 7, lambda crop: (crop.classes == 2).any()) == pytest.approx(0.5, abs=0.1)


def test_labels_follow_the_voxel_size_of_each_tomogram():
    centres = np.array([[20.0, 20, 20]])
    sizes = {}
    for voxel_size in (5.0, 10.0):
        volume = tomogram((40, 40, 40), centres, 80 / voxel_size, voxel_size, f"at {voxel_size}")
        sizes[voxel_size] = Example(tomogram=volume, particles=table(centres, id_=volume.id))
    drawer = Sampler([ground(e, prepared(e.tomogram), [CLASS]) for e in sizes.values()], replace(TRAIN, **CLICKS_ONLY), LABEL)
    voxels = [int((crop.classes > 0).sum()) for crop in crops(drawer, 10)]
    ideal = [int(make_labels(centres, [1], [d], (40, 40, 40), LABEL.kind, LABEL.diameter_fraction).classes.sum()) for d in (8, 16)]
    small, large = np.array([v for v in voxels if v < 100]), np.array([v for v in voxels if v >= 100])
    assert min(len(small), len(large)) > 10
    assert (small.mean(), large.mean()) == pytest.approx(ideal, rel=0.1)
    inside = np.concatenate([turned(crop)[crop.classes > 0] for crop in crops(drawer, 10)])
    assert inside.mean() > 0.97


def test_clicks_outside_the_region_are_not_drawn_but_label_what_reaches_in():
    region = Box((0, 0, 0), (40, 56, 22))
    drawer = sampler(replace(TRAIN, **CLICKS_ONLY), table([[20.0, 20, 10], [20.0, 40, 22.2]]), region=region)
    chosen = drawer.grounds[0]
    assert chosen.centres.tolist() == [0]
    crop, _ = centred(drawer, [20.0, 40.0, 10.0])
    assert ((crop.classes > 0) & (crop.trust > 0)).any()


def test_picks_are_scored_against_what_is_not_rejected_within_the_region():
    particles = replace(table(CENTRES, [3, 3, 3, 5, 3]), statuses=np.array([0, 1, 2, 0, 0]))
    example = Example(tomogram=tomogram(), particles=particles, region=Box((0, 0, 0), (40, 56, 37)))
    np.testing.assert_array_equal(accepted_truth(example, [CLASS]).positions, CENTRES[:2])
