from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.config import ReviewConfig
from core.errors import ConfigError
from core.particles import ClassSpec, ParticleTable, Status
from core.review import above, apart, doubtful, placed, shown, taken, unjudged

SHAPE, VOXEL_SIZE = (40, 60, 80), 10.0
CLASSES = {1: ClassSpec(id=1, name="ribosome", diameter=200.0), 2: ClassSpec(id=2, name="barrel", diameter=100.0)}


def candidates(positions: object, scores: object, class_ids: object = 1) -> ParticleTable:
    table = ParticleTable.build("a", positions, class_ids, scores=np.asarray(scores, np.float32))
    return replace(table, statuses=np.full(len(table), int(Status.CANDIDATE)))


def crowd(n: int = 400, seed: int = 0) -> ParticleTable:
    rng = np.random.default_rng(seed)
    table = candidates(rng.uniform(0, 1, (n, 3)) * SHAPE, rng.uniform(0, 1, n), rng.integers(1, 3, n))
    return replace(table, statuses=rng.integers(0, 3, n))


def one_by_one(positions: np.ndarray, scores: np.ndarray, distance: float, settled: np.ndarray) -> np.ndarray:
    """The definition, slowly: from the best to the worst."""
    keep = settled.copy()
    for row in np.argsort(-scores, kind="stable"):
        away = np.linalg.norm(positions - positions[row], axis=1)
        keep[row] |= not (keep & (away < distance)).any()
    return keep


@pytest.mark.parametrize("distance", [0.5, 5.0, 12.0, 30.0])
@pytest.mark.parametrize("seed", range(3))
def test_apart_keeps_what_going_from_the_best_to_the_worst_keeps(distance: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    positions, scores, settled = rng.uniform(0, 60, (300, 3)), rng.uniform(0, 1, 300).round(1), rng.random(300) < 0.1
    np.testing.assert_array_equal(apart(positions, scores, distance, settled), one_by_one(positions, scores, distance, settled))


def test_even_chances_are_the_most_doubtful() -> None:
    assert doubtful(np.array([1.0, 0.4, 0.5, 0.6, 0.0, 0.9])).tolist() == [2, 1, 3, 5, 0, 4]
    assert doubtful(np.array([])).tolist() == []


def test_a_distance_of_exactly_the_limit_is_far_enough() -> None:
    positions, scores = np.array([[0.0, 0, 0], [0, 0, 5], [0, 0, 9]]), np.array([0.9, 0.8, 0.7], np.float32)
    assert apart(positions, scores, 5.0).tolist() == [True, True, False]


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.8])
def test_a_threshold_and_a_distance_may_be_asked_in_either_order(threshold: float) -> None:
    table, first = crowd(), {1: ReviewConfig(threshold=threshold, min_distance=0.8), 2: ReviewConfig(min_distance=1.0)}
    enough = above(table, first)
    some = table.select(enough)
    np.testing.assert_array_equal(
        shown(table, first, CLASSES, SHAPE, VOXEL_SIZE)[enough], placed(some, first, CLASSES, SHAPE, VOXEL_SIZE)
    )


def test_only_candidates_are_ever_hidden() -> None:
    table = crowd()
    strict = dict.fromkeys((1, 2), ReviewConfig(threshold=1.0, min_distance=2.0, edge=30.0))
    np.testing.assert_array_equal(shown(table, strict, CLASSES, SHAPE, VOXEL_SIZE), table.statuses != Status.CANDIDATE)


def test_an_accepted_particle_hides_better_candidates_near_it_and_a_rejected_one_hides_none() -> None:
    table = candidates([[10, 10, 10], [10, 10, 25], [30, 30, 30], [30, 30, 45]], [0.1, 0.9, 0.1, 0.9])
    table = replace(table, statuses=np.array([Status.ACCEPTED, Status.CANDIDATE, Status.REJECTED, Status.CANDIDATE]))
    near = {1: ReviewConfig(threshold=0.5, min_distance=1.0)}
    assert shown(table, near, CLASSES, SHAPE, VOXEL_SIZE).tolist() == [True, False, True, True]


@pytest.mark.parametrize(
    ("status", "class_id", "away", "seen"),
    [
        (Status.ACCEPTED, 1, 9.5, False),
        (Status.ACCEPTED, 1, 10.5, True),
        (Status.ACCEPTED, 2, 0.0, True),
        (Status.REJECTED, 1, 4.5, False),
        (Status.REJECTED, 1, 5.5, True),
    ],
)
def test_a_candidate_on_a_judged_particle_of_its_class_is_never_seen(
    status: Status, class_id: int, away: float, seen: bool
) -> None:
    table = candidates([[10, 10, 10], [10, 10, 10 + away]], [0.1, 0.9], [1, class_id])
    known = replace(table.select(np.array([0])), statuses=np.array([status]))
    both = replace(table, statuses=np.array([status, Status.CANDIDATE]))
    assert shown(both, {}, CLASSES, SHAPE, VOXEL_SIZE).tolist() == [True, seen]
    assert unjudged(table.select(np.array([1])), known, {}, CLASSES, SHAPE, VOXEL_SIZE).tolist() == [seen]


def test_distances_count_within_a_class_and_in_its_diameters() -> None:
    table = candidates([[10, 10, 10], [10, 10, 18]] * 2, [0.9, 0.8, 0.7, 0.6], [1, 1, 2, 2])
    same = dict.fromkeys((1, 2), ReviewConfig(min_distance=0.5))
    assert placed(table, same, CLASSES, SHAPE, VOXEL_SIZE).tolist() == [True, False, True, True]


@pytest.mark.parametrize(("edge", "counted"), [(0, 4), (5, 3), (9.5, 2), (19.5, 1), (20, 0)])
def test_the_margin_is_counted_from_the_outermost_voxel_centres(edge: float, counted: int) -> None:
    table = candidates([[4, 30, 40], [39 - 9, 30, 40], [19.5, 59 - 9.5, 40], [19.5, 30, 40]], [0.9] * 4)
    assert placed(table, {1: ReviewConfig(edge=edge)}, CLASSES, SHAPE, VOXEL_SIZE).sum() == counted


def test_a_class_without_a_review_has_the_defaults_and_a_pick_without_a_score_counts() -> None:
    table = candidates([[10, 10, 10], [30, 30, 30], [20, 20, 20]], [0.49, 0.51, np.nan])
    assert shown(table, {}, CLASSES, SHAPE, VOXEL_SIZE).tolist() == [False, True, True]


def test_nothing_is_shown_of_nothing() -> None:
    assert not len(shown(candidates(np.empty((0, 3)), []), {1: ReviewConfig(min_distance=1.0)}, CLASSES, SHAPE, VOXEL_SIZE))


@pytest.mark.parametrize(("class_id", "away", "same"), [(1, 10.0, True), (1, 10.1, False), (2, 5.0, False), (3, 0.0, False)])
def test_what_lies_on_a_known_particle_of_its_class_is_taken(class_id: int, away: float, same: bool) -> None:
    found = candidates([[10, 10, 10 + away]], [0.9], class_id)
    assert taken(found, candidates([[10, 10, 10]], [0.9]), CLASSES, VOXEL_SIZE).tolist() == [same]


@pytest.mark.parametrize(
    "wrong", [{"threshold": 1.1}, {"threshold": float("nan")}, {"min_distance": -1}, {"edge": -1}, {"edge": float("inf")}]
)
def test_a_review_checks_itself(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        ReviewConfig(**wrong)
