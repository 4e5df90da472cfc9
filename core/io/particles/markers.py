"""Markers of ChimeraX (``.cmm``) in Å.

Source: the sample of ChimeraX ticket 2648, and RELION 73f0a3c, CMM_loader.cpp, which takes the attributes in this order, no
blanks before a line and none before its end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import numpy as np

from core.errors import ConfigError, FileFormatError
from core.io.particles.checks import numbers, positions
from core.io.particles.files import file_for_each
from core.io.particles.formats import Fidelity, Format, Layout, Need, Options
from core.io.particles.perclass import spec_of, write_text
from core.io.particles.text import read_text
from core.io.particles.values import ReadPicks, Unit, Written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from core.io.particles.formats import Head, ReadOrder, WriteOrder
    from core.io.particles.values import TomogramPicks
    from core.particles import ClassSpec
    from core.types import Positions

_LARGEST = 512 * 2**20


@dataclass(frozen=True, kw_only=True)
class MarkerOptions(Options):
    """Where the map stands.

    Attributes
    ----------
    origin_x : float
        Å that are added to all x: the origin of the map, if ChimeraX puts it elsewhere than at 0.
    origin_y : float
        The same for y.
    origin_z : float
        The same for z.
    """

    origin_x: float = 0.0
    origin_y: float = 0.0
    origin_z: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(map(isfinite, (self.origin_x, self.origin_y, self.origin_z))):
            raise ConfigError("The options origin_x, origin_y and origin_z must be finite numbers of Å.")


def _origin(options: Options) -> Positions:
    """(3,) zyx Å."""
    return np.array((options.origin_z, options.origin_y, options.origin_x)) if isinstance(options, MarkerOptions) else np.zeros(3)


def is_markers(head: Head) -> bool:
    """Tell whether a file holds markers.

    Parameters
    ----------
    head : Head
        The beginning of the file.

    Returns
    -------
    bool
        True where a set of markers begins.
    """
    return re.search(r"<marker_sets?[\s>]", head.text) is not None


def read_markers(path: Path, order: ReadOrder) -> ReadPicks:
    """Read markers; the name of a set is the class.

    Parameters
    ----------
    path : Path
        The file. Definitions of its own (DOCTYPE) are refused, because they can name other files and grow without limit.
    order : ReadOrder
        With `MarkerOptions`; its unit takes precedence over Å.

    Returns
    -------
    ReadPicks
        In Å from the first voxel.

    Raises
    ------
    FileFormatError
        If the file cannot be read, or a marker is wrong.
    """
    found = [(name, marker) for name, markers in _sets(path) for marker in markers]
    if not found:
        raise FileFormatError(f"{path} holds no markers; save a set with markers in ChimeraX.")
    places = list(range(1, len(found) + 1))
    xyz = [numbers(path, [marker.get(axis, "") for _, marker in found], places, f"{axis} of a marker") for axis in "xyz"]
    named = all(name for name, _ in found)
    return ReadPicks(
        positions=positions(path, xyz, places) - _origin(order.options),
        unit=order.unit or Unit.ANGSTROM,
        class_names=tuple(name for name, _ in found) if named else None,
    )


def _sets(path: Path) -> list[tuple[str, list[ElementTree.Element]]]:
    if path.is_file() and path.stat().st_size > _LARGEST:
        raise FileFormatError(f"{path} is too large for a file of markers (over 512 MiB); choose another file.")
    text = read_text(path)
    if re.search(r"<!\s*(DOCTYPE|ENTITY|ELEMENT|ATTLIST|NOTATION)", text, re.IGNORECASE):
        raise FileFormatError(f"{path} has definitions of its own (DOCTYPE), which markers do not need; it is not opened.")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError) as exc:
        raise FileFormatError(f"{path} is not a file of markers that can be read ({exc}); save it again in ChimeraX.") from exc
    groups = [root] if root.tag == "marker_set" else root.findall("marker_set")
    return [(group.get("name", ""), group.findall("marker")) for group in groups]


def write_markers(path: Path, order: WriteOrder) -> Written:
    """Write a file for each tomogram, with a set of markers for each class in its colour.

    Parameters
    ----------
    path : Path
        The file for a single tomogram; with several, a folder named like it without suffix gets one file each.
    order : WriteOrder
        With `MarkerOptions`.

    Returns
    -------
    Written
        The files.

    Raises
    ------
    PickerError
        If a file cannot be written.
    """
    pieces, origin = file_for_each(path, order.parts), _origin(order.options)
    ids = sorted({number for part in order.parts for number in np.unique(part.table.class_ids).tolist()})
    classes = {number: _plain(spec_of(order, number).name) for number in ids}
    for piece, part in zip(pieces, order.parts, strict=True):
        write_text(piece.path, _lines(part, order, origin))
    told = (
        "Markers count Å from the centre of the first voxel; if they lie beside the map in ChimeraX, give its origin as an option."
    )
    notices = () if origin.any() else (told,)
    return Written(files=tuple(piece.path for piece in pieces), pieces=tuple(pieces), classes=classes, notices=notices)


def _plain(name: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]", " ", name)


def _lines(part: TomogramPicks, order: WriteOrder, origin: Positions) -> Iterator[str]:
    ids, first = np.unique(part.table.class_ids).tolist(), 1
    if len(ids) > 1:
        yield "<marker_sets>\n"
    for number in ids:
        mine = part.select(part.table.class_ids == number)
        yield from _set(mine, spec_of(order, number), origin, first)
        first += len(mine)
    if len(ids) > 1:
        yield "</marker_sets>\n"


def _set(part: TomogramPicks, spec: ClassSpec, origin: Positions, first: int) -> Iterator[str]:
    red, green, blue = (f"{value / 255:.4g}" for value in bytes.fromhex(spec.color.removeprefix("#")))
    name = escape(_plain(spec.name), {'"': "&quot;"})
    yield f'<marker_set name="{name}">\n'
    placed = (part.frame.from_voxels(part.table.positions, Unit.ANGSTROM) + origin).tolist()
    look = f'r="{red}" g="{green}" b="{blue}" radius="{spec.diameter / 2:g}"/>\n'
    for number, (z, y, x) in enumerate(placed, start=first):
        yield f'<marker id="{number}" x="{x:.4f}" y="{y:.4f}" z="{z:.4f}" {look}'
    yield "</marker_set>\n"


MARKERS = Format(
    name="cmm",
    title="ChimeraX markers",
    suffixes=(".cmm",),
    recognises=is_markers,
    read=read_markers,
    write=write_markers,
    options=MarkerOptions,
    reading=("origin_x", "origin_y", "origin_z"),
    layout=Layout.EACH,
    needs=frozenset({Need.VOXEL_SIZE}),
    by_class=True,
    fidelity=lambda _options: Fidelity(scores=False),
    hint="Open the file in ChimeraX after the map.",
)
