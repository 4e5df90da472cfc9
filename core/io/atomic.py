"""Files appear whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import PickerError, os_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OLD: ContextVar[dict[Path, Path | None] | None] = ContextVar("_OLD", default=None)
"""Within `all_or_nothing`: each file written so far, and where its old content is kept."""


@contextmanager
def all_or_nothing() -> Iterator[None]:
    """Give all files that the block writes by `atomic_path` their old content back if it ends with an error.

    Yields
    ------
    None
        While old contents are kept beside the new ones.
    """
    old: dict[Path, Path | None] = {}
    token = _OLD.set(old)
    try:
        yield
    except BaseException:
        for target, kept in old.items():
            with suppress(OSError):
                target.unlink(missing_ok=True) if kept is None else os.replace(kept, target)
        raise
    finally:
        _OLD.reset(token)
        for kept in old.values():
            if kept is not None:
                with suppress(OSError):
                    kept.unlink(missing_ok=True)


def _keep(target: Path) -> None:
    old = _OLD.get()
    if old is None or target in old:
        return
    kept = target.with_name(f".{secrets.token_hex(4)}.{target.name}") if target.exists() else None
    if kept is not None:
        try:
            os.link(target, kept)
        except OSError:  # a disk without second names for a file
            shutil.copy2(target, kept)
    old[target] = kept


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path` that takes its place when the block ends well.

    The temporary name ends like `path`, so that writers that go by the suffix do what they should. What was written is on the
    disk before the old file is replaced, and a link is followed to the file behind it.

    Parameters
    ----------
    path : Path
        The file to make or to replace.

    Yields
    ------
    Path
        The name to write to, in the same folder; nothing exists there yet.

    Raises
    ------
    PickerError
        If the file cannot be written: full disk, no permission, missing folder, a folder of that name. The old file is then
        untouched and nothing half-written is left.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise PickerError(f"Cannot write the file {path}: a folder of this name is in the way; choose another name.")
    temporary = target.with_name(f".{secrets.token_hex(4)}.{target.name}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        _keep(target)
        os.replace(temporary, target)
    except OSError as exc:
        raise PickerError(f"Cannot write {path}: {os_reason(exc)}.") from exc
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    _sync_folder(target.parent)


@contextmanager
def atomic_folder(path: Path, mine: Callable[[Path], bool]) -> Iterator[Path]:
    """Give a temporary folder beside `path` that takes its place when the block ends well.

    Parameters
    ----------
    path : Path
        The folder to make or to replace.
    mine : Callable[[Path], bool]
        Whether a folder that is there may be replaced; an empty one always may.

    Yields
    ------
    Path
        An empty folder beside it.

    Raises
    ------
    PickerError
        If it cannot be written, or something else of that name is in the way. An old folder is then untouched.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not (target.is_dir() and (mine(target) or not any(target.iterdir()))):
        raise PickerError(f"Cannot write the folder {path}: something else of this name is in the way; choose another name.")
    temporary, old = (target.with_name(f".{secrets.token_hex(4)}.{target.name}") for _ in range(2))
    try:
        temporary.mkdir()
        yield temporary
        if target.exists():
            os.replace(target, old)
        try:
            os.replace(temporary, target)
        except OSError:
            if old.exists():
                os.replace(old, target)
            raise
    except OSError as exc:
        raise PickerError(f"Cannot write {path}: {os_reason(exc)}.") from exc
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if target.exists():  # else the old one is all there is
            shutil.rmtree(old, ignore_errors=True)
    _sync_folder(target.parent)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, unless they exist.

    Parameters
    ----------
    path : Path
        The folder.

    Raises
    ------
    PickerError
        If it cannot be made: no permission, a file of that name, full disk.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as exc:
        raise PickerError(f"Cannot make the folder {path}: a file of this name is in the way; choose another name.") from exc
    except OSError as exc:
        raise PickerError(f"Cannot make the folder {path}: {os_reason(exc)}.") from exc


def safe_name(text: str) -> str:
    """Return a file name for a user's word: letters, digits and ``.+-`` stay, anything else becomes ``_``.

    Parameters
    ----------
    text : str
        A name of a tomogram or class.

    Returns
    -------
    str
        Not empty, and not hidden.
    """
    return re.sub(r"[^\w.+-]", "_", text).lstrip(".") or "_"


def _sync_folder(folder: Path) -> None:
    # the file is complete at this point; systems that cannot sync a folder (Windows, some network disks) are no reason to fail
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
