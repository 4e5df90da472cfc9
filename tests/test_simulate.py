from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from core.errors import ConfigError
from core.filters import smooth
from core.messages import Notice, Progress, drain
from core.simulate import PhantomConfig, simulate
from core.simulate.inventions import invention
from core.simulate.microscope import Optics, contrast_transfer, damage, reconstruct, tilt_matrix, tilt_series
from core.simulate.shapes import CLASSES, SPACING, cloud
from core.simulate.specimen import Room, add, copies, middle_surface, vesicle

SMALL = PhantomConfig(shape=(32, 64, 64), counts={"ribosome": 2, "ferritin": 3}, gold=1, crowding=0.02)
RIBOSOMES = PhantomConfig(shape=(48, 112, 112), counts={"ribosome": 14}, vesicles=0, gold=0, crowding=0.0, snr=0.5)


@cache
def _phantom(config_name):
    return drain(simulate({"small": SMALL, "ribosomes": RIBOSOMES}[config_name]))


# ---- shapes


@pytest.mark.parametrize("spec", CLASSES, ids=lambda spec: spec.name)
def test_shapes_are_centred_and_about_as_large_as_their_class_says(spec):
    shape = cloud(spec.name)
    assert np.allclose(np.average(shape.points, axis=0, weights=shape.weights), 0, atol=1e-9)
    assert 0.85 * spec.diameter < 2 * shape.radius < 1.2 * spec.diameter
    assert shape.weights.min() > 0


@pytest.mark.parametrize("number", range(1, 30))
def test_inventions_are_centred_compact_and_as_large_as_they_say(number):
    shape, spec = cloud(invention(number).name), invention(number)
    assert np.allclose(np.average(shape.points, axis=0, weights=shape.weights), 0, atol=1e-9)
    assert 0.55 * spec.diameter < 2 * shape.radius < 1.4 * spec.diameter
    assert len(shape.points) > 100


def test_inventions_spread_over_all_sizes_and_differ():
    diameters = sorted(invention(n).diameter for n in range(1, 30))
    assert diameters[0] < 110
    assert diameters[-1] > 280
    assert max(np.diff(np.log(diameters))) < 0.1
    assert len({len(cloud(invention(n).name).points) for n in range(1, 30)}) > 25


def test_inventions_can_be_packed_beside_known_kinds():
    config = PhantomConfig(shape=(32, 64, 64), counts={"ribosome": 1, "invention-3": 2, "invention-1": 1}, gold=0, vesicles=0)
    phantom = drain(simulate(config))
    assert [spec.name for spec in phantom.classes] == ["ribosome", "invention-1", "invention-3"]
    assert len({spec.id for spec in phantom.classes}) == 3
    assert sorted(phantom.truth.class_ids.tolist()) == sorted([1, len(CLASSES) + 1, len(CLASSES) + 3, len(CLASSES) + 3])


@pytest.mark.parametrize(("name", "radius"), [("capsid", 80), ("ferritin", 30)])
def test_shells_are_empty_inside(name, radius):
    assert np.linalg.norm(cloud(name).points, axis=1).min() > radius


def test_the_ribosome_has_two_unequal_lobes_with_a_cleft_between():
    x = cloud("ribosome").points[:, 2]
    counts, edges = np.histogram(x, np.arange(-90, 100, 10))
    cleft = 4 + np.argmin(counts[4:-4])
    assert counts[cleft] < 0.6 * max(counts[cleft + 1 :])
    assert 1.5 < (x < edges[cleft]).sum() / (x > edges[cleft + 1]).sum() < 4


# ---- the specimen


@pytest.mark.parametrize("voxel_size", [5.0, 10.0, 13.48])
def test_matter_is_conserved_and_keeps_its_centre(voxel_size):
    volume = np.zeros((64, 64, 64), np.float32)
    centre = np.array([[151.3, 160.0, 148.8]])
    matter = copies("globule", centre, np.random.default_rng(0))
    add(volume, matter, voxel_size)
    assert volume.sum() * voxel_size**3 == pytest.approx(matter.weights.sum() * SPACING**3, rel=1e-4)
    found = [float((volume.sum(axis=tuple(set(range(3)) - {i})) * np.arange(64)).sum() / volume.sum()) for i in range(3)]
    assert np.array(found) * voxel_size == pytest.approx(centre[0], abs=0.05)


def test_matter_outside_is_lost():
    volume = np.zeros((16, 16, 16), np.float32)
    add(volume, copies("ferritin", np.array([[-500.0, 0, 0], [0, 1e4, 0]]), np.random.default_rng(0)), 10)
    assert not volume.any()


def test_copies_differ_in_orientation_only():
    shape = cloud("rod")
    matter = copies("rod", np.zeros((2, 3)), np.random.default_rng(0))
    first, second = matter.points.reshape(2, -1, 3)
    distances = np.linalg.norm(shape.points, axis=1)
    assert np.allclose(np.linalg.norm(first, axis=1), distances)
    assert np.allclose(np.linalg.norm(second, axis=1), distances)
    assert np.abs(first - second).max() > 50


def test_a_full_room_takes_no_more():
    room = Room(np.array([200.0, 200.0, 200.0]), np.zeros((0, 3)), np.random.default_rng(0))
    assert 1 <= len(room.place(50, 90)) < 5
    assert len(room.scatter(1000, 150)) == 0


def test_particles_keep_away_from_membranes():
    rng, extents = np.random.default_rng(0), np.array([600.0, 900.0, 900.0])
    membrane = vesicle(extents, rng)
    centres = Room(extents, middle_surface(membrane), rng).place(40, 60)
    gaps = np.linalg.norm(centres[:, None] - membrane.points, axis=2)
    assert len(centres) > 10
    assert gaps.min() > 60


# ---- the microscope


@pytest.mark.parametrize("angle", [-60.0, -33.0, 0.0, 12.0, 60.0])
def test_a_projection_sees_a_point_where_geometry_says(angle):
    depth, width, z, x = 21, 41, 14, 26
    section = np.zeros((depth, width), np.float32)
    section[z, x] = 1
    line = tilt_matrix(angle, depth, width).T @ section.reshape(-1)
    expected = (x - 20) * np.cos(np.radians(angle)) + (z - 10) * np.sin(np.radians(angle)) + 20
    assert line.sum() == pytest.approx(1)
    assert (line * np.arange(width)).sum() == pytest.approx(expected, abs=1e-4)


def test_the_contrast_transfer_is_dark_at_low_frequency_and_turns_at_its_first_zero():
    wavelength, defocus = 0.01969, 4e4
    zero = 1 / np.sqrt(wavelength * defocus)
    assert contrast_transfer(np.array([0.0]), defocus)[0] == pytest.approx(-0.08)
    assert contrast_transfer(np.array([0.7 * zero]), defocus)[0] < -0.9
    assert np.sign(contrast_transfer(np.array([0.95, 1.05]) * zero, defocus)).tolist() == [-1, 1]


def test_damage_grows_with_exposure_and_fineness():
    frequency = np.array([0.0, 0.01, 0.05])
    assert np.allclose(damage(frequency, 0.0), 1)
    assert (np.diff(damage(frequency, 60.0)) < 0).all()
    assert (damage(frequency[1:], 120.0) < damage(frequency[1:], 60.0)).all()
    # at 10 Å the critical exposure of the source is 14.1 e/Å^2
    assert damage(np.array([0.1]), 14.1)[0] == pytest.approx(np.exp(-0.5), rel=0.01)


def _taken(snr, seed=0):
    density = np.random.default_rng(1).normal(size=(16, 48, 48)).astype(np.float32)
    density = smooth(density, 2)
    optics = Optics(voxel_size=10, angles=(-40.0, 0.0, 40.0), snr=snr, defocus=4e4, dose=3, jitter=0)
    return density, drain(tilt_series(density, optics, np.random.default_rng(seed)))


def test_matter_is_dark_and_the_signal_is_as_strong_as_asked():
    density, clean = _taken(snr=1e4)
    _, noisy = _taken(snr=0.5, seed=1)
    assert np.corrcoef(density.sum(axis=0).ravel(), clean[1].ravel())[0, 1] < -0.5
    # the correlation of a noisy image with its noiseless self is sqrt(snr / (1 + snr))
    assert np.corrcoef(noisy[1].ravel(), clean[1].ravel())[0, 1] == pytest.approx(np.sqrt(0.5 / 1.5), abs=0.08)


def test_tilted_images_are_noisier_because_the_ice_is_thicker():
    _, noisy = _taken(snr=1e-6)
    assert noisy[0].std() > 1.01 * noisy[1].std()
    assert noisy[2].std() > 1.01 * noisy[1].std()


def test_reconstruction_puts_a_point_back():
    angles = tuple(range(-60, 61, 3))
    images = np.zeros((len(angles), 41, 8), np.float32)
    for image, angle in zip(images, angles, strict=True):
        section = np.zeros((21, 41), np.float32)
        section[13, 25] = 1
        image[:, 4] = tilt_matrix(angle, 21, 41).T @ section.reshape(-1)
    volume = drain(reconstruct(images, angles, 21))
    assert np.unravel_index(volume.argmax(), volume.shape) == (13, 25, 4)
    assert [volume.mean(), volume.std()] == pytest.approx([0, 1], abs=1e-4)


# ---- the whole


@pytest.mark.parametrize("name", ["small", "ribosomes"])
def test_centres_lie_inside_and_apart(name):
    phantom = _phantom(name)
    positions, size = phantom.truth.positions, phantom.tomogram.voxel_size
    assert phantom.tomogram.box.contains(positions).all()
    names = {spec.id: spec.name for spec in phantom.classes}
    radii = np.array([cloud(names[i]).radius for i in phantom.truth.class_ids]) / size
    gaps = np.linalg.norm(positions[:, None] - positions, axis=2) - radii[:, None] - radii
    assert (gaps[~np.eye(len(radii), dtype=bool)] >= 0).all()


def test_the_phantom_holds_what_was_asked_for():
    phantom = _phantom("small")
    assert phantom.tomogram.shape == SMALL.shape
    assert phantom.tomogram.data.dtype == np.int8
    assert (phantom.tomogram.path, phantom.tomogram.voxel_size) == (None, 10)
    assert [(spec.id, spec.name) for spec in phantom.classes] == [(1, "ribosome"), (6, "ferritin")]
    assert np.bincount(phantom.truth.class_ids).tolist() == [0, 2, 0, 0, 0, 0, 3]
    assert phantom.truth.tomogram_id == phantom.tomogram.id
    assert phantom.tomogram.data.std() == pytest.approx(20, rel=0.02)


def test_the_same_seed_gives_the_same_phantom_and_another_seed_another():
    again = drain(simulate(SMALL))
    assert np.array_equal(again.tomogram.data, _phantom("small").tomogram.data)
    assert np.array_equal(again.truth.positions, _phantom("small").truth.positions)
    other = drain(simulate(PhantomConfig(shape=SMALL.shape, counts=SMALL.counts, gold=1, seed=1)))
    assert not np.array_equal(other.truth.positions, again.truth.positions)


def test_the_mean_particle_is_dark_at_the_true_centre():
    phantom, half = _phantom("ribosomes"), 14
    crops = [phantom.tomogram.block(tuple(np.round(p).astype(int) - half), (2 * half + 1,) * 3) for p in phantom.truth.positions]
    mean = smooth(np.mean(crops, axis=0), 5)  # a lens out of focus passes outlines, so only the particle as a whole is dark
    darkest = np.array(np.unravel_index(mean.argmin(), mean.shape))
    assert np.abs(darkest - half).max() <= 1


def test_the_wedge_that_no_tilt_has_seen_is_missing():
    volume = _phantom("ribosomes").tomogram.data
    power = np.abs(np.fft.fftn(volume)) ** 2
    kz, _, kx = np.meshgrid(*(np.fft.fftfreq(n) for n in volume.shape), indexing="ij")
    ring = (np.hypot(kz, kx) > 0.1) & (np.hypot(kz, kx) < 0.3)
    angle = np.degrees(np.arctan2(np.abs(kz), np.abs(kx)))
    assert power[ring & (angle > 68)].mean() < 0.1 * power[ring & (angle < 52)].mean()


def test_a_job_reports_progress_and_can_be_cancelled():
    job = simulate(SMALL)
    stages = {message.stage for message in (next(job) for _ in range(60)) if isinstance(message, Progress)}
    assert stages == {"Packing particles", "Taking the tilt series", "Reconstructing"}
    job.close()


def test_a_crowded_specimen_says_what_did_not_fit():
    said = []
    config = PhantomConfig(shape=(32, 32, 32), counts={"ribosome": 9}, vesicles=0, gold=0, crowding=0.0, tilt_step=30)
    phantom = drain(simulate(config), said.append)
    notices = [m.text for m in said if isinstance(m, Notice)]
    assert len(phantom.truth) < 9
    assert notices == [f"Only {len(phantom.truth)} of 9 particles of the kind ribosome found room."]


def test_an_empty_specimen_is_only_noise():
    config = PhantomConfig(shape=(16, 32, 32), counts={}, vesicles=0, gold=0, crowding=0.0, tilt_step=20)
    phantom = drain(simulate(config))
    assert len(phantom.truth) == 0
    assert phantom.classes == ()
    assert phantom.tomogram.data.std() > 15


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"counts": {"unicorn": 3}}, "unicorn"),
        ({"counts": {"rod": -1}}, "0 or more"),
        ({"shape": (8, 64, 64)}, "at least 16"),
        ({"voxel_size": 0.0}, "voxel_size"),
        ({"snr": -1.0}, "snr"),
        ({"crowding": 0.5}, "crowding"),
        ({"max_tilt": 90.0}, "max_tilt"),
        ({"dose": 0.0}, "dose"),
        ({"jitter": -1.0}, "jitter"),
    ],
)
def test_settings_without_sense_are_refused(settings, word):
    with pytest.raises(ConfigError, match=word):
        PhantomConfig(**settings)
