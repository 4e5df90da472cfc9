from __future__ import annotations

import sqlite3
import tempfile
import time
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.annotations import AnnotationStore, Change, Kind, Role, TomogramRecord
from core.errors import ConfigError, ProjectError
from core.particles import ClassSpec, ParticleTable, Source, Status
from core.tomogram import Box

if TYPE_CHECKING:
    from collections.abc import Iterator

RIBOSOME = ClassSpec(id=1, name="ribosome", diameter=250.0)
PROTEASOME = ClassSpec(id=2, name="proteasome", diameter=150.0, color="#00ff00")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "project.db"


@pytest.fixture
def store(path: Path) -> Iterator[AnnotationStore]:
    with AnnotationStore.create(path) as store:
        _furnish(store)
        yield store


def _furnish(store: AnnotationStore) -> None:
    store.add_class(RIBOSOME)
    store.add_class(PROTEASOME)
    store.add_tomogram(TomogramRecord(id="a", path=store.path.parent / "a.mrc"))
    store.add_tomogram(TomogramRecord(id="b", path=Path("/elsewhere/b.mrc")))


def _table(n: int, tomogram: str = "a") -> ParticleTable:
    rng = np.random.default_rng(n)
    scores = rng.random(n).astype(np.float32)
    return ParticleTable.build(tomogram, rng.random((n, 3)) * 300, 1 + rng.integers(0, 2, n), scores=scores)


def _state(store: AnnotationStore) -> Any:
    tables = [store.table(record.id) for record in store.tomograms()]
    arrays = [
        (t.ids.tolist(), t.positions.tolist(), t.class_ids.tolist(), t.scores.tolist(), t.sources.tolist(), t.statuses.tolist())
        for t in tables
    ]
    return store.classes(), store.tomograms(), repr(arrays)


def _heard(store: AnnotationStore) -> list[Change]:
    changes: list[Change] = []
    store.changed.connect(changes.append)
    return changes


# ---- what goes in comes out ----


@given(zyx=st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 3), score=st.floats(0, 1, width=32) | st.just(np.nan))
@settings(max_examples=15)
def test_positions_and_scores_are_kept_exactly(zyx: tuple[float, float, float], score: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with AnnotationStore.create(Path(folder) / "p.db") as store:
            _furnish(store)
            store.add("a", zyx, 1, score=score)
        with AnnotationStore.open(Path(folder) / "p.db") as store:
            table = store.table("a")
    np.testing.assert_array_equal(table.positions, [zyx])
    np.testing.assert_array_equal(table.scores, np.float32([score]))


def test_a_table_comes_back_as_it_went_in(store: AnnotationStore) -> None:
    given_table = replace(_table(50), sources=np.arange(50) % 3, statuses=np.arange(50) % 3)
    ids = store.add_many(given_table)
    found = store.table("a")
    np.testing.assert_array_equal(found.ids, ids)
    for name in ("positions", "class_ids", "scores", "sources", "statuses"):
        np.testing.assert_array_equal(getattr(found, name), getattr(given_table, name))
    assert len(store.table("b")) == 0
    assert set(store.table("a", class_id=2).class_ids) == {2}
    assert set(store.table("a", status=Status.REJECTED).statuses) == {Status.REJECTED}
    assert sum(store.counts().values()) == 50


def test_one_particle_by_its_id(store: AnnotationStore) -> None:
    number = store.add("b", (1.5, 2.25, 3), 2, score=0.5, source=Source.PICKED, status=Status.CANDIDATE)
    particle = store.particle(number)
    assert (particle.tomogram_id, particle.class_id, particle.position, particle.score) == ("b", 2, (1.5, 2.25, 3.0), 0.5)
    assert (particle.source, particle.status) == (Source.PICKED, Status.CANDIDATE)
    assert np.isnan(store.particle(store.add("a", (0, 0, 0), 1)).score)


def test_edits_reach_only_what_they_name(store: AnnotationStore) -> None:
    first, second, third = store.add_many(ParticleTable.build("a", np.zeros((3, 3)))).tolist()
    store.move([first], (1, 2, 3))
    store.reclassify(np.asarray([second]), 2)
    store.reject(third)
    store.accept(first)
    table = store.table("a")
    assert table.positions.tolist() == [[1, 2, 3], [0, 0, 0], [0, 0, 0]]
    assert table.class_ids.tolist() == [1, 2, 1]
    assert table.statuses.tolist() == [Status.ACCEPTED, Status.ACCEPTED, Status.REJECTED]
    assert store.counts() == {("a", 1, Status.ACCEPTED): 1, ("a", 1, Status.REJECTED): 1, ("a", 2, Status.ACCEPTED): 1}


def test_ids_are_never_used_twice(store: AnnotationStore) -> None:
    first = store.add("a", (1, 1, 1), 1)
    store.undo()
    second = store.add("a", (1, 1, 1), 1)
    store.remove(second)
    third = store.add("a", (1, 1, 1), 1)
    assert first < second < third


@pytest.mark.parametrize("voxel_size", [None, 1.35, 13.48])
def test_tomograms_and_classes_come_back(path: Path, voxel_size: float | None) -> None:
    record = TomogramRecord(
        id="a b/ü",
        path=path.parent / "data" / "a.mrc",
        voxel_size=voxel_size,
        signed=False,
        region=Box((1, 2, 3), (40, 50, 60)),
        complete=True,
        role=Role.VALIDATION,
    )
    with AnnotationStore.create(path) as store:
        store.add_tomogram(record)
        store.add_class(PROTEASOME)
        assert store.next_class_id() == 3
    with AnnotationStore.open(path) as store:
        assert store.tomograms() == (record,)
        assert store.tomogram(record.id) == record
        assert store.classes() == (PROTEASOME,)
        store.update_tomogram(replace(record, role=Role.NONE, region=None))
        assert store.tomogram(record.id).role is Role.NONE


def test_paths_inside_the_project_move_with_it(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    with AnnotationStore.create(old / "project.db") as store:
        store.add_tomogram(TomogramRecord(id="in", path=old / "sub" / "in.mrc"))
        store.add_tomogram(TomogramRecord(id="out", path=tmp_path / "out.mrc"))
    old.rename(new)
    with AnnotationStore.open(new / "project.db") as store:
        assert [record.path for record in store.tomograms()] == [new / "sub" / "in.mrc", tmp_path / "out.mrc"]


# ---- undo and redo ----

CHANGES = {
    "add": lambda store, ids: store.add("a", (1.1, 2.2, 3.3), 1),
    "add many": lambda store, ids: store.add_many(_table(7, "b")),
    "move": lambda store, ids: store.move(ids, np.full((len(ids), 3), 9.87654321)),
    "remove": lambda store, ids: store.remove(ids[:2]),
    "reclassify": lambda store, ids: store.reclassify(ids, 2),
    "judge": lambda store, ids: store.set_status(ids, Status.REJECTED),
    "class": lambda store, ids: store.add_class(ClassSpec(id=store.next_class_id(), name=f"c{store.next_class_id()}", diameter=1)),
    "rename": lambda store, ids: store.update_class(replace(store.classes()[0], name=store.classes()[0].name + "s")),
    "remove class": lambda store, ids: store.remove_class(2, with_particles=True),
    "role": lambda store, ids: store.update_tomogram(replace(store.tomograms()[0], role=Role.TRAIN)),
    "remove tomogram": lambda store, ids: store.remove_tomogram("b", with_particles=True),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_is_undone_and_redone_also_after_a_restart(path: Path, name: str) -> None:
    with AnnotationStore.create(path) as store:
        _furnish(store)
        ids = np.concatenate([store.add_many(_table(5)), store.add_many(_table(4, "b"))])
        before = _state(store)
        CHANGES[name](store, ids)
        after = _state(store)
    assert before != after
    with AnnotationStore.open(path) as store:
        assert store.undo()
        assert _state(store) == before
        assert store.can_redo
    with AnnotationStore.open(path) as store:
        assert store.redo()
        assert _state(store) == after
        assert not store.can_redo


@given(names=st.lists(st.sampled_from(list(CHANGES)), max_size=8), group=st.integers(0, 8))
@settings(max_examples=20)
def test_any_history_can_be_walked_both_ways(names: list[str], group: int) -> None:
    with tempfile.TemporaryDirectory() as folder, AnnotationStore.create(Path(folder) / "p.db") as store:
        _furnish(store)
        store.add_many(_table(6))
        while store.undo():
            pass
        while store.redo():
            pass
        states = [_state(store)]
        for name in names[:group]:
            _try(store, name)
            states += [_state(store)] if _state(store) != states[-1] else []
        with store.grouped("all the rest"):
            for name in names[group:]:
                _try(store, name)
        states += [_state(store)] if _state(store) != states[-1] else []
        for state in reversed(states[:-1]):
            store.undo()
            assert _state(store) == state
        for state in states[1:]:
            store.redo()
            assert _state(store) == state
        assert not store.can_redo


def _try(store: AnnotationStore, name: str) -> None:
    # a change may meet a class or tomogram that an earlier one removed: it is refused and changes nothing
    ids = np.concatenate([store.table(record.id).ids for record in store.tomograms()])
    with suppress(ProjectError):
        CHANGES[name](store, ids)


def test_a_new_change_forgets_what_was_undone(store: AnnotationStore) -> None:
    first = store.add("a", (1, 1, 1), 1)
    store.add("a", (2, 2, 2), 1)
    store.undo()
    store.add("a", (3, 3, 3), 1)
    assert not store.can_redo
    assert store.redo() is None
    store.undo()
    assert store.table("a").ids.tolist() == [first]


def test_undo_says_what_it_did_and_ends(path: Path) -> None:
    with AnnotationStore.create(path) as store:
        assert not store.can_undo
        assert store.undo() is None
        store.add_class(RIBOSOME)
        assert store.can_undo
        assert store.undo() == "Add class ribosome"
        assert store.redo() == "Add class ribosome"


def test_a_change_without_effect_is_none(store: AnnotationStore) -> None:
    number = store.add("a", (1, 1, 1), 1)
    store.add("a", (2, 2, 2), 1)
    store.undo()
    heard = _heard(store)
    store.reclassify(number, 1)
    store.accept([number])
    store.remove([])
    store.update_class(RIBOSOME)
    store.update_tomogram(store.tomograms()[0])
    assert len(store.add_many(_table(0))) == 0
    assert heard == []
    assert store.can_redo


def test_a_group_is_one_entry_and_all_or_nothing(store: AnnotationStore) -> None:
    before, heard = _state(store), _heard(store)
    with store.grouped("Swap"):
        number = store.add("a", (1, 1, 1), 1)
        store.move(number, (2, 2, 2))
        gone = store.add("b", (1, 1, 1), 1)
        store.remove(gone)
    assert [(change.kind, change.tomogram_id, change.ids.tolist()) for change in heard] == [(Kind.SEVERAL, "a", [number])]
    after = _state(store)
    assert store.undo() == "Swap"
    assert _state(store) == before
    store.redo()
    assert _state(store) == after
    with pytest.raises(ProjectError, match="no class 9"):
        _group_that_fails(store)
    assert _state(store) == after


def _group_that_fails(store: AnnotationStore) -> None:
    with store.grouped("half"):
        store.add("a", (5, 5, 5), 1)
        store.add("a", (5, 5, 5), 9)


# ---- events ----


def test_one_event_a_call(store: AnnotationStore) -> None:
    heard = _heard(store)
    ids = store.add_many(_table(3))
    store.move(ids[:1], (1, 1, 1))
    store.reject(ids[1:])
    store.reclassify(ids, 2)
    store.remove(ids)
    store.undo()
    store.redo()
    store.add_class(ClassSpec(id=3, name="c", diameter=1.0))
    store.update_tomogram(replace(store.tomogram("b"), complete=True))
    kinds = ["added", "moved", "judged", "reclassified", "removed", "added", "removed", "classes", "tomograms"]
    assert [change.kind for change in heard] == kinds
    assert [change.tomogram_id for change in heard] == ["a"] * 7 + [None, "b"]
    assert heard[1].ids.tolist() == ids[:1].tolist()
    assert heard[5].ids.tolist() == ids.tolist()


def test_a_listener_finds_the_change_on_disk(store: AnnotationStore) -> None:
    seen: list[int] = []

    def look(_: Change) -> None:
        with closing(sqlite3.connect(store.path)) as other:
            seen.append(other.execute("SELECT count(*) FROM particles").fetchone()[0])

    store.changed.connect(look)
    store.add("a", (1, 1, 1), 1)
    assert seen == [1]


# ---- refusals ----


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda s: s.add("a", (np.nan, 1, 1), 1), "three numbers"),
        (lambda s: s.add_many(ParticleTable.build("a", [[1, 1, 1], [1, np.inf, 1]])), "three numbers"),
        (lambda s: s.add("a", (1, 1, 1), 1, score=np.inf), "score"),
        (lambda s: s.add("nowhere", (1, 1, 1), 1), "no tomogram 'nowhere' in this project; there is: a, b"),
        (lambda s: s.add("a", (1, 1, 1), 7), r"no class 7 in this project; there is: 1 \(ribosome\), 2 \(proteasome\)"),
        (lambda s: s.move(1, (1, np.nan, 1)), "three numbers"),
        (lambda s: s.move(99, (1, 1, 1)), "no particle 99"),
        (lambda s: s.remove([1, 99]), "no particle 99"),
        (lambda s: s.reclassify([1], 7), "no class 7"),
        (lambda s: s.reject([99]), "no particle 99"),
        (lambda s: s.particle(99), "no particle 99"),
        (lambda s: s.table("nowhere"), "no tomogram"),
        (lambda s: s.add_class(ClassSpec(id=1, name="x", diameter=1.0)), "id 1 already; take 3"),
        (lambda s: s.add_class(ClassSpec(id=5, name="ribosome", diameter=1.0)), "named 'ribosome' already"),
        (lambda s: s.update_class(ClassSpec(id=2, name="ribosome", diameter=1.0)), "named 'ribosome' already"),
        (lambda s: s.update_class(ClassSpec(id=9, name="x", diameter=1.0)), "no class 9"),
        (lambda s: s.remove_class(1), "has 1 particles"),
        (lambda s: s.add_tomogram(TomogramRecord(id="a", path=Path("x"))), "'a' already"),
        (lambda s: s.update_tomogram(TomogramRecord(id="c", path=Path("x"))), "no tomogram 'c'"),
        (lambda s: s.remove_tomogram("a"), "has 1 particles"),
        (lambda s: s.remove_tomogram("c"), "no tomogram 'c'"),
    ],
)
def test_wrong_input_is_a_sentence_and_changes_nothing(store: AnnotationStore, call: Any, sentence: str) -> None:
    store.add("a", (1, 1, 1), 1)
    before, heard = _state(store), _heard(store)
    with pytest.raises(ProjectError, match=sentence):
        call(store)
    assert _state(store) == before
    assert heard == []


@pytest.mark.parametrize("values", [{"id": " "}, {"voxel_size": 0.0}, {"voxel_size": float("nan")}])
def test_records_check_themselves(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        TomogramRecord(**({"id": "a", "path": Path("a.mrc")} | values))


def test_misuse_is_a_builtin_error(store: AnnotationStore) -> None:
    number = store.add("a", (1, 1, 1), 1)
    with pytest.raises(ValueError, match="as many positions"):
        store.move([number], np.zeros((2, 3)))
    with store.grouped("x"), pytest.raises(RuntimeError, match="group"):
        store.undo()


def test_a_full_disk_is_a_sentence_and_changes_nothing(store: AnnotationStore) -> None:
    store.add("a", (1, 1, 1), 1)
    before = _state(store)
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(ProjectError, match=r"disk of .* is full; free some space"):
        store.add_many(_table(5000))
    assert _state(store) == before
    store._db.execute("PRAGMA max_page_count = 100000")
    store.add_many(_table(5000))
    store.undo()
    assert _state(store) == before


# ---- speed ----


def test_speed(store: AnnotationStore) -> None:
    table = _table(100_000)
    seconds = {name: _seconds(call) for name, call in {"add": lambda: store.add_many(table), "undo": store.undo}.items()}
    seconds["redo"] = _seconds(store.redo)
    assert max(seconds.values()) < 2, seconds
    clicks = [_seconds(lambda: store.add("a", (1, 2, 3), 1)) for _ in range(50)]
    assert np.median(clicks) < 5e-3


def _seconds(call: Any) -> float:
    # processor time: other programs on a busy machine are not this store's fault
    start = time.process_time()
    call()
    return time.process_time() - start


# ---- tables that are kept ----


def fresh(store: AnnotationStore, name: str) -> ParticleTable:
    """What is on the disk, as a program reads that has just opened it."""
    with AnnotationStore.open(store.path) as reader:
        assert reader.read_only
        return reader.table(name)


def assert_same(one: ParticleTable, other: ParticleTable) -> None:
    for name in ("ids", "positions", "class_ids", "scores", "sources", "statuses"):
        assert np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name == "scores"), name


COURSE = {
    "add": lambda store, _ids: store.add("a", (1, 2, 3), 1),
    "add elsewhere": lambda store, _ids: store.add("b", (1, 2, 3), 1),
    "move": lambda store, ids: store.move(int(ids[3]), (7, 8, 9)),
    "remove the first": lambda store, ids: store.remove(int(ids[0])),
    "remove the last": lambda store, ids: store.remove(int(ids[-1])),
    "judge": lambda store, ids: store.reject(ids[4:6]),
    "undo": lambda store, _ids: store.undo(),
    "undo again": lambda store, _ids: store.undo(),
    "redo": lambda store, _ids: store.redo(),
    "many": lambda store, _ids: store.add_many(ParticleTable.build("a", np.arange(90.0).reshape(30, 3), 1)),
    "a class goes": lambda store, _ids: store.remove_class(2, with_particles=True),
    "it comes back": lambda store, _ids: store.undo(),
}


def kept_store(path: Path) -> AnnotationStore:
    store = AnnotationStore.create(path / "kept.db")
    for number in (1, 2):
        store.add_class(ClassSpec(id=number, name=f"class {number}", diameter=100.0))
    for name in ("a", "b"):
        store.add_tomogram(TomogramRecord(id=name, path=path / f"{name}.mrc"))
        store.add_many(ParticleTable.build(name, np.arange(60.0).reshape(20, 3), [1, 2] * 10))
    return store


def test_a_table_that_is_kept_is_what_is_on_the_disk_after_every_change(tmp_path: Path) -> None:
    with kept_store(tmp_path) as store:
        for change in COURSE.values():
            change(store, store.table("a").ids)
            for name in ("a", "b"):
                assert_same(store.table(name), fresh(store, name))
            with AnnotationStore.open(store.path) as reader:
                assert store.counts() == reader.counts()


def test_tables_are_right_within_a_group_and_after_it_was_given_up(tmp_path: Path) -> None:
    with kept_store(tmp_path) as store:
        before = store.table("a")

        def give_up() -> None:
            with store.grouped("never"):
                store.remove(before.ids[:5])
                assert len(store.table("a")) == 15
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            give_up()
        assert_same(store.table("a"), before)
        with store.grouped("removal"):
            store.remove(before.ids[:5])
        assert len(store.table("a")) == 15


def test_tables_keep_up_while_nobody_is_told(tmp_path: Path) -> None:
    with kept_store(tmp_path) as store:
        store.table("a")
        with store.changed.blocked():
            store.remove(store.table("a").ids[:2])
        assert_same(store.table("a"), fresh(store, "a"))


def test_tables_cannot_be_written_to(tmp_path: Path) -> None:
    with kept_store(tmp_path) as store, pytest.raises(ValueError, match="read-only"):
        store.table("a").positions[0] = 0


# ---- flags ----


def test_flags_stay_with_their_particles_and_are_undone_like_all_else(path: Path) -> None:
    with AnnotationStore.create(path) as store:
        _furnish(store)
        ids = store.add_many(_table(4))
        heard: list[Change] = []
        store.changed.connect(heard.append)
        store.flag(ids[1:3])
        assert store.flagged("a").tolist() == ids[1:3].tolist()
        assert (heard[-1].kind, heard[-1].tomogram_id, heard[-1].ids.tolist()) == (Kind.FLAGGED, "a", ids[1:3].tolist())
        store.reject(ids[1])
        store.move(ids[2], (1, 2, 3))
        assert store.flagged("a").tolist() == ids[1:3].tolist()
        store.flag(ids[1], False)
        assert store.flagged("a").tolist() == [ids[2]]
        assert store.flagged("b").tolist() == []
        assert store.undo() == "Set particle not flagged"
    with AnnotationStore.open(path) as store:
        assert store.flagged("a").tolist() == ids[1:3].tolist()
        assert [store.undo() for _ in range(3)][-1] == "Set 2 particles flagged"
        assert store.flagged("a").tolist() == []
        with pytest.raises(ProjectError, match="no particle 99"):
            store.flag(99)
