"""STAR files of particles, as RELION 3 to 5, Warp and M write them.

Source: RELION 73f0a3c, particle_set.cpp and import_coordinates.cpp; Warp e321344, ExportParticlesTiltseries.cs and Species.cs.
"""

from __future__ import annotations

import linecache
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from core.errors import FileFormatError
from core.io.particles.angles import RELION, combined, from_euler, rotated
from core.io.particles.text import read_text
from core.io.particles.values import ReadPicks, Unit

if TYPE_CHECKING:
    import pandas as pd

    from core.io.particles.checks import Column
    from core.io.particles.values import Extras, Orientations
    from core.types import FloatArray, Positions

NAME, MICROGRAPH, FILE, SCORE = "rlnTomoName", "rlnMicrographName", "rlnTomoImportParticleFile", "rlnAutopickFigureOfMerit"
CENTRED = tuple(f"rlnCenteredCoordinate{axis}Angst" for axis in "XYZ")
CORNER = tuple(f"rlnCoordinate{axis}" for axis in "XYZ")
SPECIES = tuple(f"wrpCoordinate{axis}1" for axis in "XYZ")
ANGLES = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
_SUBTOMOGRAM = ("rlnTomoSubtomogramRot", "rlnTomoSubtomogramTilt", "rlnTomoSubtomogramPsi")
_SPECIES_ANGLES = ("wrpAngleRot1", "wrpAngleTilt1", "wrpAnglePsi1")
_ORIGIN = tuple(f"rlnOrigin{axis}Angst" for axis in "XYZ")
_ORIGIN_PIXELS = tuple(f"rlnOrigin{axis}" for axis in "XYZ")
_NAMES = (NAME, MICROGRAPH, "wrpSourceName")
_SCORES = (SCORE, "rlnLCCmax")
_TEXTS = (*_NAMES, FILE, "rlnTomoParticleName", "rlnImageName", "rlnCtfImage", "wrpSourceHash")
_ELSEWHERE = ("rlnOpticsGroup",)
"""Columns that point to a table which does not travel with the particles."""


class Meaning(NamedTuple):
    """What the columns of a STAR file count where they do not tell: those from the corner, and those from the centre."""

    corner: Unit | None
    centred: Unit = Unit.CENTRED


def is_star(text: str) -> bool:
    """Tell whether a text starts like a STAR file of particles.

    Parameters
    ----------
    text : str
        The beginning of the text.

    Returns
    -------
    bool
        True where a data block begins and names columns of RELION or Warp.
    """
    return re.search(r"^data_", text, re.MULTILINE) is not None and re.search(r"^_(rln|wrp)", text, re.MULTILINE) is not None


def read_star(path: Path, meaning: Meaning, unit: Unit | None = None) -> ReadPicks:
    """Read particles of a STAR file, or of all files that a list names.

    Parameters
    ----------
    path : Path
        The file.
    meaning : Meaning
        What the coordinates count. A corner of None means pixels of the tilt series where the file names tomograms, as RELION 4
        and 5 write it, and voxels where it does not.
    unit : Unit | None
        What rlnCoordinateX/Y/Z count, where the user told.

    Returns
    -------
    ReadPicks
        All rows. rlnClassNumber is one of the extras: RELION means the class of a 3D classification by it. Origins become shifts.

    Raises
    ------
    FileFormatError
        If the file cannot be read, or holds no coordinates or wrong ones.
    """
    blocks = blocks_of(path)
    listing = next((block for block in blocks if FILE in block), None)
    if listing is None:
        return _table(path, blocks, meaning, unit)
    return _listed(path, listing, meaning, unit)


def blocks_of(path: Path) -> list[pd.DataFrame]:
    """Read the tables of a STAR file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    list[pd.DataFrame]
        In the order of the file.

    Raises
    ------
    FileFormatError
        If it cannot be read.
    """
    # slow to load, and most sessions read no STAR file
    import pandas as pd
    import starfile

    read_text(path)  # says in words what is wrong with the file as such
    linecache.checkcache(str(path))  # starfile reads through it, and keeps what it saw of a file that it could not read
    try:
        blocks = starfile.read(path, always_dict=True, parse_as_string=list(_TEXTS))
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as exc:
        reason = " ".join(str(exc).split())  # pandas ends its own with a line break
        raise FileFormatError(f"{path} is not a STAR file that can be read ({reason}); check it or export it again.") from exc
    return [block for block in blocks.values() if isinstance(block, pd.DataFrame)]


def _table(path: Path, blocks: list[pd.DataFrame], meaning: Meaning, unit: Unit | None) -> ReadPicks:
    for block in blocks:
        for labels in (CENTRED, CORNER, SPECIES):
            if set(labels) <= set(block):
                return _picks(path, block, labels, meaning, unit)
    raise FileFormatError(f"{path} holds no coordinates; expected columns such as {CENTRED[0]} or {CORNER[0]}.")


def _listed(path: Path, block: pd.DataFrame, meaning: Meaning, unit: Unit | None) -> ReadPicks:
    files = [_found(path, Path(file)) for file in block[FILE]]
    parts = [_table(file, blocks_of(file), meaning, unit) for file in files]
    if not parts:
        raise FileFormatError(f"{path} lists no files of particles; export it again.")
    if len({(part.unit, part.shift_unit) for part in parts}) > 1:
        raise FileFormatError(f"{path} lists files with coordinates of different kinds; read them one by one.")
    names = [str(name) for name in block[NAME]] if NAME in block else [file.stem for file in files]
    return joined([part if part.tomograms else part.named(name) for part, name in zip(parts, names, strict=True)])


def _found(path: Path, file: Path) -> Path:
    """Find a file that a list names: RELION does so relative to the folder that it runs in, which is one above the list."""
    places = (folder / file for folder in (Path(), *path.absolute().parents))
    return next((place for place in places if place.exists()), path.parent / file)


def joined(parts: list[ReadPicks]) -> ReadPicks:
    """Put what several files say into one; what only some of them have is left out.

    Parameters
    ----------
    parts : list[ReadPicks]
        At least one, all of one unit, with names of tomograms.

    Returns
    -------
    ReadPicks
        All rows in order.
    """
    scores = [part.scores for part in parts if part.scores is not None]
    turns = [part.orientations for part in parts if part.orientations is not None]
    shifted = any(part.shifts is not None for part in parts)
    moved = [np.zeros((len(part), 3)) if part.shifts is None else part.shifts for part in parts]
    shared = [name for name in parts[0].extras if all(name in part.extras for part in parts)]
    return ReadPicks(
        positions=np.concatenate([part.positions for part in parts]),
        unit=parts[0].unit,
        scores=np.concatenate(scores) if len(scores) == len(parts) else None,
        tomograms=tuple(name for part in parts for name in part.tomograms or ()),
        shifts=np.concatenate(moved) if shifted else None,
        shift_unit=parts[0].shift_unit,
        orientations=np.concatenate(turns) if len(turns) == len(parts) else None,
        extras={name: np.concatenate([part.extras[name] for part in parts]) for name in shared},
        notices=tuple(dict.fromkeys(notice for part in parts for notice in part.notices)),
    )


def _picks(path: Path, block: pd.DataFrame, labels: tuple[str, ...], meaning: Meaning, unit: Unit | None) -> ReadPicks:
    if len(block) == 0:
        raise FileFormatError(f"{path} holds no coordinates: its table is empty.")
    label = next((label for label in _NAMES if label in block), None)
    scored = next((label for label in _SCORES if label in block), None)
    counted, notices = _counted(labels, label, meaning, unit)
    frames, orientations = _orientations(path, block)
    shifts, shift_unit = _shifts(path, block, frames, counted)
    return ReadPicks(
        positions=_finite(path, block, labels),
        unit=counted,
        scores=None if scored is None else _scores(path, block, scored),
        tomograms=None if label is None else tuple(map(str, block[label])),
        shifts=shifts,
        shift_unit=shift_unit,
        orientations=orientations,
        extras=_extras(block, {*labels, *_ORIGIN, *_ORIGIN_PIXELS, *_ELSEWHERE, label, scored}),
        notices=notices,
    )


def _counted(labels: tuple[str, ...], name: str | None, meaning: Meaning, unit: Unit | None) -> tuple[Unit, tuple[str, ...]]:
    if labels == CENTRED:
        return meaning.centred, ()
    if labels == SPECIES:
        return Unit.ANGSTROM, ()
    if unit is not None or meaning.corner is not None:
        return unit or meaning.corner or Unit.VOXEL, ()
    if name == NAME:
        return Unit.PIXEL, ("The coordinates are taken as pixels of the tilt series, as RELION 4 and 5 mean it.",)
    return Unit.VOXEL, ("The coordinates are taken as voxels of the tomogram, as the file names no tilt series.",)


def _orientations(path: Path, block: pd.DataFrame) -> tuple[Orientations | None, Orientations | None]:
    """Return the turn of the box that origins count in, and that of the particle; RELION puts the second into the first."""
    box = _euler(path, block, _SUBTOMOGRAM)
    particle = _euler(path, block, ANGLES)
    if particle is None:
        particle = _euler(path, block, _SPECIES_ANGLES)
    if box is None or particle is None:
        return box, box if particle is None else particle
    return box, combined(box, particle)


def _euler(path: Path, block: pd.DataFrame, labels: tuple[str, ...]) -> Orientations | None:
    if not set(labels) <= set(block):
        return None
    return from_euler(np.column_stack([_column(path, block, label) for label in labels]), RELION)


def _shifts(path: Path, block: pd.DataFrame, box: Orientations | None, unit: Unit) -> tuple[Positions | None, Unit]:
    for labels, counted in ((_ORIGIN, Unit.ANGSTROM), (_ORIGIN_PIXELS, Unit.PIXEL if unit is Unit.PIXEL else Unit.VOXEL)):
        if set(labels) <= set(block):
            origins = -_finite(path, block, labels)[:, ::-1]
            turned = origins if box is None else rotated(box, origins)
            return (turned[:, ::-1], counted) if turned.any() else (None, counted)
    return None, Unit.ANGSTROM


def _extras(block: pd.DataFrame, used: set[str | None]) -> Extras:
    return {str(label): np.asarray(block[label]) for label in block if label not in used}


def _finite(path: Path, block: pd.DataFrame, labels: tuple[str, ...]) -> Positions:
    zyx = np.column_stack([_column(path, block, label) for label in labels[::-1]])
    wrong = np.flatnonzero(~np.isfinite(zyx).all(axis=1))
    if len(wrong):
        raise FileFormatError(f"{path}, row {wrong[0] + 1}: a position must be three finite numbers; correct or remove the row.")
    return zyx


def _scores(path: Path, block: pd.DataFrame, label: str) -> FloatArray:
    values = _column(path, block, label)
    wrong = np.flatnonzero(np.abs(values) > np.finfo(np.float32).max)
    if len(wrong):
        raise FileFormatError(f"{path}, row {wrong[0] + 1}: a score must be a finite number; correct the row.")
    return values.astype(np.float32)


def _column(path: Path, block: pd.DataFrame, label: str) -> Column:
    try:
        values = np.asarray(block[label], np.float64)
    except (ValueError, TypeError, OverflowError) as exc:
        raise FileFormatError(f"{path}: the column {label} holds something that is not a number ({exc}); correct it.") from exc
    if values.ndim != 1:
        raise FileFormatError(f"{path} has the column {label} more than once; remove all but one.")
    return values
