"""STAR files of Warp, WarpTools and M.

Source: Warp e321344, ExportParticlesTiltseries.cs, CreateSpecies.cs and Species.cs. Coordinates count voxels of the tomogram from
the centre of the first; a tilt series is known by its whole name, ``.tomostar`` included. M keeps its species in Å.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.errors import ConfigError
from core.io.particles.formats import Format, Need, Options
from core.io.particles.names import star_names, tilt_series_name
from core.io.particles.star import CORNER, MICROGRAPH, SPECIES, Meaning, is_star, read_star
from core.io.particles.starwriting import Columns, filled, of_classes, star_fidelity, write_star
from core.io.particles.values import Piece, Unit, Written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from core.io.particles.formats import Head, ReadOrder, WriteOrder
    from core.io.particles.values import ReadPicks, TomogramPicks
    from core.types import Positions


@dataclass(frozen=True, kw_only=True)
class WarpOptions(Options):
    """What the coordinates count.

    Attributes
    ----------
    coords_angpix : float
        Å per unit of the coordinates, as ``--coords_angpix`` tells WarpTools; 0 for voxels of the tomogram.
    """

    coords_angpix: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.coords_angpix < 1e6:
            raise ConfigError(f"The option coords_angpix must be 0 or Å per pixel, not {self.coords_angpix}.")


def _angpix(options: Options) -> float:
    return options.coords_angpix if isinstance(options, WarpOptions) else 0.0


def is_warp(head: Head) -> bool:
    """Tell whether a file names tilt series as Warp does.

    Parameters
    ----------
    head : Head
        The beginning of the file.

    Returns
    -------
    bool
        True where ``.tomostar`` stands beside coordinates from the corner.
    """
    return is_star(head.text) and CORNER[0] in head.text and ".tomostar" in head.text


def is_species(head: Head) -> bool:
    """Tell whether a file holds the particles of a species of M.

    Parameters
    ----------
    head : Head
        The beginning of the file.

    Returns
    -------
    bool
        True for M.
    """
    return is_star(head.text) and SPECIES[0] in head.text


def read_warp(path: Path, order: ReadOrder) -> ReadPicks:
    """Read particles as WarpTools takes them.

    Parameters
    ----------
    path : Path
        The file.
    order : ReadOrder
        With `WarpOptions`.

    Returns
    -------
    ReadPicks
        In voxels, or in Å where the option tells.

    Raises
    ------
    FileFormatError
        If the file cannot be read.
    """
    found, angpix = read_star(path, Meaning(corner=Unit.VOXEL), order.unit), _angpix(order.options)
    low, high = found.positions.min(), found.positions.max()
    if order.unit is None and not angpix and len(found) > 1 and low >= 0 and 0 < high <= 1:
        told = "All coordinates lie between 0 and 1; if they come from template matching in Warp, undo and give the unit fraction."
        found = replace(found, notices=(*found.notices, told))
    if not angpix or found.unit is not Unit.VOXEL:
        return found
    shifts = found.shifts if found.shifts is None or found.shift_unit is Unit.ANGSTROM else found.shifts * angpix
    return replace(found, positions=found.positions * angpix, unit=Unit.ANGSTROM, shifts=shifts, shift_unit=Unit.ANGSTROM)


def read_species(path: Path, order: ReadOrder) -> ReadPicks:
    """Read the particles of a species of M.

    Parameters
    ----------
    path : Path
        The file.
    order : ReadOrder
        How.

    Returns
    -------
    ReadPicks
        In Å.

    Raises
    ------
    FileFormatError
        If the file cannot be read.
    """
    return read_star(path, Meaning(corner=Unit.ANGSTROM), order.unit)


def write_warp(path: Path, order: WriteOrder) -> Written:
    """Write what WarpTools ts_export_particles and MTools create_species read: one file with all tomograms, for each class.

    Parameters
    ----------
    path : Path
        The file; with several classes, each gets one with its name.
    order : WriteOrder
        With `WarpOptions`; a name of a tomogram becomes that of the tilt series with ``.tomostar``.

    Returns
    -------
    Written
        The files.

    Raises
    ------
    PickerError
        If a name is impossible or taken twice, or a file cannot be written.
    """
    import pandas as pd

    names = star_names(order.parts, ".tomostar")
    angpix = _angpix(order.options)
    pieces = []
    for number, one, parts in of_classes(path, order):
        columns = Columns(parts)
        tables = [columns.table(part, CORNER, _placed(part, angpix), {MICROGRAPH: name}) for name, part in filled(parts, names)]
        write_star(one, "", pd.concat(tables, ignore_index=True))
        pieces.append(Piece(path=one, class_id=number))
    notices = tuple(_notices(order, angpix))
    return Written(files=tuple(piece.path for piece in pieces), pieces=tuple(pieces), names=names, notices=notices)


def _placed(part: TomogramPicks, angpix: float) -> Positions:
    return part.frame.from_voxels(part.table.positions, Unit.ANGSTROM) / angpix if angpix else part.table.positions


def _notices(order: WriteOrder, angpix: float) -> Iterator[str]:
    sizes = sorted({part.frame.voxel_size for part in order.parts if len(part)})
    if angpix or len(sizes) == 1:
        yield f"Give WarpTools --coords_angpix {angpix or sizes[0]:g}."
    else:
        yield (
            f"The tomograms have different voxel sizes ({', '.join(f'{size:g}' for size in sizes)} Å), and WarpTools takes one; "
            "export them one by one, or give the option coords_angpix."
        )


WARP = Format(
    name="warp",
    title="Warp, WarpTools and M",
    suffixes=(".star",),
    recognises=is_warp,
    read=read_warp,
    write=write_warp,
    called=lambda name: f"{tilt_series_name(name)}.tomostar",
    options=WarpOptions,
    reading=("coords_angpix",),
    needs=frozenset({Need.VOXEL_SIZE}),
    by_class=True,
    fidelity=star_fidelity,
    hint="Run WarpTools ts_export_particles with --input_star, or MTools create_species with --particles_relion.",
)
SPECIES_OF_M = Format(
    name="m",
    title="M species",
    suffixes=(".star",),
    recognises=is_species,
    read=read_species,
)
