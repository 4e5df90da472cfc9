"""STAR files as RELION 3 to 5 and Warp write them.

Source: RELION 73f0a3c, particle_set.cpp and import_coordinates.cpp.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.errors import FileFormatError
from core.io.particles.text import read_text
from core.io.particles.values import ReadPicks, Unit

if TYPE_CHECKING:
    import pandas as pd

    from core.io.particles.checks import Column
    from core.types import Positions

NAME, FILE, SCORE = "rlnTomoName", "rlnTomoImportParticleFile", "rlnAutopickFigureOfMerit"
_NAMES = (NAME, "rlnMicrographName")
CENTRED = tuple(f"rlnCenteredCoordinate{axis}Angst" for axis in "XYZ")
_CORNER = tuple(f"rlnCoordinate{axis}" for axis in "XYZ")


def looks_like_star(head: str) -> bool:
    """Tell whether a text starts like a STAR file.

    Parameters
    ----------
    head : str
        The beginning of the text.

    Returns
    -------
    bool
        True where a data block begins.
    """
    return re.search(r"^data_", head, re.MULTILINE) is not None and "_rln" in head


def read_star(path: Path, named: bool, unit: Unit | None = None) -> ReadPicks:
    """Read particles of a STAR file, or of all files that a list names.

    Parameters
    ----------
    path : Path
        The file.
    named : bool
        Whether the user named the format.
    unit : Unit | None
        What rlnCoordinateX/Y/Z count; None for pixels of the tilt series where the file names tomograms, as RELION 4 and 5
        write it, and voxels where it does not.

    Returns
    -------
    ReadPicks
        All rows. rlnClassNumber is left alone: RELION means the class of a 3D classification by it.

    Raises
    ------
    FileFormatError
        If the file cannot be read, or holds no coordinates or wrong ones.
    """
    blocks = blocks_of(path)
    listing = next((block for block in blocks if FILE in block), None)
    return _table(path, blocks, unit) if listing is None else _listed(path, listing, unit)


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
    try:
        blocks = starfile.read(path, always_dict=True, parse_as_string=[*_NAMES, FILE])
    except (ValueError, TypeError, KeyError, IndexError) as exc:
        raise FileFormatError(f"{path} is not a STAR file that can be read ({exc}); check it or export it again.") from exc
    return [block for block in blocks.values() if isinstance(block, pd.DataFrame)]


def _table(path: Path, blocks: list[pd.DataFrame], unit: Unit | None) -> ReadPicks:
    for block in blocks:
        for labels in (CENTRED, _CORNER):
            if set(labels) <= set(block):
                return _picks(path, block, labels, unit)
    raise FileFormatError(f"{path} holds no coordinates; expected columns such as {CENTRED[0]} or {_CORNER[0]}.")


def _listed(path: Path, block: pd.DataFrame, unit: Unit | None) -> ReadPicks:
    files = [file if file.exists() else path.parent / file for file in map(Path, block[FILE])]
    parts = [_table(file, blocks_of(file), unit) for file in files]
    if not parts:
        raise FileFormatError(f"{path} lists no files of particles; export it again.")
    if len({part.unit for part in parts}) > 1:
        raise FileFormatError(f"{path} lists files with coordinates of different kinds; read them one by one.")
    names = block[NAME] if NAME in block else [None] * len(parts)
    tomograms = [part.tomograms or (str(name),) * len(part) for part, name in zip(parts, names, strict=True)]
    given = [part.scores for part in parts if part.scores is not None]
    return ReadPicks(
        positions=np.concatenate([part.positions for part in parts]),
        unit=parts[0].unit,
        scores=np.concatenate(given) if len(given) == len(parts) else None,
        tomograms=tuple(name for names in tomograms for name in names),
        notices=tuple(dict.fromkeys(notice for part in parts for notice in part.notices)),
    )


def _picks(path: Path, block: pd.DataFrame, labels: tuple[str, ...], unit: Unit | None) -> ReadPicks:
    if len(block) == 0:
        raise FileFormatError(f"{path} holds no coordinates: its table is empty.")
    label = next((label for label in _NAMES if label in block), None)
    counted, notices = _counted(labels, label, unit)
    return ReadPicks(
        positions=_positions(path, block, labels),
        unit=counted,
        scores=_column(path, block, SCORE).astype(np.float32) if SCORE in block else None,
        tomograms=None if label is None else tuple(str(name) for name in block[label]),
        notices=notices,
    )


def _counted(labels: tuple[str, ...], name: str | None, unit: Unit | None) -> tuple[Unit, tuple[str, ...]]:
    if labels == CENTRED:
        return Unit.CENTRED, ()
    if unit is not None:
        return unit, ()
    if name == NAME:
        return Unit.PIXEL, ("The coordinates are taken as pixels of the tilt series, as RELION 4 and 5 mean it.",)
    return Unit.VOXEL, ("The coordinates are taken as voxels of the tomogram, as the file names no tilt series.",)


def _positions(path: Path, block: pd.DataFrame, labels: tuple[str, ...]) -> Positions:
    zyx = np.column_stack([_column(path, block, label) for label in labels[::-1]])
    wrong = np.flatnonzero(~np.isfinite(zyx).all(axis=1))
    if len(wrong):
        raise FileFormatError(f"{path}, row {wrong[0] + 1}: a position must be three finite numbers; correct or remove the row.")
    return zyx


def _column(path: Path, block: pd.DataFrame, label: str) -> Column:
    try:
        return np.asarray(block[label], np.float64)
    except (ValueError, TypeError) as exc:
        raise FileFormatError(f"{path}: the column {label} holds something that is not a number ({exc}); correct it.") from exc
