"""Small volumes around particles, cut out for other programs, with a STAR file that points to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from core.cutting import corner_of, edge_of, within
from core.errors import ConfigError
from core.filters import binned
from core.io.atomic import atomic_folder
from core.io.particles.starwriting import write_stars
from core.io.subvolumes import WRITERS, file_names
from core.messages import Progress
from core.wedge import distances

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from core.messages import Message
    from core.particles import ParticleTable
    from core.tomogram import Tomogram
    from core.types import Angstrom, FloatArray, Positions

STAR = "particles.star"
LARGEST, COARSEST = 512, 16  # voxels along the edge of a box, and binning
Kind = Literal["mrc", "stack", "zarr"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractConfig:
    """How sub-volumes are written.

    Attributes
    ----------
    kind : Kind
        ``mrc``: a file each; ``stack``: an MRC file with all of a tomogram; ``zarr``: an array (n, z, y, x) of each tomogram.
    box : int
        Edge in voxels as they are written, even; 0 for twice the diameter.
    binning : int
        Cubes of so many voxels on an edge become one, their mean; 1 to leave them.
    invert : bool
        Change the sign of the voxels: RELION wants particles bright on dark, and in tomograms they are dark.
    normalise : bool
        Bring the voxels outside the particle's sphere to zero mean and unit standard deviation, as RELION does.
    faces : {"pad", "leave"}
        What becomes of a box that reaches past a face: filled up with the mean of what is inside, or left out.
    """

    kind: Kind = "mrc"
    box: int = 0
    binning: int = 1
    invert: bool = False
    normalise: bool = False
    faces: Literal["pad", "leave"] = "pad"

    def __post_init__(self) -> None:
        if self.box < 0 or self.box % 2 or self.box > LARGEST:
            raise ConfigError(f"The box of sub-volumes must be an even number of at most {LARGEST} voxels, or 0, not {self.box}.")
        if not 1 <= self.binning <= COARSEST:
            raise ConfigError(f"The binning of sub-volumes must be 1 to {COARSEST}, not {self.binning}.")

    @property
    def untouched(self) -> bool:
        """Whether voxels keep their values and their type."""
        return not (self.invert or self.normalise or self.binning > 1)

    def edge(self, diameter: Angstrom, voxel_size: Angstrom) -> int:
        """Return the edge of a box in voxels as they are written, of a particle in a tomogram of this voxel size."""
        return self.box or edge_of(diameter, voxel_size * self.binning)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """What was written.

    Attributes
    ----------
    star : Path
        The file that points to the sub-volumes.
    edge : int
        Of a box, in voxels as they are written.
    count, padded, left_out : int
        How many were written, how many of them reach past a face, and how many were left out for that.
    """

    star: Path
    edge: int
    count: int
    padded: int
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will be written.

    Attributes
    ----------
    parts : tuple[tuple[Tomogram, ParticleTable], ...]
        Particles whose boxes are written, with their tomograms.
    edge : int
        Of a box, in voxels as they are written.
    voxel_size : Angstrom
        Å per voxel as they are written; 0 where it is not known.
    padded, left_out : int
        Boxes that reach past a face and are filled up, and those left out for that, or as their particle lies outside.
    config : ExtractConfig
        How.
    """

    parts: tuple[tuple[Tomogram, ParticleTable], ...] = field(repr=False)
    config: ExtractConfig
    edge: int
    voxel_size: Angstrom
    padded: int
    left_out: int

    @property
    def count(self) -> int:
        """How many boxes are written."""
        return sum(len(table) for _, table in self.parts)

    @property
    def megabytes(self) -> float:
        """What they take on the disk, about."""
        return sum(len(table) * self.edge**3 * _kind(tomogram, self.config).itemsize for tomogram, table in self.parts) / 1e6


def plan(parts: Sequence[tuple[Tomogram, ParticleTable]], diameter: Angstrom, config: ExtractConfig) -> Plan:
    """Look what cutting particles out would write.

    Parameters
    ----------
    parts, diameter, config
        As for `extract`.

    Returns
    -------
    Plan
        At least one box.

    Raises
    ------
    ConfigError
        If there is nothing to write, or voxel sizes differ.
    """
    there = [(tomogram, table.select(tomogram.box.contains(table.positions))) for tomogram, table in parts]
    used = [(tomogram, table) for tomogram, table in there if len(table)]
    sizes = {round(tomogram.voxel_size, 3) for tomogram, _ in used}
    if len(sizes) > 1:
        raise ConfigError(f"Sub-volumes of one STAR file have one voxel size, not {sorted(sizes)} Å; choose tomograms of one.")
    if not used or (0 in sizes and not config.box):
        said = (
            "The voxel size is not known; give it, or a box in voxels."
            if used
            else "There are no particles to cut out in these tomograms."
        )
        raise ConfigError(said)
    size = used[0][0].voxel_size
    edge = config.edge(diameter, size)
    inside = [within(tomogram, _middle(table.positions, config), edge * config.binning) for tomogram, table in used]
    near = sum(int((~one).sum()) for one in inside)
    if config.faces == "leave":
        used = [(tomogram, table.select(rows)) for (tomogram, table), rows in zip(used, inside, strict=True) if rows.any()]
    if not used:
        raise ConfigError(
            f"All {near} boxes of {edge} voxels reach past a face; take a smaller box, or fill them up with the mean."
        )
    padded = near if config.faces == "pad" else 0
    left_out = sum(len(table) for _, table in parts) - sum(len(table) for _, table in used)
    return Plan(parts=tuple(used), config=config, edge=edge, voxel_size=size * config.binning, padded=padded, left_out=left_out)


def _kind(tomogram: Tomogram, config: ExtractConfig) -> np.dtype[Any]:
    return tomogram.data.dtype.newbyteorder("=") if config.untouched else np.dtype(np.float32)


@dataclass
class _Rows:
    """Columns of the STAR file as they grow."""

    tomograms: list[str] = field(default_factory=list)
    positions: list[Positions] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)


def extract(
    parts: Sequence[tuple[Tomogram, ParticleTable]], diameter: Angstrom, folder: Path, config: ExtractConfig | None = None
) -> Generator[Message, None, Extracted]:
    """Cut particles out, as a job; the folder appears whole or not at all.

    Voxel ``edge // 2`` of a box is the one that the particle lies in, or nearest to where that is binned: boxes are cut at whole
    voxels of the tomogram, and nothing is interpolated.
    The STAR file is that of RELION's particles, with ``rlnImageName`` relative to the folder (``n@`` before a stack or array, n
    from 1) and coordinates in voxels of the tomogram from the centre of the first.

    Parameters
    ----------
    parts : Sequence[tuple[Tomogram, ParticleTable]]
        Tomograms of one voxel size and the particles in each.
    diameter : Angstrom
        Of the particle.
    folder : Path
        To make, or to replace if it is one of these.
    config : ExtractConfig | None
        How; None for the defaults.

    Yields
    ------
    Message
        Progress, once for each particle.

    Returns
    -------
    Extracted
        What was written.

    Raises
    ------
    PickerError
        If there is nothing to write, voxel sizes differ, or the folder cannot be written; an earlier one is then untouched.
    """
    how = config or ExtractConfig()
    order = plan(parts, diameter, how)
    rows, done, names = _Rows(), 0, file_names([tomogram.id for tomogram, _ in order.parts])
    with atomic_folder(folder, lambda path: (path / STAR).exists()) as temporary:
        for tomogram, table in order.parts:
            cut = _Cut(tomogram, order.edge, diameter, how)
            with_name = names[tomogram.id]
            put, name_of = WRITERS[how.kind](temporary, with_name, (len(table), *(order.edge,) * 3), cut.dtype, order.voxel_size)
            for place, position in enumerate(table.positions):
                put(place, cut(position))
                rows.images.append(name_of(place))
                done += 1
                yield Progress(stage="Cutting out particles", done=done, total=order.count)
            rows.tomograms += [with_name] * len(table)
            rows.positions.append(table.positions)
            rows.scores += table.scores.tolist()
        _write_star(temporary / STAR, rows, order.voxel_size, order.edge)
    told = {"edge": order.edge, "count": order.count, "padded": order.padded, "left_out": order.left_out}
    return Extracted(star=folder / STAR, **told)


class _Cut:
    """Cuts boxes of one tomogram as they shall be written."""

    def __init__(self, tomogram: Tomogram, edge: int, diameter: Angstrom, how: ExtractConfig) -> None:
        self.edge, self.voxel_size = edge, tomogram.voxel_size * how.binning
        self.dtype = _kind(tomogram, how)
        self._tomogram, self._how = tomogram, how
        self._outside = distances(edge) > diameter / (self.voxel_size or 1.0) / 2 if how.normalise else None

    def __call__(self, position: Positions) -> NDArray[Any]:
        """Return the box around (3,) zyx voxels."""
        edge = self.edge * self._how.binning
        start = corner_of(_middle(position, self._how), edge)
        low = [max(0, one) for one in start]
        high = [min(n, one + edge) for n, one in zip(self._tomogram.shape, start, strict=True)]
        part = np.asarray(self._tomogram.data[low[0] : high[0], low[1] : high[1], low[2] : high[2]])
        box: NDArray[Any] = part
        if part.shape != (edge,) * 3:
            mean = part.mean(dtype=np.float64)
            whole = np.rint(mean) if part.dtype.kind in "iu" and self._how.untouched else mean
            box = np.full((edge,) * 3, whole, part.dtype if self._how.untouched else np.float32)
            box[tuple(slice(a - b, c - b) for a, b, c in zip(low, start, high, strict=True))] = part
        return box.astype(self.dtype) if self._how.untouched else self._changed(box.astype(np.float32))

    def _changed(self, box: FloatArray) -> FloatArray:
        if self._how.binning > 1:
            box = binned(box, self._how.binning)
        if self._outside is not None:
            around = box[self._outside] if self._outside.any() else box.ravel()
            box = (box - around.mean()) / (around.std() or 1.0)
        return np.asarray(-box if self._how.invert else box, np.float32)


def _middle(positions: Positions, how: ExtractConfig) -> Positions:
    """Move positions so that the cube which becomes the middle voxel is about them."""
    return positions - (how.binning - 1) / 2


def _write_star(path: Path, rows: _Rows, size: Angstrom, edge: int) -> None:
    import pandas as pd

    placed = np.concatenate(rows.positions)
    particles: dict[str, Any] = {"rlnTomoName": rows.tomograms}
    particles |= dict(zip(("rlnCoordinateX", "rlnCoordinateY", "rlnCoordinateZ"), placed.T[::-1], strict=True))
    particles |= {"rlnImageName": rows.images, "rlnOpticsGroup": [1] * len(placed)}
    if np.isfinite(rows.scores).all():
        particles["rlnAutopickFigureOfMerit"] = rows.scores
    optics = {"rlnOpticsGroup": [1], "rlnOpticsGroupName": ["opticsGroup1"], "rlnImagePixelSize": [size]}
    optics |= {"rlnImageSize": [edge], "rlnImageDimensionality": [3]}
    write_stars(path, {"optics": pd.DataFrame(optics), "particles": pd.DataFrame(particles)})
