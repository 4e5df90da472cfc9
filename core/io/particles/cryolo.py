"""Boxes of crYOLO and napari-boxmanager (``.cbox``), and coordinates as crYOLO and TomoTwin write them.

Source: cryoloBM 1.6.1, cbox2coords; napari-boxmanager ce1aa27, io/cbox.py. Of a box, X and Y are the lower corner and Z is the
centre already.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import ConfigError, FileFormatError
from core.io.particles.coords import CRYOLO_COORDS
from core.io.particles.formats import Fidelity, Format, Layout, Need, Options
from core.io.particles.perclass import each_of_classes, spec_of, write_each, write_text
from core.io.particles.star import blocks_of
from core.io.particles.values import ReadPicks, Unit, Written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

    from core.io.particles.formats import Head, ReadOrder, WriteOrder
    from core.io.particles.values import TomogramPicks
    from core.types import FloatArray

_PLACED = ("CoordinateX", "CoordinateY", "CoordinateZ")
_SIZES = ("Width", "Height", "Depth")


@dataclass(frozen=True, kw_only=True)
class CboxOptions(Options):
    """How large boxes are.

    Attributes
    ----------
    box : int
        Edge of a box in voxels; 0 for the diameter of the class.
    """

    box: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.box <= 10_000:
            raise ConfigError(f"The option box must be 0 or a number of voxels up to 10000, not {self.box}.")


def is_cbox(head: Head) -> bool:
    """Tell whether a file holds boxes.

    Parameters
    ----------
    head : Head
        The beginning of the file.

    Returns
    -------
    bool
        True where the block of crYOLO begins.
    """
    return "data_cryolo" in head.text and "_CoordinateX" in head.text


def read_cbox(path: Path, order: ReadOrder) -> ReadPicks:
    """Read the centres of boxes.

    Parameters
    ----------
    path : Path
        The file.
    order : ReadOrder
        How.

    Returns
    -------
    ReadPicks
        In voxels, with confidences as scores and the numbers of filaments as an extra.

    Raises
    ------
    FileFormatError
        If the file cannot be read, or has boxes in two dimensions only.
    """
    wanted = {*_PLACED, *_SIZES[:2]}
    block = next((block for block in blocks_of(path) if wanted <= set(block)), None)
    if block is None or len(block) == 0:
        raise FileFormatError(f"{path} holds no boxes in three dimensions; expected columns {', '.join(sorted(wanted))}.")
    x, y, z, width, height = (_column(path, block, name) for name in (*_PLACED, *_SIZES[:2]))
    with np.errstate(over="ignore"):
        placed = np.column_stack([z, y + height / 2, x + width / 2])
    if not np.isfinite(placed).all():
        row = int(np.flatnonzero(~np.isfinite(placed).all(axis=1))[0]) + 1
        raise FileFormatError(f"{path}, row {row}: a box must have finite coordinates and sizes; correct or remove the row.")
    extras = {"filament": np.asarray(block["filamentid"])} if "filamentid" in block else {}
    return ReadPicks(positions=placed, unit=order.unit or Unit.VOXEL, scores=_confidences(path, block), extras=extras)


def _column(path: Path, block: pd.DataFrame, name: str) -> Any:
    try:
        found = np.asarray(block[name], np.float64)
    except (ValueError, TypeError, OverflowError) as exc:
        raise FileFormatError(f"{path}: the column {name} holds something that is not a number ({exc}); correct it.") from exc
    if found.ndim != 1:
        raise FileFormatError(f"{path} has the column {name} more than once; remove all but one.")
    return found


def _confidences(path: Path, block: pd.DataFrame) -> FloatArray | None:
    if "Confidence" not in block:
        return None
    found = _column(path, block.replace({"Confidence": {"<NA>": "nan"}}), "Confidence")
    if (np.abs(found) > np.finfo(np.float32).max).any():
        raise FileFormatError(f"{path}: a confidence must be a finite number; correct it.")
    return None if np.isnan(found).all() else found.astype(np.float32)


def write_cbox(path: Path, order: WriteOrder) -> Written:
    """Write boxes for each tomogram and class.

    Parameters
    ----------
    path : Path
        As for `core.io.particles.perclass.each_of_classes`.
    order : WriteOrder
        With `CboxOptions`.

    Returns
    -------
    Written
        The files.

    Raises
    ------
    PickerError
        If a file cannot be written.
    """
    import starfile

    told = order.options.box if isinstance(order.options, CboxOptions) else 0
    pieces = []
    for piece, part in each_of_classes(path, order):
        box = told or max(1, round(spec_of(order, piece.class_id).diameter / part.frame.voxel_size))
        text: str = starfile.to_string(_blocks(part, box), float_format="%.6f")
        write_text(piece.path, [text.replace("\r\n", "\n")])
        pieces.append(piece)
    return Written(files=tuple(piece.path for piece in pieces), pieces=tuple(pieces))


def _blocks(part: TomogramPicks, box: int) -> dict[str, Any]:
    import pandas as pd

    z, y, x = part.table.positions.T
    columns: dict[str, Any] = dict(zip(_PLACED, (x - box / 2, y - box / 2, z), strict=True))
    columns |= dict.fromkeys((*_SIZES, "EstWidth", "EstHeight"), np.full(len(part), float(box)))
    columns |= {"Confidence": part.table.scores.astype(np.float64), "NumBoxes": 1, "Angle": 0.0}
    if "filament" in part.extras:
        columns["filamentid"] = part.extras["filament"]
    sections = np.unique(np.round(z)).astype(np.int64)
    return {
        "global": {"cbox_format_version": "1.0"},
        "cryolo": pd.DataFrame(columns),
        "cryolo_include": pd.DataFrame({"slice_index": sections}),
    }


def write_cryolo(path: Path, order: WriteOrder) -> Written:
    """Write rows of ``x y z`` for each tomogram and class, with the number of the filament where there is one.

    Parameters
    ----------
    path : Path
        As for `core.io.particles.perclass.each_of_classes`.
    order : WriteOrder
        What.

    Returns
    -------
    Written
        The files.

    Raises
    ------
    PickerError
        If a file cannot be written.
    """
    return write_each(path, order, _rows)


def _rows(part: TomogramPicks) -> Iterator[str]:
    placed = part.table.positions.tolist()
    filaments = part.extras.get("filament")
    for row, (z, y, x) in enumerate(placed):
        yield f"{x:.4f} {y:.4f} {z:.4f}" + ("\n" if filaments is None else f" {filaments[row]:g}\n")


CBOX = Format(
    name="cbox",
    title="crYOLO and napari-boxmanager boxes",
    suffixes=(".cbox",),
    recognises=is_cbox,
    read=read_cbox,
    write=write_cbox,
    options=CboxOptions,
    layout=Layout.EACH,
    needs=frozenset({Need.VOXEL_SIZE}),
    by_class=True,
    hint="Give each file the name of its tomogram and open both in napari-boxmanager.",
)
CRYOLO = replace(
    CRYOLO_COORDS,
    write=write_cryolo,
    layout=Layout.EACH,
    by_class=True,
    fidelity=lambda _options: Fidelity(scores=False),
    hint="Voxels, one class a file.",
)
