"""How much memory this process may still take, and giving back that of mapped files."""

from __future__ import annotations

import mmap
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

_GROUPS = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")
_FILES = {"memory.max": "memory.current", "memory.limit_in_bytes": "memory.usage_in_bytes"}  # version 2 and 1 of control groups


def available() -> int:
    """Return how many bytes of memory this process may still take.

    Returns
    -------
    int
        The least of what the machine has free and what the control groups of the process (a batch system's, a container's) and
        its limits for data and for addresses (``ulimit -d`` and ``-v``) leave; at least 0.
    """
    return max(0, min([int(psutil.virtual_memory().available), *_of_groups(), *_of_limits()]))


def forget(voxels: Any) -> None:
    """Give back the memory in which pages of a mapped file lie; they are read again when they are looked at again.

    Parameters
    ----------
    voxels : array_like
        A view of the file, mapped for reading only; with anything else nothing happens.
    """
    mode, one = None, voxels
    while one is not None and not isinstance(one, mmap.mmap):
        mode, one = getattr(one, "mode", mode), getattr(one, "base", None)
    if one is not None and mode == "r" and hasattr(one, "madvise"):
        with suppress(OSError, ValueError):
            one.madvise(mmap.MADV_DONTNEED)


def _of_groups() -> Iterator[int]:
    with suppress(OSError):
        for line in _MEMBERSHIP.read_text(encoding="utf-8").splitlines():
            _, kinds, inner = line.split(":", 2)
            if kinds and "memory" not in kinds.split(","):
                continue
            folder = _GROUPS / ("memory" if kinds else "") / inner.strip("/")
            while folder.is_relative_to(_GROUPS):
                yield from _of_group(folder)
                folder = folder.parent


def _of_group(folder: Path) -> Iterator[int]:
    for most, used in _FILES.items():
        with suppress(OSError, ValueError):
            limit = int((folder / most).read_text(encoding="utf-8"))  # "max" where there is none
            taken = int((folder / used).read_text(encoding="utf-8"))
            counts = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="utf-8").splitlines())
            # what the group holds of files is given up before it runs out
            yield limit - taken + sum(int(counts.get(name, 0)) for name in ("active_file", "inactive_file"))


def _of_limits() -> Iterator[int]:
    if os.name != "posix":
        return
    import resource

    memory = psutil.Process().memory_info()
    for limit, taken in ((resource.RLIMIT_AS, memory.vms), (resource.RLIMIT_DATA, getattr(memory, "data", 0))):
        soft = resource.getrlimit(limit)[0]
        if soft != resource.RLIM_INFINITY:
            yield soft - int(taken)
