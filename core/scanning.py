"""Scanning a region: score map and MP-NMS together, candidates announced while tiles finish."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from core.device import beside
from core.labels import label_diameter
from core.memory import available
from core.messages import Notice, Progress
from core.nms import Peaks, Pooling, find_peaks, pooling, thin_out
from core.particles import ParticleTable, Source, Status
from core.tomogram import Box

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from concurrent.futures import Future

    from numpy.typing import NDArray

    from core.config import LabelConfig, PickConfig
    from core.inference import Scanner
    from core.particles import ClassSpec
    from core.preprocess import Prepared
    from core.scoremap import ScoreMapWriter
    from core.tomogram import Mask
    from core.types import Angstrom, Shape, Voxels


PART = 0.25
"""Of the free memory, for the score map."""


BESIDE = ("cuda",)
"""Devices on which the peaks of a row of tiles are found while the next row is scored; on a processor both would share it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What is looked for, in voxels of the tomogram at hand.

    Attributes
    ----------
    classes : tuple[ClassSpec, ...]
        In the order of the network's channels.
    poolings : tuple[Pooling, ...]
        How the peaks of each class are made.
    distances : tuple[Voxels, ...]
        Smallest distance between two picks of each class.
    across : Voxels
        Smallest distance between picks of any classes, as the published variant has it; 0 for none.
    """

    classes: tuple[ClassSpec, ...]
    poolings: tuple[Pooling, ...]
    distances: tuple[Voxels, ...]
    across: Voxels


def targets(classes: Sequence[ClassSpec], voxel_size: Angstrom, label: LabelConfig, config: PickConfig) -> Targets:
    """Work out what is looked for in a tomogram.

    Parameters
    ----------
    classes : Sequence[ClassSpec]
        In the order of the network's channels.
    voxel_size : Angstrom
        Of the tomogram.
    label : LabelConfig
        For the size of the labels that the network was trained on.
    config : PickConfig
        MP-NMS variant, floor and distances.

    Returns
    -------
    Targets
        In voxels.
    """
    diameters = [spec.diameter / voxel_size for spec in classes]
    published = config.nms == "published"
    fraction = label.diameter_fraction
    return Targets(
        classes=tuple(classes),
        poolings=tuple(pooling(config.nms, d, label_diameter(d, fraction), config.floor) for d in diameters),
        distances=tuple(0.0 if published else config.min_distance * d for d in diameters),
        across=min(diameters) / 2 if published else 0.0,
    )


@dataclass(frozen=True, slots=True)
class Found:
    """Raw candidates of all classes, best first within each class: positions, class ids and raw scores."""

    peaks: tuple[Peaks, ...]

    def table(self, tomogram_id: str, wanted: Targets) -> ParticleTable:
        """Thin out the candidates and put them into one table.

        Parameters
        ----------
        tomogram_id : str
            The tomogram that was scanned.
        wanted : Targets
            With the smallest distances.

        Returns
        -------
        ParticleTable
            Best raw score first.
        """
        kept = [thin_out(p, distance) for p, distance in zip(self.peaks, wanted.distances, strict=True)]
        positions = np.concatenate([p.positions for p in kept])
        scores = np.concatenate([p.scores for p in kept])
        ids = np.concatenate([np.full(len(p), spec.id, np.int64) for p, spec in zip(kept, wanted.classes, strict=True)])
        order = np.argsort(-scores, kind="stable")
        table = ParticleTable.build(
            tomogram_id, positions[order], ids[order], scores=scores[order], source=Source.PICKED, status=Status.CANDIDATE
        )
        if wanted.across > 0:
            rows = np.arange(len(table))
            survivors = thin_out(Peaks(table.positions, rows.astype(np.float32)), wanted.across).scores.astype(int)
            table = table.select(survivors)
        return table


def scan(
    prepared: Prepared,
    look: Scanner,
    wanted: Targets,
    region: Box,
    keep: ScoreMapWriter | None = None,
    mask: Mask | None = None,
) -> Generator[Progress | Notice | Found, None, Found]:
    """Score a region and find the raw candidates in it, section by section.

    Of the score map only the sections are held, as float16, on which peaks to come depend: a row of tiles and what lies
    between it and the last peaks. It reaches as far around the region as peaks inside depend on it, so that they are those
    of the whole tomogram. Candidates are announced as soon as no tile to come can change them.

    Parameters
    ----------
    prepared : Prepared
        The normalised tomogram.
    look : Scanner
        The network.
    wanted : Targets
        What is looked for.
    region : Box
        Where.
    keep : ScoreMapWriter | None
        Takes the score map, row of tiles by row of tiles; None to forget it.
    mask : Mask | None
        Tiles on which no peak within the mask depends are not computed, their probability is 0. Candidates beside the mask are
        left to whoever calls.

    Yields
    ------
    Progress | Notice | Found
        After every tile, in voxels, and what is new after every row of tiles; when the memory did not suffice for a tile.

    Returns
    -------
    Found
        All raw candidates, positions in voxels of the tomogram.
    """
    halo = max(how.halo for how in wanted.poolings)
    shape = prepared.tomogram.shape
    wide = _widened(region, halo, shape)
    laid = look.tiles(wide, shape, _tallest(len(wanted.classes), wide, halo))
    tiles = [(tile, mask is None or mask.touches(_widened(tile.core, halo, shape))) for tile in laid]
    total, done, started = sum(_voxels(tile.core) for tile, needed in tiles if needed), 0, time.monotonic()
    slab, final = _Slab(len(wanted.classes), wide), region.low[0]
    parts: list[Found] = []
    finding: list[Future[Found]] = []
    with ThreadPoolExecutor(1, "peaks") as finder:
        for (top, bottom), row in groupby(tiles, key=lambda entry: (entry[0].core.low[0], entry[0].core.high[0])):
            slab.move(max(final - halo, wide.low[0]), bottom)
            for step in look.scores(prepared, [tile for tile, needed in row if needed]):
                if isinstance(step, Notice):
                    yield step
                    continue
                tile, scores = step
                slab.part(tile.core)[:] = scores
                done += _voxels(tile.core)
                left = (time.monotonic() - started) / done * (total - done)
                yield Progress(stage="Scoring", done=done, total=total, eta=left)
            if keep is not None:
                part = Box((top, *wide.low[1:]), (bottom, *wide.high[1:]))
                keep.write(part, slab.part(part))
            safe = region.high[0] if bottom == wide.high[0] else min(bottom - halo, region.high[0])
            if safe > final:
                part = Box((final, *region.low[1:]), (safe, *region.high[1:]))
                finding.append(finder.submit(slab.finder(wanted, look, part)))
                final = safe
            late = look.compute.device.type in BESIDE and bottom != wide.high[0]
            while len(finding) > late:
                parts.append(finding.pop(0).result())
                yield parts[-1]
    return Found(tuple(_merged([part.peaks[i] for part in parts]) for i in range(len(wanted.classes))))


class _Slab:
    """The sections of the score map that peaks to come depend on.

    Parameters
    ----------
    classes : int
        How many maps.
    wide : Box
        All that is scored; the slab moves through it from low z to high z.
    """

    def __init__(self, classes: int, wide: Box) -> None:
        self._wide, self._low = wide, wide.low
        self._values = np.zeros((classes, 0, *wide.shape[1:]), np.float16)

    def move(self, low: int, high: int) -> None:
        """Forget the sections below `low` and make room, at probability 0, up to `high`."""
        kept = self._values[:, low - self._low[0] :].copy()
        self._values = kept[:, :0]  # frees the old sections before the new ones are made
        self._values = np.zeros((len(kept), high - low, *self._wide.shape[1:]), np.float16)
        self._values[:, : kept.shape[1]] = kept
        self._low = (low, *self._wide.low[1:])

    def part(self, box: Box) -> NDArray[np.float16]:
        """Return a view of a part, (classes, z, y, x)."""
        return self._values[(slice(None), *(slice(a - o, b - o) for a, b, o in zip(box.low, box.high, self._low, strict=True)))]

    def finder(self, wanted: Targets, look: Scanner, part: Box) -> Callable[[], Found]:
        """Return what finds the peaks of a part of it, whatever becomes of the slab meanwhile."""
        low, high = (np.subtract(corner, self._low).tolist() for corner in (part.low, part.high))
        box, device, values, origin = Box(tuple(low), tuple(high)), look.compute.device, self._values, np.asarray(self._low)

        def find() -> Found:
            with beside(device):
                found = [find_peaks(map_, how, box, device) for map_, how in zip(values, wanted.poolings, strict=True)]
            return Found(tuple(Peaks(p.positions + origin, p.scores) for p in found))

        return find


def _tallest(classes: int, wide: Box, halo: int) -> int:
    """Return how many sections of tiles the score map has room for, beside what it keeps of those before."""
    section = np.dtype(np.float16).itemsize * classes * math.prod(wide.shape[1:])
    return max(int(PART * available() / section) - 4 * halo, 1)


def _voxels(box: Box) -> int:
    return math.prod(box.shape)


def _widened(region: Box, margin: int, shape: Shape) -> Box:
    low = [max(a - margin, 0) for a in region.low]
    high = [min(b + margin, n) for b, n in zip(region.high, shape, strict=True)]
    return Box((low[0], low[1], low[2]), (high[0], high[1], high[2]))


def _merged(parts: list[Peaks]) -> Peaks:
    positions, scores = np.concatenate([p.positions for p in parts]), np.concatenate([p.scores for p in parts])
    order = np.argsort(-scores, kind="stable")
    return Peaks(positions[order], scores[order])
