from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import KDTree

from core.errors import ConfigError
from core.metrics import RULES, Case, Kind, assess, compare, evaluate, rule_named
from core.particles import ClassSpec, ParticleTable, Status
from core.plots import evaluation_figures

CASES = json.loads((Path(__file__).parent / "metrics_cases.json").read_text())
VOXEL = 10.0
CLASSES = (ClassSpec(id=1, name="ribosome", diameter=200), ClassSpec(id=2, name="beta_galactosidase", diameter=100))


def table(rows, name="t", status=Status.ACCEPTED):
    """Rows are (class, x, score)."""
    scores = np.array([row[2] if len(row) > 2 else np.nan for row in rows], np.float32)
    return ParticleTable.build(name, [(0, 0, row[1]) for row in rows], [row[0] for row in rows], scores=scores, status=status)


def assessed(truth, picks, rule="half", **rest):
    return assess([Case(truth=truth, picks=picks, voxel_size=VOXEL, **rest)], CLASSES, RULES[rule])


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_figures_of_the_half_rule_are_those_of_the_reference_scorer(case):
    classes = [ClassSpec(id=i, name=f"c{i}", diameter=d * VOXEL) for i, d in enumerate(case["diameters"], 1)]
    truth, picks = (table([(r[0], 0) for r in case[name]]) for name in ("truth", "picks"))
    truth.positions[:] = np.reshape([r[1:4] for r in case["truth"]], (-1, 3))
    picks.positions[:] = np.reshape([r[1:4] for r in case["picks"]], (-1, 3))
    truth.statuses[:] = [Status.CANDIDATE if r[4] else Status.ACCEPTED for r in case["truth"]]
    picks.scores[:] = [np.nan if r[4] is None else r[4] for r in case["picks"]]
    least = case["threshold"]
    rule = replace(RULES["half"], reach=case["radius"])
    found = assess([Case(truth=truth, picks=picks, voxel_size=VOXEL)], classes, rule)
    for spec in classes:
        at = found.figures(None if least is None else {one.id: least for one in classes}, spec.id)
        expected = case["expected"][spec.name]
        assert (at.truth, at.picks, at.hits) == (expected["truth"], expected["picks"], expected["hits"])
        assert at.f1 == pytest.approx(expected["f1"])
        assert at.average_precision == pytest.approx(expected["average_precision"])


def test_the_rules_reach_as_far_as_they_say():
    truth, picks = table([(1, 0)]), table([(1, 8, 0.9)])
    assert {name: assessed(truth, picks, name).figures().hits for name in RULES} == {"half": 0, "radius": 1, "shrec": 1, "czii": 0}


def test_confusion_counts_wrong_classes_and_nothing_and_its_diagonal_holds_the_hits():
    truth = table([(1, 0), (1, 100), (2, 200), (2, 300)])
    picks = table([(1, 1, 0.9), (2, 101, 0.8), (2, 201, 0.7), (1, 500, 0.6), (1, 202, 0.5)])
    found = assessed(truth, picks)
    assert found.confusion().tolist() == [[1, 0, 2], [1, 1, 0], [0, 1, 0]]
    assert found.confusion({1: 0.55}).tolist() == [[1, 0, 1], [1, 1, 0], [0, 1, 0]]
    assert [found.figures(class_id=i).hits for i in (1, 2)] == [1, 1]


def test_shrec_gives_a_particle_to_the_best_pick_in_it_whatever_its_class_says():
    truth = table([(1, 0), (2, 100)])
    picks = table([(2, 2, 0.9), (1, 1, 0.8), (2, 101, 0.7), (1, 400, 0.6)])
    found = assessed(truth, picks, "shrec")
    assert (found.figures().hits, found.figures().picks) == (2, 4)  # localisation: found at all
    assert [found.figures(class_id=i).hits for i in (1, 2)] == [0, 1]
    assert found.confusion().tolist() == [[0, 0, 2], [1, 1, 0], [0, 0, 0]]


def test_shrec_by_an_occupancy_volume_counts_the_voxel_and_not_the_distance():
    truth = table([(1, 5), (1, 50)])
    occupancy = np.zeros((1, 1, 80), np.int16)
    occupancy[..., 0:40], occupancy[..., 49:52] = 1, 2
    picks = table([(1, 39, 0.9), (1, 55, 0.8), (1, 50, 0.7), (1, 500, 0.6)])
    found = assessed(truth, picks, "shrec", occupancy=occupancy)
    assert found.ranking(1).hits.tolist() == [True, False, True, False]
    assert found.ranking(1).distances[0] == 34
    with pytest.raises(ConfigError, match="names particle 2, but the reference has 1"):
        assessed(table([(1, 5)]), picks, "shrec", occupancy=occupancy)


def czii_score(truth, picks, classes):
    """The challenge's count: references with a pick in reach, added up over tomograms, F4, weighted."""
    total, weights = 0.0, 0.0
    for spec, weight in zip(classes, (1, 2), strict=True):
        counts = np.zeros(3)
        for t, p in zip(truth, picks, strict=True):
            a, b = t.positions[t.class_ids == spec.id], p.positions[p.class_ids == spec.id]
            near = KDTree(b).query_ball_tree(KDTree(a), 0.5 * spec.diameter / 2 / VOXEL) if len(a) and len(b) else []
            hits = len({j for some in near for j in some})
            counts += hits, len(b) - hits, len(a) - hits
        p, r = counts[0] / (counts[0] + counts[1]), counts[0] / (counts[0] + counts[2])
        total, weights = total + weight * 17 * p * r / (16 * p + r), weights + weight
    return total / weights


def test_the_czii_rule_sums_up_as_the_challenge_does():
    rng = np.random.default_rng(1)
    truth, picks = [], []
    for name in ("one", "two"):
        places = np.stack(np.meshgrid(*[np.arange(0, 100, 25)] * 3, indexing="ij"), -1).reshape(-1, 3).astype(float)
        t = ParticleTable.build(name, places, rng.integers(1, 3, len(places)))
        moved = np.concatenate([places + rng.normal(0, 2.5, places.shape), rng.uniform(0, 100, (20, 3)), places[:5] + 1])
        kinds = np.concatenate([t.class_ids, rng.integers(1, 3, 20), t.class_ids[:5]])
        truth.append(t)
        picks.append(ParticleTable.build(name, moved, kinds, scores=rng.random(len(moved)).astype(np.float32)))
    cases = [Case(truth=t, picks=p, voxel_size=VOXEL) for t, p in zip(truth, picks, strict=True)]
    found = assess(cases, CLASSES, RULES["czii"])
    assert 0.2 < found.overall() < 0.95
    assert found.overall() == pytest.approx(czii_score(truth, picks, CLASSES))


def test_the_best_threshold_of_the_czii_rule_has_the_best_f4():
    truth = table([(1, 0), (1, 50), (1, 100)])
    picks = table([(1, 0, 0.9), *((1, 200 + 9 * i, 0.8 - i / 50) for i in range(5)), (1, 50, 0.6), (1, 300, 0.5)])
    threshold, score = assessed(truth, picks, "czii").best()
    assert threshold == pytest.approx(0.55)
    assert score == pytest.approx(assessed(truth, picks, "czii").figures(dict.fromkeys((1, 2), threshold)).f4)
    assert assessed(truth, picks).best()[0] == pytest.approx(0.85)


def test_tomograms_are_pooled_and_errors_are_in_the_unit_that_is_asked_for():
    one = Case(truth=table([(1, 0)], "one"), picks=table([(1, 2, 0.9)], "one"), voxel_size=10.0)
    two = Case(truth=table([(1, 0)], "two"), picks=table([(1, 1, 0.8), (1, 90, 0.7)], "two"), voxel_size=5.0)
    found = assess([one, two], CLASSES, RULES["half"])
    assert found.tomograms == ["one", "two"]
    assert (found.figures().hits, found.figures().truth, found.figures(tomogram="two").picks) == (2, 2, 2)
    assert found.ranking(angstrom=True).distances[:2].tolist() == [20, 5]


def test_a_threshold_drops_what_scores_lower_and_never_what_equals_it():
    found = assessed(table([(1, 0)]), table([(1, 0, 0.7), (1, 90, 0.3)]))
    assert found.figures({1: 0.7}).picks == 1
    assert found.figures({1: 0.3}).picks == 2


def test_assessing_agrees_with_evaluating():
    truth, picks = table([(1, 0), (2, 50)]), table([(1, 1, 0.9), (2, 52, 0.4), (2, 90, 0.6)])
    assert assessed(truth, picks).figures({2: 0.5}) == evaluate(truth, picks, CLASSES, VOXEL, thresholds={2: 0.5}).pooled


def test_an_unknown_rule_and_an_unknown_voxel_size_are_refused():
    with pytest.raises(ConfigError, match="choose one of half, radius, shrec, czii"):
        rule_named("fifth")
    with pytest.raises(ConfigError, match="voxel size of 't'"):
        assess([Case(truth=table([(1, 0)]), picks=table([(1, 0)]), voxel_size=0.0)], CLASSES, RULES["half"])


# ---- two sets side by side ----


def test_two_sets_are_paired_the_nearest_first_and_every_particle_is_told_once():
    a = table([(1, 0), (1, 60), (2, 100), (1, 200)])
    b = table([(1, 63), (1, 58), (1, 101), (2, 300), (1, 2)])
    found = compare(a, b, CLASSES, VOXEL, 0.5)
    assert {kind.name: found.count(kind) for kind in Kind} == {"SAME": 2, "OTHER_CLASS": 1, "ONLY_A": 1, "ONLY_B": 2}
    assert found.positions[found.kinds == Kind.ONLY_B][:, 2].tolist() == [63, 300]
    assert found.rows_b[found.rows_a == 1].tolist() == [1]
    assert found.agreement == pytest.approx(2 * 2 / 9)
    assert sorted(found.rows_a[found.rows_a >= 0]) == [0, 1, 2, 3]
    assert sorted(found.rows_b[found.rows_b >= 0]) == [0, 1, 2, 3, 4]


def test_comparing_is_the_same_from_both_sides():
    rng = np.random.default_rng(0)
    a, b = (ParticleTable.build("t", rng.uniform(0, 80, (40, 3)), rng.integers(1, 3, 40)) for _ in range(2))
    one, other = compare(a, b, CLASSES, VOXEL, 1.0), compare(b, a, CLASSES, VOXEL, 1.0)
    assert one.agreement == other.agreement > 0
    assert one.count(Kind.ONLY_A) == other.count(Kind.ONLY_B)


def test_comparing_with_nothing_leaves_all_to_one():
    a = table([(1, 0), (2, 5)])
    found = compare(a, table([]), CLASSES, VOXEL, 0.5)
    assert found.kinds.tolist() == [Kind.ONLY_A, Kind.ONLY_A]
    assert compare(a.select(np.zeros(2, bool)), replace(a, class_ids=a.class_ids + 7), CLASSES, VOXEL, 0.5).agreement == 0


@pytest.mark.parametrize(("thresholds", "told"), [({1: 0.6, 2: 0.6}, True), ({}, False)])
def test_plots_speak_of_a_current_threshold_only_where_there_is_one(thresholds, told):
    found = assessed(table([(1, 0), (2, 100)]), table([(1, 1, 0.9), (2, 101, 0.5)]))
    drawn = evaluation_figures(found, thresholds)
    for name in ("precision-recall", "score-threshold"):
        axes = drawn[name].axes[0]
        assert any("current threshold" in text.get_text() for text in axes.get_legend().get_texts()) == told
