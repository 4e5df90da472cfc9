"""What every reader of volumes hands back, and what all of them must settle: units, cubes, three axes, damage."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import FileFormatError, PickerError, os_reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from core.tomogram import Level
    from core.types import Angstrom, Shape, Volume

LARGEST_EDGE = 2**17
"""Voxels along one axis beyond which a size is a mistake, not a tomogram."""

_BELIEVED = 2**24  # bytes that are read at a time without a look at how much there is on the disk
_MOST_GAIN = 1100  # no usual compression makes more of a byte

_ANGSTROMS = {
    1.0: ("a", "å", "\u212b", "ang", "angstrom", "angstroms", "ångström", "ångstrom", "\\u00c5", "\\u00c5ngstrom"),
    10.0: ("nm", "nanometer", "nanometers", "nanometre", "nanometres"),
    1e4: ("um", "µm", "\u03bcm", "\\u00b5m", "micron", "microns", "micrometer", "micrometers", "micrometre", "micrometres"),
    1e7: ("mm", "millimeter", "millimeters", "millimetre", "millimetres"),
    1e-2: ("pm", "picometer", "picometre"),
    1e8: ("cm", "centimeter", "centimetre"),
    1e10: ("m", "meter", "metre"),
}
_FACTORS = {word: factor for factor, words in _ANGSTROMS.items() for word in words}


@dataclass(frozen=True, slots=True)
class Opened:
    """What a reader found.

    Attributes
    ----------
    data : Volume
        (z, y, x) voxels as stored.
    voxel_size : Angstrom
        Å per voxel; 0 if the file does not tell.
    notices : tuple[str, ...]
        What was odd and the user should know.
    origin : tuple[float, float, float]
        (z, y, x) in Å, where the file puts the centre of the first voxel; no position in voxels knows of it.
    levels : tuple[Level, ...]
        Smaller copies for display, finest first.
    """

    data: Volume
    voxel_size: Angstrom
    notices: tuple[str, ...] = ()
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    levels: tuple[Level, ...] = ()


def in_angstrom(unit: str) -> float | None:
    """Return how many Å a unit of length is.

    Parameters
    ----------
    unit : str
        Word or sign of the unit, in any case.

    Returns
    -------
    float | None
        None for an unknown one.
    """
    return _FACTORS.get(unit.strip().strip("\"'").casefold())


def one_size(sizes: Sequence[float]) -> tuple[Angstrom, tuple[str, ...]]:
    """Return the one voxel size that the program works with.

    Parameters
    ----------
    sizes : Sequence[float]
        Å per voxel along z, y and x; 0 or not finite where unknown.

    Returns
    -------
    voxel_size : Angstrom
        That along x, rounded to what a 4-byte number can hold; 0 if unknown.
    notices : tuple[str, ...]
        That voxels are not cubes.
    """
    x = sizes[2]
    if not (math.isfinite(x) and x > 0):
        return 0.0, ()
    size = float(f"{x:.6g}")
    known = [each for each in sizes if math.isfinite(each) and each > 0]
    if max(known) - min(known) <= 1e-3 * x:
        return size, ()
    text = " x ".join(f"{each:.4g}" for each in reversed(sizes))
    return size, (f"The voxels are {text} Å (x, y, z), not cubes: {x:.4g} Å is taken for all three.",)


def three_axes(path: Path, shape: Sequence[int], names: str) -> tuple[int, int, int]:
    """Find z, y and x among the axes of an array.

    Parameters
    ----------
    path : Path
        The file, for messages.
    shape : Sequence[int]
        Extents along all axes.
    names : str
        One letter for each, lower case; ``z``, ``y`` and ``x`` count in space, all others must have one entry only.

    Returns
    -------
    tuple[int, int, int]
        Numbers of the axes z, y and x.

    Raises
    ------
    FileFormatError
        If another axis has several entries, an axis is missing, or the extents make no sense.
    """
    text = " x ".join(f"{n} ({name})" for n, name in zip(shape, names, strict=True))
    others = [name for name, n in zip(names, shape, strict=True) if name not in "zyx" and n != 1]
    if others:
        raise FileFormatError(
            f"{path} holds {text}, which is more than one volume: save the one channel or time point that you want by itself."
        )
    if any(names.count(axis) != 1 for axis in "zyx"):
        raise FileFormatError(f"{path} holds {text}, not a volume along z, y and x; open the reconstructed tomogram.")
    z, y, x = (names.index(axis) for axis in "zyx")
    require_extents(path, (shape[z], shape[y], shape[x]))
    return z, y, x


def require_extents(path: Path, shape: Shape) -> None:
    """Refuse sizes that cannot be those of a tomogram.

    Parameters
    ----------
    path : Path
        The file, for the message.
    shape : Shape
        (z, y, x) extents in voxels.

    Raises
    ------
    FileFormatError
        If an extent is below 1 or beyond anything real, or there is one section only.
    """
    nz, ny, nx = shape
    if min(shape) < 1 or max(shape) > LARGEST_EDGE:
        raise FileFormatError(f"The header of {path} makes no sense (size {nx} x {ny} x {nz} voxels); write the file again.")
    if nz == 1:
        raise FileFormatError(f"{path} is a single image of {nx} x {ny} pixels, not a volume; open the reconstructed tomogram.")


def require_bytes(path: Path, expected: int, present: int, shape: Shape) -> None:
    """Refuse a file that is shorter than its header announces.

    Parameters
    ----------
    path : Path
        The file, for the message.
    expected, present : int
        Bytes.
    shape : Shape
        (z, y, x) extents in voxels.

    Raises
    ------
    FileFormatError
        If bytes are missing.
    """
    nz, ny, nx = shape
    if expected > present:
        raise FileFormatError(
            f"{path} is truncated: {expected - present} of the {expected} bytes that its header announces ({nx} x {ny} x {nz} "
            "voxels) are missing; copy or reconstruct it again."
        )


def require_held(path: Path, wanted: int, sizes: Iterable[int], what: str) -> None:
    """Refuse a compressed part that is far larger than what the disk holds could ever become.

    Parameters
    ----------
    path : Path
        The file, for the message.
    wanted : int
        Bytes that reading the part takes.
    sizes : Iterable[int]
        Bytes of the files that hold it; looked at only as far as needed.
    what : str
        The part, in words, plural.

    Raises
    ------
    FileFormatError
        If the files are too small.
    """
    if wanted <= _BELIEVED:
        return
    present = 0
    for size in sizes:
        present += size
        if present * _MOST_GAIN >= wanted:
            return
    raise FileFormatError(f"{path} announces {what}, more than it can hold; copy or write it again.")


@contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a library makes of a damaged file into one sentence.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        What users call the format.

    Raises
    ------
    FileFormatError
        In place of any error but those meant for the user.
    """
    try:
        yield
    except PickerError:
        raise
    except OSError as exc:
        # libraries report damage with errors of the system that have no number
        why = os_reason(exc) if exc.errno else "it is damaged or incomplete; copy or write it again"
        raise FileFormatError(f"Cannot read {path} as {kind}: {why}.") from exc
    except Exception as exc:  # a damaged file can lead foreign code into any error
        words = " ".join(str(exc).split())[:200].rstrip(".") or type(exc).__name__
        raise FileFormatError(f"{path} cannot be read as {kind} ({words}); copy or write it again.") from exc
