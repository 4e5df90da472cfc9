"""Read OME-Zarr images (NGFF up to 0.5, Zarr 2 and 3) and plain Zarr arrays from a local folder, chunk by chunk."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import FileFormatError
from core.io.volumes.lazy import LazyVolume
from core.io.volumes.ngff import MARKERS, document, image_of
from core.io.volumes.values import Opened, one_size, reading, require_held, three_axes
from core.tomogram import Level

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from core.io.volumes.ngff import Image
    from core.types import Shape

_KIND = "Zarr"
_CODECS = {
    *(
        "blosc",
        "zstd",
        "zlib",
        "gzip",
        "lz4",
        "bz2",
        "lzma",
        "delta",
        "shuffle",
        "packbits",
        "fixedscaleoffset",
        "bitround",
        "quantize",
    ),
    *("bytes", "transpose", "crc32", "crc32c", "adler32", "fletcher32", "sharding_indexed"),
}
"""Codecs that turn bytes into numbers and nothing else: there are others, such as ``pickle``, that run what a file says."""


def looks_like_zarr(path: Path, _head: bytes) -> bool:
    """Tell whether a path is the folder of a Zarr group or array.

    Parameters
    ----------
    path : Path
        A file or folder.

    Returns
    -------
    bool
        True for all versions.
    """
    return path.is_dir() and any((path / name).is_file() for name in MARKERS)


def read_zarr(path: Path, _head: bytes, _signed: bool | None) -> Opened:
    """Open an OME-Zarr image or a plain array; nothing but metadata is read.

    Parameters
    ----------
    path : Path
        The folder.

    Returns
    -------
    Opened
        The voxels of level 0, and the other levels for display.

    Raises
    ------
    FileFormatError
        If the folder is damaged, or holds no volume.
    """
    with reading(path, _KIND):
        image = image_of(path)
        return _plain(path) if image is None else _image(path, image)


def _plain(path: Path) -> Opened:
    if not (path / ".zarray").is_file() and document(path / "zarr.json").get("node_type") != "array":
        inside = sorted(one.name for one in os.scandir(path) if one.is_dir())[:6]
        listed = f" (it holds {', '.join(inside)})" if inside else ""
        raise FileFormatError(
            f"{path} is a Zarr folder without an image{listed}; choose the folder of the image or array inside it."
        )
    array = _array(path, path)
    return Opened(_volume(path, array, _default_names(array.shape)), 0.0)


def _default_names(shape: tuple[int, ...]) -> str:
    real = [i for i, n in enumerate(shape) if n != 1] if len(shape) > 3 else list(range(len(shape)))
    letters = dict(zip(real, "zyx", strict=False)) if len(real) == 3 else {}
    return "".join(letters.get(i, "c") for i in range(len(shape)))


def _image(path: Path, image: Image) -> Opened:
    axes = three_axes(path, _array(path, image.folder / image.paths[0]).shape, _checked(path, image))
    data = [_volume(path, _array(path, image.folder / one), image.names) for one in image.paths]
    sizes, notices = _sizes(image, axes)
    voxel_size, doubts = one_size(sizes)
    shift = image.shifts[0]
    origin = tuple(shift[axis] * (image.factors[axis] or 0.0) if shift else 0.0 for axis in axes)
    levels = [_level(image, number, one, data[0], axes) for number, one in enumerate(data) if number]
    kept = tuple(one for one in levels if one is not None)
    return Opened(data[0], voxel_size, (*notices, *doubts), (origin[0], origin[1], origin[2]), kept)


def _checked(path: Path, image: Image) -> str:
    shape = _array(path, image.folder / image.paths[0]).shape
    if len(shape) != len(image.names):
        raise FileFormatError(
            f"The metadata of {path} name {len(image.names)} axes, but its array has {len(shape)}; write the folder again."
        )
    return image.names


def _sizes(image: Image, axes: tuple[int, int, int]) -> tuple[list[float], tuple[str, ...]]:
    """Return Å per voxel along z, y and x, and what is missing."""
    scale = image.scales[0]
    if not scale:
        return [0.0] * 3, ()
    factors = [image.factors[axis] for axis in axes]
    if None not in factors:
        return [scale[axis] * (factor or 0.0) for axis, factor in zip(axes, factors, strict=True)], ()
    said = f"in {image.unit!r}, which is no known unit" if image.unit else "but not in which unit"
    return [0.0] * 3, (f"The folder gives a voxel size of {scale[axes[2]]:g}, {said}: give it in Å.",)


def _level(image: Image, number: int, data: LazyVolume, finest: LazyVolume, axes: tuple[int, int, int]) -> Level | None:
    """Return a coarser copy, unless it has nothing to do with the finest one."""
    scales, shifts = image.scales, image.shifts
    if scales[0] and scales[number] and all(scales[0][axis] > 0 for axis in axes):
        factor = [scales[number][axis] / scales[0][axis] for axis in axes]
    else:
        factor = [float(round(n / m)) for n, m in zip(finest.shape, data.shape, strict=True)]
    fits = (0.5 <= m * f / n <= 2 for m, f, n in zip(data.shape, factor, finest.shape, strict=True))
    if min(factor) < 1 or not all(fits):
        return None
    if shifts[0] and shifts[number] and scales[0]:
        offset = [(shifts[number][axis] - shifts[0][axis]) / scales[0][axis] for axis in axes]
    else:
        offset = [(f - 1) / 2 for f in factor]  # means of blocks, as nearly all programs make them
    return Level(data=data, factor=(factor[0], factor[1], factor[2]), offset=(offset[0], offset[1], offset[2]))


# ---- arrays ----


def _array(path: Path, folder: Path) -> Any:
    import zarr
    from zarr.storage import LocalStore

    if not (folder / ".zarray").is_file() and not (folder / "zarr.json").is_file():
        raise FileFormatError(f"{path} names an array {folder.name!r} that is not there; copy the whole folder again.")
    _require_harmless(folder)
    with reading(path, _KIND):
        array = zarr.open_array(store=LocalStore(folder, read_only=True), mode="r")
        if _packed_by_blosc(folder):
            from core.io.volumes.zarr_store import CheckedStore

            decoded = math.prod(array.chunks) * array.dtype.itemsize
            array = zarr.open_array(store=CheckedStore(folder, decoded, array.shards is None), mode="r")
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        raise FileFormatError(f"{path} holds voxels of type {array.dtype}, not numbers; save it with whole or real numbers.")
    return array


def _packed_by_blosc(folder: Path) -> bool:
    """Tell whether the last step of writing a chunk was Blosc."""
    if (folder / ".zarray").is_file():
        compressor = document(folder / ".zarray").get("compressor")
        return isinstance(compressor, dict) and compressor.get("id") == "blosc"
    codecs = _nested(document(folder / "zarr.json").get("codecs") or [])
    return any(isinstance(one, dict) and str(one.get("name")).removeprefix("numcodecs.") == "blosc" for one in codecs)


def _require_harmless(folder: Path) -> None:
    """Refuse arrays whose chunks are to be decoded by anything that is not known to be a codec for numbers."""
    old, new = document(folder / ".zarray"), document(folder / "zarr.json")
    filters, codecs = old.get("filters") or [], new.get("codecs") or []
    if not isinstance(filters, list) or not isinstance(codecs, list):
        raise FileFormatError(f"The metadata of {folder} make no sense; write the folder again.")
    for one in [old.get("compressor"), *filters, *_nested(codecs)]:
        word = None if one is None else one.get("id", one.get("name")) if isinstance(one, dict) else one
        if word is not None and str(word).lower().removeprefix("numcodecs.") not in _CODECS:
            what = str(word)[:40]
            raise FileFormatError(f"{folder} is packed with {what!r}, which is not read; write it again with blosc or gzip.")


def _nested(codecs: list[Any]) -> list[Any]:
    found, waiting = [], list(codecs)
    while waiting:
        one = waiting.pop()
        found.append(one)
        inner = one.get("configuration") if isinstance(one, dict) else None
        for key in ("codecs", "index_codecs"):
            more = inner.get(key) if isinstance(inner, dict) else None
            waiting += more if isinstance(more, list) else []
    return found


def _volume(path: Path, array: Any, names: str) -> LazyVolume:
    z, y, x = three_axes(path, array.shape, names)
    chunks = array.chunks  # of a shard, its parts are read one by one
    shape: Shape = (array.shape[z], array.shape[y], array.shape[x])
    require_held(path, math.prod(chunks) * array.dtype.itemsize, _file_sizes(array.store.root), f"parts of {chunks} voxels")
    remaining = [axis for axis in range(array.ndim) if axis in (z, y, x)]
    order = [remaining.index(axis) for axis in (z, y, x)]
    others = tuple(axis for axis in range(array.ndim) if axis not in (z, y, x))

    def fetched(box: tuple[slice, slice, slice]) -> NDArray[Any]:
        key = [slice(None)] * array.ndim
        key[z], key[y], key[x] = box
        with reading(path, _KIND):
            return np.asarray(array[tuple(key)]).squeeze(axis=others).transpose(order)

    return LazyVolume(shape, array.dtype, (chunks[z], chunks[y], chunks[x]), fetched)


def _file_sizes(folder: Path) -> Iterator[int]:
    for top, _, names in os.walk(folder):
        yield from (os.path.getsize(os.path.join(top, name)) for name in names)
