"""What the metadata of an OME-Zarr image says, before any array is opened.

Sources: NGFF 0.1 to 0.5 (ngff.openmicroscopy.org); version 0.5 lies in ``zarr.json`` under ``attributes.ome``,
earlier ones in ``.zattrs``.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from core.errors import FileFormatError
from core.io.volumes.values import in_angstrom

if TYPE_CHECKING:
    from pathlib import Path

MARKERS = (".zattrs", ".zgroup", ".zarray", "zarr.json")
_LONGEST = 2**24


@dataclass(frozen=True, slots=True)
class Image:
    """One image of several resolutions.

    Attributes
    ----------
    folder : Path
        Where it is.
    paths : tuple[str, ...]
        Of the arrays within the folder, finest first.
    names : str
        A letter for each axis, such as ``tczyx``.
    factors : tuple[float | None, ...]
        Å per unit of each axis; 1 for axes not in space, None for an unknown unit.
    unit : str
        What the file calls the unit of x; empty if it does not.
    scales, shifts : tuple[tuple[float, ...], ...]
        Of each array, in units, along all axes; empty where the file does not tell.
    """

    folder: Path
    paths: tuple[str, ...]
    names: str
    factors: tuple[float | None, ...]
    unit: str
    scales: tuple[tuple[float, ...], ...]
    shifts: tuple[tuple[float, ...], ...]


def document(file: Path) -> dict[str, Any]:
    """Read a file of metadata.

    Parameters
    ----------
    file : Path
        JSON.

    Returns
    -------
    dict[str, Any]
        Empty if there is no such file.

    Raises
    ------
    FileFormatError
        If it holds anything but one JSON object.
    """
    if not file.is_file():
        return {}
    if file.stat().st_size > _LONGEST:
        raise FileFormatError(f"{file} is too large for metadata; write the OME-Zarr folder again.")
    try:
        found = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as exc:
        raise FileFormatError(f"{file} is damaged (no valid JSON); copy or write the OME-Zarr folder again.") from exc
    if not isinstance(found, dict):
        raise FileFormatError(f"{file} is damaged (no JSON object); copy or write the OME-Zarr folder again.")
    return found


def image_of(folder: Path) -> Image | None:
    """Read the metadata of an image.

    Parameters
    ----------
    folder : Path
        A Zarr group.

    Returns
    -------
    Image | None
        None if the group says nothing of an image.

    Raises
    ------
    FileFormatError
        If what it says makes no sense.
    """
    attributes = document(folder / ".zattrs")
    newer = document(folder / "zarr.json").get("attributes")
    if isinstance(newer, dict):
        inner = newer.get("ome")
        attributes = inner if isinstance(inner, dict) else newer
    if "multiscales" not in attributes and "bioformats2raw.layout" in attributes and (folder / "0").is_dir():
        return image_of(folder / "0")
    if "multiscales" not in attributes:
        return None
    try:
        return _image(folder, attributes["multiscales"][0])
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as exc:
        raise FileFormatError(
            f"The metadata of the image in {folder} make no sense ({exc!r:.80}); write the folder again."
        ) from exc


def _image(folder: Path, said: dict[str, Any]) -> Image:
    datasets = said["datasets"]
    axes = [one if isinstance(one, dict) else {"name": one} for one in said.get("axes", "tczyx")]
    whole = _transform(said.get("coordinateTransformations"), len(axes))
    scales, shifts = [], []
    for one in datasets:
        scale, shift = _transform(one.get("coordinateTransformations"), len(axes))
        # those of the image come after those of the array
        scales.append(tuple(a * b for a, b in zip(scale, whole[0] or (1.0,) * len(axes), strict=True)) if scale else whole[0])
        moved = [a * b for a, b in zip(shift, whole[0] or (1.0,) * len(axes), strict=True)] if shift else [0.0] * len(axes)
        shifts.append(tuple(a + b for a, b in zip(moved, whole[1], strict=True)) if whole[1] else tuple(moved if shift else ()))
    names = [str(one["name"]).lower() for one in axes]
    units = [str(one.get("unit") or "") for one in axes]
    return Image(
        folder=folder,
        paths=tuple(_inside(folder, str(one["path"])) for one in datasets),
        names="".join(name if len(name) == 1 else "?" for name in names),
        factors=tuple(in_angstrom(unit) if name in "zyx" else 1.0 for name, unit in zip(names, units, strict=True)),
        unit=next((unit for name, unit in zip(names, units, strict=True) if name == "x"), ""),
        scales=tuple(scales),
        shifts=tuple(shifts),
    )


def _inside(folder: Path, path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or PurePosixPath(path).is_absolute() or "\\" in path or "\0" in path or ":" in path:
        raise FileFormatError(f"The metadata of {folder} name an array {path!r}, which is not inside it; write the folder again.")
    return path


def _transform(said: Any, count: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return scale and translation, each empty where it is not told."""
    scale: tuple[float, ...] = ()
    shift: tuple[float, ...] = ()
    for one in said or ():
        if one["type"] == "scale" and "scale" in one:
            scale = _numbers(one["scale"], count)
        elif one["type"] == "translation" and "translation" in one:
            shift = _numbers(one["translation"], count)
    return scale, shift


def _numbers(values: Any, count: int) -> tuple[float, ...]:
    numbers = tuple(float(one) for one in values)
    if len(numbers) != count or not all(math.isfinite(one) for one in numbers):
        raise ValueError(f"{count} numbers expected")
    return numbers
