"""Where the files of many tomograms go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import PickerError
from core.io.atomic import safe_name
from core.io.particles.values import Piece

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from core.io.particles.values import TomogramPicks


def file_for_each(path: Path, parts: Sequence[TomogramPicks], names: Sequence[str] | None = None) -> list[Piece]:
    """Name a file for each tomogram.

    Parameters
    ----------
    path : Path
        The file for a single tomogram; several go to a folder named like it without suffix.
    parts : Sequence[TomogramPicks]
        The tomograms.
    names : Sequence[str] | None
        What their files are called; None for their own names.

    Returns
    -------
    list[Piece]
        One for each part, with the name of the tomogram.

    Raises
    ------
    PickerError
        If two tomograms would have the same file.
    """
    if len(parts) == 1:
        return [Piece(path=path, tomogram=parts[0].name)]
    files = [path.with_suffix("") / f"{safe_name(name)}{path.suffix}" for name in names or [part.name for part in parts]]
    if len({str(file).lower() for file in files}) < len(files):
        raise PickerError("Two tomograms would be written to files of the same name; give one of them another name.")
    return [Piece(path=file, tomogram=part.name) for file, part in zip(files, parts, strict=True)]
