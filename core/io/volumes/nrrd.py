"""Read NRRD volumes: raw ones as memory maps, compressed ones by way of a decompressed copy, those as text at once.

Source: the definition of NRRD at teem.sourceforge.net; the header is parsed by pynrrd. Sizes come fastest axis first: x, y, z.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import FileFormatError
from core.io.volumes.compressed import unpacked
from core.io.volumes.values import Opened, in_angstrom, one_size, reading, require_bytes, three_axes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from core.types import Shape

_LONGEST_HEADER = 2**16
_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_CODES = {word: code for code, words in _TYPES.items() for word in words}
_ENCODINGS = {"raw": "", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2"}
_AS_TEXT = ("ascii", "text", "txt")


def looks_like_nrrd(head: bytes) -> bool:
    """Tell whether a file is NRRD, or the header of one.

    Parameters
    ----------
    head : bytes
        Its first bytes.

    Returns
    -------
    bool
        True for all versions.
    """
    return head.startswith(b"NRRD000")


def read_nrrd(path: Path, _head: bytes, _signed: bool | None) -> Opened:
    """Open an NRRD volume.

    Parameters
    ----------
    path : Path
        The file, or the detached header.

    Returns
    -------
    Opened
        A memory map; an array where the voxels are text.

    Raises
    ------
    FileFormatError
        If the file is damaged, truncated, of an encoding that is not read, or not a volume.
    """
    with reading(path, "NRRD"):
        header, after = _header(path)
        sizes = [int(n) for n in header["sizes"]]
        names = _axis_names(path, sizes, header)
        axes = three_axes(path, sizes[::-1], names)
        shape = _shape(sizes, axes)
        data = _voxels(path, header, after, shape)
        steps, notices = _steps(header, [len(sizes) - 1 - axis for axis in axes])
    voxel_size, doubts = one_size(steps)
    return Opened(data, voxel_size, (*notices, *doubts))


def _header(path: Path) -> tuple[Mapping[str, Any], int]:
    import nrrd

    with path.open("rb") as file:
        start = file.read(_LONGEST_HEADER)
    ends = [end + len(mark) for mark in (b"\n\n", b"\r\n\r\n") if (end := start.find(mark)) >= 0]
    if not ends and len(start) == _LONGEST_HEADER:
        raise FileFormatError(f"{path} has no end to its NRRD header; copy it again.")
    after = min(ends, default=len(start))
    return nrrd.read_header(start[:after].splitlines(keepends=True)), after


def _axis_names(path: Path, sizes: list[int], header: Mapping[str, Any]) -> str:
    """Name the axes, slowest first; the three that count are those with more than one entry."""
    if len(sizes) != int(header["dimension"]):
        raise FileFormatError(
            f"The header of {path} makes no sense ({header['dimension']} axes, {len(sizes)} sizes); write it again."
        )
    real = [i for i, n in enumerate(sizes) if n != 1] if len(sizes) > 3 else list(range(len(sizes)))
    letters = dict(zip(real, "xyz", strict=False)) if len(real) <= 3 else {}
    return "".join(letters.get(i, "c") for i in reversed(range(len(sizes))))


def _shape(sizes: list[int], axes: tuple[int, int, int]) -> Shape:
    z, y, x = (sizes[::-1][axis] for axis in axes)
    return z, y, x


def _voxels(path: Path, header: Mapping[str, Any], after: int, shape: Shape) -> Any:
    encoding = str(header.get("encoding", "")).lower()
    if encoding not in _ENCODINGS and encoding not in _AS_TEXT:
        raise FileFormatError(
            f"{path} holds its voxels as {encoding or 'nothing known'}; save it with the encoding raw, gzip or ascii."
        )
    dtype = _dtype(path, header, as_text=encoding in _AS_TEXT)
    file, offset = _data_file(path, header, after)
    expected = math.prod(shape) * dtype.itemsize
    skip = int(header.get("byte skip", header.get("byteskip", 0)))
    if encoding in _AS_TEXT:
        return _spelled(path, file, offset + max(skip, 0), dtype, shape)
    if _ENCODINGS[encoding]:
        file, offset = unpacked(file, _ENCODINGS[encoding], start=offset, expected=expected + max(skip, 0)), max(skip, 0)
    elif skip == -1:
        offset = file.stat().st_size - expected
    else:
        offset += skip
    if not 0 <= offset < 2**62:
        require_bytes(path, expected, file.stat().st_size, shape)
        raise FileFormatError(f"The header of {path} makes no sense (voxels from byte {offset} on); write it again.")
    require_bytes(path, offset + expected, file.stat().st_size, shape)
    return np.memmap(file, dtype, "r", offset, shape)


def _spelled(path: Path, file: Path, offset: int, dtype: np.dtype[Any], shape: Shape) -> NDArray[Any]:
    """Read voxels that are written out as text, section by section."""
    limits = None if dtype.kind == "f" else np.iinfo(dtype)
    present = file.stat().st_size - offset
    if 2 * math.prod(shape) - 1 > present:  # a digit for each, and what separates them
        raise FileFormatError(
            f"{path} is truncated: {present} bytes of text cannot hold {math.prod(shape)} numbers; copy it again."
        )
    data = np.empty(shape, dtype)
    with file.open("rb") as text:
        text.seek(offset)
        for section in data:
            found = np.fromfile(text, dtype if limits is None else f"{dtype.kind}8", section.size, " ")
            if found.size < section.size:
                raise FileFormatError(f"{path} is truncated: it has fewer than {math.prod(shape)} numbers; copy it again.")
            if limits is not None and (found.min() < limits.min or found.max() > limits.max):
                raise FileFormatError(f"{path} holds a number that does not fit its type; write it again with a larger type.")
            section[...] = found.reshape(section.shape)
    return data


def _dtype(path: Path, header: Mapping[str, Any], *, as_text: bool) -> np.dtype[Any]:
    kind = str(header["type"])
    if kind.lower() not in _CODES:
        raise FileFormatError(f"{path} holds voxels of type {kind}, not numbers; save them as whole or real numbers.")
    dtype = np.dtype(_CODES[kind.lower()])
    if as_text:
        return dtype
    order = str(header.get("endian", "little")).lower()
    if dtype.itemsize > 1 and ("endian" not in header or order not in ("little", "big")):
        raise FileFormatError(f"The header of {path} does not tell the order of the bytes (endian); write the file again.")
    return dtype.newbyteorder(">" if order == "big" else "<")


def _data_file(path: Path, header: Mapping[str, Any], after: int) -> tuple[Path, int]:
    named = str(header.get("data file", header.get("datafile", "")))
    skipped = int(header.get("line skip", header.get("lineskip", 0)))
    file = path.parent / named if named else path
    if named and (named.upper().startswith("LIST") or "%" in named or not file.is_file()):
        raise FileFormatError(
            f"{path} is the header of a volume in {named}, which is not one file beside it; bring that file here."
        )
    offset = 0 if named else after
    if not skipped:
        return file, offset
    if not 0 < skipped <= 10_000:
        raise FileFormatError(f"The header of {path} makes no sense ({skipped} lines to skip); write it again.")
    with file.open("rb") as content:
        content.seek(offset)
        for _ in range(skipped):
            content.readline(_LONGEST_HEADER)
        return file, content.tell()


def _steps(header: Mapping[str, Any], axes: list[int]) -> tuple[list[float], tuple[str, ...]]:
    """Return Å per voxel along z, y and x, and what is odd about them."""
    if "space directions" in header:
        lengths = [float(np.linalg.norm(one)) if one is not None else math.nan for one in header["space directions"]]
        words = list(header.get("space units", ()))
        units = [str(words[0])] * len(lengths) if len(set(words)) == 1 else []
    elif "spacings" in header:
        lengths, units = [abs(float(one)) for one in header["spacings"]], [str(one) for one in header.get("units", ())]
    else:
        return [0.0] * 3, ()
    if len(units) != len(lengths):
        return [0.0] * 3, ("The file gives the spacing of voxels, but not in which unit: give the voxel size in Å.",)
    factors = [in_angstrom(units[axis]) for axis in axes]
    if None in factors:
        return [0.0] * 3, (f"The file gives the voxel size in {units[axes[-1]]!r}, which is no known unit: give it in Å.",)
    return [lengths[axis] * (factor or 0.0) for axis, factor in zip(axes, factors, strict=True)], ()
