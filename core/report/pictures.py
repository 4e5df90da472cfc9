"""Pictures of a report: particles cut from their tomograms, curves, averages; each as PNG text for the page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from core.averaging import AverageConfig, average
from core.calibration import estimated_curve
from core.cutting import Slabs, central_slabs, grey, slab_contrast
from core.figures import picks_figure, training_figure
from core.messages import Progress
from core.particles import Status
from core.plots import BLUE, ORANGE, blank, estimated_figure, shade
from core.portrait import draw_average

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from matplotlib.figure import Figure

    from core.averaging import Average
    from core.config import ReviewConfig
    from core.messages import Message
    from core.particles import ClassSpec
    from core.report.facts import Looked, Network
    from core.types import FloatArray

SHOWN = 8  # particles of each kind in the gallery
AVERAGED = 100  # particles of a class at most: enough to see it, and soon done
GAP = 2  # white pixels between the slabs of a particle
BINS = 50


@dataclass(frozen=True, slots=True)
class Tile:
    """One particle of the gallery."""

    image: str
    caption: str


@dataclass(frozen=True, slots=True)
class Strip:
    """Particles of a kind."""

    title: str
    tiles: tuple[Tile, ...] = field(repr=False)


def inline(figure: Figure) -> str:
    """Return a figure as an address that holds it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return _address(buffer.getvalue())


def inline_file(path: Path) -> str:
    """Return a PNG file as an address that holds it."""
    return _address(path.read_bytes())


def _address(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def gallery(looked: Sequence[Looked], spec: ClassSpec, review: ReviewConfig) -> Generator[Message, None, list[Strip]]:
    """Cut particles of a class: the best, those about the threshold, and rejected ones.

    Parameters
    ----------
    looked : Sequence[Looked]
        The tomograms.
    spec : ClassSpec
        The class.
    review : ReviewConfig
        With its threshold.

    Yields
    ------
    Message
        Progress.

    Returns
    -------
    list[Strip]
        Those that have any.
    """
    chosen = [(title, some) for title, some in _chosen(looked, spec, review) if some]
    total, done, contrasts = float(sum(len(some) for _, some in chosen)), 0, dict[str, tuple[float, float]]()
    strips = []
    for title, some in chosen:
        tiles = []
        for one, row in some:
            tomogram, score = one.tomogram, float(one.table.scores[row])
            how = Slabs.fit(spec.diameter, tomogram.voxel_size)
            if tomogram.id not in contrasts:
                contrasts[tomogram.id] = slab_contrast(tomogram, how)
            below = " (below)" if one.table.statuses[row] == Status.CANDIDATE and score < review.threshold else ""
            image = _strip(central_slabs(tomogram, one.table.positions[row], how), contrasts[tomogram.id])
            tiles.append(Tile(image, f"{score:.3f}{below}, {tomogram.id}"))
            done += 1
            yield Progress(stage=f"Gallery of {spec.name}", done=float(done), total=total)
        strips.append(Strip(title, tuple(tiles)))
    return strips


def _chosen(looked: Sequence[Looked], spec: ClassSpec, review: ReviewConfig) -> list[tuple[str, list[tuple[Looked, int]]]]:
    """Return rows of the tables of tomograms: the best, those about the threshold, and rejected ones."""
    places, scores, statuses = [], [], []
    for one in looked:
        rows = np.flatnonzero((one.table.class_ids == spec.id) & np.isfinite(one.table.scores))
        places += [(one, int(row)) for row in rows]
        scores.append(one.table.scores[rows])
        statuses.append(one.table.statuses[rows])
    score, status = np.concatenate(scores).astype(float), np.concatenate(statuses)
    best_first = np.argsort(-score, kind="stable")
    counts = (status == Status.ACCEPTED) | ((status == Status.CANDIDATE) & (score >= review.threshold))
    near = np.argsort(np.abs(score - review.threshold), kind="stable")
    near = near[status[near] == Status.CANDIDATE][:SHOWN]
    parts = (
        ("Best", best_first[counts[best_first]][:SHOWN]),
        (f"About the threshold of {review.threshold:.2f}", near[np.argsort(-score[near], kind="stable")]),
        ("Rejected", best_first[status[best_first] == Status.REJECTED][:SHOWN]),
    )
    return [(title, [places[i] for i in rows]) for title, rows in parts]


def _strip(slabs: FloatArray, bounds: tuple[float, float]) -> str:
    greys = grey(slabs, bounds)
    gap = np.full((greys.shape[1], GAP), 255, np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate([greys[0], gap, greys[1], gap, greys[2]], axis=1)).save(buffer, "PNG")
    return _address(buffer.getvalue())


def averaged(looked: Sequence[Looked], spec: ClassSpec) -> Generator[Message, None, Average | None]:
    """Average the best particles of a class beside as many decoys.

    Parameters
    ----------
    looked : Sequence[Looked]
        The tomograms; those of the most common voxel size are taken.
    spec : ClassSpec
        The class.

    Yields
    ------
    Message
        Progress.

    Returns
    -------
    Average | None
        None where there is no particle that counts.
    """
    mine = [(one, one.counted.select(one.counted.class_ids == spec.id)) for one in looked if one.tomogram.voxel_size > 0]
    mine = [(one, table) for one, table in mine if len(table)]
    if not mine:
        return None
    sizes = [round(one.tomogram.voxel_size, 3) for one, _ in mine]
    usual = max(set(sizes), key=sizes.count)
    mine = [pair for pair, size in zip(mine, sizes, strict=True) if size == usual]
    scores = np.concatenate([np.where(np.isfinite(table.scores), table.scores, 2.0) for _, table in mine])  # marks come first
    least = np.sort(scores)[::-1][min(AVERAGED, len(scores)) - 1]
    parts = []
    left = AVERAGED
    for one, table in mine:
        rows = np.flatnonzero(np.where(np.isfinite(table.scores), table.scores, 2.0) >= least)[:left]
        left -= len(rows)
        parts.append((one.tomogram, table.positions[rows]))
    avoid = [one.counted.positions for one, _ in mine]
    return (yield from average(parts, spec.diameter, AverageConfig(rounds=2), avoid))


def average_figure(found: Average, spec: ClassSpec, folder: Path | None) -> str:
    """Draw an average; into a folder as PNG and SVG, too, if one is given."""
    title = f"{spec.name}: average of {found.count} particles, {found.signal:.1f} times as strong as its decoy"
    with TemporaryDirectory() as place:
        path = Path(place) / "average.png"
        draw_average(found, path, title)
        if folder is not None:
            for kind in ("png", "svg"):
                draw_average(found, folder / f"average-{spec.id}.{kind}", title)
        return inline_file(path)


def overview(looked: Sequence[Looked], classes: Sequence[ClassSpec], folder: Path | None) -> str:
    """Draw picks on slabs through the tomogram that has most of them; empty where there is none."""
    known = [one for one in looked if one.tomogram.voxel_size > 0 and len(one.counted)]
    if not known:
        return ""
    one = max(known, key=lambda one: len(one.counted))
    used = [spec for spec in classes if (one.counted.class_ids == spec.id).any()]
    middle = np.median(one.counted.positions, axis=0)
    centre = tuple(int(np.clip(round(v), 0, n - 1)) for v, n in zip(middle.tolist(), one.tomogram.shape, strict=True))
    with TemporaryDirectory() as place:
        path = (folder or Path(place)) / "picks.png"
        picks_figure(one.tomogram, one.counted, None, used, path, centre=(centre[0], centre[1], centre[2]))
        return inline_file(path)


def training_curve(network: Network, folder: Path | None) -> str:
    """Draw the course of training; empty where the run is gone."""
    if not network.history:
        return ""
    with TemporaryDirectory() as place:
        path = (folder or Path(place)) / "training.png"
        training_figure(network.history, path)
        return inline_file(path)


def score_figure(looked: Sequence[Looked], classes: Sequence[ClassSpec], reviews: Mapping[int, ReviewConfig]) -> Figure | None:
    """Draw how many picks have which score, with the thresholds; nothing where there are no scores."""
    scores = _scores(looked, classes)
    if not any(len(one) for one in scores.values()):
        return None
    figure, axes = blank((6.4, 3.4))
    for spec in (spec for spec in classes if len(scores[spec.id])):
        mine, threshold = scores[spec.id], reviews[spec.id].threshold
        color, line = (shade(spec.color),) * 2 if len(classes) > 1 else (BLUE, ORANGE)
        axes.hist(mine, BINS, range=(0, 1), histtype="step", linewidth=1.6, color=color, label=f"{spec.name}: {len(mine)} picks")
        axes.axvline(threshold, color=line, linestyle="--", linewidth=1.2, label=f"threshold {threshold:.2f}")
    axes.set(xlabel="calibrated score (probability of being right)", ylabel="picks", yscale="symlog", xlim=(0, 1), title="Scores")
    axes.legend(frameon=False, fontsize=8)
    return figure


def estimate_figure(looked: Sequence[Looked], classes: Sequence[ClassSpec]) -> Figure | None:
    """Draw what the calibrated scores promise where there is nothing to measure on; nothing where there are no scores."""
    scores = _scores(looked, classes)
    curves = {spec.name: estimated_curve(scores[spec.id]) for spec in classes if len(scores[spec.id])}
    return estimated_figure(curves, {spec.name: spec.color for spec in classes}) if curves else None


def _scores(looked: Sequence[Looked], classes: Sequence[ClassSpec]) -> dict[int, FloatArray]:
    found = {}
    for spec in classes:
        mine = np.concatenate([one.table.scores[one.table.class_ids == spec.id] for one in looked])
        found[spec.id] = mine[np.isfinite(mine)]
    return found
