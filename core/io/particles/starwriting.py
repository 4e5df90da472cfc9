"""What all STAR files of particles share when they are written."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from core.io.atomic import atomic_path, make_folder, safe_name
from core.io.particles.angles import RELION, to_euler
from core.io.particles.formats import Fidelity
from core.io.particles.star import ANGLES, SCORE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from core.io.particles.formats import Options, WriteOrder
    from core.io.particles.values import TomogramPicks
    from core.types import Positions


def of_classes(path: Path, order: WriteOrder) -> Iterator[tuple[int, Path, list[TomogramPicks]]]:
    """Divide what shall be written by class, because other programs refine one kind of particle at a time.

    Parameters
    ----------
    path : Path
        The file.
    order : WriteOrder
        What shall be written.

    Yields
    ------
    tuple[int, Path, list[TomogramPicks]]
        A class that has particles; the path, with the name of the class where there are several; all parts with the particles of
        this class only.
    """
    ids = sorted({number for part in order.parts for number in np.unique(part.table.class_ids).tolist()})
    words = {spec.id: safe_name(spec.name) for spec in order.classes}
    for number in ids:
        one = path if len(ids) == 1 else path.with_stem(f"{path.stem}_{words.get(number, number)}")
        yield number, one, [part.select(part.table.class_ids == number) for part in order.parts]


def star_fidelity(_options: Options) -> Fidelity:
    """Tell what comes back from STAR files: classes by the names of files, scores where all particles have one.

    Parameters
    ----------
    _options : Options
        Those of the format, which change nothing about it.

    Returns
    -------
    Fidelity
        The same for all of them.
    """
    return Fidelity(partial_scores=False)


def write_star(path: Path, block: str, table: pd.DataFrame) -> None:
    """Write one table to a STAR file.

    Parameters
    ----------
    path : Path
        The file; its folder is made.
    block : str
        Name of the data block, which may be empty.
    table : pd.DataFrame
        Its columns by their labels without ``_``.

    Raises
    ------
    PickerError
        If the file cannot be written.
    """
    write_stars(path, {block: table})


def write_stars(path: Path, blocks: Mapping[str, pd.DataFrame]) -> None:
    """Write tables to a STAR file.

    Parameters
    ----------
    path : Path
        The file; its folder is made.
    blocks : Mapping[str, pd.DataFrame]
        Columns by their labels without ``_``, for each data block.

    Raises
    ------
    PickerError
        If the file cannot be written.
    """
    import starfile

    # RELION refuses the line ends of Windows
    text: str = starfile.to_string(dict(blocks), float_format="%.6f").replace("\r\n", "\n")
    make_folder(path.parent)
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


class Columns:
    """The columns that several tables have in common: scores, orientations and extras only where all particles have them.

    Parameters
    ----------
    parts : Sequence[TomogramPicks]
        The particles of each tomogram; those without any do not count.
    prefix : str
        How labels of this kind of file begin; other extras are left out.
    """

    def __init__(self, parts: Sequence[TomogramPicks], prefix: str = "rln") -> None:
        filled = [part for part in parts if len(part)]
        self._scored = all(np.isfinite(part.table.scores).all() for part in filled)
        self._turned = all(part.orientations is not None for part in filled)
        first = filled[0].extras if filled else {}
        self._extras = [name for name in first if name.startswith(prefix) and all(name in part.extras for part in filled)]

    def table(self, part: TomogramPicks, labels: tuple[str, ...], placed: Positions, names: Mapping[str, str]) -> pd.DataFrame:
        """Make the table of one tomogram.

        Parameters
        ----------
        part : TomogramPicks
            Its particles.
        labels : tuple[str, ...]
            Of the coordinates x, y and z.
        placed : Positions
            (n, 3) zyx in the unit of the file.
        names : Mapping[str, str]
            Columns that say the same in all rows.

        Returns
        -------
        pd.DataFrame
            The same columns for every part.
        """
        import pandas as pd

        content: dict[str, Any] = {label: [word] * len(part) for label, word in names.items()}
        content |= dict(zip(labels, placed.T[::-1], strict=True))
        if self._turned and part.orientations is not None and ANGLES[0] not in self._extras:
            content |= dict(zip(ANGLES, to_euler(part.orientations, RELION).T, strict=True))
        if self._scored:
            content[SCORE] = part.table.scores.astype(np.float64)
        return pd.DataFrame(content | {name: part.extras[name] for name in self._extras if name not in content})


def filled(parts: Sequence[TomogramPicks], names: Sequence[str]) -> list[tuple[str, TomogramPicks]]:
    """Return the parts that have particles, with their names.

    Parameters
    ----------
    parts : Sequence[TomogramPicks]
        The particles of each tomogram.
    names : Sequence[str]
        What the file calls each.

    Returns
    -------
    list[tuple[str, TomogramPicks]]
        In the same order.
    """
    return [(name, replace(part, name=name)) for name, part in zip(names, parts, strict=True) if len(part)]
