"""Read HDF5 volumes of EMAN2, those included that are stored as few bits.

Source: EMAN2's hdfio2 as described in its file format notes: ``/MDF/images/0/image`` with attributes ``EMAN.*`` beside it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import FileFormatError
from core.io.volumes.lazy import LazyVolume
from core.io.volumes.values import Opened, one_size, reading, require_bytes, require_extents, require_held

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from core.types import Shape, Volume

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_IMAGES = "MDF/images"
_PART = (32, 256, 256)  # what is decoded at a time where the file has no chunks of its own


def looks_like_hdf(head: bytes) -> bool:
    """Tell whether a file is HDF5.

    Parameters
    ----------
    head : bytes
        Its first bytes.

    Returns
    -------
    bool
        True also for HDF5 files of other programs.
    """
    return head.startswith(SIGNATURE)


def read_eman(path: Path, _head: bytes, _signed: bool | None) -> Opened:
    """Open an HDF5 volume of EMAN2; voxels are read and decoded part by part.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Opened
        Voxels as stored, or float32 where they were stored as few bits.

    Raises
    ------
    FileFormatError
        If the file is damaged, of another program, or not one volume.
    """
    import h5py

    with reading(path, "an HDF file of EMAN2"):
        # best effort: many network disks know no locks, and nothing is written here
        file = h5py.File(path, "r", locking="best-effort")
        try:
            group, dataset = _only_volume(path, file, h5py)
            shape = _shape(path, dataset)
            facts = {str(name): _number(group.attrs[name]) for name in _wanted(group)}
            data = _voxels(path, dataset, shape, facts)
        except BaseException:
            file.close()
            raise
    voxel_size, notices = one_size([facts.get(f"EMAN.apix_{axis}", 0.0) for axis in "zyx"])
    return Opened(data, voxel_size, notices)


def _only_volume(path: Path, file: Any, h5py: Any) -> tuple[Any, Any]:
    images = _inside(file, _IMAGES, h5py)
    numbers = [] if images is None else [name for name in images if str(name).isdigit()]
    dataset = None if not numbers else _inside(images, f"{numbers[0]}/image", h5py)
    if images is None or not isinstance(dataset, h5py.Dataset):
        raise FileFormatError(
            f"{path} is an HDF5 file, but not one of EMAN2 (it has no {_IMAGES}/0/image); save the volume as MRC with the program "
            "that made it."
        )
    if len(numbers) > 1:
        raise FileFormatError(f"{path} holds {len(numbers)} images or volumes; save the one you want as a file of its own.")
    return images[numbers[0]], dataset


def _inside(group: Any, name: str, h5py: Any) -> Any:
    """Return what a name stands for, unless any step on the way leads out of the file."""
    for part in name.split("/"):
        if not isinstance(group, h5py.Group) or not isinstance(group.get(part, getlink=True), h5py.HardLink):
            return None
        group = group[part]
    return group


def _shape(path: Path, dataset: Any) -> Shape:
    if dataset.dtype.kind not in "iuf" or dataset.dtype.itemsize > 8:
        raise FileFormatError(f"{path} holds voxels of type {dataset.dtype}, not numbers; save the volume as MRC.")
    if dataset.external or dataset.is_virtual:
        raise FileFormatError(f"{path} keeps its voxels in other files; save the volume as one file.")
    if dataset.ndim == 2:
        require_extents(path, (1, *dataset.shape))
    if dataset.ndim != 3:
        raise FileFormatError(f"{path} holds an array of {dataset.ndim} axes, not a volume; save the volume by itself.")
    z, y, x = dataset.shape
    require_extents(path, (z, y, x))
    part = dataset.chunks or (1, 1, 1)
    require_held(path, math.prod(part) * dataset.dtype.itemsize, [path.stat().st_size], f"parts of {part} voxels")
    return z, y, x


def _wanted(group: Any) -> list[str]:
    names = [f"EMAN.{name}" for name in ("apix_x", "apix_y", "apix_z", "stored_renderbits", "stored_rendermin", "stored_rendermax")]
    return [name for name in names if name in group.attrs]


def _number(value: Any) -> float:
    return float(np.asarray(value).reshape(-1)[0])


def _voxels(path: Path, dataset: Any, shape: Shape, facts: dict[str, float]) -> Volume:
    bits = int(facts.get("EMAN.stored_renderbits", 0))
    low, high = facts.get("EMAN.stored_rendermin", 0.0), facts.get("EMAN.stored_rendermax", 0.0)
    stored = _stored(path, dataset, shape)
    if bits <= 0 or dataset.dtype.kind == "f":
        return stored
    if bits > 32 or not (np.isfinite([low, high]).all() and low < high):
        raise FileFormatError(
            f"{path} says its voxels are {bits} bits between {low:g} and {high:g}, which makes no sense; write it again."
        )
    step = (high - low) / (2**bits - 1)

    def decoded(box: tuple[slice, slice, slice]) -> NDArray[Any]:
        return np.asarray(np.asarray(stored[box]) * step + low, np.float32)

    z, y, x = dataset.chunks or _PART
    return LazyVolume(shape, np.float32, (z, y, x), decoded)


def _stored(path: Path, dataset: Any, shape: Shape) -> Volume:
    offset = dataset.id.get_offset()  # of voxels that lie in the file as they are; a memory map is the fastest way to those
    if dataset.chunks is None and offset is not None:
        require_bytes(path, offset + dataset.size * dataset.dtype.itemsize, path.stat().st_size, shape)
        mapped: Volume = np.memmap(path, dataset.dtype, "r", offset, shape)
        return mapped

    def fetched(box: tuple[slice, slice, slice]) -> NDArray[Any]:
        with reading(path, "an HDF file of EMAN2"):
            return np.asarray(dataset[box])

    z, y, x = dataset.chunks or _PART
    return LazyVolume(shape, dataset.dtype, (z, y, x), fetched)
