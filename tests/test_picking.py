from __future__ import annotations

import errno
import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import center_of_mass, label
from scipy.spatial import cKDTree

from core import picking
from core.calibration import calibrated
from core.checkpoint import Checkpoint
from core.config import NetworkConfig, PickConfig, PreprocessConfig, RunConfig, TrainConfig
from core.device import Compute
from core.errors import ConfigError, FileFormatError
from core.labels import make_labels
from core.messages import Notice, PicksFound, Progress, drain
from core.network import build, fast
from core.particles import ClassSpec, Source, Status
from core.picking import pick
from core.scoremap import CERTAIN, open_score_map
from core.tiling import Grid, plan
from core.tomogram import Box, Tomogram

SHAPE = (72, 96, 80)
VOXEL_SIZE = 10.0
CLASSES = (ClassSpec(id=2, name="ribosome", diameter=160.0), ClassSpec(id=5, name="proteasome", diameter=120.0))
CPU = PickConfig(device="cpu", precision="float32")


def spread(pitch, seed):
    rng = np.random.default_rng(seed)
    cells = itertools.product(*(range(n // pitch) for n in SHAPE))
    return np.array([(np.array(c) + 0.5) * pitch + rng.uniform(-0.15, 0.15, 3) * pitch for c in cells])


CENTRES = {2: spread(24, 0), 5: spread(18, 1)}


class Reader:
    """Stands for a scanner whose network is perfect, or less so where scores say it."""

    compute = Compute(torch.device("cpu"), torch.float32)

    def __init__(self, classes=CLASSES, scores=None):
        self.score_map = np.zeros((len(classes), *SHAPE), np.float16)
        for i, spec in enumerate(classes):
            at = CENTRES[spec.id]
            for centre, score in zip(at, scores if scores is not None else np.ones(len(at)), strict=True):
                ball = make_labels(centre[None], np.ones(1, int), np.array([spec.diameter / VOXEL_SIZE]), SHAPE, "tball", 0.48)
                self.score_map[i][ball.classes > 0] = score

    def tiles(self, region, volume, tallest=2**40):
        return plan(region, (48,) * 3, Grid(overlap=8, stride=8))

    def scores(self, prepared, tiles):
        for tile in tiles:
            yield tile, self.score_map[(slice(None), *(slice(a, b) for a, b in zip(tile.core.low, tile.core.high, strict=True)))]


@pytest.fixture(scope="module")
def perfect():
    return Reader()


@pytest.fixture
def reading(monkeypatch, perfect):
    """Let picking read a score map that is already there."""

    def use(look=perfect):
        monkeypatch.setattr(picking, "scanner", lambda *_: look)

    use()
    return use


@pytest.fixture(autouse=True, scope="module")
def slim_networks():
    before, fast.FEATURES = fast.FEATURES, (6, 8, 8)
    yield
    fast.FEATURES = before


@pytest.fixture(scope="module")
def checkpoint():
    return Checkpoint(
        config=RunConfig(train=TrainConfig(patch=32)),
        classes=CLASSES,
        voxel_size=VOXEL_SIZE,
        weights=dict(build(NetworkConfig(), 2).state_dict()),
        calibration={2: (2.0, -1.0), 5: (0.5, 1.0)},
        thresholds={2: 0.6, 5: 0.3},
        metrics={},
    )


def tomogram(voxel_size=VOXEL_SIZE, shape=SHAPE):
    data = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return Tomogram(id="t", path=None, voxel_size=voxel_size, data=data)


def of_class(result, class_id):
    return result.table.select(result.table.class_ids == class_id)


@pytest.mark.usefixtures("reading")
def test_every_particle_is_picked_once_within_half_a_voxel_and_as_its_class(checkpoint):
    result = drain(pick(tomogram(), checkpoint, CPU))
    for spec in CLASSES:
        picks = of_class(result, spec.id)
        distance, which = cKDTree(CENTRES[spec.id]).query(picks.positions)
        assert sorted(which) == list(range(len(CENTRES[spec.id])))
        assert distance.max() < 0.5
    assert result.shape == SHAPE
    assert result.voxel_size == VOXEL_SIZE
    assert result.classes == CLASSES
    assert result.thresholds == checkpoint.thresholds
    assert set(result.table.statuses) == {Status.CANDIDATE}
    assert set(result.table.sources) == {Source.PICKED}


def test_scores_are_calibrated_sorted_and_follow_the_map(reading, checkpoint):
    brightness = np.linspace(0.1, 1, len(CENTRES[2]))
    reading(Reader(CLASSES[:1], brightness))
    result = drain(pick(tomogram(), replace(checkpoint, classes=CLASSES[:1], weights=single()), CPU))
    distance, which = cKDTree(CENTRES[2]).query(result.table.positions)
    assert distance.max() < 0.6
    assert result.table.scores.min() >= 0
    assert result.table.scores.max() <= 1
    assert (np.diff(result.table.scores) <= 0).all()
    assert np.corrcoef(np.argsort(np.argsort(brightness[which])), np.arange(len(which)))[0, 1] < -0.97
    raw = drain(pick(tomogram(), replace(checkpoint, classes=CLASSES[:1], weights=single(), calibration={2: (1.0, 0.0)}), CPU))
    np.testing.assert_allclose(result.table.scores, calibrated(raw.table.scores, (2.0, -1.0)), atol=1e-5)


def single():
    return dict(build(NetworkConfig(), 1).state_dict())


@pytest.mark.usefixtures("reading")
def test_thresholds_are_views_of_one_result(checkpoint):
    result = drain(pick(tomogram(), checkpoint, CPU))
    assert result.mask(0.0).all()
    assert not result.mask(1.1).any()
    counts = [len(result.picks(t)) for t in np.linspace(0, 1, 11)]
    assert counts == sorted(counts, reverse=True)
    near_a_face = (result.table.positions < 13).any(1) | (result.table.positions > np.array(SHAPE) - 1 - 13).any(1)
    np.testing.assert_array_equal(result.mask(0.0, edge=13), ~near_a_face)
    assert 0 < near_a_face.sum() < len(near_a_face)


class Lower:
    """A mask of the lower half."""

    def touches(self, box):
        return box.low[0] < SHAPE[0] / 2

    def inside(self, positions):
        return positions[:, 0] < SHAPE[0] / 2


@pytest.mark.usefixtures("reading")
def test_no_pick_lies_beside_a_mask_though_its_tile_reaches_further(checkpoint):
    whole, masked = (drain(pick(tomogram(), checkpoint, CPU, mask=mask)).table.positions for mask in (None, Lower()))
    assert 0 < len(masked) < len(whole)
    np.testing.assert_array_equal(masked, whole[Lower().inside(whole)])


@pytest.mark.usefixtures("reading")
def test_the_published_variant_gives_whole_voxels_and_its_own_threshold(checkpoint):
    result = drain(pick(tomogram(), checkpoint, replace(CPU, nms="published")))
    assert (result.table.positions == np.round(result.table.positions)).all()
    assert result.thresholds == {2: 0.1, 5: 0.1}
    assert result.mask().all()
    for spec in CLASSES:
        distance, _ = cKDTree(CENTRES[spec.id]).query(of_class(result, spec.id).positions)
        assert distance.max() < 1.8
    assert len(cKDTree(result.table.positions).query_pairs(6.0 - 1e-6)) == 0
    assert len(result.table) > 20


def test_a_better_pick_keeps_its_place_in_the_published_variant(reading, checkpoint):
    two = Reader()
    two.score_map[:] = 0
    for i, (at, size) in enumerate((([36.0, 40, 40], 16.0), ([36.0, 40, 43], 8.0))):
        ball = make_labels(np.array([at]), np.ones(1, int), np.array([size]), SHAPE, "ball", 1.0)
        two.score_map[i][ball.classes > 0] = 1
    reading(two)
    published = drain(pick(tomogram(), checkpoint, replace(CPU, nms="published")))
    assert published.table.class_ids.tolist() == [2]
    graded = drain(pick(tomogram(), checkpoint, CPU))
    assert sorted(graded.picks(0.0).class_ids.tolist()) == [2, 5]


@pytest.mark.parametrize("nms", ["graded", "published"])
@pytest.mark.usefixtures("reading")
def test_a_region_gives_the_picks_inside(checkpoint, nms):
    region = Box((12, 20, 30), (60, 70, 75))
    config = replace(CPU, nms=nms, min_distance=0.0)
    whole, part = (drain(pick(tomogram(), checkpoint, config, region=r)) for r in (None, region))
    assert region.contains(np.round(part.table.positions)).all()
    assert part.shape == SHAPE
    deep = Box((18, 26, 36), (54, 64, 69))
    inside = [r.table.positions[deep.contains(r.table.positions)] for r in (whole, part)]
    np.testing.assert_allclose(*(np.unique(np.round(p, 3), axis=0) for p in inside))
    assert len(inside[0]) > 3


@pytest.mark.usefixtures("reading")
def test_what_is_announced_holds_every_pick(checkpoint):
    said = []
    result = drain(pick(tomogram(), checkpoint, CPU), said.append)
    found = [m for m in said if isinstance(m, PicksFound)]
    announced = {(*p, c, s) for m in found for p, c, s in zip(m.positions.tolist(), m.class_ids, m.scores, strict=True)}
    table = result.table
    final = set(zip(*table.positions.T.tolist(), table.class_ids, table.scores, strict=True))
    assert final <= {(*p, c, s) for (*p, c, s) in announced}
    assert len(found) > 1
    assert {m.tomogram_id for m in found} == {"t"}
    assert all(m.names == {spec.id: spec.name for spec in result.classes} for m in found)
    assert all((m.scores >= 0).all() and (m.scores <= 1).all() for m in found)
    assert any(isinstance(m, Progress) for m in said)


@pytest.mark.usefixtures("reading")
@pytest.mark.parametrize(("voxel_size", "told"), [(10.0, False), (10.9, False), (9.2, False), (12.0, True), (5.0, True)])
def test_another_voxel_size_is_told(checkpoint, voxel_size, told):
    said = []
    drain(pick(tomogram(voxel_size), checkpoint, CPU), said.append)
    notices = [m.text for m in said if isinstance(m, Notice)]
    assert bool(notices) == told
    assert all(f"{voxel_size:.2f} Å" in text and "10.00 Å" in text for text in notices)


@pytest.mark.usefixtures("reading")
def test_an_unknown_voxel_size_is_taken_from_the_training_and_told(checkpoint):
    said = []
    result = drain(pick(tomogram(0.0), checkpoint, CPU), said.append)
    assert result.voxel_size == VOXEL_SIZE
    (text,) = (m.text for m in said if isinstance(m, Notice))
    assert "not known" in text
    assert "10.00 Å" in text


@pytest.mark.usefixtures("reading")
def test_the_size_of_what_is_looked_for_follows_the_voxel_size(checkpoint):
    result = drain(pick(tomogram(5.0), checkpoint, CPU))  # particles seem half as large as what is looked for
    assert cKDTree(of_class(result, 2).positions).query_pairs(0.6 * 32 - 1e-6) == set()


def test_nothing_found_is_an_empty_result(reading, checkpoint):
    nothing = Reader()
    nothing.score_map[:] = 0
    reading(nothing)
    result = drain(pick(tomogram(), checkpoint, CPU))
    assert len(result.table) == len(result.picks()) == 0


def test_a_real_network_picks_with_the_whole_chain(checkpoint):
    said = []
    result = drain(pick(tomogram(shape=(24, 40, 40)), checkpoint, replace(CPU, tile=64, overlap=8, half_turn=True)), said.append)
    assert result.shape == (24, 40, 40)
    assert {m.stage for m in said if isinstance(m, Progress)} >= {"Scoring"}


def test_voxels_that_are_no_numbers_are_refused(checkpoint):
    broken = tomogram()
    broken.data[3, 4, 5] = np.nan
    with pytest.raises(FileFormatError, match="not a number"):
        drain(pick(broken, checkpoint, CPU))


def test_a_device_that_is_not_there_is_refused(monkeypatch, checkpoint):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="'cuda' was asked for"):
        drain(pick(tomogram(), checkpoint, replace(CPU, device="cuda")))


def test_a_filter_needs_a_voxel_size(checkpoint):
    filtered = replace(checkpoint, config=replace(checkpoint.config, preprocess=PreprocessConfig(low_pass=40.0)))
    with pytest.raises(ConfigError, match="voxel size of t is unknown"):
        drain(pick(tomogram(0.0), filtered, CPU))


def test_closing_the_job_ends_it(reading, checkpoint):
    class Slow(Reader):
        ended = False

        def scores(self, prepared, tiles):
            try:
                yield from super().scores(prepared, tiles)
            finally:
                Slow.ended = True

    reading(Slow())
    job = pick(tomogram(), checkpoint, CPU)
    next(m for m in job if isinstance(m, Progress) and m.stage == "Scoring")
    job.close()
    assert Slow.ended


@pytest.mark.parametrize("region", [None, Box((10, 20, 15), (60, 80, 70))])
def test_the_score_map_that_is_kept_peaks_at_the_centres(reading, checkpoint, tmp_path, region):
    reading(Reader(CLASSES[:1]))
    one = replace(checkpoint, classes=CLASSES[:1], weights=single())
    drain(pick(tomogram(), one, CPU, region=region, score_map=tmp_path / "maps" / "t.mrc"))
    found = open_score_map(tmp_path / "maps" / "t.mrc", tomogram())
    assert found.voxel_size == VOXEL_SIZE
    balls, count = label(np.asarray(found.data) > CERTAIN / 2)
    middles = np.array(center_of_mass(balls > 0, balls, np.arange(1, count + 1)))
    distance, _ = cKDTree(middles).query(CENTRES[2] if region is None else CENTRES[2][region.contains(CENTRES[2])])
    assert distance.max() < 1


@pytest.mark.usefixtures("reading")
def test_on_a_full_disk_picks_come_without_a_map(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(picking, "room_for", lambda *_: False)
    said = list(pick(tomogram(), checkpoint, CPU, score_map=tmp_path / "t.mrc"))
    assert any(isinstance(m, PicksFound) and len(m.positions) for m in said)
    assert [m.text for m in said if isinstance(m, Notice)] == ["The disk is nearly full: the score map is not kept."]
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("reading")
def test_giving_up_leaves_no_map(checkpoint, tmp_path):
    job = pick(tomogram(), checkpoint, CPU, score_map=tmp_path / "t.mrc")
    while not isinstance(next(job), PicksFound):
        pass
    job.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("reading")
@pytest.mark.parametrize("place", ["core.scoremap.ScoreMapWriter._pad", "core.io.atomic.os.replace"])
def test_a_map_that_cannot_be_written_costs_no_picks(checkpoint, tmp_path, monkeypatch, place):
    wanted = drain(pick(tomogram(), checkpoint, CPU)).table

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(place, full)
    heard = []
    found = drain(pick(tomogram(), checkpoint, CPU, score_map=tmp_path / "t.mrc"), heard.append).table
    assert np.array_equal(found.positions, wanted.positions)
    assert ["score map is not kept" in m.text for m in heard if isinstance(m, Notice)] == [True]
    assert not list(tmp_path.iterdir())
