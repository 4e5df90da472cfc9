from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from core import validation
from core.calibration import expected_f1
from core.config import PickConfig, RunConfig
from core.device import Compute
from core.examples import Example
from core.labels import make_labels
from core.losses import POSITIVE_WEIGHT
from core.messages import Progress, drain
from core.particles import ClassSpec, ParticleTable, Status
from core.preprocess import Prepared
from core.sampling import ground
from core.tiling import Grid, plan
from core.tomogram import Box, Tomogram
from core.validation import looked_at, unmeasured, validate

SHAPE = (40, 60, 60)
CLASS, OTHER = ClassSpec(id=3, name="large", diameter=120.0), ClassSpec(id=7, name="rare", diameter=120.0)
CENTRES = np.array(list(itertools.product((10, 30), (10, 30, 50), (10, 30, 50))), float)
CONFIG = RunConfig()


class Reader:
    """Stands for a scanner whose network sees balls of a given brightness at given places."""

    compute = Compute(torch.device("cpu"), torch.float32)

    def __init__(self, seen, diameter=12.0, classes=1):
        self.score_map = np.zeros((classes, *SHAPE), np.float16)
        for centre, score in seen:
            ball = make_labels(np.array([centre]), np.ones(1, int), np.array([diameter]), SHAPE, "tball", 0.48).classes
            self.score_map[0][ball > 0] = score

    def tiles(self, region, volume, tallest=2**40):
        return plan(region, (64,) * 3, Grid(overlap=8, stride=8))

    def scores(self, prepared, tiles):
        for tile in tiles:
            yield tile, self.score_map[(slice(None), *(slice(a, b) for a, b in zip(tile.core.low, tile.core.high, strict=True)))]


def held(centres=CENTRES, statuses=None, class_ids=3, voxel_size=10.0, classes=(CLASS,), **more):
    particles = ParticleTable.build("t", centres, class_ids)
    if statuses is not None:
        particles = replace(particles, statuses=np.array(statuses))
    volume = Tomogram(id="t", path=None, voxel_size=voxel_size, data=np.zeros(SHAPE, np.float32))
    example = Example(tomogram=volume, particles=particles, **{"complete": True, **more})
    return ground(example, Prepared(tomogram=volume, scale=1.0, offset=0.0), classes)


def verdict(look, parts, classes=(CLASS,), config=CONFIG):
    return drain(validate(look, parts, classes, config))


def seen(centres=CENTRES, score=0.9):
    return [(c, score) for c in centres]


def shifted(x):
    return CENTRES + np.array([0, 0, x])


def test_all_found_and_nothing_else_is_perfect():
    found = verdict(Reader(seen()), [held()])
    assert (found.f1, found.average_precision) == (1, 1)
    assert 0 < found.thresholds[3] < 0.95


@pytest.mark.parametrize("hits", [1, 6, 12, 17])
def test_what_is_missed_lowers_the_f1(hits):
    found = verdict(Reader(seen(CENTRES[:hits])), [held()])
    assert found.f1 == pytest.approx(2 * hits / (hits + 18))
    assert found.average_precision == pytest.approx(hits / 18)


def test_what_is_not_there_lowers_the_f1_if_it_scores_as_high():
    for score, f1 in ((0.95, 2 * 10 / (18 + 10)), (0.2, 1.0)):
        look = Reader(seen(CENTRES[:10]) + seen(CENTRES[10:], score))
        assert verdict(look, [held(CENTRES[:10])]).f1 == pytest.approx(f1)


def test_a_pick_more_than_half_a_radius_off_is_no_hit():
    assert verdict(Reader(seen(shifted(2.5))), [held()]).f1 == 1
    assert verdict(Reader(seen(shifted(3.5))), [held()]).f1 == 0


def test_the_threshold_parts_right_from_wrong():
    look = Reader(seen(CENTRES[:12]) + seen(CENTRES[12:], 0.3))
    found = verdict(look, [held(CENTRES[:12])])
    slope, offset = found.calibration[3]
    raw = np.log(1 / 0.3 - 1), np.log(1 / 0.9 - 1)
    low, high = (1 / (1 + np.exp(slope * r - offset)) for r in raw)
    assert low < found.thresholds[3] < high


def test_candidates_are_neutral():
    statuses = [Status.ACCEPTED] * 9 + [Status.CANDIDATE] * 9
    for shown in (9, 14, 18):
        assert verdict(Reader(seen(CENTRES[:shown])), [held(statuses=statuses)]).f1 == 1


def test_where_not_all_is_annotated_unknown_picks_do_not_count_and_rejected_ones_do():
    statuses = [Status.ACCEPTED] * 6 + [Status.REJECTED] * 4
    for shown, f1 in ((18, 12 / (6 + 4 + 6)), (6, 1.0)):
        look = Reader(seen(CENTRES[:shown]))
        assert verdict(look, [held(CENTRES[:10], statuses, complete=False)]).f1 == pytest.approx(f1)
    unknown = Reader(seen(np.concatenate([CENTRES[:6], CENTRES[10:]])))
    assert verdict(unknown, [held(CENTRES[:10], statuses, complete=False)]).f1 == 1


@pytest.mark.parametrize(("loss", "offset"), [("mixed", -np.log(POSITIVE_WEIGHT)), ("dice", 0.0)])
def test_with_few_known_hits_the_calibration_follows_from_the_loss(loss, offset):
    config = replace(CONFIG, train=replace(CONFIG.train, loss=loss))
    found = verdict(Reader(seen()), [held(CENTRES[:6], complete=False)], config=config)
    assert found.calibration[3] == pytest.approx((1.0, offset))


def test_where_the_loss_promises_far_fewer_particles_than_the_clicks_it_follows_from_these():
    scores = [(c, 0.3 if i < 12 else 0.1) for i, c in enumerate(CENTRES)]
    found = verdict(Reader(scores), [held(CENTRES[:6], complete=False)])
    slope, offset = found.calibration[3]
    high, low = (1 / (1 + np.exp(-slope * np.log(raw / (1 - raw)) - offset)) for raw in (0.3, 0.1))
    assert low < found.thresholds[3] < high
    assert high > 0.6
    assert offset > 0


def test_clicks_that_score_higher_than_other_particles_change_nothing():
    scores = [(c, 0.99 if i < 5 else 0.9) for i, c in enumerate(CENTRES)]
    found = verdict(Reader(scores), [held(CENTRES[:5], complete=False)])
    assert found.calibration[3] == pytest.approx((1.0, -np.log(POSITIVE_WEIGHT)))


def test_a_pick_that_is_right_is_not_wrong_for_being_near_a_rejected_one():
    both = np.array([CENTRES[4], CENTRES[4] + np.array([0, 0, 4])])
    part = held(both, [Status.ACCEPTED, Status.REJECTED], complete=False)
    assert verdict(Reader(seen(both[:1])), [part]).f1 == 1


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("look", [Reader([]), Reader(seen())], ids=["no picks", "picks"])
@pytest.mark.parametrize("truth", [CENTRES, np.zeros((0, 3)), CENTRES[:1]], ids=["truth", "no truth", "one"])
def test_verdicts_are_figures_whatever_there_is(complete, look, truth):
    found = verdict(look, [held(truth, complete=complete)])
    assert 0 <= found.f1 <= 1
    assert 0 <= found.average_precision <= 1
    assert 0 <= found.thresholds[3] <= 1
    slope, offset = found.calibration[3]
    assert 0 < slope < np.inf
    assert np.isfinite(offset)


def test_only_the_held_back_region_counts():
    region = Box((0, 0, 0), (40, 20, 60))
    inside = region.contains(CENTRES)
    assert verdict(Reader(seen(CENTRES[inside])), [held(region=region)]).f1 == 1
    assert verdict(Reader(seen()), [held(region=region)]).f1 == 1


def test_a_particle_cut_by_the_face_of_the_region_is_found_in_its_place():
    region = Box((0, 30, 0), SHAPE)
    assert verdict(Reader(seen()), [held(region=region)]).f1 == 1


def test_several_regions_count_together():
    one, two = held(region=Box((0, 0, 0), (40, 20, 60))), held(region=Box((0, 20, 0), (40, 60, 60)))
    found = verdict(Reader(seen(CENTRES[CENTRES[:, 1] > 20])), [one, two])
    assert found.f1 == pytest.approx(2 * 12 / (12 + 18))


def test_the_size_of_a_hit_follows_the_voxel_size():
    fine = held(voxel_size=5.0)
    assert verdict(Reader(seen(shifted(4.0)[::4]), 24.0), [fine]).f1 > 0
    assert verdict(Reader(seen(shifted(4.0)[::4])), [held()]).f1 == 0


def test_a_class_without_held_back_particles_does_not_lower_the_mean():
    both = (CLASS, OTHER)
    found = verdict(Reader(seen(), classes=2), [held(classes=both)], both)
    assert found.f1 == 1
    assert found.average_precision == 1
    assert found.thresholds.keys() == found.calibration.keys() == {3, 7}


def test_the_published_variant_is_judged_on_graded_scores():
    published = replace(CONFIG, pick=PickConfig(nms="published"))
    assert verdict(Reader(seen()), [held()], config=published) == verdict(Reader(seen()), [held()])


def test_only_progress_is_told():
    said = []
    drain(validate(Reader(seen()), [held()], (CLASS,), CONFIG), said.append)
    assert said
    assert all(isinstance(m, Progress) and m.stage == "Validating" for m in said)


def test_a_large_region_is_cut_down_around_its_clicks(monkeypatch):
    part = held(CENTRES[:4], complete=False)
    assert looked_at(part).example.box == part.example.box
    monkeypatch.setattr(validation, "MOST_LOOKED_AT", part.example.box.shape[0] * 20**2)
    cut = looked_at(part).example.box
    assert cut.shape == (part.example.box.shape[0], 20, 20)
    assert part.example.box.contains(np.array([cut.low, np.array(cut.high) - 1], float)).all()
    assert cut.contains(np.median(CENTRES[:4], axis=0)[None]).all()


def test_the_f1_that_is_promised_is_that_of_the_probabilities():
    assert expected_f1([0.9, 0.7, 0.2], 0.5) == pytest.approx(2 * 1.6 / (2 + 1.8))
    assert expected_f1([], 0.5) == 0
    assert 0 < verdict(Reader(seen()), [held(CENTRES[:6], complete=False)]).expected <= 1


def test_who_looks_at_nothing_promises_nothing():
    found = unmeasured([CLASS], "mixed")
    assert np.isnan([found.f1, found.average_precision, found.expected]).all()
    assert found.calibration == {3: (1.0, pytest.approx(-np.log(POSITIVE_WEIGHT)))}
    assert found.thresholds == {3: 0.5}
