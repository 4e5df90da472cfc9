"""The picture of an average: its central slices beside those of the decoys, and how dense both are from the centre outwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from core.io.atomic import all_or_nothing, atomic_path
from core.io.volumes import write_mrc

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from core.averaging import Average
    from core.types import Angstrom, FloatArray

DPI = 150
PLANES = ("XY", "XZ", "YZ")
COLORS = ("#1f77b4", "#8a8a8a")  # particles, decoys


def central_slices(volume: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Cut an average through its centre.

    Parameters
    ----------
    volume : FloatArray
        (z, y, x) of equal edges.

    Returns
    -------
    tuple[FloatArray, FloatArray, FloatArray]
        XY as (y, x), XZ as (z, x) and YZ as (z, y).
    """
    middle = volume.shape[0] // 2
    return volume[middle], volume[:, middle], volume[:, :, middle]


def bounds_of(average: Average) -> tuple[float, float]:
    """Return the values of black and white that particles and decoys are both shown with.

    Parameters
    ----------
    average : Average
        Both.

    Returns
    -------
    tuple[float, float]
        The 0.5 and 99.5 percentiles of the slices of the particles.
    """
    low, high = np.percentile(np.concatenate([one.ravel() for one in central_slices(average.volume)]), (0.5, 99.5))
    return float(low), float(max(high, low + 1e-6))


def scale_bar(extent: Angstrom) -> Angstrom:
    """Return a round length of about a third of a picture.

    Parameters
    ----------
    extent : Angstrom
        Width of the picture.

    Returns
    -------
    Angstrom
        1, 2 or 5 times a power of ten.
    """
    power = 10 ** np.floor(np.log10(extent / 3))
    return float(max(step * power for step in (1, 2, 5) if step * power <= extent / 3))


def draw_average(average: Average, path: Path, title: str = "") -> None:
    """Draw an average and its decoys.

    Parameters
    ----------
    average : Average
        Both.
    path : Path
        The file to make or to replace; its ending decides whether it is PNG, SVG or PDF.
    title : str
        What was averaged.

    Raises
    ------
    PickerError
        If the file cannot be written.
    """
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 4, width_ratios=(1, 1, 1, 2))
    for row, (name, volume) in enumerate((("particles", average.volume), ("decoys", average.decoy))):
        for column, image in enumerate(central_slices(volume)):
            axes = figure.add_subplot(grid[row, column])
            _draw_slice(axes, image, average, with_bar=not row and not column)
            if not row:
                axes.set_title(PLANES[column], fontsize=10)
            if not column:
                axes.set_ylabel(f"{average.count} {name}", fontsize=10)
    axes = figure.add_subplot(grid[:, 3])
    for values, name, color in zip((average.profile, average.decoy_profile), ("particles", "decoys"), COLORS, strict=True):
        axes.plot(average.radii, values, color=color, label=f"{average.count} {name}")
    axes.axvline(average.diameter / 2, color="#d62728", linestyle=":", label=f"half the diameter, {average.diameter / 2:g} Å")
    axes.axhline(0, color="#cccccc", linewidth=0.8, zorder=0)
    axes.set(xlabel="distance from the centre (Å)", ylabel="mean grey value (standard deviations)", xlim=(0, None))
    axes.set_title("Radial profile", fontsize=10)
    axes.legend(frameon=False, fontsize=9)
    if title:
        figure.suptitle(title, fontsize=11)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:].lower() or "png", dpi=DPI)


def _draw_slice(axes: Axes, image: FloatArray, average: Average, *, with_bar: bool) -> None:
    low, high = bounds_of(average)
    axes.imshow(image, cmap="gray", vmin=low, vmax=high, origin="upper", interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    if with_bar:
        length = scale_bar(image.shape[1] * average.voxel_size)
        x, y = 0.06 * image.shape[1], 0.92 * image.shape[0]
        axes.plot([x, x + length / average.voxel_size], [y, y], color="white", linewidth=3, solid_capstyle="butt")
        axes.text(x, y - 0.04 * image.shape[0], f"{length:g} Å", color="white", fontsize=8, va="bottom")


def write_average(average: Average, path: Path, title: str = "") -> list[Path]:
    """Write an average, its decoys and their picture, all or none.

    Parameters
    ----------
    average : Average
        Both.
    path : Path
        The MRC file of the average; the others are named after it.
    title : str
        What was averaged, for the picture.

    Returns
    -------
    list[Path]
        The three files.

    Raises
    ------
    PickerError
        If one cannot be written; none is then new.
    """
    files = [path, path.with_name(f"{path.stem}_decoy{path.suffix}"), path.with_suffix(".png")]
    with all_or_nothing():
        for volume, file in zip((average.volume, average.decoy), files[:2], strict=True):
            write_mrc(file, volume, average.voxel_size)
        draw_average(average, files[2], title)
    return files
