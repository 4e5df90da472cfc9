"""STAR files that RELION 5's job Import Coordinates reads.

Source: RELION 73f0a3c, tomogram_set.cpp, particle_set.cpp and import_coordinates.cpp. A centred coordinate is
``(i b - S/2) p`` with the voxel index i, the binning b, the unbinned size S and the pixel size p of the tilt series.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import PickerError
from core.io.atomic import atomic_path, make_folder, safe_name
from core.io.particles.star import CENTRED, FILE, NAME, SCORE, blocks_of, read_star
from core.io.particles.values import Unit, Written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from core.io.particles.values import TomogramPicks
    from core.particles import ClassSpec

TOLERANCE = 0.01  # voxels


def tilt_series_name(name: str) -> str:
    """Return the name that RELION knows a tomogram by.

    Parameters
    ----------
    name : str
        Of the tomogram or its file, such as ``rec_TS_01.mrc`` or ``TS_01_10.00Apx``.

    Returns
    -------
    str
        Without ``rec_``, ending, voxel size and binning, such as ``TS_01``.
    """
    stem = re.sub(r"\.(mrc|rec|map|st|tomostar)$", "", name)
    bare = re.sub(r"_\d+\.\d+Apx$|_bin\d+$", "", stem)
    return bare.removeprefix("rec_") or name


def write_relion5(
    path: Path, parts: Sequence[TomogramPicks], classes: Sequence[ClassSpec], *, relion_folder: Path | None = None
) -> Written:
    """Write what RELION 5's job Import Coordinates reads: a list, and a file of particles for each tomogram beside it.

    The list is written even for a single tomogram, because RELION takes a single file for a list. Where particles of several
    classes are given, each class gets a list of its own. Everything is read back and compared before it counts as written.

    Parameters
    ----------
    path : Path
        The list; the other files go to a folder of the same name without suffix.
    parts : Sequence[TomogramPicks]
        The particles of each tomogram; its frame needs the tilt series, and a name is shortened to that of the tilt series.
    classes : Sequence[ClassSpec]
        For the names of the lists.
    relion_folder : Path | None
        The folder that RELION runs in; the list then names files relative to it, else by their full path.

    Returns
    -------
    Written
        The lists first, then the files of particles.

    Raises
    ------
    PickerError
        If there are no particles, a tilt series is unknown, a name is impossible or taken twice, or a file cannot be written
        or does not read back to within a hundredth of a voxel.
    """
    _require_geometry(parts)
    named = _named(parts)
    ids = sorted({number for part in parts for number in part.table.class_ids.tolist()})
    if not ids:
        raise PickerError("There are no particles to export; accept some first, or lower the threshold.")
    words = {spec.id: safe_name(spec.name) for spec in classes}
    lists: list[Path] = []
    files: list[Path] = []
    for number in ids:
        one = path if len(ids) == 1 else path.with_stem(f"{path.stem}_{words.get(number, number)}")
        chosen = {name: _of_class(part, number) for name, part in named.items()}
        lists.append(one)
        files += _write_list(one, {name: part for name, part in chosen.items() if len(part.table)}, relion_folder)
    return Written(files=(*lists, *files), notices=tuple(_notices(parts)))


def _require_geometry(parts: Sequence[TomogramPicks]) -> None:
    for part in parts:
        if part.frame.tilt_series is None:
            raise PickerError(
                f"RELION places particles by the tilt series, and that of {part.name!r} is not known: give its pixel size in Å "
                "(rlnTomoTiltSeriesPixelSize) and, if you can, the unbinned size of the tomogram (rlnTomoSizeX/Y/Z)."
            )


def _named(parts: Sequence[TomogramPicks]) -> dict[str, TomogramPicks]:
    names = [tilt_series_name(part.name) for part in parts]
    for name, count in Counter(names).items():
        if count > 1:
            raise PickerError(f"{count} tomograms would be called {name!r} in RELION; give each the name of its tilt series.")
        if re.search(r"""[\s'"\\#]|^_|^data_|^loop_""", name):
            raise PickerError(f"RELION cannot read the tomogram name {name!r}; give the name of the tilt series instead.")
    return dict(zip(names, parts, strict=True))


def _of_class(part: TomogramPicks, class_id: int) -> TomogramPicks:
    return replace(part, table=part.table.select(part.table.class_ids == class_id))


def _notices(parts: Sequence[TomogramPicks]) -> Iterator[str]:
    unsure = [part.name for part in parts if part.frame.tilt_series is not None and part.frame.tilt_series.size is None]
    if unsure:
        yield (
            f"The unbinned size of {', '.join(unsure)} is not known and was taken as the tomogram's size times its binning; "
            "if RELION has another one (rlnTomoSizeX/Y/Z), give it, or the picks are off by half the difference."
        )


def _write_list(path: Path, parts: dict[str, TomogramPicks], relion_folder: Path | None) -> list[Path]:
    import pandas as pd

    folder = path.with_suffix("")
    make_folder(folder)
    with_score = all(np.isfinite(part.table.scores).all() for part in parts.values())
    files = [folder / f"{name}.star" for name in parts]
    for file, (name, part) in zip(files, parts.items(), strict=True):
        _write_particles(file, name, part, with_score)
    told = [_as_told(file, relion_folder) for file in files]
    with atomic_path(path) as temporary:
        temporary.write_bytes(_star("coordinate_files", pd.DataFrame({NAME: list(parts), FILE: told})))
        if list(blocks_of(temporary)[0][FILE]) != told:
            raise PickerError(f"The list {path} does not read back as it was written; choose a folder without unusual characters.")
    return files


def _write_particles(path: Path, name: str, part: TomogramPicks, with_score: bool) -> None:
    import pandas as pd

    placed = part.frame.from_voxels(part.table.positions, Unit.CENTRED)
    content: dict[str, Any] = {NAME: [name] * len(part.table)} | dict(zip(CENTRED, placed.T[::-1], strict=True))
    if with_score:
        content[SCORE] = part.table.scores.astype(np.float64)
    with atomic_path(path) as temporary:
        temporary.write_bytes(_star("particles", pd.DataFrame(content)))
        found = read_star(temporary, named=True)
        back = part.frame.to_voxels(found.positions, found.unit)
        if found.tomograms != (name,) * len(back) or not np.abs(back - part.table.positions).max() < TOLERANCE:
            raise PickerError(f"The particles in {path} do not read back as they were written; this is a defect, please report it.")


def _star(block: str, table: pd.DataFrame) -> bytes:
    import starfile

    # RELION refuses the line ends of Windows
    text: str = starfile.to_string({block: table}, float_format="%.6f")
    return text.replace("\r\n", "\n").encode("utf-8")


def _as_told(file: Path, relion_folder: Path | None) -> str:
    return (file.absolute() if relion_folder is None else Path(os.path.relpath(file, relion_folder))).as_posix()
