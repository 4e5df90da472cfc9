from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.annotations import AnnotationStore, TomogramRecord
from core.errors import ProjectError
from core.particles import ClassSpec, ParticleTable
from core.tomogram import Box

if TYPE_CHECKING:
    from collections.abc import Iterator

RIBOSOME = ClassSpec(id=1, name="ribosome", diameter=250.0)

OLD = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO meta VALUES ('format', 'DeepETPicker project'), ('schema', '1');
CREATE TABLE journal (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, description TEXT NOT NULL, tomogram TEXT,
    undone INTEGER NOT NULL DEFAULT 0);
CREATE INDEX journal_undone ON journal(id) WHERE undone;
CREATE TABLE tomograms (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, path TEXT NOT NULL, voxel_size REAL,
    signed INTEGER, role TEXT NOT NULL);
CREATE TABLE tomograms_log (entry INTEGER NOT NULL, side INTEGER NOT NULL, id INTEGER, name TEXT, path TEXT, voxel_size REAL,
    signed INTEGER, role TEXT, PRIMARY KEY (entry, side, id)) WITHOUT ROWID;
CREATE TABLE classes (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, diameter REAL NOT NULL, color TEXT NOT NULL);
CREATE TABLE classes_log (entry INTEGER NOT NULL, side INTEGER NOT NULL, id INTEGER, name TEXT, diameter REAL, color TEXT,
    PRIMARY KEY (entry, side, id)) WITHOUT ROWID;
CREATE TABLE particles (id INTEGER PRIMARY KEY AUTOINCREMENT,
    tomogram INTEGER NOT NULL REFERENCES tomograms(id) DEFERRABLE INITIALLY DEFERRED,
    class INTEGER NOT NULL REFERENCES classes(id) DEFERRABLE INITIALLY DEFERRED,
    z REAL NOT NULL, y REAL NOT NULL, x REAL NOT NULL, score REAL, source INTEGER NOT NULL, status INTEGER NOT NULL);
CREATE TABLE particles_log (entry INTEGER NOT NULL, side INTEGER NOT NULL, id INTEGER, tomogram INTEGER, class INTEGER,
    z REAL, y REAL, x REAL, score REAL, source INTEGER, status INTEGER, PRIMARY KEY (entry, side, id)) WITHOUT ROWID;
CREATE INDEX particles_place ON particles(tomogram, class, status);
INSERT INTO journal (kind, description, tomogram) VALUES ('tomograms', 'Add tomogram a', 'a'), ('added', 'Add particle', 'a');
INSERT INTO tomograms VALUES (1, 'a', 'a.mrc', 13.5, NULL, 'both');
INSERT INTO tomograms_log VALUES (1, 1, 1, 'a', 'a.mrc', 13.5, NULL, 'both');
INSERT INTO classes VALUES (1, 'ribosome', 250.0, '#ffd400');
INSERT INTO particles VALUES (1, 1, 1, 1.25, 2.0, 3.0, NULL, 0, 0);
INSERT INTO particles_log VALUES (2, 1, 1, 1, 1, 1.25, 2.0, 3.0, NULL, 0, 0);
"""


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
    store.add_tomogram(TomogramRecord(id="a", path=store.path.parent / "a.mrc"))


# ---- versions and damaged files ----


def test_an_earlier_version_is_brought_up_to_date(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.executescript(OLD)
    with AnnotationStore.open(path) as store:
        expected = TomogramRecord(id="a", path=path.parent / "a.mrc", voxel_size=13.5)
        assert store.tomograms() == (expected,)
        assert store.table("a").positions.tolist() == [[1.25, 2, 3]]
        store.update_tomogram(replace(expected, complete=True, region=Box((0, 0, 0), (9, 9, 9))))
        assert [store.undo(), store.undo(), store.undo()] == ["Change tomogram a", "Add particle", "Add tomogram a"]
        assert [store.redo(), store.redo()] == ["Add tomogram a", "Add particle"]
        assert store.tomograms() == (expected,)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone() == ("5",)


def test_an_earlier_and_a_new_file_have_the_same_columns(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.executescript(OLD)
    AnnotationStore.open(path).close()
    AnnotationStore.create(path.with_name("new.db")).close()
    assert _columns(path) == _columns(path.with_name("new.db"))


def _columns(path: Path) -> dict[str, set[tuple[str, str]]]:
    with closing(sqlite3.connect(path)) as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {table: {tuple(row[1:3]) for row in db.execute(f"PRAGMA table_info({table})")} for table in tables}


def test_a_failed_migration_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.executescript(OLD)
    monkeypatch.setattr("core.annotations.schema._STEPS", (("ALTER TABLE tomograms ADD COLUMN region TEXT", "nonsense"),))
    with pytest.raises(ProjectError, match="nonsense"):
        AnnotationStore.open(path)
    assert ("region", "TEXT") not in _columns(path)["tomograms"]
    monkeypatch.undo()
    with AnnotationStore.open(path) as store:
        assert len(store.table("a")) == 1


def test_a_newer_version_is_refused(path: Path) -> None:
    AnnotationStore.create(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
        db.commit()
    with pytest.raises(ProjectError, match=r"newer version .* update the program"):
        AnnotationStore.open(path)


@pytest.mark.parametrize(
    "content", [b"not a database at all, but long enough to be looked at" * 20, b"SQLite format 3\0" + b"\xff" * 4096]
)
def test_rubbish_is_a_sentence(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ProjectError, match="damaged"):
        AnnotationStore.open(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "sql", ["", "CREATE TABLE meta (a)", "CREATE TABLE meta (key, value); INSERT INTO meta VALUES ('format', 'x')"]
)
def test_a_foreign_database_is_a_sentence(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.executescript(sql)
    path.touch()
    with pytest.raises(ProjectError, match="not one of this program"):
        AnnotationStore.open(path)


@pytest.mark.parametrize("damage", ["cut", "overwrite"])
def test_a_damaged_database_is_a_sentence(path: Path, damage: str) -> None:
    with AnnotationStore.create(path) as store:
        _furnish(store)
        store.add_many(ParticleTable.build("a", np.zeros((5000, 3))))
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(content[:half] if damage == "cut" else content[:half] + b"\xa5" * 8192 + content[half + 8192 :])
    with pytest.raises(ProjectError, match="damaged; restore it from a copy"):
        AnnotationStore.open(path)


def test_missing_and_existing_files(path: Path) -> None:
    with pytest.raises(ProjectError, match="no project database"):
        AnnotationStore.open(path)
    path.mkdir()
    with pytest.raises(ProjectError, match="no project database"):
        AnnotationStore.open(path)
    with pytest.raises(ProjectError, match="exists already"):
        AnnotationStore.create(path)
    with pytest.raises(ProjectError, match="cannot be opened"):
        AnnotationStore.create(path.parent / "missing" / "project.db")


# ---- two at once ----


def _python(code: str, path: Path) -> subprocess.Popen[str]:
    root = Path(__file__).parents[1]
    prelude = """
import sys
from pathlib import Path
from core.annotations import AnnotationStore
store = AnnotationStore.open(Path(sys.argv[1]))
"""
    command = [sys.executable, "-c", prelude + code, str(path)]
    return subprocess.Popen(command, cwd=root, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_the_second_process_only_looks(store: AnnotationStore) -> None:
    store.add("a", (1, 1, 1), 1)
    code = """
from core.errors import ProjectError
print(store.read_only, len(store.table('a')), store.notice)
for call in (lambda: store.add('a', (1, 1, 1), 1), store.undo, store.redo, lambda: store.remove_class(1)):
    try:
        call()
    except ProjectError as exc:
        print(exc)
"""
    said = _python(code, store.path).communicate(timeout=60)[0].splitlines()
    assert said[0].startswith("True 1 The project is open in another window")
    assert f"process {os.getpid()}" in said[0]
    assert len(said) == 5
    assert all(line.startswith("Nothing was changed. The project is open") for line in said[1:])
    store.add("a", (2, 2, 2), 1)
    assert len(store.table("a")) == 2


def test_the_first_of_two_processes_writes_on_and_the_lock_ends_with_it(path: Path) -> None:
    with AnnotationStore.create(path) as store:
        _furnish(store)
    first = _python("print('open', flush=True)\nfor line in sys.stdin: print(store.add('a', (1, 1, 1), 1), flush=True)", path)
    assert first.stdin is not None
    assert first.stdout is not None
    assert first.stdout.readline() == "open\n"
    with AnnotationStore.open(path) as second:
        assert second.read_only
        first.stdin.write("click\n")
        first.stdin.flush()
        assert first.stdout.readline() == "1\n"
        assert len(second.table("a")) == 1
    first.kill()
    first.communicate()
    with AnnotationStore.open(path) as third:
        assert not third.read_only
        assert third.notice == ""
        assert third.undo() == "Add particle"


def test_two_stores_of_one_process_exclude_each_other_too(store: AnnotationStore) -> None:
    with AnnotationStore.open(store.path) as second:
        assert second.read_only
        with pytest.raises(ProjectError, match="Nothing was changed"):
            second.add("a", (1, 1, 1), 1)
    store.add("a", (1, 1, 1), 1)
    store.close()
    with AnnotationStore.open(store.path) as third:
        assert not third.read_only


def test_an_earlier_version_that_is_locked_is_a_sentence(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.executescript(OLD)
    with closing(sqlite3.connect(path.with_suffix(".lock"), isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ProjectError, match=r"older format 1 .* read-only"):
            AnnotationStore.open(path)


@pytest.fixture
def foreign_folder() -> Iterator[Path]:
    """A folder whose owner is somebody else: root steps down to nobody, others take their own right to write away."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        AnnotationStore.create(place / "project.db").close()
        (place / "project.lock").unlink(missing_ok=True)
        place.chmod(0o555)
        (place / "project.db").chmod(0o444)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            yield place
        finally:
            if root:
                os.seteuid(0)
            place.chmod(0o755)


def test_on_a_read_only_disk_the_project_is_looked_at(tmp_path: Path) -> None:
    def mount(*words: str) -> int:
        return subprocess.run(["mount", *words, str(tmp_path)], capture_output=True, check=False).returncode

    if mount("-t", "tmpfs", "-o", "size=4m", "tmpfs"):
        pytest.skip("mounting a disk is not permitted here")
    try:
        with AnnotationStore.create(tmp_path / "project.db") as store:
            store.add_class(RIBOSOME)
        assert not mount("-o", "remount,ro")
        with AnnotationStore.open(tmp_path / "project.db") as store:
            assert store.read_only
            assert "read-only disk" in store.notice
            assert store.classes() == (RIBOSOME,)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_without_permission_the_project_is_looked_at(foreign_folder: Path) -> None:
    with AnnotationStore.open(foreign_folder / "project.db") as store:
        assert store.read_only
        assert store.tomograms() == ()
        with pytest.raises(ProjectError, match="cannot be written to, for want of permission"):
            store.add_class(RIBOSOME)
    with pytest.raises(ProjectError, match="cannot be opened"):
        AnnotationStore.create(foreign_folder / "other.db")
