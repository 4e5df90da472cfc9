"""Read TIFF volumes (ImageJ, OME, plain): memory maps where they are not compressed, page by page otherwise.

Sources: TIFF 6.0; ImageJ's ``spacing`` and ``unit``; OME-TIFF's ``PhysicalSizeX`` (in µm unless told otherwise).
"""

from __future__ import annotations

import logging
import math
import threading
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from core.errors import FileFormatError
from core.io.volumes.ifds import require_sound_pages
from core.io.volumes.lazy import LazyVolume
from core.io.volumes.values import (
    Opened,
    in_angstrom,
    one_size,
    reading,
    require_bytes,
    require_extents,
    require_held,
    three_axes,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from core.types import Shape

_PACKED = (1, 5, 8, 32773, 32946, 50000)  # not, LZW, deflate, PackBits, deflate as it was first numbered, Zstandard
_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
logging.getLogger("tifffile").addHandler(logging.NullHandler())  # what it says of damage is for its developers


def looks_like_tiff(head: bytes) -> bool:
    """Tell whether a file is TIFF or BigTIFF.

    Parameters
    ----------
    head : bytes
        Its first bytes.

    Returns
    -------
    bool
        True in both byte orders.
    """
    return head[:4] in _MAGIC


def read_tiff(path: Path, _head: bytes, _signed: bool | None) -> Opened:
    """Open a TIFF volume.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Opened
        A memory map, or voxels that are read page by page.

    Raises
    ------
    FileFormatError
        If the file is damaged, compressed in a way that is not read, or not one volume.
    """
    import tifffile

    with reading(path, "TIFF"):
        require_sound_pages(path)
        file = tifffile.TiffFile(path)
        try:
            return _opened(path, file)
        except BaseException:
            file.close()
            raise


def _opened(path: Path, file: Any) -> Opened:
    if not file.series:
        raise FileFormatError(f"{path} holds no image; copy it again.")
    series, notices = _series(path, file)
    names, renamed = _names(path, series)
    axes = three_axes(path, series.shape, names)
    shape: Shape = (series.shape[axes[0]], series.shape[axes[1]], series.shape[axes[2]])
    sizes, doubts = _sizes(file)
    data = _voxels(path, file, series, shape)
    voxel_size, more = one_size(sizes)
    return Opened(data, voxel_size, (*notices, *renamed, *doubts, *more))


def _series(path: Path, file: Any) -> tuple[Any, tuple[str, ...]]:
    series = file.series[0]
    dtype = series.dtype
    if dtype is None or dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise FileFormatError(f"{path} holds voxels of type {dtype}, not numbers; save it with whole or real numbers.")
    if len(file.series) == 1:
        return series, ()
    same = {one.shape for one in file.series}
    if len(same) == 1 and max(series.shape) > 1 and math.prod(series.shape[:-2]) == 1:
        raise FileFormatError(f"{path} holds {len(file.series)} single images, not one volume; save it as one stack.")
    return series, (f"The file holds {len(file.series)} images: the first one is read.",)


def _names(path: Path, series: Any) -> tuple[str, tuple[str, ...]]:
    """Name the axes; where none is called depth, the only other long one is."""
    names = str(series.axes).lower()
    long = [name for name, n in zip(names, series.shape, strict=True) if n > 1 and name not in "yx"]
    if "s" in long:
        raise FileFormatError(f"{path} is a colour image; save the volume in grey.")
    if not long:
        require_extents(path, (1, series.shape[names.index("y")], series.shape[names.index("x")]))
    if "z" in long:
        return names, ()
    if len(long) > 1:
        text = " x ".join(f"{n} ({name})" for n, name in zip(series.shape, names, strict=True))
        raise FileFormatError(f"{path} holds {text}, which is more than one volume: save the one that you want by itself.")
    word = {"t": "time points", "c": "channels"}.get(long[0])
    told = (f"The file calls its {series.shape[names.index(long[0])]} sections {word}: they are read as sections along z.",)
    return names.replace("z", "?").replace(long[0], "z"), told if word else ()


def _voxels(path: Path, file: Any, series: Any, shape: Shape) -> Any:
    pages, item = len(series.pages), series.dtype.itemsize
    _require_readable(path, series, shape)
    if series.dataoffset is not None:
        dtype = np.dtype(file.byteorder + series.dtype.char)
        expected = math.prod(shape) * item
        require_bytes(path, series.dataoffset + expected, path.stat().st_size, shape)
        data = np.memmap(path, dtype, "r", series.dataoffset, shape)
        file.close()
        return data
    if pages != shape[0] or any(one is None for one in series.pages):
        raise FileFormatError(f"{path} holds {pages} pages for {shape[0]} sections; save it again as one page for each section.")
    lock = threading.Lock()

    def fetched(box: tuple[slice, slice, slice]) -> NDArray[Any]:
        with lock, reading(path, "TIFF"):
            return np.asarray(series.pages[box[0].start].asarray(maxworkers=1)).reshape((1, *shape[1:]))

    return LazyVolume(shape, series.dtype, (1, shape[1], shape[2]), fetched, file.close)


def _require_readable(path: Path, series: Any, shape: Shape) -> None:
    import tifffile

    key = series.keyframe
    if int(key.compression) not in _PACKED:
        word = getattr(key.compression, "name", key.compression)
        raise FileFormatError(f"{path} is compressed with {word}, which is not read; save it uncompressed or with deflate (ZIP).")
    if int(key.predictor) not in (1, 2, 3):
        word = tifffile.PREDICTOR(key.predictor).name
        raise FileFormatError(f"{path} is packed with the predictor {word}, which is not read; save it uncompressed.")
    page = shape[1] * shape[2] * series.dtype.itemsize
    require_held(path, page, [path.stat().st_size], f"pages of {shape[2]} x {shape[1]} pixels")


# ---- voxel size ----


def _sizes(file: Any) -> tuple[list[float], tuple[str, ...]]:
    """Return Å per voxel along z, y and x, and what is odd about them."""
    if file.is_ome:
        return _ome_sizes(str(file.ome_metadata))
    if file.is_imagej:
        return _imagej_sizes(dict(file.imagej_metadata or {}), file.pages.first.tags)
    return [0.0] * 3, ()


def _ome_sizes(text: str) -> tuple[list[float], tuple[str, ...]]:
    pixels = next((one for one in ElementTree.fromstring(text).iter() if one.tag.rpartition("}")[2] == "Pixels"), None)
    if pixels is None or "PhysicalSizeX" not in pixels.attrib:
        return [0.0] * 3, ()
    sizes = []
    for axis in "ZYX":
        unit = pixels.attrib.get(f"PhysicalSize{axis}Unit", "µm")
        factor = in_angstrom(unit)
        if factor is None:
            return [0.0] * 3, (f"The file gives the voxel size in {unit!r}, which is no known unit: give it in Å.",)
        sizes.append(float(pixels.attrib.get(f"PhysicalSize{axis}", "nan")) * factor)
    return sizes, ()


def _imagej_sizes(said: dict[str, Any], tags: Any) -> tuple[list[float], tuple[str, ...]]:
    unit = str(said.get("unit", ""))
    if unit.lower() in ("", "pixel", "pixels") or "XResolution" not in tags:
        return [0.0] * 3, ()
    factor = in_angstrom(unit)
    if factor is None:
        return [0.0] * 3, (f"The file gives the voxel size in {unit!r}, which is no known unit: give it in Å.",)
    x, y = (_inverse(tags[name].value if name in tags else (0, 1)) for name in ("XResolution", "YResolution"))
    return [float(said.get("spacing", math.nan)) * factor, y * factor, x * factor], ()


def _inverse(fraction: Any) -> float:
    """Return the size of a pixel from the number of pixels in a unit, which TIFF keeps as a fraction."""
    above, below = (float(one) for one in fraction)
    return below / above if above else 0.0
