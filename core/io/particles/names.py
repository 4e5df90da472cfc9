"""What a tomogram is called in other programs."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from core.errors import PickerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.io.particles.values import TomogramPicks

_ENDING = re.compile(r"\.(mrc|rec|map|st|ali|hdf|em|zarr|tiff?|tomostar|star|mrc\.(gz|bz2))$", re.IGNORECASE)
_DETAIL = re.compile(r"_\d+(\.\d+)?Apx$|_bin\d+$|\.bin\d+$", re.IGNORECASE)


def tilt_series_name(name: str) -> str:
    """Return the name of the tilt series that a tomogram was made of.

    Parameters
    ----------
    name : str
        Of the tomogram or its file, such as ``rec_TS_01.mrc``, ``TS_01_10.00Apx`` or ``TS_01_bin4``.

    Returns
    -------
    str
        Without ``rec_``, ending, voxel size and binning, such as ``TS_01``; the name itself where nothing would be left.
    """
    bare = _ENDING.sub("", name)
    while (shorter := _DETAIL.sub("", bare)) != bare:
        bare = shorter
    return bare.removeprefix("rec_") or name


def star_names(parts: Sequence[TomogramPicks], suffix: str = "") -> tuple[str, ...]:
    """Return the names of tilt series for a STAR file.

    Parameters
    ----------
    parts : Sequence[TomogramPicks]
        The particles of each tomogram.
    suffix : str
        Put behind each name, such as ``.tomostar``.

    Returns
    -------
    tuple[str, ...]
        One for each part.

    Raises
    ------
    PickerError
        If two would be the same, or one cannot stand in a STAR file.
    """
    names = [tilt_series_name(part.name) for part in parts]
    for name, count in Counter(names).items():
        if count > 1:
            raise PickerError(f"{count} tomograms would be called {name!r} there; give each the name of its tilt series.")
        if re.search(r"""[\s'"\\#]|^_|^data_|^loop_|^<NA>$|^nan$|^NaN$""", name):
            raise PickerError(f"A STAR file cannot hold the tomogram name {name!r}; give the name of the tilt series instead.")
    return tuple(name + suffix for name in names)


def tomogram_numbers(parts: Sequence[TomogramPicks]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return the numbers of tomograms, for formats that have no names.

    Parameters
    ----------
    parts : Sequence[TomogramPicks]
        The particles of each tomogram.

    Returns
    -------
    tuple[tuple[int, ...], tuple[str, ...]]
        The number of each part: as given, else that at the end of its name where all have different ones, else 1, 2, 3 …; and
        notices that say which was taken where they were not given.

    Raises
    ------
    PickerError
        If two are given the same number, or only some are given one.
    """
    given = [part.number for part in parts if part.number is not None]
    if given and (len(given) < len(parts) or len(set(given)) < len(given)):
        raise PickerError("Every tomogram needs a number of its own; give a different one to each, or to none.")
    if given:
        return tuple(given), ()
    taken, _ = found_numbers([part.name for part in parts])
    listed = ", ".join(f"{part.name} = {number}" for part, number in list(zip(parts, taken, strict=True))[:8])
    return taken, (f"Tomograms are numbered {listed}{', …' if len(parts) > 8 else ''}; give other numbers if these are wrong.",)


def found_numbers(names: Sequence[str]) -> tuple[tuple[int, ...], str]:
    """Find numbers for tomograms that nobody has numbered.

    Parameters
    ----------
    names : Sequence[str]
        Of all tomograms that go into the files.

    Returns
    -------
    tuple[tuple[int, ...], str]
        Those at the ends of their names where all have different ones, else 1, 2, 3 …; and in a few words where they come from.
    """
    endings = [re.search(r"(\d{1,9})$", tilt_series_name(name)) for name in names]
    found = [int(ending[1]) for ending in endings if ending is not None]
    if found and len(set(found)) == len(names) and min(found) > 0:
        return tuple(found), "the end of the name"
    return tuple(range(1, len(names) + 1)), "the order of the tomograms"


def volume_name(path: str) -> str:
    """Return the name of a tomogram by the path of its file.

    Parameters
    ----------
    path : str
        Of this or another system.

    Returns
    -------
    str
        Without folders and one ending of a volume.
    """
    last = re.split(r"[\\/]", path)[-1]
    return _ENDING.sub("", last) or last
