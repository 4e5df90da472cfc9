"""Scanning a region: score map and MP-NMS together, candidates announced while tiles finish."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from core.labels import label_diameter
from core.messages import Progress
from core.nms import Peaks, Pooling, find_peaks, pooling, thin_out
from core.particles import ParticleTable, Source, Status
from core.tomogram import Box

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    from core.config import LabelConfig, PickConfig
    from core.inference import Scanner
    from core.particles import ClassSpec
    from core.preprocess import Prepared
    from core.scoremap import ScoreMapWriter
    from core.types import Angstrom, Shape, Voxels


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
    prepared: Prepared, look: Scanner, wanted: Targets, region: Box, keep: ScoreMapWriter | None = None
) -> Generator[Progress | Found, None, Found]:
    """Score a region and find the raw candidates in it, section by section.

    The score map is kept as float16, so that memory is bounded by 2 bytes × classes × voxels and the buffers of one tile. It
    reaches as far around the region as peaks inside depend on it, so that they are those of the whole tomogram. Candidates
    are announced as soon as no tile to come can change them.

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

    Yields
    ------
    Progress | Found
        After every tile, and what is new after every row of tiles.

    Returns
    -------
    Found
        All raw candidates, positions in voxels of the tomogram.
    """
    halo = max(how.halo for how in wanted.poolings)
    wide = _widened(region, halo, prepared.tomogram.shape)
    score_map = np.zeros((len(wanted.classes), *wide.shape), np.float16)
    tiles = look.tiles(wide)
    parts, done, final, started = [], 0, region.low[0], time.monotonic()
    for (top, bottom), group in groupby(tiles, key=lambda tile: (tile.core.low[0], tile.core.high[0])):
        for tile, scores in look.scores(prepared, list(group)):
            score_map[(slice(None), *_within(tile.core, wide))] = scores
            done += 1
            rate = (time.monotonic() - started) / done
            yield Progress(stage="Scoring", done=done, total=len(tiles), eta=rate * (len(tiles) - done))
        if keep is not None:
            part = Box((top, *wide.low[1:]), (bottom, *wide.high[1:]))
            keep.write(part, score_map[(slice(None), *_within(part, wide))])
        safe = region.high[0] if bottom == wide.high[0] else min(bottom - halo, region.high[0])
        if safe > final:
            slab = Box((final, *region.low[1:]), (safe, *region.high[1:]))
            parts.append(_find(score_map, wanted, look, slab, wide))
            yield parts[-1]
            final = safe
    return Found(tuple(_merged([part.peaks[i] for part in parts]) for i in range(len(wanted.classes))))


def _widened(region: Box, margin: int, shape: Shape) -> Box:
    low = [max(a - margin, 0) for a in region.low]
    high = [min(b + margin, n) for b, n in zip(region.high, shape, strict=True)]
    return Box((low[0], low[1], low[2]), (high[0], high[1], high[2]))


def _within(part: Box, whole: Box) -> tuple[slice, slice, slice]:
    z, y, x = (slice(a - o, b - o) for a, b, o in zip(part.low, part.high, whole.low, strict=True))
    return z, y, x


def _find(score_map: NDArray[np.float16], wanted: Targets, look: Scanner, part: Box, wide: Box) -> Found:
    z, y, x = _within(part, wide)
    box = Box((z.start, y.start, x.start), (z.stop, y.stop, x.stop))
    found = [find_peaks(map_, how, box, look.compute.device) for map_, how in zip(score_map, wanted.poolings, strict=True)]
    return Found(tuple(Peaks(p.positions + np.asarray(wide.low), p.scores) for p in found))


def _merged(parts: list[Peaks]) -> Peaks:
    positions, scores = np.concatenate([p.positions for p in parts]), np.concatenate([p.scores for p in parts])
    order = np.argsort(-scores, kind="stable")
    return Peaks(positions[order], scores[order])
