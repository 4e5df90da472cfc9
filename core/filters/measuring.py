"""What the voxels of a volume are like, and how to bring volumes to a common scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.errors import FileFormatError
from core.memory import forget
from core.messages import Progress, drain

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from typing import Any

    from numpy.typing import NDArray

    from core.config import Normalisation
    from core.messages import Message
    from core.types import FloatArray, Shape, Volume

SAMPLE_VOXELS = 2**22
_SLAB_VOXELS = 2**21


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What the voxels of a volume are like; values that are not finite are counted and left out.

    Attributes
    ----------
    mean, std : float
        Mean and standard deviation.
    low, high : float
        0.1 and 99.9 percentiles: exact up to 4 million voxels, from every n-th voxel beyond, which is right to 0.005 percent.
    minimum, maximum : float
        Extremes.
    not_finite : int
        Number of voxels that are NaN or infinite.
    first_not_finite : Shape | None
        (z, y, x) of the first of these.
    """

    mean: float
    std: float
    low: float
    high: float
    minimum: float
    maximum: float
    not_finite: int
    first_not_finite: Shape | None


@dataclass(frozen=True, slots=True)
class Affine:
    """Normalised value = voxel * scale + offset."""

    scale: float
    offset: float


class _Moments:
    """Running count, mean, squared deviations and extremes (Chan et al. 1983), stable for large offsets."""

    def __init__(self) -> None:
        self.count, self.mean, self.squares, self.low, self.high = 0, 0.0, 0.0, math.inf, -math.inf

    def add(self, values: FloatArray) -> None:
        if not values.size:
            return
        count, mean = self.count + values.size, float(values.mean(dtype=np.float64))
        shift = mean - self.mean
        self.squares += float(values.var(dtype=np.float64)) * values.size + shift**2 * self.count * values.size / count
        self.count, self.mean = count, self.mean + shift * values.size / count
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))


def measure(volume: Volume) -> Generator[Message, None, Statistics]:
    """Measure a volume part by part, as a job; what is read of it is not kept in memory.

    Parameters
    ----------
    volume : Volume
        (z, y, x) voxels; may stay on disk.

    Yields
    ------
    Message
        Progress.

    Returns
    -------
    Statistics
        All NaN if no voxel is finite.
    """
    total = math.prod(volume.shape)
    moments, samples, not_finite, first, seen = _Moments(), [], 0, None, 0
    stride = math.ceil(total / SAMPLE_VOXELS) | 1
    for (z, y, x), stored in _parts(volume):
        part = stored.astype(np.float32)
        finite = np.isfinite(part)
        if not finite.all():
            not_finite += int(part.size - finite.sum())
            dz, dy, dx = (int(i) for i in np.unravel_index(np.argmin(finite), part.shape))
            first = min(first or volume.shape, (z + dz, y + dy, x + dx))
        values = part[finite]
        samples.append(values[-moments.count % stride :: stride].copy())  # a view would hold on to all voxels
        moments.add(values)
        seen += part.size
        yield Progress(stage="Measuring the tomogram", done=seen, total=total)
    low, high = np.percentile(np.concatenate(samples), [0.1, 99.9]) if moments.count else (math.nan, math.nan)
    return Statistics(
        mean=moments.mean if moments.count else math.nan,
        std=math.sqrt(moments.squares / moments.count) if moments.count else math.nan,
        low=float(low),
        high=float(high),
        minimum=moments.low,
        maximum=moments.high,
        not_finite=not_finite,
        first_not_finite=None if first is None else (first[0], first[1], first[2]),
    )


def statistics(volume: Volume) -> Statistics:
    """Measure a volume part by part.

    Parameters
    ----------
    volume : Volume
        (z, y, x) voxels; may stay on disk.

    Returns
    -------
    Statistics
        All NaN if no voxel is finite.
    """
    return drain(measure(volume))


def normalisation(found: Statistics, kind: Normalisation) -> Affine:
    """Tell how to normalise a volume with these statistics.

    Parameters
    ----------
    found : Statistics
        What `statistics` returned.
    kind : Normalisation
        ``standardise``: mean 0 and deviation 1; ``minmax``: the 0.1 and 99.9 percentiles to 0 and 1.

    Returns
    -------
    Affine
        Scale and offset.

    Raises
    ------
    FileFormatError
        If all voxels are the same.
    """
    if not found.maximum > found.minimum:
        raise FileFormatError(
            f"All voxels of the tomogram have the same value ({found.minimum:g}), so there is nothing to see in it; "
            "check that the reconstruction has worked."
        )
    if kind == "standardise":
        return Affine(1 / found.std, -found.mean / found.std)
    low, high = (found.low, found.high) if found.high > found.low else (found.minimum, found.maximum)
    return Affine(1 / (high - low), -low / (high - low))


def _parts(volume: Volume) -> Iterator[tuple[Shape, NDArray[Any]]]:
    """Yield parts that fit a processor's cache and a user's patience, with their first voxels; of chunked files slabs of chunks."""
    pieces = getattr(volume, "pieces", None)
    for (z, y, x), piece in pieces() if pieces else [((0, 0, 0), volume)]:
        depth, *wide = piece.shape
        step = max(1, _SLAB_VOXELS // math.prod(wide))
        for start in range(0, depth, step):
            yield (z + start, y, x), np.asarray(piece[start : start + step])
            forget(volume)
