from __future__ import annotations

import numpy as np
import pytest

from core.labels import label_diameter, make_labels


def labels(positions, class_ids, diameters, shape=(16, 16, 16), kind="tball", fraction=1.0, reach=1.0):
    return make_labels(np.array(positions, float), np.array(class_ids), np.array(diameters, float), shape, kind, fraction, reach)


@pytest.mark.parametrize(("kind", "count"), [("cubic", 27), ("ball", 7), ("tball", 19)])
def test_a_label_of_three_voxels_has_the_published_shape(kind, count):
    drawn = labels([[8, 8, 8]], [1], [3], kind=kind)
    assert drawn.classes.sum() == count
    assert drawn.classes[8, 8, 8] == 1


@pytest.mark.parametrize("diameter", [5, 7, 9, 11])
def test_truncated_ball_is_the_wide_ball_within_the_cube(diameter):
    r = (diameter - 1) // 2
    z, y, x = np.indices((24, 24, 24)) - 12
    expected = (z**2 + y**2 + x**2 <= 2 * r * r) & (np.maximum(np.maximum(abs(z), abs(y)), abs(x)) <= r)
    drawn = labels([[12, 12, 12]], [1], [diameter], shape=(24, 24, 24))
    np.testing.assert_array_equal(drawn.classes > 0, expected)


def test_labels_are_clipped_at_the_borders():
    drawn = labels([[0, 0, 0], [15, 15, 20]], [1, 2], [5, 5], kind="cubic")
    assert (drawn.classes == 1).sum() == 27
    assert not (drawn.classes == 2).any()


def test_a_centre_outside_labels_what_reaches_in():
    drawn = labels([[-1, 8, 8]], [1], [5], kind="cubic")
    assert (drawn.classes == 1).sum() == 2 * 5 * 5


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_where_labels_overlap_the_nearer_centre_wins_whatever_the_order(order):
    centres, ids = np.array([[8, 8, 5], [8, 8, 9]], float), np.array([1, 2])
    drawn = labels(centres[order], ids[order], [9, 9], kind="cubic")
    assert (drawn.classes[8, 8, :7] <= 1).all()
    assert drawn.classes[8, 8, 6] == 1
    assert drawn.classes[8, 8, 8] == 2


def test_a_small_neighbour_does_not_eat_into_a_label_it_does_not_touch():
    alone = labels([[8, 8, 4]], [1], [9]).classes
    both = labels([[8, 8, 4], [8, 8, 12]], [1, 2], [9, 3]).classes
    np.testing.assert_array_equal(both == 1, alone == 1)


def test_sub_voxel_centres_move_the_label():
    near, far = labels([[8, 8, 8.4]], [1], [4]), labels([[8, 8, 8.6]], [1], [4])
    assert not np.array_equal(near.classes, far.classes)


def test_distance_is_in_diameters_and_ends_at_its_reach():
    drawn = labels([[8, 8, 8]], [1], [6], reach=1.0)
    assert drawn.distance[8, 8, 8] == 0
    assert drawn.distance[8, 8, 11] == pytest.approx(0.5)
    assert np.isinf(drawn.distance[0, 0, 0])


def test_no_label_vanishes():
    assert label_diameter(4.0, 0.3) == 3.0
    assert label_diameter(23.0, 0.48) == pytest.approx(11.04)
