"""What a project does with its tomograms, and with particles that come from and go to other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from core.annotations import Role, TomogramRecord
from core.errors import FileFormatError, ProjectError
from core.io.particles import TomogramPicks, read_particles, write_parts
from core.io.particles.keeping import noted
from core.io.particles.values import Frame
from core.io.volumes import open_tomogram
from core.particles import ParticleTable, Status
from core.project.checking import doubts
from core.project.folder import Folder
from core.project.importing import Imported, classes_of, outside_sentence, rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from core.io.particles import TiltSeriesGeometry
    from core.io.particles.registry import Choices
    from core.io.particles.values import Unit, Written
    from core.tomogram import Box, Tomogram
    from core.types import Angstrom


class Project(Folder):
    """An open project: see `Folder` for making, opening and closing it."""

    def add_tomogram(
        self,
        path: Path,
        *,
        voxel_size: Angstrom | None = None,
        signed: bool | None = None,
        id: str | None = None,
        region: Box | None = None,
        complete: bool = False,
        role: Role = Role.BOTH,
    ) -> Tomogram:
        """Add a tomogram; its file stays where it is.

        Parameters
        ----------
        path : Path
            The file.
        voxel_size : Angstrom | None
            Å per voxel; None to believe the file.
        signed : bool | None
            Whether 8-bit voxels are signed; None to believe the file.
        id : str | None
            Its name; None for that of the file.
        region : Box | None
            The part that may be used; None for all of it.
        complete : bool
            Every particle within the region is annotated, or will be.
        role : Role
            What it is used for in training.

        Returns
        -------
        Tomogram
            As `tomogram` returns it, with what the reader found odd.

        Raises
        ------
        PickerError
            If the file is no tomogram, the name is taken, the region reaches outside, or the project is read-only.
        """
        tomogram = open_tomogram(path, voxel_size=voxel_size, signed=signed, id=id)
        if region is not None and (min(region.low) < 0 or any(a > b for a, b in zip(region.high, tomogram.shape, strict=True))):
            raise ProjectError(
                f"The region from {region.low} to {region.high} (z, y, x) reaches outside tomogram {tomogram.id!r}, "
                f"which has {tomogram.shape} voxels; give a smaller one."
            )
        self.store.add_tomogram(
            TomogramRecord(
                id=tomogram.id,
                path=tomogram.path or path,
                voxel_size=voxel_size,
                signed=signed,
                region=region,
                complete=complete,
                role=role,
            )
        )
        return tomogram

    def tomogram(self, tomogram_id: str) -> Tomogram:
        """Open a tomogram of the project.

        Parameters
        ----------
        tomogram_id : str
            Its name.

        Returns
        -------
        Tomogram
            With the voxel size that the user gave, where one was given.

        Raises
        ------
        PickerError
            If there is no such tomogram, or its file is missing or cannot be read.
        """
        record = self.store.tomogram(tomogram_id)
        if not record.path.exists():
            raise ProjectError(
                f"The file of tomogram {tomogram_id!r} is not at {record.path} any more; bring it back, connect the disk it is on, "
                "or click it in step 1 of the window and choose the file where it is now."
            )
        return open_tomogram(record.path, voxel_size=record.voxel_size, signed=record.signed, id=tomogram_id)

    # ---- particles in files ----

    def import_particles(
        self,
        path: Path,
        tomogram_id: str,
        *,
        format: str | None = None,
        unit: Unit | None = None,
        class_id: int | None = None,
        scale: float = 1.0,
        outside: Literal["drop", "keep"] | None = None,
        tilt_series: TiltSeriesGeometry | None = None,
        name: str | None = None,
        status: Status = Status.ACCEPTED,
        options: Choices = None,
    ) -> Imported:
        """Add the particles of a file to a tomogram, as one change.

        Parameters
        ----------
        path : Path
            The file.
        tomogram_id : str
            The tomogram that they lie in; rows of a file that names others are left out.
        format : str | None
            As for `core.io.particles.read_particles`.
        unit : Unit | None
            What the numbers count, where the file does not tell.
        class_id : int | None
            The class of all; None for what the file says, or the only class there is.
        scale : float
            Factor from the voxels of the file to those of the tomogram.
        outside : {"drop", "keep"} | None
            What to do with positions outside the tomogram; None refuses the file.
        tilt_series : TiltSeriesGeometry | None
            What files of RELION count in.
        name : str | None
            What the file calls the tomogram.
        status : Status
            What was decided about them.
        options : Mapping[str, Any] | Options | None
            Choices of the format.

        Returns
        -------
        Imported
            The new ids, and what the user should know.

        Raises
        ------
        PickerError
            If the file cannot be read, does not fit the tomogram and classes, or the project is read-only; nothing is added then.
        """
        tomogram = self.tomogram(tomogram_id)
        everything = read_particles(path, format=format, unit=unit, options=options)
        picks = rows_of(everything, tomogram_id, name)
        frame = Frame(voxel_size=tomogram.voxel_size, shape=tomogram.shape, tilt_series=tilt_series)
        positions = picks.voxels(frame) * scale
        class_ids = classes_of(picks, self.store.classes(), class_id)
        table = ParticleTable.build(tomogram_id, positions, class_ids, scores=picks.scores, status=status)
        inside, notices = tomogram.box.contains(positions), tuple(doubts(picks, positions, frame, tomogram, scale))
        if outside is None and not inside.all():
            raise FileFormatError(f"{path}: {outside_sentence(positions, tomogram)}")
        if outside == "drop":
            table, picks = table.select(inside), picks.select(inside)
        return Imported(
            ids=self.store.add_many(table, f"Import {len(table)} particles from {path.name}", noted(picks)),
            dropped=len(inside) - len(table),
            elsewhere=len(everything) - len(inside),
            notices=notices,
        )

    def to_export(self, tomogram_id: str, class_ids: Sequence[int] | None, status: Status | None) -> ParticleTable:
        """Return what an export takes of a tomogram.

        Parameters
        ----------
        tomogram_id : str
            Which.
        class_ids : Sequence[int] | None
            Which classes; None for all.
        status : Status | None
            Which of the particles; None for all. Candidates that lie on a judged particle never are: they were decided with it.

        Returns
        -------
        ParticleTable
            In the order of the project.
        """
        from core.review import outstanding

        table = self.store.table(tomogram_id)
        rows = np.ones(len(table), np.bool_) if status is None else table.statuses == status
        if class_ids is not None:
            rows &= np.isin(table.class_ids, class_ids)
        if (table.statuses[rows] == Status.CANDIDATE).any():
            classes = {spec.id: spec for spec in self.store.classes()}
            rows &= outstanding(table, classes, self.tomogram(tomogram_id).voxel_size)
        return table.select(rows)

    def export_particles(
        self,
        path: Path,
        *,
        tomogram_ids: Sequence[str] | None = None,
        class_ids: Sequence[int] | None = None,
        status: Status | None = Status.ACCEPTED,
        format: str | None = None,
        tilt_series: Mapping[str, TiltSeriesGeometry] | None = None,
        names: Mapping[str, str] | None = None,
        numbers: Mapping[str, int] | None = None,
        options: Choices = None,
    ) -> Written:
        """Write particles to a file, or to as many as the format takes.

        Parameters
        ----------
        path : Path
            The file; its ending decides the format unless it is told.
        tomogram_ids : Sequence[str] | None
            Which tomograms; None for all.
        class_ids : Sequence[int] | None
            Which classes; None for all.
        status : Status | None
            Which of the particles, as for `to_export`.
        format : str | None
            As for `core.io.particles.write_parts`.
        tilt_series : Mapping[str, TiltSeriesGeometry] | None
            That of each tomogram, for formats that count in it.
        names : Mapping[str, str] | None
            Other names for tomograms than their own.
        numbers : Mapping[str, int] | None
            Those of tomograms, for formats that have numbers in place of names.
        options : Mapping[str, Any] | Options | None
            Choices of the format.

        Returns
        -------
        Written
            Files and notices.

        Raises
        ------
        PickerError
            If a tomogram is unknown or missing, the format lacks what it needs, or a file cannot be written.
        """
        chosen = [record.id for record in self.store.tomograms()] if tomogram_ids is None else tomogram_ids
        parts = []
        for one in chosen:
            table = self.to_export(one, class_ids, status)
            series, name, number = (tilt_series or {}).get(one), (names or {}).get(one), (numbers or {}).get(one)
            tomogram, notes = self.tomogram(one), self.store.notes(one)
            parts.append(TomogramPicks.of(tomogram, table, tilt_series=series, name=name, number=number, notes=notes))
        return write_parts(path, parts, self.store.classes(), format=format, options=options)
