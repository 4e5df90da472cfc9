"""Tables of the CZII challenge on Kaggle: ``id, experiment, particle_type, x, y, z`` in Å.

Source: the challenge's sample submission and BloodAxe/Kaggle-2024-CryoET. An experiment is a run such as TS_5_4.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from core.io.particles.delimited import read_delimited
from core.io.particles.formats import Fidelity, Format, Need, Options
from core.io.particles.names import tilt_series_name
from core.io.particles.perclass import series_names, write_text
from core.io.particles.values import Piece, Unit, Written

if TYPE_CHECKING:
    from pathlib import Path

    from core.io.particles.formats import Head, ReadOrder, WriteOrder
    from core.io.particles.values import ReadPicks

HEADER = ("id", "experiment", "particle_type", "x", "y", "z")


@dataclass(frozen=True, kw_only=True)
class KaggleOptions(Options):
    """Which columns there are.

    Attributes
    ----------
    score : bool
        Add a column of scores, which the challenge itself does not take.
    """

    score: bool = False


def _scored(options: Options) -> bool:
    return isinstance(options, KaggleOptions) and options.score


def is_kaggle(head: Head) -> bool:
    """Tell whether a file has the challenge's header.

    Parameters
    ----------
    head : Head
        The beginning of the file.

    Returns
    -------
    bool
        True where the first line starts with it, with or without id.
    """
    words = [word.strip().strip('"').lower() for word in head.text.partition("\n")[0].split(",")]
    return tuple(words[: len(HEADER)]) == HEADER or tuple(words[: len(HEADER) - 1]) == HEADER[1:]


def read_kaggle(path: Path, order: ReadOrder) -> ReadPicks:
    """Read a table of the challenge.

    Parameters
    ----------
    path : Path
        The file.
    order : ReadOrder
        Its unit takes precedence over Å.

    Returns
    -------
    ReadPicks
        With experiments as tomograms and types as classes.

    Raises
    ------
    FileFormatError
        If the file cannot be read, or a row is wrong.
    """
    found = read_delimited(path, replace(order, unit=order.unit or Unit.ANGSTROM))
    return replace(found, extras={name: column for name, column in found.extras.items() if name.lower() != "id"})


def write_kaggle(path: Path, order: WriteOrder) -> Written:
    """Write one table of all tomograms.

    Parameters
    ----------
    path : Path
        The file.
    order : WriteOrder
        With `KaggleOptions`; a name of a tomogram is shortened to that of the tilt series.

    Returns
    -------
    Written
        The one file.

    Raises
    ------
    PickerError
        If a name is taken twice, or the file cannot be written.
    """
    names, scored = series_names(order.parts), _scored(order.options)
    words = {spec.id: spec.name for spec in order.classes}
    text, numbers = io.StringIO(), count()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*HEADER, "score") if scored else HEADER)
    for name, part in zip(names, order.parts, strict=True):
        placed = part.frame.from_voxels(part.table.positions, Unit.ANGSTROM).tolist()
        rows = zip(part.table.class_ids.tolist(), placed, part.table.scores.tolist(), strict=True)
        for number, (z, y, x), score in rows:
            given = (("" if np.isnan(score) else f"{score:.7g}"),) if scored else ()
            writer.writerow((next(numbers), name, words.get(number, str(number)), f"{x:.4f}", f"{y:.4f}", f"{z:.4f}", *given))
    write_text(path, [text.getvalue()])
    return Written(files=(path,), pieces=(Piece(path=path),), names=names)


KAGGLE = Format(
    name="kaggle",
    title="CZII challenge on Kaggle",
    suffixes=(".csv",),
    recognises=is_kaggle,
    read=read_kaggle,
    write=write_kaggle,
    called=tilt_series_name,
    options=KaggleOptions,
    needs=frozenset({Need.VOXEL_SIZE}),
    fidelity=lambda options: Fidelity(scores=_scored(options)),
    hint="Classes must be called as the challenge calls them, such as ribosome or apo-ferritin.",
)
