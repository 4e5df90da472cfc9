"""Particles on their way in and out: what a file says, and what goes into one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np

from core.grids import position_doubts
from core.io.particles.frames import Frame, TiltSeriesGeometry, Unit
from core.io.particles.keeping import recalled
from core.particles import ParticleTable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from core.tomogram import Tomogram
    from core.types import BoolArray, FloatArray, IntArray, Positions

    Orientations: TypeAlias = NDArray[np.float64]
    Extras: TypeAlias = Mapping[str, NDArray[Any]]

__all__ = ["Frame", "Piece", "ReadPicks", "TiltSeriesGeometry", "TomogramPicks", "Unit", "Written"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPicks:
    """What a file of particles says, before anybody knows which tomogram and classes are meant.

    Attributes
    ----------
    positions : Positions
        (n, 3) zyx, finite, in `unit`.
    unit : Unit
        What the positions count.
    class_ids : IntArray | None
        (n,) classes by number, where the file has them.
    class_names : tuple[str, ...] | None
        (n,) classes by name, where the file has them.
    scores : FloatArray | None
        (n,) scores, NaN where one is missing.
    tomograms : tuple[str, ...] | None
        (n,) names of tomograms, where the file has them.
    shifts : Positions | None
        (n, 3) zyx, what the file adds to the positions for the centres.
    shift_unit : Unit
        What the shifts count: Å, voxels, or pixels of the tilt series.
    orientations : Orientations | None
        (n, 4) unit quaternions x, y, z, w that turn the particle as its average stands into the tomogram, where the file has them.
    extras : Mapping[str, NDArray]
        (n,) columns that nothing above holds, by their names in the file.
    notices : tuple[str, ...]
        What was odd and the user should know.
    """

    positions: Positions = field(repr=False)
    unit: Unit = Unit.VOXEL
    class_ids: IntArray | None = field(default=None, repr=False)
    class_names: tuple[str, ...] | None = field(default=None, repr=False)
    scores: FloatArray | None = field(default=None, repr=False)
    tomograms: tuple[str, ...] | None = field(default=None, repr=False)
    shifts: Positions | None = field(default=None, repr=False)
    shift_unit: Unit = Unit.ANGSTROM
    orientations: Orientations | None = field(default=None, repr=False)
    extras: Extras = field(default_factory=lambda: MappingProxyType({}), repr=False)
    notices: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.positions)

    def voxels(self, frame: Frame) -> Positions:
        """Return where the particles are in a tomogram, shifts included.

        Parameters
        ----------
        frame : Frame
            The tomogram.

        Returns
        -------
        Positions
            (n, 3) zyx voxels.

        Raises
        ------
        FileFormatError
            If this takes a voxel or pixel size that is not known.
        """
        placed = frame.to_voxels(self.positions, self.unit)
        return placed if self.shifts is None else placed + frame.to_voxels(self.shifts, self.shift_unit)

    def named(self, tomogram: str) -> Self:
        """Return the same with all rows in one tomogram.

        Parameters
        ----------
        tomogram : str
            Its name.

        Returns
        -------
        ReadPicks
            In the same order.
        """
        return replace(self, tomograms=(tomogram,) * len(self))

    def select(self, rows: BoolArray) -> Self:
        """Return the rows that a mask names.

        Parameters
        ----------
        rows : BoolArray
            (n,) mask.

        Returns
        -------
        ReadPicks
            Those rows, in the same order.
        """
        chosen = np.flatnonzero(rows)
        return replace(
            self,
            positions=self.positions[chosen],
            class_ids=None if self.class_ids is None else self.class_ids[chosen],
            class_names=None if self.class_names is None else tuple(self.class_names[row] for row in chosen),
            scores=None if self.scores is None else self.scores[chosen],
            tomograms=None if self.tomograms is None else tuple(self.tomograms[row] for row in chosen),
            shifts=None if self.shifts is None else self.shifts[chosen],
            orientations=None if self.orientations is None else self.orientations[chosen],
            extras={name: column[chosen] for name, column in self.extras.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TomogramPicks:
    """The particles of one tomogram on their way to a file.

    Attributes
    ----------
    name : str
        What the tomogram shall be called in the file.
    table : ParticleTable
        The particles.
    frame : Frame
        What turns their voxels into other units.
    number : int | None
        What formats that number tomograms shall call it; None to find one.
    orientations, extras : Orientations | None, Mapping[str, NDArray]
        As in `ReadPicks`; each format writes the extras that are its own.
    doubts : tuple[str, ...]
        What is odd, whatever the format.
    """

    name: str
    table: ParticleTable
    frame: Frame
    number: int | None = None
    orientations: Orientations | None = field(default=None, repr=False)
    extras: Extras = field(default_factory=lambda: MappingProxyType({}), repr=False)
    doubts: tuple[str, ...] = ()

    @classmethod
    def read(cls, name: str, picks: ReadPicks, frame: Frame, class_ids: IntArray | int = 1) -> Self:
        """Take what a file said of one tomogram to another file, with orientations and extras.

        Parameters
        ----------
        name : str
            What the tomogram shall be called.
        picks : ReadPicks
            Its particles.
        frame : Frame
            The tomogram.
        class_ids : IntArray | int
            (n,) classes, or one for all.

        Returns
        -------
        TomogramPicks
            Ready to be written.

        Raises
        ------
        FileFormatError
            If the positions take a voxel or pixel size that is not known.
        """
        table = ParticleTable.build(name, picks.voxels(frame), class_ids, scores=picks.scores)
        return cls(name=name, table=table, frame=frame, orientations=picks.orientations, extras=picks.extras)

    def __len__(self) -> int:
        return len(self.table)

    def select(self, rows: BoolArray | IntArray) -> Self:
        """Return some of the particles.

        Parameters
        ----------
        rows : BoolArray | IntArray
            (n,) mask or (m,) row numbers.

        Returns
        -------
        TomogramPicks
            Those rows, with all that belongs to them.
        """
        return replace(
            self,
            table=self.table.select(rows),
            orientations=None if self.orientations is None else self.orientations[rows],
            extras={name: column[rows] for name, column in self.extras.items()},
        )

    @classmethod
    def of(
        cls,
        tomogram: Tomogram,
        table: ParticleTable,
        *,
        tilt_series: TiltSeriesGeometry | None = None,
        name: str | None = None,
        number: int | None = None,
        notes: Mapping[int, str] | None = None,
    ) -> Self:
        """Take name, voxel size and shape from a tomogram.

        Parameters
        ----------
        tomogram : Tomogram
            The tomogram.
        table : ParticleTable
            Its particles.
        tilt_series : TiltSeriesGeometry | None
            Where it is known.
        name : str | None
            Another name than the tomogram's.
        number : int | None
            For formats that number tomograms.
        notes : Mapping[int, str] | None
            What a project keeps of particles by id, for orientations and extras.

        Returns
        -------
        TomogramPicks
            Ready to be written.
        """
        frame = Frame(voxel_size=tomogram.voxel_size, shape=tomogram.shape, tilt_series=tilt_series)
        doubts = (*frame.doubts(), *position_doubts(table.positions, tomogram)) if len(table) else ()
        turns, extras, told = recalled([(notes or {}).get(particle) for particle in table.ids.tolist()])
        named = cls(name=name or tomogram.id, table=table, frame=frame, number=number)
        return replace(named, orientations=turns, extras=extras, doubts=(*doubts, *told))


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A file that says where particles are, and what it leaves to its name.

    Attributes
    ----------
    path : Path
        The file, or a list that names others.
    tomogram : str | None
        The tomogram of all rows, where the file does not tell.
    class_id : int | None
        The class of all rows, where the file does not tell.
    """

    path: Path
    tomogram: str | None = None
    class_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What an export left.

    Attributes
    ----------
    files : tuple[Path, ...]
        What was written; the first is the one to hand to other programs.
    notices : tuple[str, ...]
        What the user should know.
    pieces : tuple[Piece, ...]
        What to read to get everything back, once.
    names : tuple[str, ...]
        What the files call each tomogram, in the order in which they were given; empty if by their own names.
    classes : Mapping[int, str]
        What the files call classes, where not by their own names.
    """

    files: tuple[Path, ...]
    notices: tuple[str, ...] = ()
    pieces: tuple[Piece, ...] = ()
    names: tuple[str, ...] = ()
    classes: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
