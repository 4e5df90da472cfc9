from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from core.metrics import best_threshold, evaluate, f1_curve, figures, rank
from core.particles import ClassSpec, ParticleTable, Status

# inputs and figures of the reference scorer, made once with it
CASES = json.loads((Path(__file__).parent / "metrics_cases.json").read_text())
IDS = [case["name"] for case in CASES]


def _table(rows, *, truth):
    scores = None if truth else np.array([np.nan if r[4] is None else r[4] for r in rows], np.float32)
    table = ParticleTable.build("t", [r[1:4] for r in rows], [r[0] for r in rows], scores=scores)
    if truth:
        table.statuses[:] = [Status.CANDIDATE if r[4] else Status.ACCEPTED for r in rows]
    return table


def _evaluate(case, voxel_size=10.0):
    classes = [ClassSpec(id=i, name=f"c{i}", diameter=d * voxel_size) for i, d in enumerate(case["diameters"], 1)]
    threshold = case["threshold"]
    thresholds = None if threshold is None else {c.id: threshold for c in classes}
    truth, picks = _table(case["truth"], truth=True), _table(case["picks"], truth=False)
    return evaluate(truth, picks, classes, voxel_size, case["radius"], thresholds)


@pytest.mark.parametrize("voxel_size", [1.0, 13.48])
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_every_class_scores_as_the_reference_scorer_says(case, voxel_size):
    result = _evaluate(case, voxel_size)
    for class_id, found in result.figures.items():
        expected = case["expected"][f"c{class_id}"]
        assert (found.truth, found.picks, found.hits) == (expected["truth"], expected["picks"], expected["hits"])
        for name in ("precision", "recall", "f1", "f4", "average_precision"):
            assert getattr(found, name) == pytest.approx(expected[name]), name
        assert found.error == pytest.approx(expected["error_voxels"])


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_all_classes_together_score_as_the_reference_scorer_says(case):
    result, expected = _evaluate(case), case["expected"]["all"]
    assert result.mean_class_f1 == pytest.approx(expected["mean_class_f1"])
    for name in ("truth", "picks", "hits", "precision", "recall", "f1", "f4"):
        assert getattr(result.pooled, name) == pytest.approx(expected[name]), name


def _line(xs):
    return np.array([(0.0, 0.0, x) for x in xs]).reshape(-1, 3)


def test_the_better_pick_takes_the_reference_and_the_other_is_a_duplicate():
    ranking = rank(_line([0]), _line([0, 1]), np.array([0.3, 0.9]), 2)
    assert ranking.scores.tolist() == [0.9, 0.3]
    assert ranking.hits.tolist() == [True, False]
    assert ranking.distances[0] == 1
    assert np.isnan(ranking.distances[1])


def test_a_pick_whose_nearest_reference_is_taken_gets_the_next_one():
    ranking = rank(_line([0, 3]), _line([0, 1]), np.array([0.9, 0.5]), 2)
    assert ranking.hits.all()
    assert ranking.distances.tolist() == [0, 2]


def test_reach_is_inclusive():
    assert rank(_line([0]), _line([2]), np.ones(1), 2).hits.all()
    assert not rank(_line([0]), _line([2.001]), np.ones(1), 2).hits.any()


def test_neutral_references_excuse_one_pick_each_and_never_a_hit():
    neutral = _line([10])
    ranking = rank(_line([0]), _line([0, 10, 11, 30]), np.array([0.9, 0.8, 0.7, 0.6]), 2, neutral)
    assert ranking.scores.tolist() == [0.9, 0.7, 0.6]
    assert ranking.hits.tolist() == [True, False, False]


def test_rejected_references_are_neither_wanted_nor_neutral():
    truth = ParticleTable.build("t", _line([0, 20]), 1)
    truth.statuses[1] = Status.REJECTED
    picks = ParticleTable.build("t", _line([0, 20]), 1, scores=np.array([0.9, 0.8]))
    result = evaluate(truth, picks, [ClassSpec(id=1, name="a", diameter=40)], 10)
    assert (result.pooled.truth, result.pooled.picks, result.pooled.hits) == (1, 2, 1)


def test_classes_keep_their_own_thresholds_and_reach():
    truth = ParticleTable.build("t", _line([0, 50]), [1, 2])
    picks = ParticleTable.build("t", _line([3, 53]), [1, 2], scores=np.array([0.4, 0.4]))
    classes = [ClassSpec(id=1, name="small", diameter=100), ClassSpec(id=2, name="large", diameter=200)]
    result = evaluate(truth, picks, classes, 10, thresholds={1: 0.3})
    assert [result.figures[i].hits for i in (1, 2)] == [0, 1]
    assert evaluate(truth, picks, classes, 10, thresholds={2: 0.5}).figures[2].picks == 0


def test_a_class_that_the_truth_lacks_does_not_enter_the_mean():
    truth = ParticleTable.build("t", _line([0]), 1)
    picks = ParticleTable.build("t", _line([0, 9]), [1, 2], scores=np.ones(2))
    classes = [ClassSpec(id=i, name=f"c{i}", diameter=40) for i in (1, 2)]
    result = evaluate(truth, picks, classes, 10)
    assert result.mean_class_f1 == 1
    assert result.pooled.picks == 2


@pytest.mark.parametrize("voxel_size", [0.0, -1.0, float("nan"), float("inf")])
def test_scoring_without_a_voxel_size_is_refused(voxel_size):
    table = ParticleTable.build("t", _line([0]), 1)
    with pytest.raises(ConfigError, match="voxel size"):
        evaluate(table, table, [ClassSpec(id=1, name="a", diameter=40)], voxel_size)


def test_evaluation_is_plain_data_with_class_names():
    plain = json.loads(json.dumps(_evaluate(CASES[IDS.index("three classes")], voxel_size=4.0).as_dict()))
    assert sorted(plain["classes"]) == ["c1", "c2", "c3"]
    assert plain["classes"]["c2"]["error_angstrom"] == pytest.approx(4 * plain["classes"]["c2"]["error_voxels"])
    assert plain["pooled"]["hits"] == sum(c["hits"] for c in plain["classes"].values())


# hits at 0, 10, 20; false at 90 and beyond
def _ranked(hits, scores):
    hits = np.array(hits, bool)
    picks = _line(np.where(hits, np.arange(len(hits)) * 10, 900 + np.arange(len(hits)) * 10))
    return rank(_line(np.flatnonzero(hits) * 10), picks, np.array(scores), 2)


def test_the_best_threshold_lies_midway_to_the_first_dropped_score():
    threshold, f1 = best_threshold(_ranked([1, 1, 0, 0], [0.9, 0.8, 0.4, 0.1]))
    assert (threshold, f1) == (pytest.approx(0.6), 1)


def test_the_best_threshold_never_splits_a_tie():
    ranking = _ranked([1, 1, 0, 0], [0.9, 0.5, 0.5, 0.1])
    threshold, f1 = best_threshold(ranking)
    assert threshold == pytest.approx(0.3)
    assert f1 == pytest.approx(2 * 2 / (3 + 2)) == figures(ranking, threshold).f1


def test_the_best_threshold_of_picks_that_are_all_right_is_half_the_last_score():
    assert best_threshold(_ranked([1, 1], [0.9, 0.6])) == (pytest.approx(0.3), 1)
    assert best_threshold(_ranked([1, 1], [-1.0, -2.0])) == (-2, 1)


def test_the_best_threshold_separates_neighbouring_numbers():
    low = 0.5
    high = float(np.nextafter(low, 1))
    ranking = _ranked([1, 0], [high, low])
    assert figures(ranking, best_threshold(ranking)[0]).picks == 1


@pytest.mark.parametrize(("truth", "picks"), [([], []), ([], [0]), ([0], []), ([0], [50])])
def test_without_any_hit_the_threshold_is_a_half_and_all_figures_are_zero(truth, picks):
    ranking = rank(_line(truth), _line(picks), np.full(len(picks), 0.9), 2)
    assert best_threshold(ranking) == (0.5, 0)
    found = figures(ranking)
    assert (found.f1, found.f4, found.precision, found.recall, found.average_precision) == (0, 0, 0, 0, 0)
    assert found.error is None


scored_hits = st.lists(st.tuples(st.booleans(), st.integers(0, 8)), max_size=25)


@given(scored_hits)
def test_the_curve_agrees_with_the_figures_at_each_of_its_thresholds(rows):
    ranking = _ranked([hit for hit, _ in rows], [score / 8 for _, score in rows])
    curve = f1_curve(ranking)
    assert len(curve.thresholds) == len({score for _, score in rows})
    for threshold, *values in zip(curve.thresholds, curve.precision, curve.recall, curve.f1, strict=True):
        found = figures(ranking, threshold)
        assert values == pytest.approx([found.precision, found.recall, found.f1])


@given(scored_hits)
def test_no_threshold_beats_the_best_one(rows):
    ranking = _ranked([hit for hit, _ in rows], [score / 8 for _, score in rows])
    threshold, f1 = best_threshold(ranking)
    assert figures(ranking, threshold).f1 == pytest.approx(f1)
    assert all(figures(ranking, s).f1 <= f1 + 1e-9 for s in ranking.scores)


def test_many_picks_are_matched_quickly():
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 400, (5000, 3))
    picks = np.concatenate([truth + rng.normal(0, 2, truth.shape) for _ in range(4)])
    start = time.perf_counter()
    ranking = rank(truth, picks, rng.random(len(picks)), 6)
    assert time.perf_counter() - start < 2
    assert ranking.hits.sum() > 4000
