"""Points of the CryoET Data Portal: a JSON object on each line, in voxels.

Source: cryoet-data-portal-backend 87d1ca4, point_converter.py. Class and score have no place in these files.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from core.errors import FileFormatError
from core.io.particles.formats import Fidelity, Format, Layout
from core.io.particles.jsontext import instances, locations, matrices_of, parsed, turns
from core.io.particles.perclass import write_each
from core.io.particles.text import read_text
from core.io.particles.values import ReadPicks, Unit, Written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from core.io.particles.formats import Head, ReadOrder, WriteOrder
    from core.io.particles.values import TomogramPicks

_KINDS = ("point", "orientedPoint", "instancePoint")


def is_portal(head: Head) -> bool:
    """Tell whether a file starts with a point of the portal.

    Parameters
    ----------
    head : Head
        The beginning of the file.

    Returns
    -------
    bool
        True where the first line is an object with a type of point and a location.
    """
    first = head.text.lstrip().partition("\n")[0].replace(" ", "")
    return first.startswith("{") and '"location":' in first and any(f'"type":"{kind}"' in first for kind in _KINDS)


def read_portal(path: Path, order: ReadOrder) -> ReadPicks:
    """Read points of all three types.

    Parameters
    ----------
    path : Path
        The file.
    order : ReadOrder
        How.

    Returns
    -------
    ReadPicks
        In voxels; the rest of what the portal knows stands in a file of metadata beside it.

    Raises
    ------
    FileFormatError
        If the file cannot be read, or a line is wrong.
    """
    points = list(_points(path))
    given = [point.get("xyz_rotation_matrix") for point in points]
    orientations = turns(given) if all(matrix is not None for matrix in given) else None
    odd = orientations is None and any(matrix is not None for matrix in given)
    return ReadPicks(
        positions=locations(path, points),
        unit=order.unit or Unit.VOXEL,
        orientations=orientations,
        extras=instances(path, points),
        notices=("Orientations are left out: some points have none, or one that is no rotation.",) if odd else (),
    )


def _points(path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if line.strip():
            point = parsed(path, line, f", line {number}")
            if not isinstance(point, dict) or point.get("type") not in _KINDS:
                raise FileFormatError(f"{path}, line {number}: expected an object with the type {', '.join(_KINDS)}.")
            yield point


def write_portal(path: Path, order: WriteOrder) -> Written:
    """Write points, with orientations where there are any, for each tomogram and class.

    Parameters
    ----------
    path : Path
        As for `core.io.particles.perclass.each_of_classes`.
    order : WriteOrder
        What.

    Returns
    -------
    Written
        The files.

    Raises
    ------
    PickerError
        If a file cannot be written.
    """
    return write_each(path, order, _lines)


def _lines(part: TomogramPicks) -> Iterator[str]:
    placed = part.table.positions.tolist()
    if part.orientations is not None:
        for (z, y, x), matrix in zip(placed, matrices_of(part.orientations), strict=True):
            point = {"type": "orientedPoint", "location": {"x": x, "y": y, "z": z}, "xyz_rotation_matrix": matrix}
            yield json.dumps(point) + "\n"
    elif "instance_id" in part.extras:
        for (z, y, x), number in zip(placed, part.extras["instance_id"].tolist(), strict=True):
            yield json.dumps({"type": "instancePoint", "location": {"x": x, "y": y, "z": z}, "instance_id": number}) + "\n"
    else:
        for z, y, x in placed:
            yield f'{{"type": "point", "location": {{"x": {x:.4f}, "y": {y:.4f}, "z": {z:.4f}}}}}\n'


PORTAL = Format(
    name="portal",
    title="CryoET Data Portal",
    suffixes=(".ndjson", ".jsonl"),
    recognises=is_portal,
    read=read_portal,
    write=write_portal,
    layout=Layout.EACH,
    by_class=True,
    fidelity=lambda _options: Fidelity(scores=False),
    hint="Voxels, one class a file; the portal keeps the class in the metadata beside the file.",
)
