"""Pictures for reports: picks drawn on slices, and the course of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from core.filters import gaussian_sigma, smooth
from core.io.atomic import atomic_path
from core.metrics import rank
from core.metrics.matching import best_first
from core.particles import ParticleTable, Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from core.messages import EpochDone
    from core.particles import ClassSpec
    from core.tomogram import Box, Tomogram
    from core.types import BoolArray, FloatArray, Positions, Shape, Voxels

    Reals = NDArray[np.float64]

DPI = 150
FINEST = 3.0  # detail finer than this part of the particle's diameter is smoothed away, to show particles in noise
AXES = "zyx"
TRAINED = (0.25, 0.6, 1.0)  # colour of the part that was used for training, as red, green, blue 0..1


class _Style(NamedTuple):
    label: str
    color: str
    dash: Literal["solid", "dashed"]
    cross: bool


FOUND = _Style("found", "#00e676", "solid", False)
FALSE = _Style("false pick", "#ff5252", "solid", True)
MISSED = _Style("missed", "#ffd740", "dashed", False)


@dataclass(frozen=True)
class _Marks:
    """Particles that are drawn alike: positions (n, 3) zyx and radii (n,) in voxels."""

    style: _Style
    positions: Positions
    radii: FloatArray


def picks_figure(
    tomogram: Tomogram,
    picks: ParticleTable,
    truth: ParticleTable | None,
    classes: Sequence[ClassSpec],
    path: Path,
    *,
    radius: float = 0.5,
    centre: Shape | None = None,
    trained: Box | None = None,
) -> None:
    """Draw picks on three slabs through a tomogram, one across each axis and one particle diameter thick.

    Parameters
    ----------
    tomogram : Tomogram
        What was picked; its voxel size must be known.
    picks : ParticleTable
        The picks, already cut at their threshold.
    truth : ParticleTable | None
        References, to tell found from false and to show the missed; candidates are neutral. None draws the picks by class.
    classes : Sequence[ClassSpec]
        All classes that occur.
    path : Path
        The PNG file to write.
    radius : float
        Reach of a reference in particle radii, as in scoring.
    centre : Shape | None
        (z, y, x) voxel where the three slabs cross; the middle when left out.
    trained : Box | None
        The part that was used for training, to be outlined.
    """
    marks = _by_class(tomogram, picks, classes) if truth is None else _judged(tomogram, picks, truth, classes, radius)
    cross = centre or tuple(n // 2 for n in tomogram.shape)
    thickness = max(c.diameter for c in classes) / tomogram.voxel_size
    nz, ny, nx = tomogram.shape
    figure = Figure(figsize=(8, 8 * (ny + nz) / (nx + nz) + 0.6), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(nx, nz), height_ratios=(ny, nz))
    for across, place in ((0, grid[0, 0]), (1, grid[1, 0]), (2, grid[0, 1])):
        _draw_slab(figure.add_subplot(place), tomogram, marks, across, cross[across], thickness, trained)
    key = figure.add_subplot(grid[1, 1])
    key.axis("off")
    key.legend(handles=_key(marks, trained), loc="center", frameon=False, fontsize=9)
    size = tomogram.voxel_size / 10
    title = f"{tomogram.id}: slabs {thickness * size:.0f} nm thick at z = {cross[0]}, y = {cross[1]}, x = {cross[2]}"
    figure.suptitle(title, fontsize=11)
    _save(figure, path)


def _by_class(tomogram: Tomogram, picks: ParticleTable, classes: Sequence[ClassSpec]) -> list[_Marks]:
    return [_marks(_Style(c.name, c.color, "solid", False), picks.positions[picks.class_ids == c.id], c, tomogram) for c in classes]


def _judged(
    tomogram: Tomogram, picks: ParticleTable, truth: ParticleTable, classes: Sequence[ClassSpec], radius: float
) -> list[_Marks]:
    marks = []
    for c in classes:
        found, wrong, missed = _judge(picks, truth, c.id, radius * c.diameter / 2 / tomogram.voxel_size)
        marks += [_marks(s, p, c, tomogram) for s, p in ((FOUND, found), (FALSE, wrong), (MISSED, missed))]
    return marks


def _marks(style: _Style, positions: Positions, spec: ClassSpec, tomogram: Tomogram) -> _Marks:
    return _Marks(style, positions, np.full(len(positions), spec.diameter / 2 / tomogram.voxel_size, np.float32))


def _judge(picks: ParticleTable, truth: ParticleTable, class_id: int, reach: Voxels) -> tuple[Positions, Positions, Positions]:
    """Return the positions of the hits, of the false picks and of the missed references of one class."""
    mine = picks.select(picks.class_ids == class_id)
    mine = mine.select(best_first(mine.scores.astype(np.float64)))
    references = truth.select(truth.class_ids == class_id)
    wanted = references.positions[references.statuses == Status.ACCEPTED]
    neutral = references.positions[references.statuses == Status.CANDIDATE]
    scores = mine.scores.astype(np.float64)
    ranking = rank(wanted, mine.positions, scores, reach)
    hits, wrong = mine.positions[ranking.hits], mine.positions[~ranking.hits]
    spared = rank(neutral, wrong, scores[~ranking.hits], reach).hits
    return hits, wrong[~spared], wanted[~_taken(wanted, hits, ranking.distances[ranking.hits])]


def _taken(wanted: Positions, hits: Positions, distances: Reals) -> BoolArray:
    """Tell which references the hits were matched to: those at exactly the distance of the match."""
    taken = np.zeros(len(wanted), np.bool_)
    for hit, distance in zip(hits, distances, strict=True):
        taken[np.argmin(np.abs(np.linalg.norm(wanted - hit, axis=1) - distance))] = True
    return taken


def _draw_slab(
    axes: Axes, tomogram: Tomogram, marks: list[_Marks], across: int, at: int, thickness: Voxels, trained: Box | None
) -> None:
    down, right = (1, 2) if across == 0 else (0, 2) if across == 1 else (1, 0)
    image = _slab_mean(tomogram, across, at, thickness)
    image = image if down < right else image.T
    low, high = np.percentile(image, (1, 99))
    axes.imshow(image, cmap="gray", vmin=float(low), vmax=float(max(high, low + 1e-6)), interpolation="nearest")
    for mark in marks:
        near = np.abs(mark.positions[:, across] - at) <= thickness / 2
        _draw_marks(axes, mark.style, mark.positions[near][:, [right, down]], mark.radii[near])
    if trained is not None and trained.low[across] <= at < trained.high[across]:
        _outline(axes, trained, down, right)
    _scale_bar(axes, tomogram.voxel_size)
    axes.set(xlabel=f"{AXES[right]} (voxels)", ylabel=f"{AXES[down]} (voxels)")
    axes.tick_params(labelsize=8)


def _slab_mean(tomogram: Tomogram, across: int, at: int, thickness: Voxels) -> FloatArray:
    n = max(1, min(round(thickness), tomogram.shape[across]))
    first = min(max(at - n // 2, 0), tomogram.shape[across] - n)
    start, shape = [0, 0, 0], list(tomogram.shape)
    start[across], shape[across] = first, n
    slab = tomogram.block((start[0], start[1], start[2]), (shape[0], shape[1], shape[2]))
    return smooth(slab.mean(axis=across), gaussian_sigma(thickness / FINEST, 1.0), axes=(0, 1))


def _draw_marks(axes: Axes, style: _Style, xy: Positions, radii: FloatArray) -> None:
    if not len(xy):
        return
    rings = EllipseCollection(
        2 * radii,
        2 * radii,
        np.zeros(len(xy)),
        units="xy",
        offsets=xy,
        offset_transform=axes.transData,
        facecolors="none",
        edgecolors=style.color,
        linestyles=style.dash,
        linewidths=1.4,
    )
    axes.add_collection(rings)
    if style.cross:
        axes.scatter(xy[:, 0], xy[:, 1], marker="x", c=style.color, s=30, linewidths=1.4)


def _outline(axes: Axes, box: Box, down: int, right: int) -> None:
    corner = (box.low[right] - 0.5, box.low[down] - 0.5)
    width, height = box.high[right] - box.low[right], box.high[down] - box.low[down]
    axes.add_patch(Rectangle(corner, width, height, facecolor=(*TRAINED, 0.15), edgecolor=(*TRAINED, 0.9), linewidth=1.5))


def _scale_bar(axes: Axes, voxel_size: float) -> None:
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    nanometres = _round_length((right - left) * voxel_size / 10 / 3)
    length = nanometres * 10 / voxel_size
    x, y = left + 0.04 * (right - left), bottom + 0.05 * (top - bottom)
    axes.plot([x, x + length], [y, y], color="black", linewidth=5, solid_capstyle="butt")
    axes.plot([x, x + length], [y, y], color="white", linewidth=3, solid_capstyle="butt")
    text = axes.text(x, y + 0.02 * (top - bottom), f"{nanometres:g} nm", color="white", fontsize=8, va="bottom")
    text.set_bbox({"facecolor": "black", "alpha": 0.5, "edgecolor": "none", "pad": 1})


def _round_length(most: float) -> float:
    return float(max(step for step in (m * 10.0**e for e in range(-3, 7) for m in (1, 2, 5)) if step <= most))


def _key(marks: list[_Marks], trained: Box | None) -> list[Line2D | Patch]:
    counts: dict[_Style, int] = {}
    for mark in marks:
        counts[mark.style] = counts.get(mark.style, 0) + len(mark.positions)
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=s.color, linestyle=s.dash, marker="x" if s.cross else "", label=f"{s.label} ({n} in all)")
        for s, n in counts.items()
    ]
    if trained is not None:
        handles.append(Patch(facecolor=(*TRAINED, 0.25), edgecolor=TRAINED, label="used for training, not scored"))
    return handles


def training_figure(history: Sequence[EpochDone], path: Path) -> None:
    """Draw loss and picking F1 against the step, with the best checkpoint and its threshold marked.

    Parameters
    ----------
    history : Sequence[EpochDone]
        The validations of a run in their order; may be empty.
    path : Path
        The PNG file to write.
    """
    figure = Figure(figsize=(7, 5.5), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    steps = [done.step for done in history]
    upper.plot(steps, [done.loss for done in history], marker="o", color="#1565c0", label="training part")
    measured = [done for done in history if done.measured]
    if measured:
        held = [done.validation_loss for done in measured]
        upper.plot([done.step for done in measured], held, marker="s", color="#ef6c00", label="held-back part")
    upper.set(ylabel="loss (lower is better)", title="Training")
    upper.legend(frameon=False, fontsize=9)
    told = [done for done in history if done.f1 is not None]
    lower.plot([done.step for done in told], [done.f1 for done in told], marker="o", color="#2e7d32")
    lower.set(
        ylabel="F1 of picks, held-back part" if measured or not told else "F1 of picks, estimated",
        xlabel="training step",
        ylim=(0, 1.05),
    )
    best = next((done for done in reversed(history) if done.best), None)
    if best is not None and best.f1 is not None:
        label = f"best: F1 {best.f1:.2f} at score ≥ {best.threshold:.2f}, step {best.step}"
        lower.plot([best.step], [best.f1], marker="*", markersize=16, color="#c62828", linestyle="none", label=label)
        lower.legend(frameon=False, fontsize=9, loc="lower right")
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=DPI, format="png")
