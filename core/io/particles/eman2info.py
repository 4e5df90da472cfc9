"""The content of EMAN2's info files: boxes of a tomogram among much else.

Source: EMAN2 f9e8fc6, e2spt_boxer.py, e2spt_boxer_convnet.py and EMAN2.py (info_name).
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, TypeAlias

from core.errors import FileFormatError
from core.io.particles.names import volume_name
from core.io.particles.text import read_text
from core.io.particles.values import Unit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from core.io.particles.values import TomogramPicks
    from core.particles import ClassSpec

    Info: TypeAlias = dict[str, Any]

BOXES, APIX, CLASSES = "boxes_3d", "apix_unbin", "class_list"
ENDING = "_info.json"
MANUAL, _FOUND = "manual", "picked"
SHORTEST, METHOD, SCORE, _CLASS = 3, 3, 4, 5


def info_of(path: Path) -> Info:
    """Read an info file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict[str, Any]
        All of it.

    Raises
    ------
    FileFormatError
        If it cannot be read or is no info file.
    """
    try:
        info = json.loads(read_text(path))
    except (ValueError, RecursionError) as exc:
        raise FileFormatError(f"{path} is not a JSON file that can be read ({exc}); check it.") from exc
    if not isinstance(info, dict):
        raise FileFormatError(f"{path} is not an info file of EMAN2; expected names and their content in braces.")
    return info


def boxes_of(path: Path, info: Info) -> list[list[Any]]:
    """Return the boxes of an info file.

    Parameters
    ----------
    path : Path
        The file, for messages.
    info : dict[str, Any]
        Its content.

    Returns
    -------
    list[list[Any]]
        Each of three entries at least.

    Raises
    ------
    FileFormatError
        If there is something else in their place.
    """
    boxes = info.get(BOXES, [])
    if not isinstance(boxes, list) or not all(isinstance(box, list) and len(box) >= SHORTEST for box in boxes):
        raise FileFormatError(f"{path}: {BOXES} must be a list of boxes x, y, z, method, score and class; correct it.")
    return boxes


def apix_of(path: Path, info: Info) -> float | None:
    """Return the size of unbinned pixels.

    Parameters
    ----------
    path : Path
        The file, for messages.
    info : dict[str, Any]
        Its content.

    Returns
    -------
    float | None
        Å; None where the file does not tell.

    Raises
    ------
    FileFormatError
        If it makes no sense.
    """
    if APIX not in info:
        return None
    apix = info[APIX]
    if not isinstance(apix, (int, float)) or not (0 < apix < 1e6):
        raise FileFormatError(f"{path}: {APIX} must be the Å per unbinned pixel, not {apix!r}; correct it.")
    return float(apix)


def number_of(box: Sequence[Any]) -> int:
    """Return the class of a box.

    Parameters
    ----------
    box : Sequence[Any]
        As it stands in the file.

    Returns
    -------
    int
        EMAN2's number; 0 where it does not tell.
    """
    return int(box[_CLASS]) if len(box) > _CLASS else 0


def names_of(info: Info) -> dict[int, str]:
    """Return the names of classes, which are all that older files tell of a class.

    Parameters
    ----------
    info : dict[str, Any]
        The content of an info file.

    Returns
    -------
    dict[int, str]
        By EMAN2's numbers; without those that have no name.
    """
    listed = info.get(CLASSES)
    if not isinstance(listed, dict):
        return {}
    words = {key: entry.get("name", "") if isinstance(entry, dict) else entry for key, entry in listed.items()}
    return {int(key): word for key, word in words.items() if _is_number(key) and isinstance(word, str) and word}


def _is_number(key: str) -> bool:
    return key.isdecimal() and len(key) < 9


def info_name(tomogram: str) -> str:
    """Return what EMAN2 calls the info file of a tomogram.

    Parameters
    ----------
    tomogram : str
        Its name or the path of its file.

    Returns
    -------
    str
        A file name.
    """
    base = volume_name(tomogram).split("__")[0]
    for end in ("_ptcls", "_info"):
        base = base.removesuffix(end)
    return (base or volume_name(tomogram)) + ENDING


def merge(path: Path, info: Info, part: TomogramPicks, classes: Sequence[ClassSpec]) -> list[str]:
    """Put boxes into the content of an info file, in place of those of the same classes.

    Parameters
    ----------
    path : Path
        The file, for messages.
    info : dict[str, Any]
        Its content, which is changed.
    part : TomogramPicks
        The particles.
    classes : Sequence[ClassSpec]
        For the names and sizes of classes.

    Returns
    -------
    list[str]
        What the user should know.

    Raises
    ------
    FileFormatError
        If what is there makes no sense.
    """
    old, apix, told = boxes_of(path, info), apix_of(path, info), []
    size = None if part.frame.tilt_series is None else part.frame.tilt_series.pixel_size
    if apix is None and not old and size is not None:
        apix = info[APIX] = size
    if apix is None:
        told.append(f"{path.name} has boxes and no {APIX}, so that voxels from the first are written, as they are there.")
    elif size is not None and not math.isclose(apix, size, rel_tol=1e-4):
        told.append(f"{path.name} has {apix:g} Å for unbinned pixels, which was taken in place of {size:g} Å.")
    numbers = _numbered(path, info, old, part, classes, apix)
    mine = set(numbers.values())
    kept = [box for box in old if _class_of(path, box) not in mine]
    placed = part.table.positions if apix is None else part.frame.from_voxels(part.table.positions, Unit.MIDDLE) / apix
    rows = zip(placed[:, ::-1].tolist(), part.table.class_ids.tolist(), part.table.scores.tolist(), strict=True)
    new = [[*xyz, *((MANUAL, 0.0) if math.isnan(score) else (_FOUND, score)), numbers[number]] for xyz, number, score in rows]
    info[BOXES] = kept + new
    return told


def _class_of(path: Path, box: Sequence[Any]) -> int:
    try:
        return number_of(box)
    except (TypeError, ValueError, OverflowError) as exc:
        raise FileFormatError(f"{path} has a box of class {box[_CLASS]!r}; correct it before others are added.") from exc


def _numbered(
    path: Path, info: Info, old: Sequence[Sequence[Any]], part: TomogramPicks, classes: Sequence[ClassSpec], apix: float | None
) -> dict[int, int]:
    """EMAN2's number of each class, by name, and an entry in its list for those that are new."""
    if not isinstance(info.setdefault(CLASSES, {}), dict):
        raise FileFormatError(f"{path}: {CLASSES} must have names in braces; correct it.")
    specs = {spec.id: spec for spec in classes}
    known = {word: number for number, word in names_of(info).items()}
    taken = {int(key) for key in info[CLASSES] if _is_number(key)} | {_class_of(path, box) for box in old}
    found: dict[int, int] = {}
    for number in sorted(set(part.table.class_ids.tolist())):
        spec = specs.get(number)
        name = str(number) if spec is None else spec.name
        if name not in known:
            fresh = next(one for one in range(len(taken) + 1) if one not in taken)
            taken.add(fresh)
            known[name] = fresh
            info[CLASSES][str(fresh)] = {"name": name, "boxsize": _box_size(spec, apix or part.frame.voxel_size)}
        found[number] = known[name]
    return found


def _box_size(spec: ClassSpec | None, pixel: float) -> int:
    """Pixels that the particle fits into, an even number."""
    return 32 if spec is None or not pixel > 0 else max(2, 2 * math.ceil(spec.diameter / pixel / 2))
