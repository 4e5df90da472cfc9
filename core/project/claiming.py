"""Whose the rows of a file are: names or numbers of tomograms in it, and the tomograms of a project."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.io.particles.names import tilt_series_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.io.particles.values import ReadPicks

LISTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundName:
    """A tomogram of a file.

    Attributes
    ----------
    name : str
        What the file calls it, which may be a number.
    count : int
        Its particles.
    tomogram : str | None
        The tomogram of the project that they go to; None to leave them out.
    """

    name: str
    count: int
    tomogram: str | None


def same_series(said: str, tomogram_id: str) -> bool:
    """Tell whether a name of a file may mean a tomogram.

    Parameters
    ----------
    said : str
        In the file.
    tomogram_id : str
        In the project.

    Returns
    -------
    bool
        True for the very name, and where both are of one tilt series.
    """
    return said == tomogram_id or tilt_series_name(said) == tilt_series_name(tomogram_id)


def claimed(
    picks: ReadPicks, tomogram_ids: Sequence[str], assigned: Mapping[str, str]
) -> tuple[tuple[FoundName, ...], tuple[str, ...]]:
    """Find the tomograms that a file names.

    Parameters
    ----------
    picks : ReadPicks
        What the file says.
    tomogram_ids : Sequence[str]
        The tomograms that its particles may lie in.
    assigned : Mapping[str, str]
        What somebody said of names in the file: the tomogram, or nothing to leave its particles out.

    Returns
    -------
    tuple[tuple[FoundName, ...], tuple[str, ...]]
        In the order of the file, empty where it names none; and sentences about names that several tomograms could claim.
    """
    found, problems = [], []
    for name, count in Counter(picks.tomograms or ()).items():
        if name in assigned:
            owners = [one for one in tomogram_ids if one == assigned[name]]
        else:
            # before all the one of the very name
            owners = [one for one in tomogram_ids if one == name] or [one for one in tomogram_ids if same_series(name, one)]
        if len(owners) > 1:
            problems.append(f"The particles of {name!r} may lie in {owners[0]!r} or in {owners[1]!r}; choose one of them.")
        found.append(FoundName(name=name, count=count, tomogram=owners[0] if len(owners) == 1 else None))
    return tuple(found), tuple(problems)


def nobody_claims(names: Sequence[str], tomogram_ids: Sequence[str]) -> str:
    """Say that a file is not about tomograms.

    Parameters
    ----------
    names : Sequence[str]
        What it calls its tomograms.
    tomogram_ids : Sequence[str]
        The tomograms, or what they are called there.

    Returns
    -------
    str
        One sentence with what to do.
    """
    listed = ", ".join(list(names)[:LISTED]) + (", …" if len(names) > LISTED else "")
    one = f"tomogram {tomogram_ids[0]!r}" if len(tomogram_ids) == 1 else "a tomogram of the project"
    return f"No row of the file is for {one}; it names {listed}: say which of these it is."
