from __future__ import annotations

import numpy as np
import pytest

from core.errors import ConfigError
from core.particles import ClassSpec, ParticleTable, PickResult, Source, Status, numbered

CLASSES = (ClassSpec(id=1, name="ribosome", diameter=250.0), ClassSpec(id=7, name="ferritin", diameter=120.0))
POSITIONS = [[0.0, 20, 20], [3.0, 20, 20], [4.0, 20, 20], [20.0, 20, 38.5], [20.0, 35, 20]]


@pytest.fixture
def result():
    scores = np.array([0.9, 0.8, 0.6, 0.4, 0.2], np.float32)
    table = ParticleTable.build("t", POSITIONS, [1, 7, 1, 7, 1], scores=scores, source=Source.PICKED, status=Status.CANDIDATE)
    return PickResult(table=table, shape=(40, 40, 40), voxel_size=10.0, classes=CLASSES, thresholds={1: 0.5, 7: 0.3})


@pytest.mark.parametrize(
    ("thresholds", "expected"),
    [
        (None, [True, True, True, True, False]),
        (0.6, [True, True, True, False, False]),
        (0.0, [True] * 5),
        (1.0, [False] * 5),
        ({1: 0.7, 7: 0.9}, [True, False, False, False, False]),
        ({1: 0.1}, [True, True, True, False, True]),  # 0.5 for a class without a threshold
    ],
)
def test_thresholds_count_by_class(result, thresholds, expected):
    assert result.mask(thresholds).tolist() == expected


@pytest.mark.parametrize(
    ("edge", "expected"),
    [
        (0.0, [True] * 5),
        (0.5, [False, True, True, True, True]),
        (1.0, [False, True, True, False, True]),
        (3.0, [False, True, True, False, True]),
        (3.5, [False, False, True, False, True]),
        (4.5, [False, False, False, False, False]),
    ],
)
def test_margins_drop_what_is_near_a_face(result, edge, expected):
    assert result.mask(0.0, edge).tolist() == expected


def test_picks_are_what_the_mask_lets_through(result):
    np.testing.assert_array_equal(result.picks(0.6, 3.0).positions, [POSITIONS[1], POSITIONS[2]])


def test_nothing_found_is_no_error(result):
    nothing = PickResult(
        table=ParticleTable.build("t", np.zeros((0, 3))), shape=(4, 4, 4), voxel_size=1.0, classes=CLASSES, thresholds={}
    )
    assert nothing.mask(edge=1.0).shape == (0,)
    assert len(nothing.picks()) == 0


def test_a_table_is_built_with_defaults_for_all_the_rest():
    table = ParticleTable.build("t", [[1, 2, 3], [4, 5, 6]], 2)
    assert table.positions.dtype == np.float64
    assert table.class_ids.tolist() == [2, 2]
    assert table.ids.tolist() == [0, 0]
    assert np.isnan(table.scores).all()
    assert table.sources.tolist() == [Source.IMPORTED] * 2
    assert table.statuses.tolist() == [Status.ACCEPTED] * 2


@pytest.mark.parametrize("rows", [np.array([False, True, False, True, False]), np.array([3, 1])])
def test_rows_are_selected_by_mask_or_number(result, rows):
    chosen = result.table.select(rows)
    assert len(chosen) == 2
    expected = np.arange(5)[rows]
    for name in ("ids", "positions", "class_ids", "scores", "sources", "statuses"):
        np.testing.assert_array_equal(getattr(chosen, name), getattr(result.table, name)[expected])


def test_other_scores_leave_the_rest_and_the_old_table_alone(result):
    changed = result.table.with_scores(np.zeros(5))
    assert changed.scores.dtype == np.float32
    assert not changed.scores.any()
    assert result.table.scores[0] == np.float32(0.9)
    np.testing.assert_array_equal(changed.positions, result.table.positions)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"id": 0}, "1 or more"),
        ({"name": " "}, "needs a name"),
        ({"diameter": 0.0}, "diameter above 0"),
        ({"diameter": float("nan")}, "diameter above 0"),
        ({"diameter": float("inf")}, "diameter above 0"),
    ],
)
def test_a_class_that_makes_no_sense_is_refused(values, says):
    with pytest.raises(ConfigError, match=says):
        ClassSpec(**{"id": 1, "name": "ribosome", "diameter": 250.0, **values})


def test_classes_of_a_network_are_those_of_the_same_name_whatever_it_calls_them():
    specs = [ClassSpec(id=1, name="apo", diameter=120.0), ClassSpec(id=2, name="ribosome", diameter=250.0)]
    found = numbered(np.array([1, 2, 1, 3]), {1: "ribosome", 2: "virus", 3: "apo"}, specs)
    assert found.tolist()[0] == found.tolist()[2] == 2
    assert found[3] == 1
    assert found[1] not in (1, 2)
    assert numbered(np.array([], np.int64), {}, []).tolist() == []
