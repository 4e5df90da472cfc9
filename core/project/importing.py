"""From what a file of particles says to the particles of one tomogram, with nothing taken for granted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from core.errors import FileFormatError
from core.project.claiming import nobody_claims, same_series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.io.particles.values import ReadPicks
    from core.particles import ClassSpec
    from core.tomogram import Tomogram
    from core.types import IntArray, Positions

_FACTORS = (2, 3, 4, 5, 6, 8, 10, 12, 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import came to.

    Attributes
    ----------
    ids : IntArray
        (n,) the particles that were added.
    dropped : int
        How many were left out because they lie outside the tomogram.
    elsewhere : int
        How many rows of the file belong to other tomograms.
    notices : tuple[str, ...]
        What was odd and the user should know.
    """

    ids: IntArray = field(repr=False)
    dropped: int = 0
    elsewhere: int = 0
    notices: tuple[str, ...] = ()


def rows_of(picks: ReadPicks, tomogram_id: str, name: str | None) -> ReadPicks:
    """Return the rows that belong to a tomogram; all of them where the file names none.

    Parameters
    ----------
    picks : ReadPicks
        What the file says.
    tomogram_id : str
        The tomogram.
    name : str | None
        What the file calls it; None for its own name, or that of its tilt series.

    Returns
    -------
    ReadPicks
        At least one row.

    Raises
    ------
    FileFormatError
        If no row belongs to it.
    """
    if picks.tomograms is None:
        return picks
    known = {said: said == name if name else same_series(said, tomogram_id) for said in dict.fromkeys(picks.tomograms)}
    if not any(known.values()):
        raise FileFormatError(nobody_claims(list(known), [name or tomogram_id]))
    return picks.select(np.array([known[said] for said in picks.tomograms]))


def classes_of(picks: ReadPicks, classes: Sequence[ClassSpec], class_id: int | None) -> IntArray:
    """Find the class of each row.

    Parameters
    ----------
    picks : ReadPicks
        What the file says.
    classes : Sequence[ClassSpec]
        The classes of the project.
    class_id : int | None
        One class for all, whatever the file says.

    Returns
    -------
    IntArray
        (n,) class ids.

    Raises
    ------
    FileFormatError
        If the file names a class that the project lacks, or none where the project has several.
    """
    ids = {spec.name: spec.id for spec in classes}
    if class_id is not None:
        return np.full(len(picks), class_id, np.int64)
    numbered = {str(number): number for number in ids.values()}
    if picks.class_names is not None:
        return np.array([_known(name, numbered | ids, classes) for name in picks.class_names], np.int64)
    if picks.class_ids is not None:
        for number in np.unique(picks.class_ids).tolist():
            _known(str(number), numbered, classes)
        return picks.class_ids
    if len(classes) != 1:
        raise FileFormatError(f"The file does not tell the class of its particles; say which one it is: {_listing(classes)}.")
    return np.full(len(picks), classes[0].id, np.int64)


def _known(name: str, ids: dict[str, int], classes: Sequence[ClassSpec]) -> int:
    if name not in ids:
        raise FileFormatError(
            f"The file has particles of class {name}, which the project does not; it has {_listing(classes)}: "
            "add the class with its diameter first, or say which class they are."
        )
    return ids[name]


def _listing(classes: Sequence[ClassSpec]) -> str:
    return ", ".join(f"{spec.id} ({spec.name})" for spec in classes) or "none yet"


def outside_sentence(positions: Positions, tomogram: Tomogram) -> str:
    """Say how many positions lie outside a tomogram, and what may be the reason.

    Parameters
    ----------
    positions : Positions
        (n, 3) zyx voxels.
    tomogram : Tomogram
        The tomogram.

    Returns
    -------
    str
        One sentence with what to do.
    """
    count = int((~tomogram.box.contains(positions)).sum())
    reason = _reason(positions, tomogram) if 2 * count >= len(positions) else ""
    depth, height, width = tomogram.shape
    return (
        f"{count} of {len(positions)} positions lie outside tomogram {tomogram.id!r}, which has {width} x {height} x {depth} "
        f"voxels (x y z){reason}; nothing was imported: choose drop to leave those out, or keep to take them all the same."
    )


def _reason(positions: Positions, tomogram: Tomogram) -> str:
    if tomogram.box.contains(positions[:, ::-1]).all():
        return ", but all would lie inside if x and z were exchanged"
    factors: dict[float, str] = dict.fromkeys(_FACTORS, "were they picked at another binning?")
    if tomogram.voxel_size > 1:
        factors |= {tomogram.voxel_size: "are they in Å?"}
    for factor in sorted(factors):
        if tomogram.box.contains(positions / factor).all():
            return f": they are about {factor:g} times too large ({factors[factor]} Give the scale {1 / factor:.4g})"
    return ""
