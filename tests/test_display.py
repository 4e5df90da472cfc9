from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import zarr

from core.display import (
    SMALL_EDGE,
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
from core.io.volumes import open_tomogram, write_zarr
from core.messages import drain
from core.particles import ClassSpec, ParticleTable
from core.tomogram import TOGETHER, Columns, Level, Tomogram

if TYPE_CHECKING:
    from pathlib import Path

    from core.display import SmallCopy


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


def shares(n: int, count: int) -> np.ndarray:
    """How much of each voxel belongs to each part, one row for each part."""
    edges = np.arange(count + 1) * n / count
    return np.clip(np.minimum(edges[1:, None], np.arange(n) + 1) - np.maximum(edges[:-1, None], np.arange(n)), 0, 1)


@pytest.mark.parametrize(("shape", "edge", "step"), [((20, 200, 100), 50, 4), ((21, 65, 34), 30, 3), ((5, 6, 7), 160, 1)])
@pytest.mark.parametrize("dtype", [np.int8, ">f4"])
def test_a_small_copy_is_the_mean_of_blocks_and_dark_is_bright(
    shape: tuple[int, int, int], edge: int, step: int, dtype: type
) -> None:
    data = np.random.default_rng(0).normal(0, 30, size=shape).clip(-100, 100).astype(dtype)
    copy = drain(small_copy(tomogram(data), edge))
    counts = [-(-n // step) for n in shape]
    weights = [shares(n, count) for n, count in zip(shape, counts, strict=True)]
    means = np.einsum("az,by,cx,zyx->abc", *weights, data, optimize=True) * np.prod(counts) / np.prod(shape)
    low, high = np.percentile(means, (0.5, 99.5))
    wanted = 255 * np.clip((high - means) / (high - low), 0, 1)
    assert (copy.data.dtype, copy.data.shape) == (np.uint8, tuple(counts))
    assert np.abs(copy.data - wanted).max() <= 1.01
    assert copy.factor == pytest.approx([n / count for n, count in zip(shape, counts, strict=True)])
    assert copy.offset == pytest.approx([(n / count - 1) / 2 for n, count in zip(shape, counts, strict=True)])


def middle_of(copy: SmallCopy) -> np.ndarray:
    """Where the matter of a copy lies in the tomogram, by its centre of mass."""
    places = np.argwhere(copy.data)
    middle = np.average(places, axis=0, weights=copy.data[tuple(places.T)])
    return middle * copy.factor + copy.offset


@pytest.mark.parametrize("corner", [(12, 3, 21), (27, 27, 27), (0, 0, 0)])
def test_a_small_copy_knows_where_its_voxels_lie(corner: tuple[int, int, int]) -> None:
    data = np.zeros((30, 30, 30), np.float32)
    data[tuple(slice(i, i + 3) for i in corner)] = -1
    assert middle_of(drain(small_copy(tomogram(data), 10))).tolist() == [i + 1 for i in corner]


@pytest.mark.parametrize("shape", [(31, 30, 29), (7, 32, 28)])
def test_the_last_blocks_lie_where_they_are_drawn(shape: tuple[int, int, int]) -> None:
    data = np.zeros(shape, np.float32)
    data[-4:, -4:, -4:] = -1
    copy = drain(small_copy(tomogram(data), 10))
    assert (np.abs(middle_of(copy) - (np.array(shape) - 2.5)) < np.array(copy.factor) / 2).all()
    faces = np.array(copy.data.shape) * copy.factor + copy.offset - np.array(copy.factor) / 2
    assert faces == pytest.approx(np.array(shape) - 0.5)


def test_voxels_that_are_no_numbers_leave_their_neighbours_alone() -> None:
    data = np.random.default_rng(0).normal(size=(9, 10, 12)).astype(np.float32)
    wrong = data.copy()
    wrong[:, :, 6:] = np.nan
    wrong[0, 9, 0] = np.inf
    copy = drain(small_copy(tomogram(wrong), 4)).data
    assert len(np.unique(copy[:, :, :2])) > 5
    assert len(np.unique(copy[:, :, 2:])) == 1


def pyramid(path: Path, version: str, data: np.ndarray, odd: bool) -> Tomogram:
    """Write levels: means of blocks as our writer makes them, or every second voxel, with the version that is asked for."""
    if version == "0.4" and not odd:
        write_zarr(path, data, 10.0)
        return open_tomogram(path)
    group = zarr.create_group(path, zarr_format=2 if version == "0.4" else 3)
    steps = [(1, 1, 1), (1, 2, 2), (1, 4, 4)] if odd else [(1, 1, 1), (2, 2, 2), (4, 4, 4)]
    sets = []
    for name, step in enumerate(steps):
        group.create_array(str(name), data=data[tuple(slice(None, None, n) for n in step)])
        moves = [{"type": "scale", "scale": [10.0 * n for n in step]}, {"type": "translation", "translation": [0.0] * 3}]
        sets.append({"path": str(name), "coordinateTransformations": moves})
    image = {"axes": [{"name": n, "type": "space", "unit": "angstrom"} for n in "zyx"], "datasets": sets}
    group.attrs.update({"multiscales": [image | {"version": "0.4"}]} if version == "0.4" else {"ome": {"multiscales": [image]}})
    return open_tomogram(path)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("odd", [False, True], ids=["cubes", "sections kept"])
def test_a_smaller_copy_in_the_file_is_shown_at_the_same_place(tmp_path: Path, version: str, odd: bool) -> None:
    data = np.zeros((43, 515, 627), np.float32)
    data[17:26, 301:312, 601:612] = -1
    found = pyramid(tmp_path / "a.zarr", version, data, odd)
    copy = drain(small_copy(found))
    read = [level for level in found.levels if level.data._kept]
    assert read == [next(one for one in found.levels[::-1] if max(one.data.shape) >= SMALL_EDGE)]
    assert not found.data._kept
    assert np.abs(middle_of(copy) - (21, 306, 606)).max() < 1.01


def test_without_a_smaller_copy_that_is_large_enough_the_tomogram_is_read() -> None:
    data = np.zeros((12, 200, 30), np.float32)
    data[5, 100, 20] = -1
    tiny = Level(data=np.zeros((6, 100, 15), np.float32), factor=(2.0, 2.0, 2.0), offset=(0.5, 0.5, 0.5))
    copy = drain(small_copy(replace(tomogram(data), levels=(tiny,))))
    assert copy.data.any()


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
