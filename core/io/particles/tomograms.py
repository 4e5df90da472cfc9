"""RELION's ``tomograms.star``: what tomograms were made of.

Source: RELION 73f0a3c, tomogram_set.cpp: pixel size of the tilt series, size of the unbinned tomogram, names.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from core.errors import ConfigError, FileFormatError
from core.io.particles.frames import TiltSeriesGeometry
from core.io.particles.names import tilt_series_name
from core.io.particles.star import NAME, blocks_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from core.types import Angstrom, Shape

PIXEL_SIZE = "rlnTomoTiltSeriesPixelSize"
SIZE = ("rlnTomoSizeZ", "rlnTomoSizeY", "rlnTomoSizeX")


def read_tomograms_star(path: Path) -> dict[str, TiltSeriesGeometry]:
    """Read the geometry of all tilt series.

    Parameters
    ----------
    path : Path
        A ``tomograms.star`` of RELION 4 or 5.

    Returns
    -------
    dict[str, TiltSeriesGeometry]
        By rlnTomoName; without size where the file has none.

    Raises
    ------
    FileFormatError
        If the file cannot be read or holds no tilt series.
    """
    block = next((block for block in blocks_of(path) if {NAME, PIXEL_SIZE} <= set(block)), None)
    if block is None or len(block) == 0:
        raise FileFormatError(f"{path} is not RELION's tomograms.star; expected a table with {NAME} and {PIXEL_SIZE}.")
    try:
        pixels = np.asarray(block[PIXEL_SIZE], np.float64)
        sizes = np.asarray(block[list(SIZE)], np.float64) if set(SIZE) <= set(block) else None
        found = {
            str(name): TiltSeriesGeometry(
                pixel_size=float(pixels[row]),
                size=None if sizes is None else (int(sizes[row][0]), int(sizes[row][1]), int(sizes[row][2])),
            )
            for row, name in enumerate(block[NAME])
        }
    except (ValueError, TypeError, OverflowError, ConfigError) as exc:
        raise FileFormatError(f"{path} holds a pixel size or size that makes no sense ({exc}); correct it.") from exc
    return found


def geometry_of(
    found: Mapping[str, TiltSeriesGeometry], tomogram_ids: Iterable[str], names: Mapping[str, str] | None = None
) -> dict[str, TiltSeriesGeometry]:
    """Find tomograms among the tilt series of a ``tomograms.star``.

    Parameters
    ----------
    found : Mapping[str, TiltSeriesGeometry]
        As `read_tomograms_star` returns.
    tomogram_ids : Iterable[str]
        The tomograms.
    names : Mapping[str, str] | None
        What some of them are called there, where the name of the tilt series cannot be told from theirs.

    Returns
    -------
    dict[str, TiltSeriesGeometry]
        By tomogram.

    Raises
    ------
    FileFormatError
        If one of them is not there.
    """
    wanted = {one: (names or {}).get(one) or tilt_series_name(one) for one in tomogram_ids}
    for one, name in wanted.items():
        if name not in found:
            listed = ", ".join(list(found)[:5]) + (", …" if len(found) > 5 else "")
            raise FileFormatError(
                f"The tomograms.star does not name {name!r} (tomogram {one}); it has {listed}: say which of these it is."
            )
    return {one: found[name] for one, name in wanted.items()}


def unbinned_size(text: str) -> Shape:
    """Read the size of an unbinned tomogram as people type it.

    Parameters
    ----------
    text : str
        Extents along x, y and z in pixels of the tilt series, such as ``3840, 3712, 1200``.

    Returns
    -------
    Shape
        (z, y, x).

    Raises
    ------
    ConfigError
        If these are not three whole numbers above 0.
    """
    words = text.replace(",", " ").split()
    if len(words) != 3 or not all(word.isascii() and word.isdigit() and int(word[:9]) > 0 and len(word) < 9 for word in words):
        raise ConfigError(
            f"Expected the unbinned size as X,Y,Z in pixels of the tilt series, such as 3840,3712,1200, not {text!r}."
        )
    x, y, z = map(int, words)
    return z, y, x


def geometry_told(
    tomogram_ids: Iterable[str],
    *,
    pixel_size: Angstrom | None = None,
    tomograms_star: Path | None = None,
    names: Mapping[str, str] | None = None,
    sizes: Mapping[str, Shape] | None = None,
) -> dict[str, TiltSeriesGeometry]:
    """Put together what is told of tilt series.

    Parameters
    ----------
    tomogram_ids : Iterable[str]
        The tomograms.
    pixel_size : Angstrom | None
        Of all tilt series, where no file tells.
    tomograms_star : Path | None
        RELION's file, which tells more.
    names : Mapping[str, str] | None
        As for `geometry_of`.
    sizes : Mapping[str, Shape] | None
        (z, y, x) extents of unbinned tomograms as somebody typed them, where no file tells; a `Frame` checks that they fit.

    Returns
    -------
    dict[str, TiltSeriesGeometry]
        By tomogram; without those of which nothing is told.

    Raises
    ------
    FileFormatError
        If the file cannot be read or lacks a tomogram.
    ConfigError
        If something is told twice, or a size without a pixel size.
    """
    ids = tuple(tomogram_ids)
    if tomograms_star is not None and pixel_size is not None:
        raise ConfigError("The tomograms.star tells the pixel size; give one of the two.")
    found = {} if pixel_size is None else dict.fromkeys(ids, TiltSeriesGeometry(pixel_size=pixel_size))
    if tomograms_star is not None:
        found = geometry_of(read_tomograms_star(tomograms_star), ids, names)
    for one, size in (sizes or {}).items():
        if one not in found:
            raise ConfigError(f"An unbinned size counts pixels of the tilt series; give their size in Å as well (tomogram {one}).")
        if found[one].size is not None:
            raise ConfigError(f"The tomograms.star tells the unbinned size of {one}; leave it out.")
        found[one] = replace(found[one], size=size, typed=True)
    return found
