from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.tomogram import Box, Tomogram

SHAPE = (5, 7, 9)
DATA = np.random.default_rng(0).integers(-100, 100, SHAPE).astype(">i2")  # as a big-endian file has it


def tomogram(data=DATA):
    return Tomogram(id="t", path=None, voxel_size=10.0, data=data)


start = st.integers(-20, 20)
extent = st.integers(1, 24)


@given(start=st.tuples(start, start, start), shape=st.tuples(extent, extent, extent))
def test_a_block_is_a_part_of_the_mirrored_volume(start, shape):
    block = tomogram().block(start, shape)
    axes = (np.pad(np.arange(n), 60, mode="symmetric") for n in SHAPE)
    mirrored = [axis[a + 60 : a + 60 + m] for axis, a, m in zip(axes, start, shape, strict=True)]
    assert block.dtype == np.float32
    assert block.dtype.isnative
    assert block.flags.c_contiguous
    np.testing.assert_array_equal(block, DATA[np.ix_(*mirrored)])


def test_a_block_may_be_changed_without_changing_the_volume():
    data = np.zeros(SHAPE, np.float32)
    tomogram(data).block((0, 0, 0), SHAPE)[:] = 1
    assert not data.any()


def test_only_the_part_that_is_asked_for_is_read():
    class Watched:
        shape, dtype, read = SHAPE, DATA.dtype, 0

        def __getitem__(self, key):
            part = DATA[key]
            self.read += part.size
            return part

    watched = Watched()
    tomogram(watched).block((1, 1, 1), (2, 3, 4))
    assert watched.read == 24


def test_extents():
    assert tomogram().shape == SHAPE
    assert tomogram().box == Box((0, 0, 0), SHAPE)
    assert Box((1, 2, 3), (4, 4, 4)).shape == (3, 2, 1)


@pytest.mark.parametrize(
    ("position", "inside"),
    [
        ((1, 2, 3), True),
        ((0.5, 2, 3), True),
        ((0.49, 2, 3), False),
        ((3.49, 3, 3), True),
        ((3.5, 3, 3), False),
        ((1, 2, np.nan), False),
        ((1, np.inf, 3), False),
    ],
)
def test_a_box_holds_its_voxels_to_their_faces(position, inside):
    assert Box((1, 2, 3), (4, 4, 4)).contains(np.array([position], float)).tolist() == [inside]


def test_neighbouring_boxes_share_no_position():
    positions = np.random.default_rng(1).uniform(-1, 11, (2000, 3))
    near, far, both = Box((0, 0, 0), (4, 10, 10)), Box((4, 0, 0), (10, 10, 10)), Box((0, 0, 0), (10, 10, 10))
    np.testing.assert_array_equal(near.contains(positions) ^ far.contains(positions), both.contains(positions))
    assert not (near.contains(positions) & far.contains(positions)).any()


@pytest.mark.parametrize("high", [(0, 5, 5), (1, 5, 0)])
def test_an_empty_box_is_refused(high):
    with pytest.raises(ValueError, match="low < high"):
        Box((0, 0, 0), high)
