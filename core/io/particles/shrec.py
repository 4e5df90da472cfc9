"""Particle lists of the SHREC challenge: ``class x y z`` with three angles, in voxels from 0.

Source: paloha/faket, eval.py, and MLI-lab/ProPicker, prepare_shrec2021.py. What the angles mean is not told there, so they are
kept as columns and not turned into orientations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import FileFormatError
from core.io.particles.checks import class_ids, is_number, numbers, positions
from core.io.particles.formats import Format
from core.io.particles.text import lines, read_text, separator, split
from core.io.particles.values import ReadPicks, Unit

if TYPE_CHECKING:
    from pathlib import Path

    from core.io.particles.formats import Head, ReadOrder

_ANGLES = ("rot1", "rot2", "rot3")


def is_shrec(head: Head) -> bool:
    """Tell whether a text starts with the name of a protein and six numbers.

    Parameters
    ----------
    head : Head
        The beginning of the file.

    Returns
    -------
    bool
        True for the challenge's ``particle_locations.txt``.
    """
    first = next(lines(head.text), None)
    fields = [] if first is None else split(first[1], separator(first[1]))
    return len(fields) == 7 and not is_number(fields[0]) and all(map(is_number, fields[1:]))


def read_shrec(path: Path, order: ReadOrder) -> ReadPicks:
    """Read the true particles, or the four columns that the challenge's scorer takes.

    Parameters
    ----------
    path : Path
        The file.
    order : ReadOrder
        How.

    Returns
    -------
    ReadPicks
        In voxels; angles are extras.

    Raises
    ------
    FileFormatError
        If the file cannot be read, or a row is wrong.
    """
    told = [(number, split(line, separator(line))) for number, line in lines(read_text(path))]
    if not told:
        raise FileFormatError(f"{path} holds no particles; expected lines of class, x, y, z and three angles.")
    count = len(told[0][1])
    for number, fields in told:
        if len(fields) != count or count not in (4, 7):
            raise FileFormatError(
                f"{path}, line {number}: expected class, x, y, z and perhaps three angles, not {len(fields)} columns."
            )
    places = [number for number, _ in told]
    words = list(zip(*(fields for _, fields in told), strict=True))
    placed = [numbers(path, words[1 + axis], places, name) for axis, name in enumerate("xyz")]
    numbered = all(map(is_number, words[0]))
    return ReadPicks(
        positions=positions(path, placed, places),
        unit=order.unit or Unit.VOXEL,
        class_ids=class_ids(path, numbers(path, words[0], places, "class"), places) if numbered else None,
        class_names=None if numbered else words[0],
        extras={name: numbers(path, column, places, name) for name, column in zip(_ANGLES, words[4:], strict=False)},
        notices=("The angles are kept as columns, because what they mean is not known.",) if count == 7 else (),
    )


SHREC = Format(name="shrec", title="SHREC 2021", suffixes=(".txt",), recognises=is_shrec, read=read_shrec)
