"""How much memory is left to a process that others have bounded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest

from core import memory

if TYPE_CHECKING:
    from pathlib import Path

GIB = 2**30


def group(folder: Path, names: tuple[str, str], limit: object, taken: int, files: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in zip(names, (limit, taken), strict=True):
        (folder / name).write_text(f"{value}\n", encoding="utf-8")
    (folder / "memory.stat").write_text(f"anon 5\nactive_file {files}\ninactive_file {files}\n", encoding="utf-8")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """64 GiB free, and a place for control groups."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=64 * GIB))
    monkeypatch.setattr(memory, "_GROUPS", tmp_path)
    monkeypatch.setattr(memory, "_MEMBERSHIP", tmp_path / "membership")
    return tmp_path


@pytest.mark.parametrize(
    ("line", "inner", "names"),
    [
        ("0::/job/step", "", ("memory.max", "memory.current")),
        ("5:cpu,memory:/job/step", "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")),
    ],
)
def test_the_narrowest_control_group_counts_and_files_it_holds_are_free(machine, line, inner, names):
    (machine / "membership").write_text(f"9:pids:/elsewhere\n{line}\n", encoding="utf-8")
    group(machine / inner / "job/step", names, "max" if names[0] == "memory.max" else 2**63 - 4096, 3 * GIB)
    assert memory.available() == 64 * GIB
    group(machine / inner / "job", names, 4 * GIB, 3 * GIB, GIB // 4)
    assert memory.available() == 1.5 * GIB
    group(machine / inner / "job/step", names, 3 * GIB, 4 * GIB)
    assert memory.available() == 0


def test_without_control_groups_the_machine_counts(machine):
    assert memory.available() == 64 * GIB


@pytest.mark.parametrize("mode", ["r", "c"])
def test_pages_of_a_mapped_file_are_given_back_unless_they_hold_changes(tmp_path, mode):
    np.arange(2**20, dtype=np.int32).tofile(tmp_path / "file")
    voxels = np.memmap(tmp_path / "file", np.int32, mode, shape=(4, 2**18))
    if mode == "c":
        voxels[2, 5] = -1
    expected = np.array(voxels)
    memory.forget(voxels[1:])
    memory.forget(np.asarray(voxels).view("u4"))
    memory.forget(expected)
    np.testing.assert_array_equal(voxels, expected)
