"""Read EM volumes (TOM toolbox, Dynamo, Artiatomi) as memory maps.

Source: the header of 512 bytes as in TOM's tom_emread.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from core.errors import FileFormatError
from core.io.volumes.values import Opened, require_bytes, require_extents

if TYPE_CHECKING:
    from pathlib import Path

    from core.types import Shape

HEADER_BYTES = 512
_BIG_ENDIAN = (0, 3, 5)  # OS-9, SGI, Mac
_MACHINES = (*_BIG_ENDIAN, 1, 2, 6)
_TYPES = {1: "i1", 2: "i2", 4: "i4", 5: "f4", 9: "f8"}


def looks_like_em(path: Path, head: bytes) -> bool:
    """Tell whether a file is an EM file, which has no mark: its length must be what its header announces.

    Parameters
    ----------
    path : Path
        The file.
    head : bytes
        Its first bytes, at least 16.

    Returns
    -------
    bool
        False for truncated files.
    """
    if len(head) < HEADER_BYTES or head[0] not in _MACHINES or head[3] not in _TYPES:
        return False
    shape, dtype = _layout(head)
    nz, ny, nx = shape
    return min(shape) > 0 and path.stat().st_size == HEADER_BYTES + nz * ny * nx * dtype.itemsize


def read_em(path: Path, head: bytes, signed: bool | None) -> Opened:
    """Open an EM volume as a memory map.

    Parameters
    ----------
    path : Path
        The file.
    head : bytes
        Its first 512 bytes or more.
    signed : bool | None
        Whether voxels of one byte are signed; None takes them as signed.

    Returns
    -------
    Opened
        Without a voxel size: EM files have no reliable one.

    Raises
    ------
    FileFormatError
        If the file is no EM file, truncated, or not a volume.
    """
    if len(head) < HEADER_BYTES:
        raise FileFormatError(f"{path} has only {len(head)} bytes, less than the header of an EM file; copy it again.")
    if head[0] not in _MACHINES or head[3] not in _TYPES:
        raise FileFormatError(
            f"{path} is not an EM file of whole or real numbers (machine {head[0]}, type {head[3]}); check what wrote it."
        )
    shape, dtype = _layout(head)
    require_extents(path, shape)
    nz, ny, nx = shape
    require_bytes(path, HEADER_BYTES + nz * ny * nx * dtype.itemsize, path.stat().st_size, shape)
    notices = []
    if dtype.itemsize == 1:
        if signed is None:
            notices = [
                "EM files do not tell whether bytes are signed: they are read as signed (-128..127); say so if this looks wrong."
            ]
        dtype = np.dtype("u1") if signed is False else dtype
    return Opened(np.memmap(path, dtype, "r", HEADER_BYTES, shape), 0.0, tuple(notices))


def _layout(head: bytes) -> tuple[Shape, np.dtype[np.generic]]:
    order = ">" if head[0] in _BIG_ENDIAN else "<"
    nx, ny, nz = struct.unpack(f"{order}3i", head[4:16])
    return (nz, ny, nx), np.dtype(order + _TYPES[head[3]])
