"""Tables of reference centres and of picks to be scored against them, in voxels of the same tomogram.

References have the columns ``class``, ``x``, ``y``, ``z`` and ``diameter_voxels``; where ``tier`` says ``ambiguous``, a reference
is neutral. Picks have ``class``, ``x``, ``y``, ``z`` and perhaps ``score``.
"""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from core.errors import FileFormatError
from core.io.particles.checks import numbers, positions
from core.io.particles.text import read_text
from core.particles import ClassSpec, ParticleTable, Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from core.types import IntArray, Positions

NEEDED = ("class", "x", "y", "z", "diameter_voxels")


def read_references(path: Path) -> tuple[ParticleTable, tuple[ClassSpec, ...]]:
    """Read references.

    Parameters
    ----------
    path : Path
        A table with a header.

    Returns
    -------
    table : ParticleTable
        Neutral references are candidates, all others accepted.
    classes : tuple[ClassSpec, ...]
        In the order of their names; a diameter is the median of its class in voxels, that is in Å at 1 Å per voxel.

    Raises
    ------
    FileFormatError
        If the file is no such table.
    """
    rows = _Rows(path, NEEDED)
    names, diameters = np.array(rows.words("class")), rows.numbers("diameter_voxels")
    if np.isnan(diameters).any():
        raise FileFormatError(f"{path} has references without a diameter; fill the column diameter_voxels in every row.")
    classes = tuple(
        ClassSpec(id=number, name=name, diameter=float(np.median(diameters[names == name])))
        for number, name in enumerate(sorted(set(rows.words("class"))), start=1)
    )
    neutral = np.array(rows.words("tier")) == "ambiguous"
    table = ParticleTable.build(path.stem, rows.positions(), rows.class_ids(classes))
    return replace(table, statuses=np.where(neutral, int(Status.CANDIDATE), int(Status.ACCEPTED))), classes


def is_reference_table(path: Path) -> bool:
    """Tell whether a file is a table of references, which may say that some are neutral.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    bool
        True for a table with the columns that `read_references` needs.
    """
    if path.suffix.lower() != ".csv":
        return False
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        header = next(csv.reader([file.readline(10_000)]), [])
    return set(NEEDED) <= set(header)


def read_scored(path: Path, classes: Sequence[ClassSpec]) -> ParticleTable:
    """Read picks.

    Parameters
    ----------
    path : Path
        A table with a header; it may hold no picks.
    classes : Sequence[ClassSpec]
        Those of the references; picks of other classes are left out.

    Returns
    -------
    ParticleTable
        Scores are NaN where there is none.

    Raises
    ------
    FileFormatError
        If the file is no such table.
    """
    rows = _Rows(path, ("class", "x", "y", "z"))
    ids = rows.class_ids(classes)
    scores = rows.numbers("score").astype(np.float32)
    return ParticleTable.build(path.stem, rows.positions(), ids, scores=scores).select(ids > 0)


class _Rows:
    """The rows of a table with a header, separated by commas."""

    def __init__(self, path: Path, needed: Sequence[str]) -> None:
        reader = csv.DictReader(io.StringIO(read_text(path), newline=""))
        missing = [name for name in needed if name not in (reader.fieldnames or ())]
        if missing:
            raise FileFormatError(f"{path} lacks {', '.join(missing)}: expected a CSV file with the columns {', '.join(needed)}.")
        self._path = path
        self._rows = [(reader.line_num, row) for row in reader]

    def words(self, name: str) -> list[str]:
        return [row.get(name) or "" for _, row in self._rows]

    def numbers(self, name: str) -> NDArray[np.float64]:
        return numbers(self._path, [word or "nan" for word in self.words(name)], [line for line, _ in self._rows], name)

    def positions(self) -> Positions:
        return positions(self._path, [self.numbers(axis) for axis in "xyz"], [line for line, _ in self._rows])

    def class_ids(self, classes: Sequence[ClassSpec]) -> IntArray:
        known = {spec.name: spec.id for spec in classes}
        return np.array([known.get(name, 0) for name in self.words("class")], np.int64)
