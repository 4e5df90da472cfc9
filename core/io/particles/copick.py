"""Picks of copick: a JSON file for each run, object, user and session.

Source: copick 1.31.0, models.py and util/escape.py. Locations are Å from the centre of the first voxel; the translation of a
transformation is added to them. An underscore divides the parts of a file name and stands in none of them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import ConfigError, FileFormatError, PickerError
from core.io.particles.formats import Format, Layout, Need, Options
from core.io.particles.jsontext import instances, locations, matrices_of, parsed, turns, values
from core.io.particles.perclass import series_names, spec_of, write_text
from core.io.particles.starwriting import of_classes
from core.io.particles.text import read_text
from core.io.particles.values import Piece, ReadPicks, Unit, Written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from core.io.particles.formats import Head, ReadOrder, WriteOrder
    from core.io.particles.values import TomogramPicks

_NOT_IN_NAMES = r'[<>:"/\\|?*\x00-\x1f\x7f\s_]'
_NOT_IN_RUNS = r'[<>:"/\\|?*\x00-\x1f\x7f\s]|^\.+'
_NUMBER = {number: rf"{number}(?:\.0+)?" for number in (0, 1)}
_ROWS = (r"\s*\[\s*" + r"\s*,\s*".join(_NUMBER[int(row == column)] for column in range(4)) + r"\s*\]\s*" for row in range(4))
_NOT_MOVED = re.compile(r'"transformation_"\s*:\s*\[' + ",".join(_ROWS) + r"\]")
"""A transformation that does nothing: most of what such a file holds, and four times faster to find than to read."""
_UNITS = {"angstrom": Unit.ANGSTROM, "voxel": Unit.VOXEL, "pixel": Unit.VOXEL}


@dataclass(frozen=True, kw_only=True)
class CopickOptions(Options):
    """Under whose name picks are kept.

    Attributes
    ----------
    user : str
        Who picked: part of the file names; no blanks and underscores.
    session : str
        Which attempt: part of the file names; 0 is for programs.
    """

    user: str = "deepetpicker"
    session: str = "0"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, word in (("user", self.user), ("session", self.session)):
            if not word or re.search(_NOT_IN_NAMES, word):
                raise ConfigError(f"The option {name} must be a word without blanks, underscores and slashes, not {word!r}.")


def is_copick(head: Head) -> bool:
    """Tell whether a file holds picks of copick.

    Parameters
    ----------
    head : Head
        The beginning of the file.

    Returns
    -------
    bool
        True where the name of a pickable object stands near the beginning.
    """
    return head.text.lstrip().startswith("{") and '"pickable_object_name"' in head.text


def read_copick(path: Path, order: ReadOrder) -> ReadPicks:
    """Read the picks of one run and object.

    Parameters
    ----------
    path : Path
        The file.
    order : ReadOrder
        Its unit takes precedence over that of the file.

    Returns
    -------
    ReadPicks
        With the object as class and the run as tomogram.

    Raises
    ------
    FileFormatError
        If the file cannot be read, or a point is wrong.
    """
    text, unmoved = _NOT_MOVED.subn('"transformation_":null', read_text(path))
    content = parsed(path, text)
    points = content.get("points") if isinstance(content, dict) else None
    if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
        raise FileFormatError(f"{path} is not a file of picks of copick; expected an object with a list of points.")
    told = content.get("unit") or "angstrom"
    if order.unit is None and told not in _UNITS:
        raise FileFormatError(f"{path} counts in {told!r}, which is not known; give the unit.")
    placed, scores = locations(path, points), values(path, points, "score", np.nan)
    trusted = content.get("trust_orientation") is not False
    moved, orientations, notices = _transformed(path, points, trusted=trusted, unmoved=unmoved)
    name, run = content.get("pickable_object_name"), content.get("run_name")
    return ReadPicks(
        positions=placed,
        unit=order.unit or _UNITS[told],
        class_names=None if not isinstance(name, str) else (name,) * len(points),
        scores=None if np.isnan(scores).all() else scores,
        tomograms=(run,) * len(points) if isinstance(run, str) and run else None,
        shifts=moved,
        orientations=orientations,
        extras=instances(path, points),
        notices=notices,
    )


def _transformed(path: Path, points: list[dict[str, Any]], *, trusted: bool, unmoved: int) -> tuple[Any, Any, tuple[str, ...]]:
    """Return shifts in Å (n, 3) zyx, orientations, and what was odd; ``unmoved`` transformations did nothing and are left out."""
    given = [point.get("transformation_") for point in points]
    if all(matrix is None for matrix in given) and not (trusted and unmoved):
        return None, None, ()
    try:
        found = np.array([np.eye(4).tolist() if matrix is None else matrix for matrix in given], np.float64)
    except (ValueError, TypeError, OverflowError):
        found = np.zeros(0)
    if found.shape != (len(points), 4, 4) or not np.isfinite(found).all():
        raise FileFormatError(f"{path}: transformation_ must be 4 x 4 finite numbers for each point; correct it.")
    shifts = found[:, 2::-1, 3]
    orientations = turns(found[:, :3, :3].tolist()) if trusted else None
    odd = trusted and orientations is None
    notices = ("Orientations are left out: some of the transformations are no rotations.",) if odd else ()
    return (shifts if shifts.any() else None), orientations, notices


def write_copick(path: Path, order: WriteOrder) -> Written:
    """Write picks into the folders of a copick project: ``ExperimentRuns/RUN/Picks/USER_SESSION_OBJECT.json``.

    Parameters
    ----------
    path : Path
        The settings of the copick project, beside the folder ExperimentRuns. They are made if they are not there, else left alone.
    order : WriteOrder
        With `CopickOptions`; a name of a tomogram is shortened to that of the tilt series.

    Returns
    -------
    Written
        The settings first, then the files of picks.

    Raises
    ------
    PickerError
        If a name is impossible or taken twice, the file is something else, or a file cannot be written.
    """
    options = order.options if isinstance(order.options, CopickOptions) else CopickOptions()
    names = tuple(re.sub(_NOT_IN_RUNS, "-", name) for name in series_names(order.parts))
    objects = _objects(order)
    known = _objects_there(path)
    pieces = []
    for number, _, parts in of_classes(path, order):
        for run, part in zip(names, parts, strict=True):
            if len(part):
                file = path.parent / "ExperimentRuns" / run / "Picks" / f"{options.user}_{options.session}_{objects[number]}.json"
                write_text(file, _lines(part, run, objects[number], options))
                pieces.append(Piece(path=file, tomogram=run, class_id=number))
    if known is None:
        write_text(path, [_settings(path, objects, order)])
    missing = [name for name in objects.values() if known is not None and name not in known]
    told = f"The settings {path.name} are left as they are; add {', '.join(missing)} to pickable_objects there."
    files = (path, *(piece.path for piece in pieces))
    return Written(files=files, pieces=tuple(pieces), names=names, classes=objects, notices=(told,) if missing else ())


def _objects(order: WriteOrder) -> dict[int, str]:
    ids = sorted({number for part in order.parts for number in np.unique(part.table.class_ids).tolist()})
    found = {number: re.sub(_NOT_IN_NAMES, "-", spec_of(order, number).name).strip("-") for number in ids}
    if len({name.lower() for name in found.values()}) < len(found) or not all(found.values()):
        raise PickerError("Copick cannot tell the names of these classes apart; give them names that differ in letters or digits.")
    return found


def _objects_there(path: Path) -> set[str] | None:
    """Names of the objects that existing settings know; None where there are none."""
    if not path.exists():
        return None
    try:
        found = parsed(path, read_text(path))["pickable_objects"]
        return {entry["name"] for entry in found}
    except (FileFormatError, KeyError, TypeError) as exc:
        raise PickerError(f"{path} is there already and is not the settings of a copick project; choose another name.") from exc


def _settings(path: Path, objects: dict[int, str], order: WriteOrder) -> str:
    entries = []
    for number, name in objects.items():
        spec = spec_of(order, number)
        color = [*bytes.fromhex(spec.color.removeprefix("#")), 255]
        entries.append({"name": name, "is_particle": True, "label": number, "color": color, "radius": spec.diameter / 2})
    content = {
        "config_type": "filesystem",
        "name": path.stem,
        "pickable_objects": entries,
        "overlay_root": f"local://{path.parent.absolute().as_posix()}",
        "overlay_fs_args": {"auto_mkdir": True},
    }
    return json.dumps(content, indent=2) + "\n"


def _lines(part: TomogramPicks, run: str, name: str, options: CopickOptions) -> Iterator[str]:
    head: dict[str, Any] = {"pickable_object_name": name, "user_id": options.user, "session_id": options.session, "run_name": run}
    head |= {"voxel_spacing": part.frame.voxel_size, "unit": "angstrom", "trust_orientation": part.orientations is not None}
    yield json.dumps(head, indent=1)[:-2] + ',\n "points": [\n'
    last, placed = len(part) - 1, part.frame.from_voxels(part.table.positions, Unit.ANGSTROM).tolist()
    numbers = part.extras["instance_id"].tolist() if "instance_id" in part.extras else [0] * len(part)
    for row, (z, y, x) in enumerate(placed):
        score, turn = float(part.table.scores[row]), _UNTURNED
        if part.orientations is not None:
            turn = _matrix(part.orientations[row : row + 1])
        scored = "" if np.isnan(score) else f', "score": {score:.7g}'
        yield (
            f'  {{"location": {{"x": {x:.5f}, "y": {y:.5f}, "z": {z:.5f}}}, "transformation_": {turn}, '
            f'"instance_id": {numbers[row]}{scored}}}{"," if row < last else ""}\n'
        )
    yield " ]\n}\n"


def _matrix(orientation: Any) -> str:
    rows = [[*row, 0.0] for row in matrices_of(orientation)[0]]
    return json.dumps([*rows, [0.0, 0.0, 0.0, 1.0]])


_UNTURNED = json.dumps(np.eye(4).tolist())

COPICK = Format(
    name="copick",
    title="copick",
    suffixes=(".json",),
    recognises=is_copick,
    read=read_copick,
    write=write_copick,
    options=CopickOptions,
    layout=Layout.MERGED,
    stays=lambda path: "" if path.parent.name == "Picks" else f"{path.name} is there already and stays as it is.",
    needs=frozenset({Need.VOXEL_SIZE}),
    by_class=True,
    hint="Give the path of copick_config.json in the folder of the copick project; picks go to ExperimentRuns beside it.",
)
