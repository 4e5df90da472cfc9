from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.annotations import AnnotationStore, TomogramRecord
from core.curation import accept, reclassify
from core.errors import ProjectError
from core.particles import ClassSpec, ParticleTable, Source, Status
from core.tomogram import Tomogram

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOMOGRAM = Tomogram(id="a", path=None, voxel_size=10.0, data=np.zeros((40, 60, 80), np.int8))
MARK, ON_IT, FREE, BESIDE_FREE, OTHER = 1, 2, 3, 4, 5  # ids


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AnnotationStore]:
    """A mark, a pick on it, two picks on one place, the first of them better, and a pick of another class on the mark."""
    with AnnotationStore.create(tmp_path / "project.db") as made:
        made.add_class(ClassSpec(id=1, name="ribosome", diameter=200.0))
        made.add_class(ClassSpec(id=2, name="barrel", diameter=200.0))
        made.add_tomogram(TomogramRecord(id="a", path=tmp_path / "a.mrc"))
        made.add("a", (10, 10, 10), 1)
        picks = [[10, 10, 19], [30, 30, 30], [30, 30, 36], [10, 10, 12]]
        scores = np.array([0.9, 0.8, 0.6, 0.7], np.float32)
        made.add_many(ParticleTable.build("a", picks, [1, 1, 1, 2], scores=scores, source=Source.PICKED, status=Status.CANDIDATE))
        yield made


def state(store: AnnotationStore) -> dict[int, tuple[int, Status]]:
    table = store.table("a")
    return {int(i): (int(c), Status(s)) for i, c, s in zip(table.ids, table.class_ids, table.statuses, strict=True)}


@pytest.mark.parametrize(
    ("ids", "removed", "accepted"),
    [([ON_IT], 1, {MARK}), ([FREE], 0, {MARK, FREE}), ([OTHER], 0, {MARK, OTHER}), ([FREE, BESIDE_FREE], 1, {MARK, FREE})],
)
def test_accepting_never_makes_two_particles_of_one(
    store: AnnotationStore, ids: list[int], removed: int, accepted: set[int]
) -> None:
    before = state(store)
    assert accept(store, TOMOGRAM, ids) == removed
    assert {i for i, (_, status) in state(store).items() if status is Status.ACCEPTED} == accepted
    assert len(before) - len(state(store)) == removed
    assert store.particle(MARK).position == (10, 10, 10)
    store.undo()
    assert state(store) == before


def test_a_further_pick_on_an_accepted_one_goes_too(store: AnnotationStore) -> None:
    assert (accept(store, TOMOGRAM, [FREE]), accept(store, TOMOGRAM, [BESIDE_FREE])) == (0, 1)


def test_a_rejected_pick_is_accepted_after_all(store: AnnotationStore) -> None:
    store.reject(FREE)
    accept(store, TOMOGRAM, [FREE])
    assert state(store)[FREE] == (1, Status.ACCEPTED)


def test_another_class_is_a_decision(store: AnnotationStore) -> None:
    before = state(store)
    assert reclassify(store, TOMOGRAM, [FREE, MARK], 2) == 0
    assert state(store)[FREE] == state(store)[MARK] == (2, Status.ACCEPTED)
    store.undo()
    assert state(store) == before


def test_a_pick_that_becomes_the_class_of_the_mark_it_lies_on_goes(store: AnnotationStore) -> None:
    assert reclassify(store, TOMOGRAM, [OTHER], 1) == 1
    assert OTHER not in state(store)


def test_a_mark_stays_even_on_another_mark(store: AnnotationStore) -> None:
    second = store.add("a", (10, 10, 11), 2)
    assert reclassify(store, TOMOGRAM, [second], 1) == 0
    assert state(store)[second] == (1, Status.ACCEPTED)


def test_nothing_changes_where_the_class_is_unknown(store: AnnotationStore) -> None:
    before = state(store)
    with pytest.raises(ProjectError, match="There is no class 7"):
        reclassify(store, TOMOGRAM, [ON_IT, FREE], 7)
    assert state(store) == before
