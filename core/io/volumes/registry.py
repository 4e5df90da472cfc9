"""Which reader opens which file: by what the file holds, then by what it is called."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import ConfigError, FileFormatError, os_reason
from core.io.volumes.compressed import compression
from core.io.volumes.em import looks_like_em, read_em
from core.io.volumes.eman import looks_like_hdf, read_eman
from core.io.volumes.mrc import looks_like_mrc, read_mrc, read_packed_mrc
from core.io.volumes.ngff import MARKERS
from core.io.volumes.nrrd import looks_like_nrrd, read_nrrd
from core.io.volumes.tiff import looks_like_tiff, read_tiff
from core.io.volumes.zarrs import looks_like_zarr, read_zarr
from core.tomogram import Tomogram

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from core.io.volumes.values import Opened
    from core.types import Angstrom

HEAD_BYTES = 1024


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


FORMATS = (
    Format("OME-Zarr folder", (".zarr",), looks_like_zarr, read_zarr),
    Format("EMAN2 HDF", (".hdf", ".h5", ".hdf5"), lambda _path, head: looks_like_hdf(head), read_eman),
    Format("TIFF", (".tif", ".tiff"), lambda _path, head: looks_like_tiff(head), read_tiff),
    Format("NRRD", (".nrrd", ".nhdr"), lambda _path, head: looks_like_nrrd(head), read_nrrd),
    Format("compressed MRC", (".gz", ".bz2"), lambda _path, head: bool(compression(head)), read_packed_mrc),
    Format("EM", (".em",), looks_like_em, read_em),
    # last, because old files of this kind have no mark and are only known by numbers that make sense
    Format("MRC", (".mrc", ".rec", ".map", ".st", ".ali"), lambda _path, head: looks_like_mrc(head), read_mrc),
)
"""In the order in which a file is tried on them."""


def suffixes() -> tuple[str, ...]:
    """Return the endings of files that may be tomograms.

    Returns
    -------
    tuple[str, ...]
        Lower case, with a dot, those of MRC first; folders are not among them.
    """
    return tuple(suffix for known in reversed(FORMATS) if known.read is not read_zarr for suffix in known.suffixes)


def is_tomogram_folder(path: Path) -> bool:
    """Tell whether a folder is a tomogram, not a place for files.

    Parameters
    ----------
    path : Path
        Any path.

    Returns
    -------
    bool
        True for OME-Zarr and plain Zarr.
    """
    return looks_like_zarr(path, b"")


def name_of(path: Path) -> str:
    """Return the name that a tomogram has by its file.

    Parameters
    ----------
    path : Path
        Its file or folder.

    Returns
    -------
    str
        Without the endings that tell format and compression; other dots stay.
    """
    stem = path.name
    for endings in ((".gz", ".bz2"), tuple(suffix for known in FORMATS for suffix in known.suffixes), (".ome",)):
        cut = next((stem[: -len(end)] for end in endings if stem.lower().endswith(end)), stem)
        stem = cut or stem
    return path.stem if stem == path.name else stem


def format_of(path: Path) -> str:
    """Return the name of the format of a tomogram.

    Parameters
    ----------
    path : Path
        Its file or folder.

    Returns
    -------
    str
        As users call it.

    Raises
    ------
    FileFormatError
        If it is none that is read.
    """
    place = _place(path)
    return _choose(place, _head(place)).name


def fingerprint(path: Path) -> list[tuple[str, int, int]]:
    """Return what changes when the voxels of a tomogram do, without reading them.

    Parameters
    ----------
    path : Path
        Its file or folder.

    Returns
    -------
    list[tuple[str, int, int]]
        Name, size and time of change of the file; of a folder, those of its metadata and of the folders of its arrays.
    """
    found = [path]
    if path.is_dir():
        inside = (path, *sorted(one for one in path.iterdir() if one.is_dir()))
        found += [*inside, *(one / name for one in inside for name in MARKERS if (one / name).is_file())]
    stats = [(str(one.relative_to(path)), one.stat()) for one in found]
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


def open_tomogram(path: Path, *, voxel_size: Angstrom | None = None, signed: bool | None = None, id: str | None = None) -> Tomogram:
    """Open a tomogram; its voxels stay on disk until a part is asked for.

    Parameters
    ----------
    path : Path
        The file, or the folder of a Zarr image.
    voxel_size : Angstrom | None
        Å per voxel, in place of what the file says; None to believe the file.
    signed : bool | None
        Whether 8-bit voxels are signed; None to believe the file. Formats that leave no doubt do not ask.
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
    place = _place(path)
    head = _head(place)
    opened = _choose(place, head).read(place, head, signed)
    told = opened.voxel_size if voxel_size is None else voxel_size
    notices = opened.notices + (_doubts(told) if voxel_size is None else ())
    return Tomogram(
        id=id or name_of(place),
        path=place,
        voxel_size=told,
        data=opened.data,
        notices=notices,
        origin=opened.origin,
        levels=opened.levels,
    )


def _place(path: Path) -> Path:
    """Return the Zarr folder in which a file of metadata lies that was chosen in its place, else the path itself."""
    return path.parent if path.name in MARKERS and path.is_file() else path


def _head(path: Path) -> bytes:
    if path.is_dir():
        if is_tomogram_folder(path):
            return b""
        raise FileFormatError(f"{path} is a folder, not a tomogram; choose a file inside it.")
    try:
        if path.exists() and not path.is_file():
            raise FileFormatError(f"{path} is neither a file nor a folder; choose the file of a tomogram.")
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except (OSError, ValueError) as exc:
        reason = os_reason(exc) if isinstance(exc, OSError) else str(exc)
        raise FileFormatError(f"Cannot open {path}: {reason}.") from exc
    if not head:
        raise FileFormatError(f"{path} is empty (0 bytes); copy or reconstruct it again.")
    return head


def _choose(path: Path, head: bytes) -> Format:
    for known in FORMATS:
        if known.recognises(path, head):
            return known
    for known in FORMATS:
        if path.suffix.lower() in known.suffixes and not path.is_dir():
            return known
    listed = "; ".join(f"{known.name} ({', '.join(known.suffixes)})" for known in reversed(FORMATS))
    raise FileFormatError(f"{path} is not a tomogram of a known format; these are read: {listed}.")


def _doubts(voxel_size: Angstrom) -> tuple[str, ...]:
    if voxel_size == 0:
        return ("The file does not tell its voxel size: give it in Å, or nothing can be measured.",)
    if voxel_size == 1:
        return ("The file says 1 Å per voxel, which often means that nobody has set it: check it, and give the right one.",)
    return ()
