"""Classes, particles and picks as values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Self

import numpy as np

from core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from core.types import Angstrom, BoolArray, FloatArray, IntArray, Positions, Shape, Voxels

# of classes, in their order
COLORS = ("#ffd400", "#4fc3f7", "#ff7043", "#81c784", "#ba68c8", "#f06292", "#aed581", "#90a4ae", "#ffb74d")


class Source(IntEnum):
    """Where a particle came from."""

    MANUAL = 0
    PICKED = 1
    IMPORTED = 2


class Status(IntEnum):
    """What a person decided: accepted ones train, candidates are neutral, rejected ones are negatives."""

    ACCEPTED = 0
    CANDIDATE = 1
    REJECTED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassSpec:
    """A kind of particle.

    Attributes
    ----------
    id : int
        At least 1; 0 is the background.
    name : str
        Unique within a project, never empty.
    diameter : Angstrom
        Diameter of the particle in Å.
    color : str
        Display colour as ``#rrggbb``.
    """

    id: int
    name: str
    diameter: Angstrom
    color: str = "#ffd400"

    def __post_init__(self) -> None:
        if self.id < 1:
            raise ConfigError(f"A class id must be 1 or more (0 is the background), not {self.id}.")
        if not self.name.strip():
            raise ConfigError("A class needs a name.")
        if not (np.isfinite(self.diameter) and self.diameter > 0):
            raise ConfigError(f"Class {self.name!r} needs a diameter above 0 Å, not {self.diameter}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Particle:
    """One particle; its identity is the id, never a row number."""

    id: int
    tomogram_id: str
    class_id: int
    position: tuple[float, float, float]  # zyx voxels
    score: float = float("nan")
    source: Source = Source.MANUAL
    status: Status = Status.ACCEPTED


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticleTable:
    """Particles of one tomogram as arrays of equal length: what maths, exports and layers use.

    Attributes
    ----------
    tomogram_id : str
        The tomogram that the positions belong to.
    ids : IntArray
        (n,) stable ids; 0 where a particle has not been stored yet.
    positions : Positions
        (n, 3) zyx voxels.
    class_ids : IntArray
        (n,) class ids, at least 1.
    scores : FloatArray
        (n,) scores 0..1, NaN where there is none.
    sources, statuses : IntArray
        (n,) values of `Source` and `Status`.
    """

    tomogram_id: str
    ids: IntArray = field(repr=False)
    positions: Positions = field(repr=False)
    class_ids: IntArray = field(repr=False)
    scores: FloatArray = field(repr=False)
    sources: IntArray = field(repr=False)
    statuses: IntArray = field(repr=False)

    @classmethod
    def build(
        cls,
        tomogram_id: str,
        positions: Positions | Sequence[Sequence[float]],
        class_ids: IntArray | Sequence[int] | int = 1,
        *,
        ids: IntArray | None = None,
        scores: FloatArray | None = None,
        source: Source = Source.IMPORTED,
        status: Status = Status.ACCEPTED,
    ) -> Self:
        """Make a table from positions and defaults for all the rest.

        Parameters
        ----------
        tomogram_id : str
            The tomogram that the positions belong to.
        positions : Positions | Sequence[Sequence[float]]
            (n, 3) zyx voxels.
        class_ids : IntArray | Sequence[int] | int
            (n,) class ids, or one for all.
        ids : IntArray | None
            (n,) stable ids; zeros when left out.
        scores : FloatArray | None
            (n,) scores; NaN when left out.
        source : Source
            Source of all rows.
        status : Status
            Status of all rows.

        Returns
        -------
        ParticleTable
            With n rows.
        """
        zyx = np.asarray(positions, np.float64).reshape(-1, 3)
        n = len(zyx)
        return cls(
            tomogram_id=tomogram_id,
            ids=np.zeros(n, np.int64) if ids is None else np.asarray(ids, np.int64),
            positions=zyx,
            class_ids=np.broadcast_to(np.asarray(class_ids, np.int64), (n,)).copy(),
            scores=np.full(n, np.nan, np.float32) if scores is None else np.asarray(scores, np.float32),
            sources=np.full(n, int(source), np.int64),
            statuses=np.full(n, int(status), np.int64),
        )

    def __len__(self) -> int:
        return len(self.positions)

    def select(self, rows: BoolArray | IntArray) -> Self:
        """Return the rows that a mask or an index array names, in that order.

        Parameters
        ----------
        rows : BoolArray | IntArray
            (n,) mask or (m,) row numbers.

        Returns
        -------
        ParticleTable
            A table of those rows.
        """
        return replace(
            self,
            ids=self.ids[rows],
            positions=self.positions[rows],
            class_ids=self.class_ids[rows],
            scores=self.scores[rows],
            sources=self.sources[rows],
            statuses=self.statuses[rows],
        )

    def with_scores(self, scores: FloatArray) -> Self:
        """Return the same particles with other scores.

        Parameters
        ----------
        scores : FloatArray
            (n,) new scores.

        Returns
        -------
        ParticleTable
            A table in the same order.
        """
        return replace(self, scores=np.asarray(scores, np.float32))


@dataclass(frozen=True, slots=True, kw_only=True)
class PickResult:
    """All candidates of one tomogram above a low floor; thresholds, margins and distances are views of it.

    Attributes
    ----------
    table : ParticleTable
        The candidates, best score first; scores are calibrated, 0..1.
    shape : Shape
        (z, y, x) extents of the tomogram in voxels.
    voxel_size : Angstrom
        Å per voxel of the tomogram.
    classes : tuple[ClassSpec, ...]
        The classes that were looked for.
    thresholds : dict[int, float]
        Score threshold of each class id that training found best.
    """

    table: ParticleTable
    shape: Shape
    voxel_size: Angstrom
    classes: tuple[ClassSpec, ...]
    thresholds: dict[int, float]

    def mask(self, thresholds: Mapping[int, float] | float | None = None, edge: Voxels = 0.0) -> BoolArray:
        """Tell which candidates count as picks; nothing is computed again.

        Parameters
        ----------
        thresholds : Mapping[int, float] | float | None
            Score threshold of each class id, or one for all; None takes those that training found.
        edge : Voxels
            Margin at the faces of the tomogram within which candidates do not count, in voxels.

        Returns
        -------
        BoolArray
            (n,) True for the picks.
        """
        least = np.zeros(len(self.table))
        for spec in self.classes:
            found = self.thresholds if thresholds is None else thresholds
            cut = found if isinstance(found, float | int) else found.get(spec.id, 0.5)
            least[self.table.class_ids == spec.id] = cut
        upper = np.asarray(self.shape) - 1 - edge
        inside = ((self.table.positions >= edge) & (self.table.positions <= upper)).all(axis=1) if edge > 0 else True
        return np.asarray((self.table.scores >= least) & inside, np.bool_)

    def picks(self, thresholds: Mapping[int, float] | float | None = None, edge: Voxels = 0.0) -> ParticleTable:
        """Return the candidates that `mask` lets through.

        Parameters
        ----------
        thresholds : Mapping[int, float] | float | None
            As in `mask`.
        edge : Voxels
            As in `mask`.

        Returns
        -------
        ParticleTable
            Best score first.
        """
        return self.table.select(self.mask(thresholds, edge))


def numbered(class_ids: IntArray, names: Mapping[int, str], specs: Iterable[ClassSpec]) -> IntArray:
    """Translate how a network counts its classes to how others count those of the same names.

    Parameters
    ----------
    class_ids : IntArray
        (n,) as the network counts.
    names : Mapping[int, str]
        Names of its classes; one that is not in it keeps its number.
    specs : Iterable[ClassSpec]
        The classes to translate to.

    Returns
    -------
    IntArray
        (n,) of `specs`; a class that is not among them gets a number that none of them has.
    """
    known = {spec.name: spec.id for spec in specs}
    free = max([*known.values(), *names, 0]) + 1
    translation = {number: known.get(name, free + place) for place, (number, name) in enumerate(names.items())}
    return np.array([translation.get(number, number) for number in class_ids.tolist()], np.int64)
