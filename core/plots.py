"""Plots of an evaluation, each with axes, units and a legend that a reader who knows nothing of it understands."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from core.io.atomic import atomic_path
from core.messages import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from core.messages import Message
    from core.metrics import Assessment, Curve
    from core.types import FloatArray, IntArray

BLUE, ORANGE, GREY, PALE = "#1565c0", "#ef6c00", "#78909c", "#90caf9"
SIZE = (5.2, 4.0)
DPI = 150
BINS = 24
MOST_CURVES = 8  # classes or tomograms in one plot, beyond which nobody tells the lines apart


def evaluation_figures(found: Assessment, thresholds: Mapping[int, float]) -> dict[str, Figure]:
    """Draw all that an evaluation tells.

    Parameters
    ----------
    found : Assessment
        Picks and references, matched.
    thresholds : Mapping[int, float]
        The current threshold of each class id.

    Returns
    -------
    dict[str, Figure]
        By a name that can be that of a file.
    """
    made = {
        "precision-recall": _figure(lambda axes: draw_precision_recall(axes, found, thresholds)),
        "score-threshold": _figure(lambda axes: draw_score(axes, found, thresholds)),
        "localisation-error": _figure(lambda axes: draw_errors(axes, found, thresholds)),
    }
    if len(found.classes) > 1:
        names = [spec.name for spec in found.classes]
        side = 2.6 + 0.7 * len(names)
        made["confusion"] = _figure(lambda axes: draw_confusion(axes, found.confusion(thresholds), names), (side + 0.8, side))
    if len(found.tomograms) > 1:
        wide = (SIZE[0], max(SIZE[1], 1.2 + 0.26 * len(found.tomograms)))
        made["tomograms"] = _figure(lambda axes: draw_tomograms(axes, found, thresholds), wide)
    return made


def save_figures(figures: Mapping[str, Figure], folder: Path) -> list[Path]:
    """Write figures as PNG and SVG.

    Parameters
    ----------
    figures : Mapping[str, Figure]
        By name.
    folder : Path
        An existing folder.

    Returns
    -------
    list[Path]
        The files.
    """
    files = []
    for name, figure in figures.items():
        for kind in ("png", "svg"):
            files.append(folder / f"{name}.{kind}")
            with atomic_path(files[-1]) as path:
                figure.savefig(path, format=kind, dpi=DPI, metadata=None if kind == "png" else {"Date": None})
    return files


def drawing(found: Assessment, thresholds: Mapping[int, float], folder: Path) -> Generator[Message, None, list[Path]]:
    """Draw and write all that an evaluation tells, as a job.

    Parameters
    ----------
    found, thresholds : Assessment, Mapping[int, float]
        As for `evaluation_figures`.
    folder : Path
        An existing folder.

    Yields
    ------
    Message
        Progress.

    Returns
    -------
    list[Path]
        The files, as PNG and as SVG.
    """
    figures, files = evaluation_figures(found, thresholds), []
    for done, (name, figure) in enumerate(figures.items()):
        yield Progress(stage="Drawing", done=float(done), total=float(len(figures)))
        files += save_figures({name: figure}, folder)
    return files


def blank(size: tuple[float, float] = SIZE) -> tuple[Figure, Axes]:
    """Return an empty plot.

    Parameters
    ----------
    size : tuple[float, float]
        Width and height in inches.

    Returns
    -------
    tuple[Figure, Axes]
        The figure and the axes that fill it.
    """
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _figure(draw: Callable[[Axes], None], size: tuple[float, float] = SIZE) -> Figure:
    figure, axes = blank(size)
    draw(axes)
    return figure


def draw_precision_recall(axes: Axes, found: Assessment, thresholds: Mapping[int, float]) -> None:
    """Draw precision against recall, of all picks and, where there are several, of each class."""
    for number, label, color in _series(found):
        curve, ranking = found.curve(number), found.ranking(number)
        area = found.figures(class_id=number).average_precision
        axes.plot(*stepped(curve), color=color, linewidth=2 if number is None else 1.4, label=f"{label}: AP {area:.2f}")
        at = found.figures(thresholds, number)
        if at.picks and ranking.truth:
            axes.plot(at.recall, at.precision, "o", color=color, markersize=8, markeredgecolor="white")
    place = "at the current threshold" if thresholds else "all picks"
    axes.plot([], [], "o", color=GREY, markersize=8, markeredgecolor="white", label=place)
    axes.set(xlabel="recall (part of the references that was found)", ylabel="precision (part of the picks that is right)")
    axes.set(xlim=(0, 1.02), ylim=(0, 1.04), title="Precision and recall")
    _legend(axes, "lower left")


def draw_score(axes: Axes, found: Assessment, thresholds: Mapping[int, float]) -> None:
    """Draw the score against the threshold, with the best one and the current ones marked."""
    for number, label, color in _series(found):
        curve = found.curve(number)
        axes.plot(curve.thresholds, curve.f1, color=color, linewidth=2 if number is None else 1.4, label=label)
        best, score = found.best(number)
        if score:
            axes.plot(best, score, "*", color=color, markersize=14, markeredgecolor="white")
        if number is not None and number in thresholds:
            axes.axvline(thresholds[number], color=color, linestyle="--", linewidth=1.2)
    axes.plot([], [], "*", color=GREY, markersize=12, label="best threshold")
    if thresholds:
        axes.plot([], [], "--", color=GREY, label="current threshold")
    name = found.rule.score
    axes.set(
        xlabel="score threshold (picks that score lower do not count)",
        ylabel=f"{name} (1 is perfect)",
        title=f"{name} and threshold",
    )
    axes.set(xlim=(-0.02, 1.02), ylim=(0, 1.04))
    _legend(axes, "best")


def draw_errors(axes: Axes, found: Assessment, thresholds: Mapping[int, float]) -> None:
    """Draw how far the hits lie from their references, in Å below and in voxels above; in voxels alone if no more is known."""
    cut = found.cut(thresholds)
    values = cut.ranking(angstrom=True)
    away = values.distances[values.hits]
    most = max((spec.diameter / 2 * found.rule.reach for spec in found.classes), default=1.0)
    sizes = {one.case.voxel_size for one in found.judged}
    size = next(iter(sizes))
    unit = "voxels" if size is None else "Å"
    axes.hist(away, bins=BINS, range=(0, most), color=BLUE, alpha=0.85, label=f"{len(away)} hits")
    if len(away):
        axes.axvline(float(np.mean(away)), color=ORANGE, linewidth=2, label=f"mean {np.mean(away):.1f} {unit}")
    if size is not None and len(sizes) == 1:
        upper = axes.secondary_xaxis("top", functions=(partial(np.multiply, 1 / size), partial(np.multiply, size)))
        upper.set_xlabel(f"voxels of {size:g} Å")
    axes.set(xlabel=f"distance of a hit from its reference ({unit})", ylabel="hits", xlim=(0, most), title="Localisation error")
    axes.locator_params(axis="y", integer=True)  # hits are counted
    _legend(axes, "best")


def draw_confusion(axes: Axes, table: IntArray, names: Sequence[str]) -> None:
    """Draw which classes picks have and which the references beneath them."""
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.grid(False)
    for (row, column), count in np.ndenumerate(table):
        if (row, column) != (len(names), len(names)):
            axes.text(column, row, str(count), ha="center", va="center", color="white" if shares[row, column] > 0.55 else "black")
    places = range(len(names) + 1)
    axes.set_xticks(places, [*names, "nothing"], rotation=30, ha="right")
    axes.set_yticks(places, [*names, "no pick"])
    axes.set(xlabel="what the reference says", ylabel="class of the pick", title="Picks by class (dark: most of its row)")


def draw_tomograms(axes: Axes, found: Assessment, thresholds: Mapping[int, float]) -> None:
    """Draw the score of every tomogram as a bar."""
    cut = found.cut(thresholds)
    names = found.tomograms
    at = [cut.figures(tomogram=name) for name in names]
    axes.barh(names, [found.score(one) for one in at], color=PALE, height=0.7)
    for row, one in enumerate(at):
        axes.text(0.01, row, f"{one.hits} of {one.truth} found, {one.picks} picks", va="center", fontsize=8)
    axes.invert_yaxis()
    pooled = found.score(cut.figures())
    axes.axvline(pooled, color=ORANGE, linewidth=2, label=f"all together: {pooled:.2f}")
    of = "at the current thresholds" if thresholds else "of all picks"
    axes.set(xlabel=f"{found.rule.score} {of} (1 is perfect)", xlim=(0, 1.02), title="Tomogram by tomogram")
    _legend(axes, "lower right")


def estimated_figure(curves: Mapping[str, Curve], colors: Mapping[str, str]) -> Figure:
    """Draw what calibrated scores promise where there is no reference.

    Parameters
    ----------
    curves : Mapping[str, Curve]
        From `core.calibration.estimated_curve`, by name of the class.
    colors : Mapping[str, str]
        Of the classes.

    Returns
    -------
    Figure
        F1, precision and recall against the threshold.
    """
    figure, axes = blank()
    for name, curve in curves.items():
        for values, dash, what in (
            (curve.f1, "solid", "F1"),
            (curve.precision, "dashed", "precision"),
            (curve.recall, "dotted", "recall"),
        ):
            axes.plot(curve.thresholds, values, color=colors[name], linestyle=dash, label=f"{name}: {what}")
    axes.set(xlabel="score threshold", ylabel="estimated, not measured", title="Estimate from the calibrated scores")
    axes.set(xlim=(-0.02, 1.02), ylim=(0, 1.04))
    _legend(axes, "best")
    return figure


def stepped(curve: Curve) -> tuple[FloatArray, FloatArray]:
    """Return recall and precision to be drawn, the precision never below what a laxer threshold has."""
    precision = np.maximum.accumulate(curve.precision[::-1])[::-1]
    recall = np.concatenate([[0.0], curve.recall])
    return recall, np.concatenate([precision[:1] if len(precision) else [0.0], precision])


def _series(found: Assessment) -> list[tuple[int | None, str, str]]:
    """Return what lines there are: each class in its colour, and all together where there are several."""
    if len(found.classes) == 1:
        return [(found.classes[0].id, found.classes[0].name, BLUE)]
    apart = [(spec.id, spec.name, shade(spec.color)) for spec in found.classes[:MOST_CURVES]]
    return [*apart, (None, "all together", "black")]


def shade(color: str) -> str:
    """Darken a display colour, which is made for tomograms, so that it is read on white."""
    parts = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    bright = 0.3 * parts[0] + 0.6 * parts[1] + 0.1 * parts[2]
    factor = min(1.0, 125 / max(bright, 1))
    return "#" + "".join(f"{int(part * factor):02x}" for part in parts)


def _legend(axes: Axes, place: Literal["best", "lower left", "lower right"]) -> None:
    axes.legend(frameon=False, fontsize=8, loc=place)
