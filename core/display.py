"""What the eye gets: sections with slab average and filters, contrast, small copies, and what lies under the mouse."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from core.filters import gaussian_sigma, smooth
from core.messages import Progress
from core.tomogram import Level

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
        (z, y, x) the means of blocks of voxels, 0 to 255, bright where the tomogram is dark.
    factor, offset : tuple[float, float, float]
        (z, y, x) the centre of voxel i lies at i * factor + offset of the tomogram.
    """

    data: NDArray[np.uint8] = field(repr=False)
    factor: tuple[float, float, float]
    offset: tuple[float, float, float]


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

    Of a file that brings smaller copies along, the smallest that is large enough is read, otherwise every voxel of the
    tomogram; noise is averaged away. All blocks have the same size, perhaps with a part of a voxel, so that each lies where it
    is drawn up to the last face; memory holds a few sections at a time.

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
    whole = Level(data=tomogram.data, factor=(1.0,) * 3, offset=(0.0,) * 3)
    level = next((one for one in reversed(tomogram.levels) if max(one.data.shape) >= edge), whole)
    shape = np.array(level.data.shape)
    counts = -(-shape // max(1, -(-int(shape.max()) // edge)))
    size = shape / counts
    sections = []
    for done in range(1, counts[0] + 1):
        low, high = (done - 1) * size[0], done * size[0] if done < counts[0] else float(shape[0])
        slab = np.nan_to_num(np.asarray(level.data[int(low) : math.ceil(high)]), posinf=0.0, neginf=0.0)
        total = slab.sum(axis=0, dtype=np.float32) - (low % 1) * slab[0] - (math.ceil(high) - high) * slab[-1]
        sections.append(_sums(_sums(total, counts[1]).T, counts[2]).T / size.prod())
        yield Progress(stage="Preparing the 3-D view", done=done, total=int(counts[0]))
    means = np.stack(sections)
    low, high = np.percentile(means, (0.5, 99.5))
    grey = (high - means) / max(float(high - low), 1e-30)
    z, y, x = (
        (factor * n, offset + factor * (n - 1) / 2)
        for factor, offset, n in zip(level.factor, level.offset, size.tolist(), strict=True)
    )
    return SmallCopy(data=(255 * np.clip(grey, 0, 1)).astype(np.uint8), factor=(z[0], y[0], x[0]), offset=(z[1], y[1], x[1]))


def _sums(image: FloatArray, count: int) -> FloatArray:
    """Sum rows in parts of equal size; a row that lies in two parts counts in both by its share."""
    edges = np.arange(count) * (len(image) / count)
    rows = edges.astype(int)
    before = image[rows] * (edges % 1)[:, None]  # what belongs to the part before
    return np.asarray(np.add.reduceat(image, rows, axis=0) - before + np.append(before[1:], before[:1], axis=0), np.float32)


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
