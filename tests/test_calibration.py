from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from core.calibration import (
    IDENTITY,
    LEAST,
    best_expected_threshold,
    calibrated,
    expected_number,
    fit_calibration,
    fit_presence,
)
from core.metrics import Ranking

GRID = np.linspace(0, 1, 201)


def ranking(scores, hits):
    order = np.argsort(-np.asarray(scores), kind="stable")
    hits = np.asarray(hits, bool)[order]
    return Ranking(np.asarray(scores, float)[order], hits, np.where(hits, 0.0, np.nan), int(hits.sum()))


def drawn(n, slope, offset, seed=0):
    """Draw candidates whose chance of being a hit follows a known curve."""
    rng = np.random.default_rng(seed)
    scores = rng.uniform(0.05, 1, n)
    return ranking(scores, rng.random(n) < expit(slope * logit(np.clip(scores, LEAST, 1 - LEAST)) + offset))


def log_likelihood(found, calibration):
    p = calibrated(found.scores, calibration).astype(float)
    return float(np.log(np.where(found.hits, p, 1 - p)).sum())


@pytest.mark.parametrize("hits", [[], [True] * 6, [False] * 6])
def test_nothing_to_learn_changes_nothing(hits):
    assert fit_calibration(ranking(np.linspace(0.1, 0.9, len(hits)), hits)) == IDENTITY


def test_the_identity_changes_scores_only_at_the_very_ends():
    np.testing.assert_allclose(calibrated(GRID, IDENTITY), np.clip(GRID, LEAST, 1 - LEAST), atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (3.0, -1.0), (0.4, 2.0), (-2.0, 0.0)])
@pytest.mark.parametrize("n", [2, 3, 10, 300])
def test_scores_keep_their_order_and_range_whatever_came(n, slope, offset, seed):
    curve = fit_calibration(drawn(n, slope, offset, seed))
    scores = calibrated(GRID, curve)
    assert curve[0] > 0
    assert scores.dtype == np.float32
    assert (np.diff(scores) >= 0).all()
    assert scores.min() >= 0
    assert scores.max() <= 1


@pytest.mark.parametrize("n", [8, 20, 500])
@pytest.mark.parametrize(("slope", "offset"), [(2.5, -1.5), (0.5, 1.5)])
def test_calibrated_scores_are_likelier_than_raw_ones(n, slope, offset):
    found = drawn(n, slope, offset, seed=n)
    assert log_likelihood(found, fit_calibration(found)) > log_likelihood(found, IDENTITY)


def test_with_many_candidates_the_curve_is_found():
    assert fit_calibration(drawn(20000, 2.0, -1.0)) == pytest.approx((2.0, -1.0), abs=0.15)


def test_scores_mean_a_probability_on_other_candidates():
    curve = fit_calibration(drawn(3000, 2.0, -1.0, seed=1))
    others = drawn(20000, 2.0, -1.0, seed=2)
    scores = calibrated(others.scores, curve)
    for low in (0.1, 0.3, 0.5, 0.7):
        part = (scores >= low) & (scores < low + 0.2)
        assert others.hits[part].mean() == pytest.approx(float(scores[part].mean()), abs=0.04)


def test_few_candidates_move_little():
    slope, offset = fit_calibration(ranking([0.9, 0.1], [True, False]))
    assert 1 <= slope < 2
    assert abs(offset) < 1


def test_a_single_score_can_be_calibrated():
    assert float(calibrated(0.5, (1.0, 1.0))) == pytest.approx(expit(1.0))


def presence(known, unknown):
    return fit_presence(known, unknown, expected_number(known, unknown))


@pytest.mark.parametrize("clicked", [6, 20])
def test_the_number_of_particles_follows_from_how_clicks_rank(clicked):
    scores, right = mixed(80, 120)
    known = ranking(scores[:clicked], right[:clicked])
    assert expected_number(known, scores[clicked:]) == pytest.approx(80, rel=0.3)


def test_clicks_that_were_not_found_count_as_particles():
    found = ranking(np.linspace(0.8, 0.9, 5), [True] * 5)
    some = Ranking(found.scores, found.hits, found.distances, 10)
    unknown = np.concatenate([np.linspace(0.79, 0.91, 15), np.full(40, 0.1)])
    assert expected_number(some, unknown) == pytest.approx(2 * expected_number(found, unknown))
    assert 15 <= expected_number(found, unknown) <= 20


def test_without_a_click_that_was_found_no_number_is_expected():
    assert expected_number(ranking([], []), np.array([0.5, 0.9])) == 0
    assert expected_number(ranking([0.7], [False]), np.array([0.5, 0.9])) == 0


def test_the_probabilities_add_up_to_the_number():
    scores, right = mixed(300, 500)
    known = np.zeros(800, bool)
    known[:20] = True
    curve = fit_presence(ranking(scores[known], right[known]), scores[~known], 300.0)
    assert calibrated(scores, curve).sum() == pytest.approx(300, rel=0.02)


def test_scores_that_are_low_throughout_are_lifted():
    scores, right = mixed(80, 400)
    low = expit(logit(scores) - 3.5)
    curve = presence(ranking(low[:10], right[:10]), low[10:])
    likely = calibrated(low, curve)
    assert np.mean((likely > 0.5) == right) > 0.93


@pytest.mark.parametrize("known", [0, 3])
def test_too_few_candidates_change_nothing(known):
    ones = np.full(known, 0.9)
    assert presence(Ranking(ones, np.ones(known, bool), ones, known), np.array([0.2, 0.3])) == IDENTITY


def test_the_expected_threshold_lies_between_what_is_kept_and_what_is_not():
    assert best_expected_threshold([0.9, 0.8, 0.1, 0.05], 2) == pytest.approx(0.45)
    assert best_expected_threshold([], 3) == 0.5


def mixed(n_right, n_wrong, seed=0):
    """Draw raw scores of right and of wrong candidates whose logits are two normal distributions of the same width."""
    rng = np.random.default_rng(seed)
    x = np.concatenate([rng.normal(2.5, 1.0, n_right), rng.normal(-1.5, 1.0, n_wrong)])
    return expit(x), np.arange(n_right + n_wrong) < n_right


@pytest.mark.parametrize(("clicked", "rejected"), [(5, 0), (5, 5), (40, 0)])
def test_right_and_wrong_are_told_apart_where_few_are_known(clicked, rejected):
    scores, right = mixed(300, 500)
    known = np.zeros(800, bool)
    known[:clicked] = known[300 : 300 + rejected] = True
    curve = presence(ranking(scores[known], right[known]), scores[~known])
    likely = calibrated(scores, curve)
    assert np.mean((likely > 0.5) == right) > 0.85


@pytest.mark.parametrize("unknown", [np.full(50, 0.4), np.zeros(50), np.ones(50), np.array([0.0, 1.0] * 25)])
@pytest.mark.parametrize("known", [[1.0] * 3, [0.0] * 3, [0.4] * 3])
def test_a_curve_of_odd_scores_keeps_their_order_and_range(known, unknown):
    slope, offset = presence(ranking(known, [True] * 3), unknown)
    assert 0 < slope < np.inf
    assert np.isfinite(offset)
    scores = calibrated(GRID, (slope, offset))
    assert np.isfinite(scores).all()
    assert (np.diff(scores) >= 0).all()


def test_the_threshold_is_the_one_whose_expected_f1_is_best():
    scores = np.random.default_rng(0).random(60)
    cut = best_expected_threshold(scores, 25)
    expected = [2 * scores[scores >= t].sum() / ((scores >= t).sum() + 25) for t in np.append(np.sort(scores), 1.1)]
    assert 2 * scores[scores >= cut].sum() / ((scores >= cut).sum() + 25) == pytest.approx(max(expected))
    assert not np.isclose(scores, cut).any()  # it lies between two scores


def test_the_threshold_parts_two_groups():
    assert 0.1 < best_expected_threshold([0.9] * 10 + [0.1] * 50, 10) < 0.9


@pytest.mark.parametrize(("scores", "truth"), [([], 5), ([0.4], 0), ([], 0)])
def test_without_candidates_or_particles_the_threshold_is_neutral(scores, truth):
    assert best_expected_threshold(scores, truth) == 0.5
