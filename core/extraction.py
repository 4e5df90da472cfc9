"""Small volumes around particles, cut out for other programs, with a STAR file that points to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from core.cutting import corner_of, edge_of, within
from core.errors import ConfigError
from core.io.atomic import atomic_folder, safe_name
from core.io.particles.starwriting import write_stars
from core.io.volumes import write_mrc
from core.messages import Progress
from core.wedge import distances

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from core.messages import Message
    from core.particles import ParticleTable
    from core.tomogram import Tomogram
    from core.types import Angstrom, FloatArray, Positions

STAR = "particles.star"
Kind = Literal["mrc", "stack", "zarr"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractConfig:
    """How sub-volumes are written.

    Attributes
    ----------
    kind : Kind
        ``mrc``: a file each; ``stack``: an MRC file with all of a tomogram; ``zarr``: an array (n, z, y, x) of each tomogram.
    box : int
        Edge in voxels, even; 0 for twice the diameter.
    invert : bool
        Change the sign of the voxels: RELION wants particles bright on dark, and in tomograms they are dark.
    normalise : bool
        Bring the voxels outside the particle's sphere to zero mean and unit standard deviation, as RELION does.
    faces : {"pad", "leave"}
        What becomes of a box that reaches past a face: filled up with the mean of what is inside, or left out.
    """

    kind: Kind = "mrc"
    box: int = 0
    invert: bool = False
    normalise: bool = False
    faces: Literal["pad", "leave"] = "pad"

    def __post_init__(self) -> None:
        if self.box < 0 or self.box % 2 or self.box > 512:
            raise ConfigError(f"The box of sub-volumes must be an even number of at most 512 voxels, or 0, not {self.box}.")

    @property
    def untouched(self) -> bool:
        """Whether voxels keep their values and their type."""
        return not (self.invert or self.normalise)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """What was written.

    Attributes
    ----------
    star : Path
        The file that points to the sub-volumes.
    edge : int
        Of a box, in voxels.
    count, padded, left_out : int
        How many were written, how many of them reach past a face, and how many were left out for that.
    """

    star: Path
    edge: int
    count: int
    padded: int
    left_out: int


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

    Voxel ``edge // 2`` of a box is the one that the particle lies in: boxes are cut at whole voxels, and nothing is interpolated.
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
    used = [(tomogram, table) for tomogram, table in parts if len(table)]
    sizes = {round(tomogram.voxel_size, 3) for tomogram, _ in used}
    if len(sizes) > 1:
        raise ConfigError(f"Sub-volumes of one STAR file have one voxel size, not {sorted(sizes)} Å; choose tomograms of one.")
    if not used or (0 in sizes and not how.box):
        said = "The voxel size is not known; give it, or a box in voxels." if used else "There are no particles to cut out."
        raise ConfigError(said)
    size = used[0][0].voxel_size
    edge = how.box or edge_of(diameter, size)
    inside = [within(tomogram, table.positions, edge) for tomogram, table in used]
    kept = [table if how.faces == "pad" else table.select(rows) for (_, table), rows in zip(used, inside, strict=True)]
    count, total = sum(map(len, kept)), sum(len(table) for _, table in used)
    if not count:
        raise ConfigError(
            f"All {total} boxes of {edge} voxels reach past a face; take a smaller box, or fill them up with the mean."
        )
    rows, done = _Rows(), 0
    with atomic_folder(folder, lambda path: (path / STAR).exists()) as temporary:
        for (tomogram, _), table in zip(used, kept, strict=True):
            cut = _Cut(tomogram, edge, diameter / (size or 1.0) / 2, how)
            with_name = safe_name(tomogram.id)
            put, name_of = _WRITERS[how.kind](temporary, with_name, len(table), cut)
            for place, position in enumerate(table.positions):
                put(place, cut(position))
                rows.images.append(name_of(place))
                done += 1
                yield Progress(stage="Cutting out particles", done=done, total=count)
            rows.tomograms += [with_name] * len(table)
            rows.positions.append(table.positions)
            rows.scores += table.scores.tolist()
        _write_star(temporary / STAR, rows, size, edge)
    near = total - sum(int(one.sum()) for one in inside)
    padded = near if how.faces == "pad" else 0
    return Extracted(star=folder / STAR, edge=edge, count=count, padded=padded, left_out=total - count)


class _Cut:
    """Cuts boxes of one tomogram as they shall be written."""

    def __init__(self, tomogram: Tomogram, edge: int, radius: float, how: ExtractConfig) -> None:
        self.edge, self.voxel_size = edge, tomogram.voxel_size
        self.dtype = tomogram.data.dtype.newbyteorder("=") if how.untouched else np.dtype(np.float32)
        self._tomogram, self._how = tomogram, how
        self._outside = distances(edge) > radius if how.normalise else None

    def __call__(self, position: Positions) -> NDArray[Any]:
        """Return the box around (3,) zyx voxels."""
        start, edge = corner_of(position, self.edge), self.edge
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
        if self._outside is not None:
            around = box[self._outside] if self._outside.any() else box.ravel()
            box = (box - around.mean()) / (around.std() or 1.0)
        return np.asarray(-box if self._how.invert else box, np.float32)


Writer = tuple["Callable[[int, NDArray[Any]], None]", "Callable[[int], str]"]
"""Takes the n-th box, and says what the STAR file calls it."""


def _files(folder: Path, name: str, _count: int, cut: _Cut) -> Writer:
    (folder / name).mkdir()

    def image(place: int) -> str:
        return f"{name}/{place + 1:06d}.mrc"

    return lambda place, box: write_mrc(folder / image(place), box, cut.voxel_size), image


def _stack(folder: Path, name: str, count: int, cut: _Cut) -> Writer:
    import mrcfile
    from mrcfile.utils import mode_from_dtype

    kind = np.dtype(np.float32) if cut.dtype.name not in ("int8", "int16", "uint16", "float16", "float32") else cut.dtype
    shape = (count, cut.edge, cut.edge, cut.edge)
    with mrcfile.new_mmap(folder / f"{name}.mrcs", shape=shape, mrc_mode=mode_from_dtype(kind)) as file:
        file.voxel_size = cut.voxel_size

    def put(place: int, box: NDArray[Any]) -> None:
        with mrcfile.mmap(folder / f"{name}.mrcs", mode="r+") as file:
            file.data[place] = box

    return put, lambda place: f"{place + 1:06d}@{name}.mrcs"


def _zarr(folder: Path, name: str, count: int, cut: _Cut) -> Writer:
    import zarr

    shape = (count, cut.edge, cut.edge, cut.edge)
    array = zarr.create_array(str(folder / f"{name}.zarr"), shape=shape, chunks=(1, *shape[1:]), dtype=cut.dtype, zarr_format=2)
    array.attrs.update({"axes": ["particle", "z", "y", "x"], "voxel_size": cut.voxel_size, "unit": "angstrom"})

    def put(place: int, box: NDArray[Any]) -> None:
        array[place] = box

    return put, lambda place: f"{place + 1:06d}@{name}.zarr"


_WRITERS: dict[str, Callable[[Path, str, int, _Cut], Writer]] = {"mrc": _files, "stack": _stack, "zarr": _zarr}


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
