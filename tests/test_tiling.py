from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.tiling import Grid, best_shape, halves, plan
from core.tomogram import Box

extent = st.integers(1, 150)
corner = st.integers(0, 40)


@given(shape=st.tuples(extent, extent, extent), low=st.tuples(corner, corner, corner), tile=st.sampled_from([48, 64, 96]))
def test_cores_cover_the_region_once_and_lie_within_their_tiles(shape, low, tile):
    region = Box(low, tuple(a + n for a, n in zip(low, shape, strict=True)))
    covered = np.zeros(region.high, np.uint8)
    for t in plan(region, (tile,) * 3, Grid(overlap=16, stride=8)):
        covered[tuple(slice(a, b) for a, b in zip(t.core.low, t.core.high, strict=True))] += 1
        assert all(n % 8 == 0 and n <= tile for n in t.outer.shape)
        assert all((a - b) % 8 == 16 % 8 for a, b in zip(t.outer.low, (0, 0, 0), strict=True))
        assert all(a + 16 <= c for a, c in zip(t.outer.low, t.core.low, strict=True))
        assert all(d + 16 <= b for d, b in zip(t.core.high, t.outer.high, strict=True))
    inside = tuple(slice(a, b) for a, b in zip(region.low, region.high, strict=True))
    assert (covered[inside] == 1).all()
    assert covered.sum() == covered[inside].sum()


@pytest.mark.parametrize(("tile", "overlap"), [(60, 8), (64, 6), (32, 16)])
def test_numbers_that_do_not_fit_are_refused(tile, overlap):
    with pytest.raises(ValueError, match="multiples of 8"):
        plan(Box((0, 0, 0), (64, 64, 64)), (tile,) * 3, Grid(overlap=overlap, stride=8))


def test_inner_is_where_the_core_lies():
    tile = plan(Box((0, 0, 0), (100, 40, 40)), (64,) * 3, Grid(overlap=8, stride=8))[1]
    assert tile.inner[0] == slice(12, 44)


@given(shape=st.tuples(extent, extent, extent), fixed=st.booleans(), outside=st.sampled_from([0, 8, 12]))
def test_context_reaches_no_further_beyond_the_volume_than_it_may(shape, fixed, outside):
    region = Box((0, 0, 0), shape)
    grid = Grid(overlap=12, stride=8, fixed=fixed, volume=shape, outside=outside)
    covered = np.zeros(shape, np.uint8)
    for t in plan(region, (72, 72, 72), grid):
        covered[tuple(slice(a, b) for a, b in zip(t.core.low, t.core.high, strict=True))] += 1
        for a, b, c, d, n in zip(t.outer.low, t.outer.high, t.core.low, t.core.high, shape, strict=True):
            assert a <= c - 12 or c == 0
            assert b >= d + 12 or d == n
            if not fixed or n > 72:
                assert a > -outside - 8
                assert b < n + outside + 8
    assert (covered == 1).all()


def test_the_best_shape_computes_least_twice_within_the_limit():
    region, grid = Box((0, 0, 0), (200, 960, 928)), Grid(overlap=32, stride=8, volume=(200, 960, 928), outside=0)

    def computed(shape):
        return sum(np.prod(t.outer.shape) for t in plan(region, shape, grid))

    shape = best_shape(region, 200**3, grid)
    assert np.prod(shape) <= 200**3
    assert computed(shape) < computed((200, 200, 200))
    assert computed(best_shape(region, 400**3, grid)) < computed(shape)
    assert best_shape(region, 10, grid) == (72, 72, 72)  # the least that leaves a core
    assert best_shape(region, 10**12, grid) == (200, 960, 928)


def test_halves_cover_the_core_of_the_tile_with_context_between_them():
    tile = plan(Box((0, 0, 0), (100, 40, 40)), (120, 64, 64), Grid(overlap=8, stride=8))[0]
    one, two = halves(tile, Grid(overlap=8, stride=8))
    assert (one.core.low, one.core.high[1:], two.core.high) == (tile.core.low, tile.core.high[1:], tile.core.high)
    assert one.core.high[0] == two.core.low[0] == one.outer.high[0] - 8 == two.outer.low[0] + 8
    assert one.outer.low == tile.outer.low
    assert two.outer.high == tile.outer.high
    assert not halves(tile, Grid(overlap=8, stride=8, fixed=True))
    assert not halves(plan(Box((0, 0, 0), (8, 8, 8)), (24, 24, 24), Grid(overlap=8, stride=8))[0], Grid(overlap=8, stride=8))
