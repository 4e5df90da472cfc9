from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.tiling import plan
from core.tomogram import Box

extent = st.integers(1, 150)
corner = st.integers(0, 40)


@given(shape=st.tuples(extent, extent, extent), low=st.tuples(corner, corner, corner), tile=st.sampled_from([48, 64, 96]))
def test_cores_cover_the_region_once_and_lie_within_their_tiles(shape, low, tile):
    region = Box(low, tuple(a + n for a, n in zip(low, shape, strict=True)))
    covered = np.zeros(region.high, np.uint8)
    for t in plan(region, tile, 16, 8):
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
        plan(Box((0, 0, 0), (64, 64, 64)), tile, overlap, 8)


def test_inner_is_where_the_core_lies():
    tile = plan(Box((0, 0, 0), (100, 40, 40)), 64, 8, 8)[1]
    assert tile.inner[0] == slice(8, 48)
