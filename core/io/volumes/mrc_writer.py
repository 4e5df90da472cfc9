"""Write MRC volumes slab by slab; the file appears whole or not at all."""

from __future__ import annotations

from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from mrcfile.dtypes import HEADER_DTYPE

from core.io.atomic import atomic_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import DTypeLike, NDArray

    from core.types import Angstrom, Shape, Volume

_MODES = {"int8": 0, "int16": 1, "float32": 2, "uint16": 6, "float16": 12}
_STORED_AS = {"bool": "int8", "uint8": "int16"}
_SLAB_VOXELS = 2**22


class MrcWriter:
    """Takes the sections of a volume in order, lowest z first.

    Parameters
    ----------
    file : IO[bytes]
        Where to write; seekable.
    shape : Shape
        (z, y, x) voxels that will come.
    dtype : DTypeLike
        Type of the voxels: bool is stored as int8, uint8 as int16, whatever else MRC lacks as float32.
    voxel_size : Angstrom
        Å per voxel; 0 if unknown.
    """

    def __init__(self, file: IO[bytes], shape: Shape, dtype: DTypeLike, voxel_size: Angstrom) -> None:
        name = np.dtype(dtype).name
        name = _STORED_AS.get(name, name)
        self._dtype = np.dtype(name if name in _MODES else "float32").newbyteorder("<")
        self._file, self._shape, self._voxel_size = file, shape, voxel_size
        self._sections = 0
        self._low, self._high, self._sum, self._squares = np.inf, -np.inf, 0.0, 0.0
        file.write(self._header())

    def write(self, slab: NDArray[Any]) -> None:
        """Append sections.

        Parameters
        ----------
        slab : NDArray
            (n, y, x) voxels.

        Raises
        ------
        ValueError
            If they do not fit.
        """
        if slab.shape[1:] != self._shape[1:] or self._sections + len(slab) > self._shape[0]:
            raise ValueError(f"a slab of shape {slab.shape} does not fit after {self._sections} sections of {self._shape}")
        stored = np.ascontiguousarray(slab, self._dtype)
        if not stored.size:
            return
        self._file.write(stored.tobytes())
        self._sections += len(slab)
        self._low, self._high = min(self._low, float(stored.min())), max(self._high, float(stored.max()))
        values = stored.astype(np.float64)
        self._sum, self._squares = self._sum + float(values.sum()), self._squares + float(np.square(values).sum())

    def finish(self) -> None:
        """Write the header again, with the statistics of what was written.

        Raises
        ------
        ValueError
            If sections are missing.
        """
        if self._sections != self._shape[0]:
            raise ValueError(f"only {self._sections} of {self._shape[0]} sections were written")
        self._file.seek(0)
        self._file.write(self._header())

    def _header(self) -> bytes:
        nz, ny, nx = self._shape
        mean = self._sum / (nz * ny * nx)
        header = np.zeros((), HEADER_DTYPE.newbyteorder("<"))
        header["nx"], header["ny"], header["nz"] = header["mx"], header["my"], header["mz"] = nx, ny, nz
        header["mode"] = _MODES[self._dtype.name]
        header["cella"] = tuple(n * self._voxel_size for n in (nx, ny, nz))
        header["cellb"] = (90, 90, 90)
        header["mapc"], header["mapr"], header["maps"] = 1, 2, 3
        header["dmin"], header["dmax"], header["dmean"] = self._low, self._high, mean
        header["rms"] = max(self._squares / (nz * ny * nx) - mean**2, 0) ** 0.5
        header["ispg"], header["nversion"] = 1, 20141  # a volume, not a stack of images
        header["map"], header["machst"] = b"MAP ", (0x44, 0x44, 0, 0)
        return header.tobytes()


@contextmanager
def mrc_writer(path: Path, shape: Shape, dtype: DTypeLike, voxel_size: Angstrom) -> Iterator[MrcWriter]:
    """Write a volume in slabs; nothing appears under `path` before the block has ended well.

    Parameters
    ----------
    path : Path
        The file to make or to replace.
    shape : Shape
        (z, y, x) voxels that will come.
    dtype : DTypeLike
        Type of the voxels: bool is stored as int8, uint8 as int16, whatever else MRC lacks as float32.
    voxel_size : Angstrom
        Å per voxel; 0 if unknown.

    Yields
    ------
    MrcWriter
        Takes the slabs.

    Raises
    ------
    PickerError
        If the file cannot be written.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        writer = MrcWriter(file, shape, dtype, voxel_size)
        yield writer
        writer.finish()


def write_mrc(path: Path, data: Volume, voxel_size: Angstrom) -> None:
    """Write a volume as MRC2014.

    Parameters
    ----------
    path : Path
        The file to make or to replace.
    data : Volume
        (z, y, x) voxels: bool is stored as int8, uint8 as int16, whatever else MRC lacks as float32.
    voxel_size : Angstrom
        Å per voxel; 0 if unknown.

    Raises
    ------
    PickerError
        If the file cannot be written; an old file is then untouched.
    """
    nz, ny, nx = data.shape
    step = max(1, _SLAB_VOXELS // (ny * nx))
    with mrc_writer(path, (nz, ny, nx), data.dtype, voxel_size) as writer:
        for z in range(0, nz, step):
            writer.write(np.asarray(data[z : z + step]))
