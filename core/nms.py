"""MP-NMS: mean-pooling and non-maximum suppression turn a score map into centres.

After Liu et al. 2024 (doi 10.1038/s41467-024-46041-0). The map is worked through in blocks with a halo that covers
everything the pools can see, so that the blocks leave no seam and the memory does not depend on the map.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from core.tomogram import Box

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.config import Nms
    from core.types import FloatArray, Positions, Volume, Voxels

BLOCK = 128  # edge of a block in voxels, its halo not counted
WINDOW = 5  # edge of the pools in voxels
PUBLISHED_CUT = 0.5  # of the probabilities
PUBLISHED_FLOOR = 0.1  # of the pooled binary map


@dataclass(frozen=True, slots=True)
class Peaks:
    """Local maxima of a score map, best first.

    Attributes
    ----------
    positions : Positions
        (n, 3) zyx voxels of the map.
    scores : FloatArray
        (n,) 0..1.
    """

    positions: Positions
    scores: FloatArray

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, slots=True)
class Pooling:
    """How peaks are made of a map.

    Attributes
    ----------
    kind : Nms
        ``graded`` pools the probabilities themselves, ``published`` pools the map after cutting it at 0.5.
    pools : int
        How many times the mean over 5³ voxels is taken.
    gain : float
        Factor that gives a perfect label the score 1.
    floor : float
        Smallest score of a peak.
    """

    kind: Nms
    pools: int
    gain: float
    floor: float

    @property
    def halo(self) -> int:
        """Voxels around a block that its peaks depend on."""
        return 2 * self.pools + 2 + 1


def pooling(kind: Nms, diameter: Voxels, label_diameter: Voxels, floor: float) -> Pooling:
    """Choose the pooling for a class.

    Parameters
    ----------
    kind : Nms
        ``published`` pools D / 4 + 1 times for the particle's diameter D and keeps peaks above 0.1; ``graded`` pools to the
        width of the label, so that the peak of a perfect label can be told.
    diameter, label_diameter : Voxels
        Diameters of the particle and of its label.
    floor : float
        Smallest score that ``graded`` keeps.

    Returns
    -------
    Pooling
        For `find_peaks`.
    """
    if kind == "published":
        return Pooling(kind, int(diameter / 4) + 1, 1.0, PUBLISHED_FLOOR)
    # one mean over more than the whole label is a plateau, which has no centre to find
    pools = max(1 if label_diameter >= WINDOW else 2, round(label_diameter / 4))
    return Pooling(kind, pools, 1 / _perfect_response(pools, label_diameter), floor)


def _perfect_response(pools: int, label_diameter: Voxels) -> float:
    half = int(label_diameter) + 2 * pools + 2
    axis = torch.arange(-half, half + 1, dtype=torch.float32)
    squared = axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2
    r = (label_diameter - 1) / 2
    inside = (squared <= 2 * r * r + 1e-4) & (_chebyshev(axis) < r + 0.5)
    return float(mean_pool(inside.float(), pools).max())


def _chebyshev(axis: Tensor) -> Tensor:
    a = axis.abs()
    return torch.maximum(torch.maximum(a[:, None, None], a[:, None]), a)


def mean_pool(block: Tensor, times: int) -> Tensor:
    """Take the mean over 5³ voxels several times, zeros beyond the faces, one axis after the other.

    Parameters
    ----------
    block : Tensor
        (z, y, x).
    times : int
        How many times.

    Returns
    -------
    Tensor
        (z, y, x), a new one.
    """
    for _ in range(times):
        for axis in range(3):
            block = _sum_of_five(block, axis)
        block /= 125
    return block


def _sum_of_five(block: Tensor, axis: int) -> Tensor:
    total = block.clone()
    n = block.shape[axis]
    for shift in (1, 2):
        if n > shift:
            total.narrow(axis, shift, n - shift).add_(block.narrow(axis, 0, n - shift))
            total.narrow(axis, 0, n - shift).add_(block.narrow(axis, shift, n - shift))
    return total


def max_pool(block: Tensor) -> Tensor:
    """Take the maximum over 5³ voxels, one axis after the other.

    Parameters
    ----------
    block : Tensor
        (z, y, x).

    Returns
    -------
    Tensor
        (z, y, x), a new one.
    """
    for axis in range(3):
        largest, n = block.clone(), block.shape[axis]
        for shift in (1, 2):
            if n > shift:
                ahead, behind = largest.narrow(axis, shift, n - shift), largest.narrow(axis, 0, n - shift)
                torch.maximum(ahead, block.narrow(axis, 0, n - shift), out=ahead)
                torch.maximum(behind, block.narrow(axis, shift, n - shift), out=behind)
        block = largest
    return block


def find_peaks(score_map: Volume, how: Pooling, region: Box | None = None, device: torch.device | None = None) -> Peaks:
    """Find the local maxima of the pooled map.

    Parameters
    ----------
    score_map : Volume
        (z, y, x) probabilities of one class, of any floating type.
    how : Pooling
        From `pooling`.
    region : Box | None
        Where peaks are wanted; the map around it still counts. None means everywhere.
    device : torch.device | None
        Where to compute; None means the CPU.

    Returns
    -------
    Peaks
        With sub-voxel positions for ``graded`` and whole voxels for ``published``. Not yet thinned out by distance.
    """
    z, y, x = score_map.shape
    region = region or Box((0, 0, 0), (z, y, x))
    found = [_block_peaks(score_map, how, box, device or torch.device("cpu")) for box in _blocks(region)]
    positions = np.concatenate([p for p, _ in found])
    scores = np.concatenate([s for _, s in found])
    order = np.argsort(-scores, kind="stable")
    return Peaks(positions[order], scores[order])


def _blocks(region: Box) -> Iterator[Box]:
    corners = (range(a, b, BLOCK) for a, b in zip(region.low, region.high, strict=True))
    for z, y, x in itertools.product(*corners):
        high = tuple(min(a + BLOCK, b) for a, b in zip((z, y, x), region.high, strict=True))
        yield Box((z, y, x), (high[0], high[1], high[2]))


def _block_peaks(score_map: Volume, how: Pooling, box: Box, device: torch.device) -> tuple[Positions, FloatArray]:
    low = tuple(max(a - how.halo, 0) for a in box.low)
    high = tuple(min(b + how.halo, n) for b, n in zip(box.high, score_map.shape, strict=True))
    part = np.asarray(score_map[tuple(slice(a, b) for a, b in zip(low, high, strict=True))])
    if not part.size or how.gain * float(part.max()) < how.floor:
        return np.zeros((0, 3)), np.zeros(0, np.float32)
    block = torch.from_numpy(np.ascontiguousarray(part, np.float32)).to(device)
    pooled = mean_pool((block > PUBLISHED_CUT).float() if how.kind == "published" else block, how.pools).mul_(how.gain)
    voxels = _maxima(pooled, how.floor)
    first, last = (torch.tensor(corner, device=device) - torch.tensor(low, device=device) for corner in (box.low, box.high))
    voxels = voxels[((voxels >= first) & (voxels < last)).all(1)]
    scores = pooled[tuple(voxels.T)].clamp_max(1).cpu().numpy()
    offsets = torch.zeros_like(voxels, dtype=torch.float32) if how.kind == "published" else _parabola_offsets(pooled, voxels)
    positions: Positions = voxels.cpu().numpy() + offsets.cpu().numpy().astype(np.float64) + np.asarray(low)
    return positions, scores


def _maxima(pooled: Tensor, floor: float) -> Tensor:
    return torch.nonzero((pooled == max_pool(pooled)) & (pooled > floor))


def _parabola_offsets(pooled: Tensor, voxels: Tensor) -> Tensor:
    offsets = torch.zeros_like(voxels, dtype=torch.float32)
    centre = pooled[tuple(voxels.T)]
    for axis in range(3):
        last = pooled.shape[axis] - 1
        inner = (voxels[:, axis] > 0) & (voxels[:, axis] < last)
        before, after = voxels.clone(), voxels.clone()
        before[:, axis] = (before[:, axis] - 1).clamp_min(0)
        after[:, axis] = (after[:, axis] + 1).clamp_max(last)
        left, right = pooled[tuple(before.T)], pooled[tuple(after.T)]
        curvature = left - 2 * centre + right
        offset = 0.5 * (left - right) / torch.where(curvature < 0, curvature, -torch.inf)
        offsets[:, axis] = torch.where(inner, offset, 0).clamp(-0.5, 0.5)
    return offsets


def thin_out(peaks: Peaks, distance: Voxels) -> Peaks:
    """Keep the best of every group of peaks that are too close together.

    Parameters
    ----------
    peaks : Peaks
        Of one class, best first.
    distance : Voxels
        Peaks nearer than this to a better one that is kept are dropped.

    Returns
    -------
    Peaks
        Best first.
    """
    keep = np.ones(len(peaks), bool)
    if distance > 0 and len(peaks) > 1:
        pairs = cKDTree(peaks.positions).query_pairs(np.nextafter(distance, 0), output_type="ndarray")
        pairs = np.sort(pairs, axis=1)
        for better, worse in pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]:
            keep[worse] &= not keep[better]
    return Peaks(peaks.positions[keep], peaks.scores[keep])
