from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from core.cli import run
from core.clusters import ALONE, Clusters, grouped, in_polygon, load_clusters, members, save_clusters
from core.embedding import embed
from core.errors import PickerError
from core.io.volumes import write_mrc
from core.messages import drain
from core.particles import ClassSpec, ParticleTable, Source, Status
from core.pretrained import pretrained
from core.project import Project
from core.tomogram import Tomogram


@pytest.fixture(scope="module")
def two_sorts():
    """Balls and sticks in noise, 15 of each, with their centres."""
    rng = np.random.default_rng(3)
    data = rng.normal(0, 6, (64, 160, 192))
    places = np.stack(np.meshgrid([16, 48], [16, 48, 80, 112, 144], [24, 96, 168], indexing="ij"), axis=-1).reshape(-1, 3)
    grid = np.stack(np.indices(data.shape), axis=-1)
    for number, place in enumerate(places):
        away = np.abs(grid - place)
        ball = (away**2).sum(axis=-1) <= 64
        stick = (away[..., 0] <= 2) & (away[..., 1] <= 2) & (away[..., 2] <= 14)
        data[ball if number % 2 else stick] -= 30
    return data.clip(-127, 127).astype(np.int8), places.astype(float)


def test_the_network_tells_two_sorts_apart(two_sorts):
    data, places = two_sorts
    features = drain(embed(Tomogram(id="t", path=None, voxel_size=10.0, data=data), pretrained(), places, 160.0))
    found = grouped(np.arange(1, 31), features)
    kinds = np.arange(30) % 2
    assert len(set(found.labels[kinds == 0].tolist()) & set(found.labels[kinds == 1].tolist()) - {ALONE}) == 0
    assert (found.labels != ALONE).mean() > 0.6
    assert found.components.shape == (30, 10)


def test_groups_are_found_and_numbered_by_size():
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(0, 0.1, (20, 8)), rng.normal(3, 0.1, (60, 8))])
    found = grouped(np.arange(80), features.astype(np.float32))
    assert (found.labels[20:] == 0).mean() > 0.9
    assert (found.labels[:20] == 1).mean() > 0.9


def test_too_few_are_refused():
    with pytest.raises(PickerError, match="9 picks are too few"):
        grouped(np.arange(9), np.zeros((9, 4), np.float32))


def test_what_is_kept_comes_back_and_what_is_damaged_does_not(tmp_path):
    found = grouped(np.arange(30), np.random.default_rng(1).normal(size=(30, 12)).astype(np.float32), network="best")
    save_clusters(found, tmp_path / "a" / "t.npz")
    again = load_clusters(tmp_path / "a" / "t.npz")
    assert np.array_equal(again.components, found.components)
    assert np.array_equal(again.labels, found.labels)
    assert again.network == "best"
    (tmp_path / "a" / "t.npz").write_bytes(b"PK\x03\x04 no more")
    assert load_clusters(tmp_path / "a" / "t.npz") is None
    assert load_clusters(tmp_path / "none.npz") is None
    save_clusters(found, tmp_path / "whole.npz")
    whole = (tmp_path / "whole.npz").read_bytes()
    for place in range(0, len(whole), 11):
        (tmp_path / "bad.npz").write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        again = load_clusters(tmp_path / "bad.npz")
        assert again is None or np.array_equal(again.labels, found.labels)


def test_groups_have_two_members_at_least_and_equal_picks_cannot_be_told_apart():
    features = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    assert np.array_equal(grouped(np.arange(20), features, 1).labels, grouped(np.arange(20), features, 2).labels)
    with pytest.raises(PickerError, match="All 20 picks are the same"):
        grouped(np.arange(20), np.ones((20, 8), np.float32))


def test_clusters_follow_particles_that_went_or_were_judged():
    table = ParticleTable.build("t", np.zeros((4, 3)), ids=np.array([2, 3, 5, 9]), scores=np.array([0.5, np.nan, 0.7, 0.9]))
    labels = np.array([0, 1, ALONE, 0])
    found = Clusters(ids=np.array([1, 2, 3, 9]), components=np.zeros((4, 3)), labels=labels, explained=np.zeros(3))
    assert found.count == 2
    assert np.array_equal(found.numbers(table), [2, np.nan, np.nan, 1], equal_nan=True)
    statuses = np.array([Status.CANDIDATE, Status.ACCEPTED, Status.CANDIDATE, Status.REJECTED])
    first, second, none = members(labels, table.scores, statuses)
    assert (first.label, first.count, first.candidates, first.rejected) == (0, 2, 1, 1)
    assert first.score == pytest.approx(0.7)
    assert (second.accepted, none.label) == (1, ALONE)
    assert np.isnan(second.score)


def test_a_lasso_may_be_concave():
    corners = np.array([[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]], float)
    points = np.array([[1, 1], [2, 3], [3.5, 3], [5, 1], [2, 0.5]])
    assert in_polygon(points, corners).tolist() == [True, False, True, False, True]
    assert not in_polygon(points, corners[:2]).any()


def test_the_command_writes_a_table(two_sorts, tmp_path, capsys):
    from core.checkpoint import save_checkpoint

    data, places = two_sorts
    write_mrc(tmp_path / "t.mrc", data, 10.0)
    with Project.create(tmp_path / "p") as project:
        project.add_tomogram(tmp_path / "t.mrc")
        project.store.add_class(ClassSpec(id=1, name="r", diameter=160))
        scores = np.linspace(0.9, 0.5, 30)
        project.store.add_many(ParticleTable.build("t", places, scores=scores, source=Source.PICKED, status=Status.CANDIDATE))
        kept = project.clusters("t")
    save_checkpoint(pretrained(), tmp_path / "p" / "models" / "m.pt")
    assert run(["cluster", str(tmp_path / "p"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["tomograms"]["t"]["candidates"] == 30
    with (tmp_path / "p" / "clusters.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(rows[4][axis]) for axis in "zyx"] == places[4].tolist()
    assert [int(row["id"]) for row in rows] == load_clusters(kept).ids.tolist()
