from __future__ import annotations

import numpy as np
import pytest

from core.centring import REACH, local_centre
from core.tomogram import Tomogram

SHAPE = (60, 70, 80)
CENTRE = np.array([30.3, 34.6, 40.2])
FROM = [(3.0, 0, 0), (0, -3.0, 2.0), (-2.0, 2.0, 2.0), (0.0, 0, 0)]


def tomogram(
    *centres: np.ndarray, diameter: float = 16.0, noise: float = 0.0, bead: tuple[int, int, int] | None = None
) -> Tomogram:
    """Dark balls with soft edges on a bright ground."""
    data = 10 + noise * np.random.default_rng(0).normal(size=SHAPE)
    grid = np.stack(np.indices(SHAPE), axis=-1)
    for centre in centres:
        away = np.sqrt(((grid - centre) ** 2).sum(axis=-1))
        data -= np.clip(diameter / 2 - away + 0.5, 0, 1)
    if bead is not None:
        z, y, x = bead
        data[z - 2 : z + 3, y - 2 : y + 3, x - 2 : x + 3] -= 60
    return Tomogram(id="a", path=None, voxel_size=10.0, data=data.astype(np.float32))


@pytest.mark.parametrize("away", FROM)
@pytest.mark.parametrize("diameter", [8.0, 16.0, 28.0])
def test_a_click_comes_to_the_centre(away: tuple[float, float, float], diameter: float) -> None:
    found = local_centre(tomogram(CENTRE, diameter=diameter), CENTRE + np.array(away) * diameter / 16, diameter)
    assert np.linalg.norm(found - CENTRE) < max(0.6, 0.05 * diameter)


@pytest.mark.parametrize("away", FROM)
def test_noise_three_times_the_contrast_leaves_it_near(away: tuple[float, float, float]) -> None:
    found = local_centre(tomogram(CENTRE, noise=3.0), CENTRE + away, 16.0)
    assert np.linalg.norm(found - CENTRE) < 1.5


def test_a_neighbour_does_not_draw_the_click_away() -> None:
    neighbour = CENTRE + np.array((0, 0, 17.0))
    found = local_centre(tomogram(CENTRE, neighbour, noise=0.5), CENTRE + np.array((0, 0, 3.0)), 16.0)
    assert np.linalg.norm(found - CENTRE) < 1.5


def test_gold_does_not_draw_the_click_away() -> None:
    found = local_centre(tomogram(CENTRE, noise=0.5, bead=(30, 34, 56)), CENTRE + np.array((0, 2.0, 0)), 16.0)
    assert np.linalg.norm(found - CENTRE) < 1.5


@pytest.mark.parametrize("data", [np.zeros(SHAPE, np.int8), np.full(SHAPE, -7, np.float32)])
def test_where_there_is_nothing_the_click_stays(data: np.ndarray) -> None:
    assert local_centre(Tomogram(id="a", path=None, voxel_size=10.0, data=data), CENTRE, 16.0) is None


def test_what_is_brighter_than_its_surroundings_is_no_particle() -> None:
    dark = tomogram(CENTRE)
    bright = Tomogram(id="a", path=None, voxel_size=10.0, data=-dark.data)
    assert local_centre(bright, CENTRE + np.array((1.0, 0, 0)), 16.0) is None


def test_it_never_goes_beyond_its_reach() -> None:
    noisy = tomogram(noise=1.0)
    clicks = np.random.default_rng(1).uniform(0, 1, (40, 3)) * SHAPE
    found = [(click, local_centre(noisy, click, 10.0)) for click in clicks]
    moved = [np.linalg.norm(there - click) for click, there in found if there is not None]
    assert max(moved) <= REACH * 10 + np.sqrt(3) / 2


@pytest.mark.parametrize("corner", [(0.0, 0.0, 0.0), (59.0, 69.0, 79.0)])
def test_a_click_in_a_corner_does_no_harm(corner: tuple[float, float, float]) -> None:
    found = local_centre(tomogram(np.array(corner)), np.array(corner), 16.0)
    assert found is None or np.linalg.norm(found - corner) < 3
