from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from core.errors import PickerError, os_reason
from core.io.atomic import atomic_folder, atomic_path

if TYPE_CHECKING:
    from pathlib import Path


def _write_half(target: Path, error: BaseException) -> None:
    with atomic_path(target) as temporary:
        temporary.write_text("half")
        raise error


def test_replaces_the_file_and_keeps_the_suffix(tmp_path: Path) -> None:
    target = tmp_path / "picks.mrc.gz"
    target.write_text("old")
    with atomic_path(target) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffixes[-2:] == [".mrc", ".gz"]
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert os.listdir(tmp_path) == ["picks.mrc.gz"]


@pytest.mark.parametrize("error", [ValueError("defect"), KeyboardInterrupt()])
def test_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old")
    with pytest.raises(type(error)):
        _write_half(target, error)
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.csv"]


def test_full_disk_is_a_sentence(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    with pytest.raises(PickerError, match=r"a\.csv: the disk is full"):
        _write_half(target, OSError(errno.ENOSPC, "No space left on device"))
    assert os.listdir(tmp_path) == []


def test_a_really_full_device_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(PickerError, match="disk is full"), atomic_path(tmp_path / "a.csv"), open("/dev/full", "w") as full:
        print("x", file=full, flush=True)


def test_folder_in_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(PickerError, match="folder of this name"), atomic_path(tmp_path / "a.csv"):
        pass


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(PickerError, match="no such file or folder"), atomic_path(tmp_path / "none" / "a.csv") as temporary:
        temporary.write_text("x")


def test_no_permission(tmp_path: Path) -> None:
    # stands for the real thing, which does not happen to root
    with pytest.raises(PickerError, match="no permission"), atomic_path(tmp_path / "a.csv"):
        raise PermissionError(errno.EACCES, "Permission denied")


def test_a_link_is_followed(tmp_path: Path) -> None:
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    real.write_text("old")
    link.symlink_to(real)
    with atomic_path(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_unknown_reason_keeps_the_systems_words() -> None:
    assert os_reason(OSError(errno.EIO, "Input/output error")) == "Input/output error"


def test_an_old_folder_that_cannot_be_put_back_is_not_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "kept").write_text("old")
    replaced, calls = os.replace, iter(range(3))

    def flaky(one: Path, other: Path) -> None:
        if next(calls):  # the disk goes away after the first
            raise OSError(errno.EIO, "Input/output error")
        replaced(one, other)

    monkeypatch.setattr(os, "replace", flaky)
    with pytest.raises(PickerError, match="Cannot write"), atomic_folder(tmp_path / "a.zarr", lambda _: True):
        pass
    assert [file.read_text() for file in tmp_path.rglob("kept")] == ["old"]
