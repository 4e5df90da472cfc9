"""Any way through the store: what it hands out is what is on the disk, at any time and whoever was asked before."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.annotations import AnnotationStore, TomogramRecord
from core.errors import ProjectError
from core.particles import ClassSpec, ParticleTable, Status

if TYPE_CHECKING:
    from core.annotations import Change

TOMOGRAMS, CLASSES = st.sampled_from("ab"), st.sampled_from([1, 2])
STATUSES = st.sampled_from(list(Status))
ARRAYS = ("ids", "positions", "class_ids", "scores", "sources", "statuses")
EDITS = st.sampled_from(["add", "move", "remove", "reclassify", "judge", "class", "tomogram", "update"])


class GivenUp(Exception):
    """Somebody changed their mind in the middle."""


class Walk(RuleBasedStateMachine):
    """Edits, groups of edits and groups that fail, undone and redone, with tables asked for now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = AnnotationStore.create(Path(self.folder.name) / "project.db")
        self.looker = AnnotationStore.open(self.store.path)  # the second one reads from the disk each time
        assert self.looker.read_only
        self.store.changed.connect(self.heard)
        for class_id in (1, 2):
            self.store.add_class(ClassSpec(id=class_id, name=f"class {class_id}", diameter=100.0))
        for name in "ab":
            self.store.add_tomogram(TomogramRecord(id=name, path=Path(f"/{name}.mrc")))
        self.rng = np.random.default_rng(0)

    def teardown(self) -> None:
        self.looker.close()
        self.store.close()
        self.folder.cleanup()

    def heard(self, change: Change) -> None:
        if change.tomogram_id in self.names():
            self.compare(change.tomogram_id)

    def names(self) -> set[str]:
        return {record.id for record in self.store.tomograms()}

    def compare(self, name: str | None) -> None:
        mine, theirs = self.store.table(str(name)), self.looker.table(str(name))
        for array in ARRAYS:
            np.testing.assert_array_equal(getattr(mine, array), getattr(theirs, array))
            assert getattr(mine, array).dtype == getattr(theirs, array).dtype

    def edit(self, kind: str, name: str, class_id: int, status: Status, n: int) -> None:
        """Do something; what the store refuses is left."""
        with suppress(ProjectError):
            self._edit(kind, name, class_id, status, n)

    def _edit(self, kind: str, name: str, class_id: int, status: Status, n: int) -> None:
        if kind == "class":
            self._class(class_id)
        elif kind == "tomogram":
            self._tomogram(name)
        else:
            self._particles(kind, name, class_id, status, n)

    def _particles(self, kind: str, name: str, class_id: int, status: Status, n: int) -> None:
        store, table = self.store, self.store.table(name)
        ids = self.rng.choice(table.ids, min(n, len(table)), replace=False)
        if kind == "add":
            store.add_many(ParticleTable.build(name, self.rng.random((n, 3)), class_id, status=status))
        elif kind == "move":
            store.move(ids, self.rng.random((len(ids), 3)))
        elif kind == "remove":
            store.remove(ids)
        elif kind == "reclassify":
            store.reclassify(ids, class_id)
        elif kind == "judge":
            store.set_status(ids, status)
        else:
            store.update_tomogram(TomogramRecord(id=name, path=Path(f"/{name}{n}.mrc")))

    def _class(self, class_id: int) -> None:
        if any(spec.id == class_id for spec in self.store.classes()):
            self.store.remove_class(class_id, with_particles=True)
        else:
            self.store.add_class(ClassSpec(id=class_id, name=f"class {class_id}", diameter=100.0))

    def _tomogram(self, name: str) -> None:
        if name in self.names():
            self.store.remove_tomogram(name, with_particles=True)
        else:
            self.store.add_tomogram(TomogramRecord(id=name, path=Path(f"/{name}.mrc")))

    @rule(kind=EDITS, name=TOMOGRAMS, class_id=CLASSES, status=STATUSES, n=st.integers(0, 12))
    def change(self, kind: str, name: str, class_id: int, status: Status, n: int) -> None:
        self.edit(kind, name, class_id, status, n)

    @rule(
        kinds=st.lists(EDITS, max_size=4),
        name=TOMOGRAMS,
        class_id=CLASSES,
        status=STATUSES,
        n=st.integers(0, 6),
        fails=st.booleans(),
    )
    def group(self, kinds: list[str], name: str, class_id: int, status: Status, n: int, fails: bool) -> None:
        try:
            with self.store.grouped("several"):
                for kind in kinds:
                    self.edit(kind, name, class_id, status, n)
                if fails:
                    raise GivenUp
        except GivenUp:
            pass

    @rule(back=st.integers(0, 4), forth=st.integers(0, 4))
    def walk(self, back: int, forth: int) -> None:
        for step in [self.store.undo] * back + [self.store.redo] * forth:
            step()

    @rule(name=TOMOGRAMS)
    def ask(self, name: str) -> None:
        if name in self.names():
            self.compare(name)

    @invariant()
    def counts_are_those_on_the_disk(self) -> None:
        assert self.store.counts() == self.looker.counts()

    @rule()
    def ask_all(self) -> None:
        for name in self.names():
            self.compare(name)


TestWalk = Walk.TestCase
TestWalk.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
