"""Read MRC volumes (MRC2014, IMOD and their elders) as memory maps.

Sources: Cheng et al. 2015, J. Struct. Biol. 192, 146 (MRC2014); IMOD's mrc_format.txt for signed bytes and old headers.
"""

from __future__ import annotations

import io
import math
import struct
import warnings
from typing import TYPE_CHECKING, Any

import mrcfile
import numpy as np
from mrcfile.mrcinterpreter import MrcInterpreter

from core.errors import FileFormatError
from core.io.volumes.compressed import compression, first_bytes, unpacked
from core.io.volumes.values import LARGEST_EDGE, Opened, one_size, require_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from core.types import Angstrom, Shape

HEADER_BYTES = 1024
_MAP_ID = slice(208, 211)
_IMOD_STAMP = 1146047817
_ITEM_BYTES = {0: 1, 1: 2, 2: 4, 6: 2, 12: 2}
_REFUSED = {
    3: "a Fourier transform (complex 16-bit integers)",
    4: "a Fourier transform (complex numbers)",
    16: "a colour image (RGB)",
    101: "4-bit packed integers",
}
_STACK_SUFFIXES = (".st", ".ali", ".mrcs")


def looks_like_mrc(head: bytes) -> bool:
    """Tell whether a file starts like an MRC file, with its mark or, as old ones do, with a size and mode that make sense.

    Parameters
    ----------
    head : bytes
        The first 1024 bytes, or all there are.

    Returns
    -------
    bool
        True for MRC files, also for those of modes that cannot be read.
    """
    if head[_MAP_ID] == b"MAP":
        return True
    if len(head) < HEADER_BYTES:
        return False
    return any(_plausible(*struct.unpack(f"{order}4i", head[:16])) for order in "<>")


def read_mrc(path: Path, head: bytes, signed: bool | None) -> Opened:
    """Open an MRC volume as a memory map.

    Parameters
    ----------
    path : Path
        The file.
    head : bytes
        Its first 1024 bytes, or all there are.
    signed : bool | None
        Whether voxels of mode 0 are signed; None to go by IMOD's rule. Other modes do not ask.

    Returns
    -------
    Opened
        The voxels in the byte order of the file, voxel size and notices.

    Raises
    ------
    FileFormatError
        If the file is no MRC file, truncated, not a volume, or of a mode that is not read.
    """
    if len(head) < HEADER_BYTES:
        raise FileFormatError(f"{path} has only {len(head)} bytes, less than the header of an MRC file; copy it again.")
    if not looks_like_mrc(head):
        raise FileFormatError(f"{path} is not an MRC file, whatever its name says; check what wrote it.")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        header = _header(path, head)
        _require_volume(path, header)
        _require_length(path, header)
        data = _map(path)
    notices = [str(w.message) for w in caught]
    voxel_size, doubts = _voxel_size(header)
    notices += [*doubts, *_oddities(header)]
    if int(header.mode) == 0:
        data, unsure = _as_bytes(data, header, head, signed)
        notices += unsure
    return Opened(data, voxel_size, tuple(dict.fromkeys(notices)), _origin(header))


def read_packed_mrc(path: Path, head: bytes, signed: bool | None) -> Opened:
    """Open a compressed MRC volume by way of a decompressed copy among the temporary files, which is made once.

    Parameters
    ----------
    path : Path
        The compressed file.
    head : bytes
        Its first bytes.
    signed : bool | None
        As for `read_mrc`.

    Returns
    -------
    Opened
        A memory map of the copy.

    Raises
    ------
    PickerError
        If the file is damaged, truncated, holds something else than an MRC volume, or the disk is too small for the copy.
    """
    kind = compression(head)
    inside = first_bytes(path, kind, HEADER_BYTES)
    if not looks_like_mrc(inside):
        raise FileFormatError(f"{path} is compressed ({kind}), but not an MRC file inside; decompress it, then open what is in it.")
    copy = unpacked(path, kind, expected=_announced(path, inside))
    try:
        return read_mrc(copy, inside, signed)
    except FileFormatError as exc:
        raise FileFormatError(str(exc).replace(str(copy), str(path))) from exc


def _announced(path: Path, head: bytes) -> int:
    """Return how long the file should be, so that no more than this is ever decompressed."""
    order = ">" if head[212:214] == bytes((17, 17)) else "<"
    if not _plausible(*struct.unpack(f"{order}4i", head[:16])):
        order = "<" if order == ">" else ">"
    nx, ny, nz, mode = struct.unpack(f"{order}4i", head[:16])
    (extended,) = struct.unpack(f"{order}i", head[92:96])
    if not _plausible(nx, ny, nz, mode) or extended < 0:
        raise FileFormatError(f"The header of {path} makes no sense (size {nx} x {ny} x {nz}, mode {mode}); write the file again.")
    return int(HEADER_BYTES + extended + nx * ny * nz * _ITEM_BYTES.get(mode, 0))


def _plausible(nx: int, ny: int, nz: int, mode: int) -> bool:
    return all(0 < n <= LARGEST_EDGE for n in (nx, ny, nz)) and (mode in _ITEM_BYTES or mode in _REFUSED)


def _header(path: Path, head: bytes) -> Any:
    """Return the header; the library would make room for an extended header of any length that a damaged file announces."""
    length = slice(92, 96)
    plain = head[: length.start] + bytes(4) + head[length.stop : HEADER_BYTES]
    try:
        with io.BytesIO(plain) as stream:  # closed before the file is, which would be written otherwise
            file = MrcInterpreter(stream, permissive=True, header_only=True)
            header = file.header.copy()
    except ValueError as exc:
        raise FileFormatError(f"The header of {path} cannot be read as that of an MRC file ({exc}); copy it again.") from exc
    header.nsymbt = np.frombuffer(head[length], header.nsymbt.dtype)[0]
    return header


def _map(path: Path) -> Any:
    with mrcfile.mmap(path, permissive=True) as file:
        data = file.data
    if data is None:
        raise FileFormatError(f"{path} cannot be mapped into memory; copy it to a local disk and open it there.")
    return data


def _shape(header: Any) -> Shape:
    return int(header.nz), int(header.ny), int(header.nx)


def _require_volume(path: Path, header: Any) -> None:
    mode, (nz, ny, nx) = int(header.mode), _shape(header)
    if mode not in _ITEM_BYTES:
        kind = _REFUSED.get(mode, "an unknown kind of voxel")
        raise FileFormatError(
            f"{path} holds {kind} (mode {mode}), not a tomogram: convert it to integers or real numbers (mode 0, 1, 2, 6 or 12)."
        )
    if min(nz, ny, nx) < 1 or int(header.nsymbt) < 0:
        raise FileFormatError(f"The header of {path} makes no sense (size {nx} x {ny} x {nz} voxels); write the file again.")
    if nz == 1:
        raise FileFormatError(f"{path} is a single image of {nx} x {ny} pixels, not a volume; open the reconstructed tomogram.")
    if int(header.ispg) == 0 and int(header.mz) == 1 and path.suffix.lower() in _STACK_SUFFIXES:
        raise FileFormatError(
            f"{path} is a stack of {nz} images, such as a tilt series, not a volume; open the tomogram reconstructed from it."
        )
    if int(header.ispg) > 400:
        raise FileFormatError(f"{path} is a stack of several volumes; save the one you want as a file of its own.")


def _require_length(path: Path, header: Any) -> None:
    shape = _shape(header)
    voxels = math.prod(shape) * _ITEM_BYTES[int(header.mode)]
    require_bytes(path, HEADER_BYTES + int(header.nsymbt) + voxels, path.stat().st_size, shape)


def _voxel_size(header: Any) -> tuple[Angstrom, tuple[str, ...]]:
    """Return the size along x rounded to what a 4-byte number can hold, 0 if unknown, and what is odd about it."""
    cells = [float(header.cella[axis]) for axis in "xyz"]
    counts = [int(header.mx), int(header.my), int(header.mz)]
    sizes = [cell / n if n > 0 and math.isfinite(cell) and cell > 0 else 0.0 for cell, n in zip(cells, counts, strict=True)]
    if counts[2] == 1 < int(header.nz):
        sizes[2] = sizes[0]  # a stack's third cell edge says nothing about the depth of a voxel
    return one_size(sizes[::-1])


def _origin(header: Any) -> tuple[float, float, float]:
    z, y, x = (float(header.origin[axis]) for axis in "zyx")
    return (z, y, x) if all(map(math.isfinite, (z, y, x))) else (0.0, 0.0, 0.0)


def _oddities(header: Any) -> list[str]:
    found = []
    axes = [int(header[name]) for name in ("mapc", "mapr", "maps")]
    if axes not in ([1, 2, 3], [0, 0, 0]):
        found.append(
            f"The header orders the axes {axes}, not [1, 2, 3]: columns, rows and sections are read as x, y and z all the same."
        )
    if int(header.ispg) == 0 and int(header.mz) == 1:
        found.append("The header calls this a stack of images: it is read as a volume.")
    return found


def _as_bytes(data: Any, header: Any, head: bytes, signed: bool | None) -> tuple[Any, list[str]]:
    """View bytes as signed or unsigned; the view is a memory map like the original."""
    sure, by_file = _signed_bytes(header, head)
    doubts = []
    if signed is None and not sure:
        word = "signed (-128..127)" if by_file else "unsigned (0..255)"
        doubts = [f"The header leaves open whether the bytes are signed: they are read as {word}; say so if this looks wrong."]
    return data if (by_file if signed is None else signed) else data.view(np.uint8), doubts


def _signed_bytes(header: Any, head: bytes) -> tuple[bool, bool]:
    """Tell whether the header is clear about signed bytes, and whether they are: IMOD's flag, else its rule on the range."""
    stamp, flags = np.frombuffer(head, header.dtype["mode"], count=2, offset=152)
    if stamp == _IMOD_STAMP:
        return True, bool(flags & 1)
    low, high = float(header.dmin), float(header.dmax)
    if not low <= high:
        return False, True  # marks unknown statistics, as only MRC2014 files do, and their bytes are signed
    if low < 0 and high >= 128:
        return False, -low > high - 128
    return low < 0 or high > 0, low < 0
