"""Tables of Dynamo, with the map of tomogram numbers and the list of volumes beside them.

Source: Dynamo wiki, Table_convention, Tomogram-table_map_file and Volume_list_file. Dynamo counts pixels from 1, as MATLAB does;
some other programs write its tables from 0. What part of a pixel a whole number means is not documented; unless the option says
otherwise, it is the centre.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from core.errors import ConfigError, FileFormatError, PickerError
from core.io.atomic import atomic_path, make_folder
from core.io.particles.checks import is_number
from core.io.particles.files import file_for_each
from core.io.particles.formats import Format, Need, Options
from core.io.particles.names import volume_name
from core.io.particles.numbered import NumberedRows, gather
from core.io.particles.rows import read_rows, rows_of
from core.io.particles.text import lines, read_text
from core.io.particles.values import Piece, Written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from core.io.particles.formats import Head, ReadOrder, WriteOrder
    from core.io.particles.numbered import Gathered
    from core.io.particles.values import ReadPicks, TomogramPicks

_COLUMNS = re.findall(
    r"\w+",
    "tag aligned averaged dx dy dz tdrot tilt narot cc cc2 cpu ftype ymintilt ymaxtilt xmintilt xmaxtilt fs1 fs2 tomo reg class "
    "annotation x y z dshift daxis dnarot dcc otag npar undefined33 ref sref apix def undefined38 undefined39 undefined40 "
    "eig1 eig2",
)
_FEWEST = 26
_USED = frozenset(re.findall(r"\w+", "dx dy dz tdrot tilt narot cc tomo class x y z"))
_EXTRAS = tuple(name for name in _COLUMNS if name not in _USED)
_COMPLEX = re.compile(r"([+-]?[\d.]+(?:e[+-]?\d+)?)[+-][\d.]+(?:e[+-]?\d+)?[ij]", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class DynamoOptions(Options):
    """How pixels are counted, and what the files beside a table say.

    Attributes
    ----------
    index_base : Literal["1", "0"]
        The number of the first pixel: 1 as in Dynamo, or 0 as dynamo2m, copick and ArtiaX take it.
    half_pixel : bool
        Take the centre of the first pixel half a pixel lower (at 0.5 instead of 1), as RELION's reader of Dynamo tables does.
    tomogram_folder : str
        Where Dynamo finds the tomograms, for the table map (.doc) and the list of volumes (.vll).
    tomogram_ending : str
        The ending of their files.
    tilt_min : float
        Lowest angle of the tilt series in degrees, for the missing wedge.
    tilt_max : float
        Highest angle.
    """

    index_base: Literal["1", "0"] = "1"
    half_pixel: bool = False
    tomogram_folder: str = ""
    tomogram_ending: str = ".mrc"
    tilt_min: float = -60.0
    tilt_max: float = 60.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not -90 <= self.tilt_min < self.tilt_max <= 90:
            raise ConfigError(f"The tilt range must lie within -90 and 90 degrees, not from {self.tilt_min} to {self.tilt_max}.")

    @property
    def first(self) -> float:
        """Where the centre of the first pixel is."""
        return int(self.index_base) - 0.5 * self.half_pixel


def _chosen(options: Options) -> DynamoOptions:
    return options if isinstance(options, DynamoOptions) else DynamoOptions()


def is_table(head: Head) -> bool:
    """Tell whether a text starts with a row of at least 26 numbers.

    Parameters
    ----------
    head : Head
        The beginning of the file.

    Returns
    -------
    bool
        True for Dynamo.
    """
    words = next((line for _, line in lines(head.text)), "").split()
    return len(words) >= _FEWEST and all(is_number(word) or _COMPLEX.fullmatch(word) for word in words[:_FEWEST])


def read_dynamo(path: Path, order: ReadOrder) -> ReadPicks:
    """Read a table, and the names of tomograms from a ``.doc`` of the same name or ``indices_column20.doc`` beside it.

    Parameters
    ----------
    path : Path
        The table.
    order : ReadOrder
        With `DynamoOptions`.

    Returns
    -------
    ReadPicks
        In voxels, with shifts; orientations unless all angles are 0.

    Raises
    ------
    FileFormatError
        If it is no such table, or a position, angle, score or number of a tomogram in it is not a real number that makes sense.
    """
    text = read_text(path)
    # most tables have none of these letters, which is quick to see
    odd = any(letter in text for letter in "ijIJ") and re.search(r"\d[ijIJ]\b", text)
    text, told = _real(path, text) if odd else (text, ())
    table = read_rows(path, text)
    if table.shape[1] < _FEWEST:
        raise FileFormatError(f"{path} has {table.shape[1]} columns; a table of Dynamo has at least {_FEWEST}.")
    column = dict(zip(_COLUMNS, table.T, strict=False))
    options = _chosen(order.options)
    told += (
        _counted(
            options, f"if the table was not made so, give the option index_base={1 - int(options.index_base)} or half_pixel=true"
        ),
    )
    rows = NumberedRows(
        places=table[:, 23:26],
        shifts=table[:, 3:6],
        angles=table[:, 6:9],
        scores=column["cc"],
        classes=column["class"],
        tomograms=column["tomo"],
        base=options.first,
        extras={name: column[name] for name in _EXTRAS if name in column},
    )
    names, unread = _names(path)
    return rows.picks(path, names, (*told, *unread))


def _real(path: Path, text: str) -> tuple[str, tuple[str, ...]]:
    """Take the real part of complex numbers, which Dynamo leaves where angles were compared, and nothing here is made of."""
    kept = []
    for number, line in lines(text):
        words = line.split()
        for place, word in enumerate(words):
            found = _COMPLEX.fullmatch(word)
            if found is None:
                continue
            name = _COLUMNS[place] if place < len(_COLUMNS) else ""
            if name in _USED:
                raise FileFormatError(
                    f"{path}, line {number}: {name} (column {place + 1}) is a complex number, {word}; correct it."
                )
            words[place] = found[1]
        kept.append(" ".join(words))
    return "\n".join(kept), ("Some columns hold complex numbers; only their real parts are kept.",)


def _names(path: Path) -> tuple[dict[int, str], tuple[str, ...]]:
    file = next((one for one in (path.with_suffix(".doc"), path.with_name("indices_column20.doc")) if one.is_file()), None)
    if file is None:
        return {}, ()
    try:
        told = [line.split(maxsplit=1) for _, line in lines(read_text(file))]
        return {int(number): volume_name(name) for number, name in told}, ()
    except (ValueError, FileFormatError):
        return {}, (f"{file.name} is not a map of tomogram numbers and was not used; tomograms are called by their numbers.",)


def write_dynamo(path: Path, order: WriteOrder) -> Written:
    """Write a table with all tomograms, the map of their numbers, and a list of volumes with a table for each.

    Parameters
    ----------
    path : Path
        The table; ``.doc`` and ``.vll`` go beside it, and with several tomograms the tables of the list into a folder of its name.
    order : WriteOrder
        With `DynamoOptions`.

    Returns
    -------
    Written
        The files.

    Raises
    ------
    PickerError
        If the path of a tomogram has blanks, two have the same name or number, or a file cannot be written.
    """
    options = _chosen(order.options)
    if path.suffix.lower() in ("", ".doc", ".vll"):
        raise PickerError(
            f"{path.name} may be a file or folder beside a table of Dynamo; give the table a name that ends with .tbl."
        )
    gathered = gather(order.parts, _EXTRAS)
    volumes = [_volume(part.name, options) for part in order.parts]
    names = tuple(volume_name(volume) for volume in volumes)
    if len(set(names)) < len(names):
        raise PickerError("Two tomograms would have the same name in the table map; give one of them another name.")
    table = list(rows_of(list(_columns(gathered, order.parts, options))))
    single = file_for_each(path, order.parts, names)
    files = {path: table}
    ends = np.cumsum([len(part) for part in order.parts]).tolist()
    files |= {one.path: table[end - len(part) : end] for one, part, end in zip(single, order.parts, ends, strict=True)}
    doc, listing = path.with_suffix(".doc"), path.with_suffix(".vll")
    files[doc] = [f"{number} {volume}\n" for number, volume in zip(gathered.numbers, volumes, strict=True)]
    tables = [one.path.relative_to(path.parent).as_posix() for one in single]
    files[listing] = list(_listing(volumes, gathered.numbers, order.parts, tables))
    for file, content in files.items():
        make_folder(file.parent)
        with atomic_path(file) as temporary:
            temporary.write_text("".join(content), encoding="utf-8", newline="\n")
    notices = (*gathered.notices, *_notices(order, options))
    return Written(files=tuple(files), pieces=(Piece(path=path),), names=names, notices=notices)


def _volume(name: str, options: DynamoOptions) -> str:
    folder = options.tomogram_folder
    file = name if volume_name(name) != name else name + options.tomogram_ending
    path = f"{folder.rstrip('/')}/{file}" if folder else file
    if re.search(r"\s", path):
        raise PickerError(f"A table map of Dynamo cannot hold {path!r}, as blanks separate its columns; give another name.")
    return path


def _columns(gathered: Gathered, parts: Sequence[TomogramPicks], options: DynamoOptions) -> Iterator[tuple[str, Any]]:
    places = gathered.positions + options.first
    content: dict[str, Any] = {"aligned": 1, "averaged": 1, "ftype": 1}
    content |= {"ymintilt": options.tilt_min, "ymaxtilt": options.tilt_max}
    content["apix"] = np.repeat([part.frame.voxel_size for part in parts], [len(part) for part in parts])
    content |= dict(gathered.extras) | {"tag": gathered.serial("tag"), "cc": gathered.scores}
    content |= dict(zip(("tdrot", "tilt", "narot"), gathered.angles.T, strict=True))
    content |= {"tomo": gathered.tomograms, "class": gathered.class_ids} | dict(zip("xyz", places.T, strict=True))
    forms = {"tag": "%d", "tomo": "%d", "class": "%d", "x": "%.6f", "y": "%.6f", "z": "%.6f"}
    for name in _COLUMNS:
        yield forms.get(name, "%.9g"), content.get(name, 0)


def _listing(
    volumes: Sequence[str], numbers: Sequence[int], parts: Sequence[TomogramPicks], tables: Sequence[str]
) -> Iterator[str]:
    for volume, number, part, table in zip(volumes, numbers, parts, tables, strict=True):
        size = part.frame.voxel_size
        apix = f"* apix = {size:.9g}\n" if size > 0 else ""
        yield f"{volume}\n* index = {number}\n{apix}> {table}\n"


def _counted(options: DynamoOptions, more: str) -> str:
    return f"Pixels are counted from {options.index_base}, with the centre of the first one at {options.first:g}; {more}."


def _notices(order: WriteOrder, options: DynamoOptions) -> Iterator[str]:
    yield _counted(options, "as the options index_base and half_pixel say")
    yield f"The tilt range is given as {options.tilt_min:g} to {options.tilt_max:g} degrees (options tilt_min and tilt_max)."
    if not all(part.frame.voxel_size > 0 for part in order.parts):
        yield "The voxel size is not known everywhere; column 36 (apix) is 0 there."
    if any(np.isnan(part.table.scores).any() for part in order.parts):
        yield "Particles without a score have 0 in column 10 (cc)."


DYNAMO_TABLE = Format(
    name="dynamo",
    title="Dynamo",
    suffixes=(".tbl",),
    recognises=is_table,
    read=read_dynamo,
    write=write_dynamo,
    options=DynamoOptions,
    reading=("index_base", "half_pixel"),
    wants=frozenset({Need.VOXEL_SIZE, Need.NUMBER}),
    hint="In MATLAB run dtcrop with the .vll and reorder, or give dcp.new the table and the table map (.doc).",
)
