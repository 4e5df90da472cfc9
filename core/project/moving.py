"""Tomograms whose files were moved: where they are now."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from core.errors import ProjectError
from core.io.volumes import open_tomogram

if TYPE_CHECKING:
    from pathlib import Path

    from core.project.contents import Project


def found_again(project: Project, tomogram_id: str, path: Path) -> tuple[str, ...]:
    """Tell a project where the file of a tomogram is now; others that are missing and lie beside it are found along with it.

    A file that is a tomogram of the project already is not taken for another of the same name.

    Parameters
    ----------
    project : Project
        Open for writing.
    tomogram_id : str
        The tomogram.
    path : Path
        Its file.

    Returns
    -------
    tuple[str, ...]
        All tomograms that were found, as one change.

    Raises
    ------
    PickerError
        If the file is no tomogram, or most of the particles would lie outside of it; nothing is changed then.
    """
    record, path = project.store.tomogram(tomogram_id), path.absolute()
    positions = project.store.table(tomogram_id).positions
    box = open_tomogram(path, voxel_size=record.voxel_size, signed=record.signed, id=tomogram_id).box
    if len(positions) and 2 * int(box.contains(positions).sum()) < len(positions):
        raise ProjectError(f"Most particles of {tomogram_id!r} would lie outside {path}; choose the file that they were marked in.")
    records = project.store.tomograms()
    missing = {one.id: path.with_name(one.path.name) for one in records if one.id != tomogram_id and not one.path.exists()}
    claims = Counter([path, *(one.path for one in records), *missing.values()])
    found = {tomogram_id: path} | {name: place for name, place in missing.items() if claims[place] == 1 and place.exists()}
    with project.store.grouped(f"Find {', '.join(found)} again"):
        for name, place in found.items():
            project.store.update_tomogram(replace(project.store.tomogram(name), path=place))
    return tuple(found)
