"""Write OME-Zarr images (NGFF 0.4, Zarr 2) block by block; the folder appears whole or not at all.

Source: NGFF 0.4 (ngff.openmicroscopy.org/0.4). Levels are means of blocks of 2 x 2 x 2 voxels, as in the CryoET Data Portal, so
that voxel n of level k lies at n * 2^k + (2^k - 1) / 2 of level 0.
"""

from __future__ import annotations

import json
import math
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from core.io.atomic import atomic_folder
from core.io.volumes.zarrs import looks_like_zarr
from core.messages import Progress, drain

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from core.messages import Message
    from core.types import Angstrom, Shape, Volume

CHUNK = 128
_COARSEST = 256  # the last level fits a cube of this edge
_STAGE = "Writing OME-Zarr"


def write_zarr(path: Path, data: Volume, voxel_size: Angstrom) -> None:
    """Write a volume with smaller copies.

    Parameters
    ----------
    path : Path
        The folder to make, or the Zarr folder to replace.
    data : Volume
        (z, y, x) voxels, of any type of whole or real numbers; bool is stored as uint8.
    voxel_size : Angstrom
        Å per voxel; 0 if unknown, which leaves the unit out.

    Raises
    ------
    PickerError
        If the folder cannot be written; an old one is then untouched.
    """
    drain(writing_zarr(path, data, voxel_size))


def writing_zarr(path: Path, data: Volume, voxel_size: Angstrom) -> Generator[Message, None, None]:
    """Write a volume with smaller copies, as a job; memory is needed for a few blocks of 256 x 256 x 256 voxels.

    Parameters
    ----------
    path, data, voxel_size
        As for `write_zarr`.

    Yields
    ------
    Message
        Progress.

    Raises
    ------
    PickerError
        As for `write_zarr`.
    """
    nz, ny, nx = data.shape
    shapes = [(nz, ny, nx)]
    while max(shapes[-1]) > _COARSEST:
        shapes.append(_halved(shapes[-1]))
    total = sum(sum(1 for _ in _blocks(shape)) for shape in shapes)
    done = 0
    with atomic_folder(path, lambda found: looks_like_zarr(found, b"")) as folder:
        _write_metadata(folder, path, len(shapes), voxel_size)
        source: Any = data
        for number, shape in enumerate(shapes):
            kind = np.dtype("u1") if data.dtype.kind == "b" else data.dtype.newbyteorder("<")
            level = _new_array(folder / str(number), shape, kind)
            for box in _blocks(shape):
                level[box] = np.asarray(source[box]) if number == 0 else _means(source, box, kind)
                done += 1
                yield Progress(stage=_STAGE, done=done, total=total)
            source = level


def _halved(shape: Shape) -> Shape:
    z, y, x = (-(-n // 2) for n in shape)
    return z, y, x


def _blocks(shape: Shape) -> Iterator[tuple[slice, slice, slice]]:
    for corner in product(*(range(0, n, CHUNK) for n in shape)):
        z, y, x = (slice(a, min(a + CHUNK, n)) for a, n in zip(corner, shape, strict=True))
        yield z, y, x


def _means(finer: Any, box: tuple[slice, slice, slice], kind: np.dtype[Any]) -> NDArray[Any]:
    """Average blocks of 2 x 2 x 2 voxels; those at the far faces may be thinner, and are averages of what there is."""
    part = np.asarray(finer[tuple(slice(2 * one.start, min(2 * one.stop, n)) for one, n in zip(box, finer.shape, strict=True))])
    result: NDArray[Any] = part.astype(np.float64 if kind.itemsize > 2 and kind.kind != "f" else np.float32)
    for axis in range(3):
        n = result.shape[axis]
        even = result.take(range(0, n, 2), axis)
        odd = result.take([min(i, n - 1) for i in range(1, n + 1, 2)], axis)
        result = (even + odd) / 2
    return (np.rint(result) if kind.kind in "iu" else result).astype(kind)


def _new_array(folder: Path, shape: Shape, kind: np.dtype[Any]) -> Any:
    import zarr
    from numcodecs import Blosc
    from zarr.storage import LocalStore

    return zarr.create_array(
        LocalStore(folder),
        shape=shape,
        dtype=kind,
        chunks=tuple(min(CHUNK, n) for n in shape),
        compressors=Blosc(cname="lz4", clevel=5, shuffle=Blosc.BITSHUFFLE if kind.itemsize > 1 else Blosc.SHUFFLE),
        fill_value=0,
        zarr_format=2,
        chunk_key_encoding={"name": "v2", "separator": "/"},
    )


def _write_metadata(folder: Path, path: Path, levels: int, voxel_size: Angstrom) -> None:
    known = math.isfinite(voxel_size) and voxel_size > 0
    axes = [{"name": name, "type": "space"} | ({"unit": "angstrom"} if known else {}) for name in "zyx"]
    size = voxel_size if known else 1.0
    image = {
        "version": "0.4",
        "name": path.name.removesuffix(".zarr").removesuffix(".ome"),
        "axes": axes,
        "datasets": [
            {
                "path": str(k),
                "coordinateTransformations": [
                    {"type": "scale", "scale": [size * 2**k] * 3},
                    {"type": "translation", "translation": [size * (2**k - 1) / 2] * 3},
                ],
            }
            for k in range(levels)
        ],
        "type": "mean",
    }
    (folder / ".zgroup").write_text(json.dumps({"zarr_format": 2}), encoding="utf-8")
    (folder / ".zattrs").write_text(json.dumps({"multiscales": [image]}, indent=1), encoding="utf-8")
