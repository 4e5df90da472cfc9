"""Decompressed copies of compressed files: made once, found again, and no larger than the file inside announces."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import os
import shutil
import tempfile
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar, cast

from core.errors import FileFormatError, PickerError, os_reason
from core.io.atomic import atomic_path, make_folder

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")

MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2"}
_MOST_GAIN = {"gzip": 1040, "bzip2": 50_000}  # no stream of either kind can grow by more
_STEP = 2**20
_KEPT_DAYS = 14


def compression(head: bytes) -> str:
    """Tell how a file is compressed.

    Parameters
    ----------
    head : bytes
        Its first bytes.

    Returns
    -------
    str
        ``gzip``, ``bzip2`` or empty.
    """
    return next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), "")


def first_bytes(path: Path, kind: str, count: int) -> bytes:
    """Decompress the beginning of a file.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        What `compression` told.
    count : int
        How many bytes at most.

    Returns
    -------
    bytes
        Fewer where there are no more.

    Raises
    ------
    FileFormatError
        If the stream is damaged.
    """
    with path.open("rb") as packed:
        return _told(path, lambda: _stream(packed, kind).read(count))


def unpacked(path: Path, kind: str, *, start: int = 0, expected: int, cache: Path | None = None) -> Path:
    """Return a decompressed copy of a file, or of its end; made once as long as the file does not change.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        ``gzip`` or ``bzip2``.
    start : int
        Where the stream begins.
    expected : int
        Bytes that are needed; what follows is left out.
    cache : Path | None
        Folder for copies; None for one of this user among the temporary files of the system.

    Returns
    -------
    Path
        A file of exactly the expected length.

    Raises
    ------
    PickerError
        If the stream is damaged or too short, or the disk is too small for the copy.
    """
    stat = path.stat()
    if expected > (stat.st_size - start + 64) * _MOST_GAIN[kind]:
        raise FileFormatError(
            f"{path} cannot hold the {expected} bytes that it announces, however well they were compressed; copy it again."
        )
    facts = f"{os.path.realpath(path)}|{stat.st_size}|{stat.st_mtime_ns}|{start}|{expected}"
    folder = cache or own_cache()
    make_folder(folder)
    copy = folder / f"{hashlib.sha256(facts.encode(errors='surrogateescape')).hexdigest()[:24]}.unpacked"
    if copy.exists() and copy.stat().st_size == expected:
        with suppress(OSError):
            os.utime(copy)
        return copy
    _make_room(folder, expected, path)
    with path.open("rb") as packed, atomic_path(copy) as temporary, temporary.open("wb") as out:
        packed.seek(start)
        got = _told(path, lambda: _copy(_stream(packed, kind), out, expected))
        if got < expected:
            raise FileFormatError(
                f"{path} is truncated: it ends after {got} of the {expected} bytes that the file inside announces; copy it again."
            )
    return copy


def own_cache() -> Path:
    """Return this user's folder for decompressed copies, which nobody else can write to.

    Returns
    -------
    Path
        Made if it was missing.

    Raises
    ------
    PickerError
        If somebody else has made it.
    """
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"deepetpicker-{user}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if hasattr(os, "getuid") and (found.st_uid != user or found.st_mode & 0o077 or not folder.is_dir() or folder.is_symlink()):
        raise PickerError(f"{folder} belongs to somebody else or is open to others; remove it, or set TMPDIR to a folder of yours.")
    return folder


def _stream(packed: IO[bytes], kind: str) -> IO[bytes]:
    return cast("IO[bytes]", gzip.GzipFile(fileobj=packed) if kind == "gzip" else bz2.BZ2File(packed))


def _copy(stream: IO[bytes], out: IO[bytes], expected: int) -> int:
    got = 0
    while got < expected:
        part = stream.read(min(_STEP, expected - got))
        if not part:
            break
        out.write(part)
        got += len(part)
    return got


def _told(path: Path, work: Callable[[], Result]) -> Result:
    try:
        return work()
    except EOFError as exc:
        raise FileFormatError(f"{path} is truncated: its compressed content ends too early; copy it again.") from exc
    except (zlib.error, gzip.BadGzipFile, ValueError) as exc:
        raise FileFormatError(f"The compressed content of {path} is damaged ({exc}); copy it again.") from exc
    except OSError as exc:
        why = os_reason(exc) if exc.errno else "its compressed content is damaged; copy it again"
        raise FileFormatError(f"Cannot read {path}: {why}.") from exc


def _make_room(folder: Path, expected: int, path: Path) -> None:
    """Remove copies that nobody has used for long, and refuse what the disk cannot hold."""
    for old in folder.glob("*.unpacked"):
        with suppress(OSError):
            if time.time() - old.stat().st_mtime > _KEPT_DAYS * 86400:
                old.unlink()
    free = shutil.disk_usage(folder).free
    if expected > free:
        raise PickerError(
            f"Decompressing {path} takes {expected / 2**30:.1f} GiB, but {folder} has only {free / 2**30:.1f} GiB free: free some "
            "space, or set TMPDIR to a larger disk."
        )
