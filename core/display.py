"""What the eye gets: sections with slab average and filters, contrast, small copies, and what lies under the mouse."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from core.filters import gaussian_sigma, smooth
from core.messages import Progress

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from numpy.typing import NDArray

    from core.messages import Message
    from core.particles import ClassSpec, ParticleTable
    from core.tomogram import Columns, Tomogram
    from core.types import Angstrom, FloatArray, IntArray, Positions, Shape, Voxels

_SAMPLED_SECTIONS = 9
_SAMPLED_VOXELS = 200_000
SMALL_EDGE = 160  # voxels of a copy for three dimensions: 4 MB at most, which software OpenGL turns, too
SMALLEST: Voxels = 1.5  # diameter of the smallest sphere that is drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How sections are shown; training and picking never see any of it.

    Attributes
    ----------
    slab : int
        Sections that are averaged, at least 1.
    low_pass, high_pass : Angstrom
        Resolutions in Å as in `PreprocessConfig`, applied within the section; 0 for none.
    """

    slab: int = 1
    low_pass: Angstrom = 0.0
    high_pass: Angstrom = 0.0


@dataclass(frozen=True, slots=True)
class SmallCopy:
    """A tomogram made small.

    Attributes
    ----------
    data : ndarray
        (z, y, x) the means of cubes of voxels, 0 to 255, bright where the tomogram is dark.
    step : int
        Edge of those cubes; the centre of voxel i lies at i * step + (step - 1) / 2 of the tomogram.
    """

    data: NDArray[np.uint8] = field(repr=False)
    step: int


def section(tomogram: Tomogram, axis: int, index: int, look: Look, columns: Columns | None = None) -> FloatArray:
    """Cut a section through a tomogram.

    Parameters
    ----------
    tomogram : Tomogram
        What to cut.
    axis : int
        0, 1 or 2: the section is perpendicular to z, y or x.
    index : int
        Where along that axis, in voxels; beyond the faces, the outermost section is taken.
    look : Look
        Slab average and filters.
    columns : Columns | None
        Of the same tomogram, where pages are turned along x; None to read just this section.

    Returns
    -------
    FloatArray
        The remaining two axes in their order.
    """
    first = min(max(index, 0), tomogram.shape[axis] - 1) - (look.slab - 1) // 2
    low, high = max(first, 0), min(max(first + look.slab, 1), tomogram.shape[axis])
    whole = [slice(None)] * 3
    whole[axis] = slice(low, high)
    slab = np.asarray(tomogram.data[tuple(whole)]) if columns is None or axis != 2 else columns.read(low, high)
    flat = slab.mean(axis=axis, dtype=np.float32) if slab.shape[axis] > 1 else slab.take(0, axis).astype(np.float32)
    image: FloatArray = np.asarray(flat, np.float32)
    if not tomogram.voxel_size:
        return image
    fine = _smoothed(image, look.low_pass, tomogram.voxel_size) if look.low_pass else image
    return fine - _smoothed(image, look.high_pass, tomogram.voxel_size) if look.high_pass else fine


def _smoothed(image: FloatArray, resolution: Angstrom, voxel_size: Angstrom) -> FloatArray:
    return np.asarray(smooth(image[np.newaxis], gaussian_sigma(resolution, voxel_size), axes=(1, 2))[0], np.float32)


def contrast(tomogram: Tomogram, look: Look) -> tuple[float, float]:
    """Find grey values to show as black and white, from a few sections.

    Parameters
    ----------
    tomogram : Tomogram
        The tomogram.
    look : Look
        How its sections are shown, which changes their range.

    Returns
    -------
    tuple[float, float]
        The 0.5 and 99.5 percentiles; never equal.
    """
    depth = tomogram.shape[0]
    places = np.unique(np.linspace(0.1 * depth, 0.9 * depth - 1, _SAMPLED_SECTIONS).round().astype(int).clip(0, depth - 1))
    sections = [section(tomogram, 0, int(z), look).ravel() for z in places]
    step = max(1, sections[0].size * len(sections) // _SAMPLED_VOXELS)
    values = np.concatenate([one[::step] for one in sections])
    values = values[np.isfinite(values)]
    low, high = np.percentile(values, (0.5, 99.5)) if len(values) else (0.0, 1.0)
    return float(low), float(max(high, low + 1e-6 * max(1.0, abs(low))))


def value_at(tomogram: Tomogram, position: Positions) -> float:
    """Read one voxel.

    Parameters
    ----------
    tomogram : Tomogram
        Where.
    position : Positions
        (3,) zyx voxels.

    Returns
    -------
    float
        NaN outside.
    """
    z, y, x = np.round(position).astype(int)
    inside = all(0 <= i < n for i, n in zip((z, y, x), tomogram.shape, strict=True))
    return float(tomogram.data[z, y, x]) if inside else float("nan")


def small_copy(tomogram: Tomogram, edge: int = SMALL_EDGE) -> Generator[Message, None, SmallCopy]:
    """Make a copy for a view in three dimensions that any graphics card can hold, as a job.

    Every voxel of the tomogram counts, so noise is averaged away; memory holds a few sections at a time.

    Parameters
    ----------
    tomogram : Tomogram
        The tomogram.
    edge : int
        Largest edge of the copy in voxels.

    Yields
    ------
    Message
        Progress, once for each section of the copy.

    Returns
    -------
    SmallCopy
        Its own 0.5 and 99.5 percentiles are 255 and 0: matter is dark in tomograms and bright here.
    """
    step = max(1, -(-max(tomogram.shape) // edge))
    starts = [np.arange(0, n, step) for n in tomogram.shape]
    counts = [np.diff(np.append(places, n)) for places, n in zip(starts, tomogram.shape, strict=True)]
    sections = []
    for done, z in enumerate(starts[0].tolist(), 1):
        total = np.asarray(tomogram.data[z : z + step]).sum(axis=0, dtype=np.float32)
        binned = np.add.reduceat(np.add.reduceat(total, starts[1], axis=0), starts[2], axis=1)
        sections.append(np.nan_to_num(binned / (counts[0][done - 1] * counts[1][:, None] * counts[2])))
        yield Progress(stage="Preparing the 3-D view", done=done, total=len(starts[0]))
    means = np.stack(sections)
    low, high = np.percentile(means, (0.5, 99.5))
    grey = (high - means) / max(float(high - low), 1e-30)
    return SmallCopy(data=(255 * np.clip(grey, 0, 1)).astype(np.uint8), step=step)


def clamped(position: Positions, shape: Shape) -> Positions:
    """Bring a position into a volume.

    Parameters
    ----------
    position : Positions
        (3,) zyx voxels.
    shape : Shape
        (z, y, x) extents of the volume.

    Returns
    -------
    Positions
        (3,) the nearest voxel centre inside.
    """
    return np.clip(np.round(position), 0, np.asarray(shape) - 1).astype(np.float64)


def diameters(table: ParticleTable, classes: Mapping[int, ClassSpec], voxel_size: Angstrom) -> FloatArray:
    """Return the diameter of every particle.

    Parameters
    ----------
    table : ParticleTable
        n particles.
    classes : Mapping[int, ClassSpec]
        Their classes by id.
    voxel_size : Angstrom
        Å per voxel; where it is not known, 1 is taken.

    Returns
    -------
    FloatArray
        (n,) in voxels.
    """
    sizes = np.full(max(classes, default=0) + 1, 1.0, np.float32)
    for number, spec in classes.items():
        sizes[number] = spec.diameter / (voxel_size or 1.0)
    return np.asarray(sizes[np.minimum(table.class_ids, len(sizes) - 1)], np.float32)


def cross_sections(positions: Positions, sizes: FloatArray, axis: int, index: float) -> tuple[IntArray, FloatArray]:
    """Find the spheres that a section cuts, and the circles in which it cuts them.

    Parameters
    ----------
    positions : Positions
        (n, 3) zyx voxels of their centres.
    sizes : FloatArray
        (n,) their diameters in voxels; less than `SMALLEST` counts as that, so that no particle hides between two sections.
    axis : int
        The section is perpendicular to this axis.
    index : float
        Where it cuts, in voxels along that axis.

    Returns
    -------
    rows : IntArray
        (m,) which spheres are cut, ascending.
    diameters : FloatArray
        (m,) of their circles, in voxels.
    """
    away = positions[:, axis] - index
    squares = (np.maximum(sizes, SMALLEST) / 2) ** 2 - away**2
    rows = np.flatnonzero(squares > 0)
    return rows, (2 * np.sqrt(squares[rows])).astype(np.float32)


def under(table: ParticleTable, sizes: FloatArray, position: Positions, axis: int, reach: Voxels = 3.0) -> int | None:
    """Find the particle whose circle lies under the mouse.

    Parameters
    ----------
    table : ParticleTable
        n particles.
    sizes : FloatArray
        (n,) diameters in voxels.
    position : Positions
        (3,) zyx voxels, on the section.
    axis : int
        The section is perpendicular to this axis.
    reach : Voxels
        A centre counts at least from this near, however small the particle.

    Returns
    -------
    int | None
        Row of the one with the nearest centre among those whose cross-section holds the position.
    """
    if not len(table):
        return None
    away = table.positions - position
    reaches = np.maximum(sizes / 2, reach)
    inside = (away**2).sum(axis=1) <= reaches**2
    inside &= np.abs(away[:, axis]) < np.maximum(sizes / 2, 0.5)
    if not inside.any():
        return None
    return int(np.where(inside, (away**2).sum(axis=1), np.inf).argmin())
