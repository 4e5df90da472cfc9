"""What tables of Dynamo, STOPGAP and AV3 have in common: pixels from 1, numbers for tomograms, z-x-z angles, 0 for nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import FileFormatError
from core.io.particles.angles import DYNAMO, from_euler, to_euler
from core.io.particles.names import tomogram_numbers
from core.io.particles.values import ReadPicks, Unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from core.io.particles.checks import Column
    from core.io.particles.values import Extras, TomogramPicks
    from core.types import FloatArray, IntArray, Positions

_LARGEST = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedRows:
    """The columns of such a table, all of n rows.

    Attributes
    ----------
    places, shifts : Positions
        (n, 3) x, y, z of the particles in pixels from `base`, and what is added to them.
    angles : Positions
        (n, 3) degrees as Dynamo means tdrot, tilt and narot; all 0 where nobody knows them.
    scores, classes, tomograms : Column
        (n,) numbers; all 0 where there are none.
    base : float
        The centre of the first pixel.
    extras : Mapping[str, NDArray]
        (n,) further columns.
    """

    places: Positions = field(repr=False)
    shifts: Positions = field(repr=False)
    angles: Positions = field(repr=False)
    scores: Column = field(repr=False)
    classes: Column = field(repr=False)
    tomograms: Column = field(repr=False)
    base: float = 1
    extras: Extras = field(default_factory=lambda: MappingProxyType({}), repr=False)

    def picks(self, path: Path, names: Mapping[int, str] | None = None, notices: Sequence[str] = ()) -> ReadPicks:
        """Say what the table says.

        Parameters
        ----------
        path : Path
            The file, for messages.
        names : Mapping[int, str] | None
            The tomograms by their numbers, where known.
        notices : Sequence[str]
            What was odd about the file.

        Returns
        -------
        ReadPicks
            In voxels, with shifts. Tomograms without a name are called by their number.

        Raises
        ------
        FileFormatError
            If a position, shift, score or number of a tomogram makes no sense.
        """
        for what, values in (("a position", self.places), ("a shift", self.shifts)):
            _refuse(path, ~np.isfinite(values).all(axis=1), f"{what} must be three finite numbers")
        _refuse(path, np.asarray(np.abs(self.scores) > np.finfo(np.float32).max), "a score must be a finite number")
        class_ids, told = self._class_ids(path)
        scores = np.asarray(self.scores, np.float32)
        return ReadPicks(
            positions=self.places[:, ::-1] - self.base,
            class_ids=class_ids,
            scores=scores if np.nan_to_num(scores).any() else None,
            tomograms=self._names(path, names or {}),
            shifts=self.shifts[:, ::-1] if self.shifts.any() else None,
            shift_unit=Unit.VOXEL,
            orientations=from_euler(self.angles, DYNAMO) if self.angles.any() else None,
            extras=self.extras,
            notices=(*notices, *told),
        )

    def _class_ids(self, path: Path) -> tuple[IntArray | None, tuple[str, ...]]:
        if not self.classes.any():
            return None, ()
        right = (self.classes >= 1) & (self.classes < _LARGEST) & (self.classes == np.floor(self.classes))
        if right.all():
            return self.classes.astype(np.int64), ()
        wrong = self.classes[~right][0]
        return None, (f"The classes of {path.name} were left out, as one is {wrong:g} and not a whole number from 1 on.",)

    def _names(self, path: Path, names: Mapping[int, str]) -> tuple[str, ...] | None:
        if not self.tomograms.any():
            return None
        right = (np.abs(self.tomograms) < _LARGEST) & (self.tomograms == np.floor(self.tomograms))
        _refuse(path, ~right, "the number of a tomogram must be a whole number")
        numbers, rows = np.unique(self.tomograms.astype(np.int64), return_inverse=True)
        words = [names.get(number, str(number)) for number in numbers.tolist()]
        return tuple(words[row] for row in rows.tolist())


def _refuse(path: Path, wrong: Any, sentence: str) -> None:
    rows = np.flatnonzero(wrong)
    if len(rows):
        raise FileFormatError(f"{path}, particle {rows[0] + 1}: {sentence}; correct or remove it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """The particles of all tomograms on their way to such a table.

    Attributes
    ----------
    positions : Positions
        (n, 3) x, y, z in voxels from 0.
    angles : Positions
        (n, 3) degrees as in `NumberedRows`; 0 unless all particles have orientations.
    scores : FloatArray
        (n,) scores, 0 where there is none.
    class_ids, tomograms : IntArray
        (n,) classes and numbers of tomograms.
    numbers : tuple[int, ...]
        The number of each part.
    extras : Mapping[str, NDArray]
        (n,) columns of this kind of table that all particles have.
    notices : tuple[str, ...]
        What the user should know.
    """

    positions: Positions = field(repr=False)
    angles: Positions = field(repr=False)
    scores: FloatArray = field(repr=False)
    class_ids: IntArray = field(repr=False)
    tomograms: IntArray = field(repr=False)
    numbers: tuple[int, ...]
    extras: Extras = field(repr=False)
    notices: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.positions)

    def serial(self, name: str) -> IntArray:
        """Return a number of its own for each particle.

        Parameters
        ----------
        name : str
            An extra that is taken if all its numbers are different whole ones.

        Returns
        -------
        IntArray
            (n,) that, else 1, 2, 3 …
        """
        told = self.extras.get(name)
        if told is not None and len(np.unique(told)) == len(told) and (told == np.floor(told)).all():
            return np.asarray(told, np.int64)
        return np.arange(1, len(self) + 1)


def gather(parts: Sequence[TomogramPicks], own: Sequence[str]) -> Gathered:
    """Put the particles of all tomograms into columns.

    Parameters
    ----------
    parts : Sequence[TomogramPicks]
        The particles of each tomogram.
    own : Sequence[str]
        The extras that the table has columns for.

    Returns
    -------
    Gathered
        In the order of the parts.

    Raises
    ------
    PickerError
        If the numbers of the tomograms make no sense.
    """
    numbers, notices = tomogram_numbers(parts)
    turns = [part.orientations for part in parts if part.orientations is not None]
    positions = np.concatenate([part.table.positions for part in parts])[:, ::-1]
    angles = to_euler(np.concatenate(turns), DYNAMO) if len(turns) == len(parts) else np.zeros_like(positions)
    return Gathered(
        positions=positions,
        angles=angles + 0.0,  # no minus before a zero
        scores=np.nan_to_num(np.concatenate([part.table.scores for part in parts])),
        class_ids=np.concatenate([part.table.class_ids for part in parts]),
        tomograms=np.repeat(numbers, [len(part) for part in parts]),
        numbers=numbers,
        extras={name: np.concatenate([part.extras[name] for part in parts]) for name in own if _numeric(parts, name)},
        notices=notices,
    )


def _numeric(parts: Sequence[TomogramPicks], name: str) -> bool:
    columns = [part.extras.get(name) for part in parts]
    return all(column is not None and column.dtype.kind in "iuf" and np.isfinite(column).all() for column in columns)
