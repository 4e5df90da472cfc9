"""Which reader opens which file: by what the file holds, then by what it is called."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import ConfigError, FileFormatError, os_reason
from core.io.volumes.mrc import looks_like_mrc, read_mrc
from core.tomogram import Tomogram

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from core.io.volumes.mrc import Opened
    from core.types import Angstrom

HEAD_BYTES = 1024
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2"}


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of volume file.

    Attributes
    ----------
    name : str
        What users call it.
    suffixes : tuple[str, ...]
        Lower-case endings of its file names.
    recognises : Callable[[Path, bytes], bool]
        Whether a path is of this kind, from its first 1024 bytes (none for a folder).
    read : Callable[[Path, bytes, bool | None], Opened]
        Open it, given its first bytes and whether bytes are signed (None: as the file says).
    """

    name: str
    suffixes: tuple[str, ...]
    recognises: Callable[[Path, bytes], bool]
    read: Callable[[Path, bytes, bool | None], Opened]


FORMATS = (Format("MRC", (".mrc", ".rec", ".map", ".st", ".ali"), lambda _path, head: looks_like_mrc(head), read_mrc),)


def open_tomogram(path: Path, *, voxel_size: Angstrom | None = None, signed: bool | None = None, id: str | None = None) -> Tomogram:
    """Open a tomogram; its voxels stay on disk until a part is asked for.

    Parameters
    ----------
    path : Path
        The file.
    voxel_size : Angstrom | None
        Å per voxel, in place of what the file says; None to believe the file.
    signed : bool | None
        Whether 8-bit voxels are signed; None to believe the file.
    id : str | None
        Name of the tomogram; None for the file's name without its suffix.

    Returns
    -------
    Tomogram
        Its `voxel_size` is 0 when neither file nor caller has told; `notices` says what was odd.

    Raises
    ------
    FileFormatError
        If the file is missing, unreadable, truncated, of an unknown format or not a volume.
    ConfigError
        If the given voxel size makes no sense.
    """
    if voxel_size is not None and not (math.isfinite(voxel_size) and voxel_size > 0):
        raise ConfigError(f"The voxel size must be a number of Å above 0, not {voxel_size}.")
    head = _head(path)
    opened = _choose(path, head).read(path, head, signed)
    told = opened.voxel_size if voxel_size is None else voxel_size
    notices = opened.notices + (_doubts(told) if voxel_size is None else ())
    return Tomogram(id=id or path.stem, path=path, voxel_size=told, data=opened.data, notices=notices)


def _head(path: Path) -> bytes:
    if path.is_dir():
        raise FileFormatError(f"{path} is a folder, not a tomogram; choose a file inside it.")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as exc:
        raise FileFormatError(f"Cannot open {path}: {os_reason(exc)}.") from exc
    if not head:
        raise FileFormatError(f"{path} is empty (0 bytes); copy or reconstruct it again.")
    return head


def _choose(path: Path, head: bytes) -> Format:
    for known in FORMATS:
        if known.recognises(path, head):
            return known
    for magic, name in _COMPRESSED.items():
        if head.startswith(magic):
            raise FileFormatError(f"{path} is compressed ({name}); decompress it first, then open the file inside.")
    for known in FORMATS:
        if path.suffix.lower() in known.suffixes:
            return known
    listed = "; ".join(f"{known.name} ({', '.join(known.suffixes)})" for known in FORMATS)
    raise FileFormatError(f"{path} is not a tomogram of a known format; these are read: {listed}.")


def _doubts(voxel_size: Angstrom) -> tuple[str, ...]:
    if voxel_size == 0:
        return ("The file does not tell its voxel size: give it in Å, or nothing can be measured.",)
    if voxel_size == 1:
        return ("The file says 1 Å per voxel, which often means that nobody has set it: check it, and give the right one.",)
    return ()
