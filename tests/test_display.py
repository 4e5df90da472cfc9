from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.display import (
    SMALLEST,
    Look,
    clamped,
    contrast,
    cross_sections,
    diameters,
    section,
    small_copy,
    under,
    value_at,
)
from core.messages import drain
from core.particles import ClassSpec, ParticleTable
from core.tomogram import TOGETHER, Columns, Tomogram


def tomogram(data: np.ndarray, voxel_size: float = 10.0) -> Tomogram:
    return Tomogram(id="t", path=None, voxel_size=voxel_size, data=data)


def ramp(shape: tuple[int, int, int] = (5, 6, 7), dtype: type = np.float32) -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.float32, ">f4"])
def test_a_plain_section_is_the_data(axis: int, dtype: type) -> None:
    data = ramp(dtype=np.float32).clip(0, 100).astype(dtype)
    found = section(tomogram(data), axis, 3, Look())
    assert found.dtype == np.float32
    assert np.array_equal(found, data.take(3, axis).astype(np.float32))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(("index", "rows"), [(2, [1, 2, 3]), (0, [0, 1]), (4, [3, 4])])
def test_a_slab_is_the_mean_of_its_sections_and_thinner_at_the_faces(axis: int, index: int, rows: list[int]) -> None:
    data = ramp((5, 5, 5))
    found = section(tomogram(data), axis, index, Look(slab=3))
    assert np.allclose(found, data.take(rows, axis).mean(axis=axis))


@pytest.mark.parametrize("slab", [1, 4, TOGETHER + 3])
def test_neighbours_that_are_kept_give_the_same_sections_and_are_read_once(slab: int) -> None:
    class Counting:
        reads = 0

        def __getitem__(self, key: object) -> np.ndarray:
            self.reads += 1
            return data[key]

    data = np.random.default_rng(0).normal(size=(4, 5, 3 * TOGETHER + 2)).astype(np.float32)
    counted = Counting()
    columns = Columns(replace(tomogram(data), data=counted))
    for index in [*range(-1, data.shape[2] + 1), 3, 20]:
        look = Look(slab=slab)
        np.testing.assert_array_equal(section(tomogram(data), 2, index, look, columns), section(tomogram(data), 2, index, look))
    if slab == 1:
        assert counted.reads == 4 + 2  # a block each on the way, and for the two jumps


def test_sections_beyond_the_faces_are_the_outermost() -> None:
    data = ramp()
    assert np.array_equal(section(tomogram(data), 0, 99, Look()), data[-1])
    assert np.array_equal(section(tomogram(data), 0, -5, Look()), data[0])


def test_filters_smooth_noise_and_remove_gradients() -> None:
    noise = np.random.default_rng(0).normal(size=(1, 64, 64)).astype(np.float32)
    gradient = np.linspace(0, 50, 64, dtype=np.float32)
    plain = tomogram(noise + gradient)
    assert section(plain, 0, 0, Look(low_pass=80)).std() < section(plain, 0, 0, Look()).std()
    assert section(plain, 0, 0, Look(high_pass=100)).std() < 3
    assert section(tomogram(noise), 0, 0, Look(low_pass=80)).std() < 0.3


def test_filters_need_a_voxel_size() -> None:
    data = ramp()
    assert np.array_equal(section(tomogram(data, 0.0), 0, 1, Look(low_pass=80)), data[1])


def test_contrast_ignores_outliers_and_is_never_empty() -> None:
    data = np.random.default_rng(0).normal(size=(10, 40, 40)).astype(np.float32)
    data[5, 5, 5] = 1e6
    data[1, 1, 1] = np.nan
    low, high = contrast(tomogram(data), Look())
    assert -4 < low < -2
    assert 2 < high < 4
    low, high = contrast(tomogram(np.zeros((3, 3, 3), np.int8)), Look())
    assert low < high


def test_value_at_rounds_to_the_nearest_voxel_and_knows_the_outside() -> None:
    data = ramp()
    assert value_at(tomogram(data), np.array([1.4, 2.6, 3.0])) == data[1, 3, 3]
    assert np.isnan(value_at(tomogram(data), np.array([-1.0, 0, 0])))


@pytest.mark.parametrize(("shape", "edge", "step"), [((20, 200, 100), 50, 4), ((21, 65, 34), 30, 3), ((5, 6, 7), 160, 1)])
def test_a_small_copy_is_the_mean_of_cubes_and_dark_is_bright(shape: tuple[int, int, int], edge: int, step: int) -> None:
    data = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    copy = drain(small_copy(tomogram(data), edge))
    cubes = [tuple(slice(i * step, (i + 1) * step) for i in place) for place in np.ndindex(copy.data.shape)]
    means = np.array([data[cube].mean() for cube in cubes])
    low, high = np.percentile(means, (0.5, 99.5))
    wanted = 255 * np.clip((high - means) / (high - low), 0, 1)
    assert (copy.step, copy.data.dtype) == (step, np.uint8)
    assert copy.data.shape == tuple(-(-n // step) for n in shape)
    assert np.abs(copy.data.ravel() - wanted).max() <= 1.01


def test_a_small_copy_knows_where_its_voxels_lie() -> None:
    data = np.zeros((30, 30, 30), np.float32)
    data[12:15, 3:6, 21:24] = -1
    copy = drain(small_copy(tomogram(data), 10))
    brightest = np.array(np.unravel_index(copy.data.argmax(), copy.data.shape))
    assert (brightest * copy.step + (copy.step - 1) / 2).tolist() == [13, 4, 22]


@pytest.mark.parametrize("value", [0, 7])
def test_a_small_copy_of_nothing_is_dark_or_bright_but_no_error(value: int) -> None:
    assert drain(small_copy(tomogram(np.full((4, 5, 6), value, np.int8)))).data.shape == (4, 5, 6)


def test_clamped_positions_are_voxels_inside() -> None:
    assert clamped(np.array([-3.0, 2.6, 99.0]), (5, 6, 7)).tolist() == [0, 3, 6]


CLASSES = {1: ClassSpec(id=1, name="a", diameter=100.0), 3: ClassSpec(id=3, name="b", diameter=40.0)}


def table(positions: list[tuple[float, float, float]], class_ids: list[int]) -> ParticleTable:
    return ParticleTable.build("t", positions, class_ids)


@pytest.mark.parametrize("voxel_size", [5.0, 10.0])
def test_diameters_are_voxels(voxel_size: float) -> None:
    found = diameters(table([(0, 0, 0)] * 3, [3, 1, 3]), CLASSES, voxel_size)
    assert found.tolist() == [40 / voxel_size, 100 / voxel_size, 40 / voxel_size]


@pytest.mark.parametrize(
    ("position", "row"), [((10, 20, 24), 0), ((14, 20, 20), 0), ((16, 20, 20), None), ((10, 20, 26), None), ((10, 41, 40), 1)]
)
def test_under_the_mouse_is_what_the_ring_holds(position: tuple[float, float, float], row: int | None) -> None:
    particles = table([(10, 20, 20), (10, 40, 40)], [1, 3])
    sizes = diameters(particles, CLASSES, 10.0)
    assert under(particles, sizes, np.array(position, float), 0) == row


def test_the_nearest_of_overlapping_particles_is_meant() -> None:
    particles = table([(10, 20, 20), (10, 20, 24)], [1, 1])
    assert under(particles, np.full(2, 10, np.float32), np.array([10.0, 20, 23]), 0) == 1


def test_nothing_lies_under_the_mouse_in_an_empty_table() -> None:
    assert under(table([], []), np.empty(0, np.float32), np.zeros(3), 0) is None


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(("away", "wanted"), [(0, 20), (3, 2 * 91**0.5), (-6, 16), (9.5, 2 * 9.75**0.5), (10, None), (-11, None)])
def test_a_section_cuts_a_sphere_in_its_exact_circle(axis: int, away: float, wanted: float | None) -> None:
    centre = np.array([50.0, 60.0, 70.0])
    rows, found = cross_sections(centre[None], np.array([20], np.float32), axis, centre[axis] + away)
    assert rows.tolist() == ([] if wanted is None else [0])
    assert found == pytest.approx([] if wanted is None else [wanted], rel=1e-6)


def test_no_particle_hides_between_two_sections() -> None:
    positions = np.array([[10.5, 5, 5]])
    for index in (10, 11):
        rows, found = cross_sections(positions, np.array([0.1], np.float32), 0, index)
        assert rows.tolist() == [0]
        assert found == pytest.approx([2 * ((SMALLEST / 2) ** 2 - 0.25) ** 0.5])


def test_sections_of_many_spheres_agree_with_each_one_alone() -> None:
    rng = np.random.default_rng(0)
    positions, sizes = rng.uniform(0, 100, (500, 3)), rng.uniform(3, 40, 500).astype(np.float32)
    rows, found = cross_sections(positions, sizes, 1, 37)
    radii = {int(row): diameter / 2 for row, diameter in zip(rows, found, strict=True)}
    for row in range(500):
        height = abs(positions[row, 1] - 37)
        assert (row in radii) == (height < sizes[row] / 2)
        if row in radii:
            assert radii[row] ** 2 + height**2 == pytest.approx((sizes[row] / 2) ** 2, rel=1e-5)
