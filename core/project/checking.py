"""What looks odd about particles of another program: a ratio of voxel sizes, a mirrored z axis, a header origin, rows outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.grids import near_binning, position_doubts
from core.io.particles.values import Unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.io.particles.values import Frame, ReadPicks
    from core.tomogram import Tomogram
    from core.types import FloatArray, Positions

_FEWEST = 20  # particles from which their places tell something
_SAMPLES, _SPOT, _THICKNESS = 40, 80.0, 5  # particles looked at, Å and sections of what is averaged in the middle of each
_CLEAR = 5.0  # standard errors
PIXEL_COLUMN = "apix"  # of Dynamo


def doubts(picks: ReadPicks, positions: Positions, frame: Frame, tomogram: Tomogram, scale: float = 1.0) -> Iterator[str]:
    """Say what looks odd about positions that may yet be right.

    Parameters
    ----------
    picks : ReadPicks
        What the file says.
    positions : Positions
        (n, 3) zyx voxels.
    frame : Frame
        The tomogram that they are for, with its tilt series.
    tomogram : Tomogram
        The same; a few small parts of it are read.
    scale : float
        What the voxels of the file were multiplied by.

    Yields
    ------
    str
        One sentence each.
    """
    yield from picks.notices
    unsure = frame.tilt_series is None or frame.tilt_series.size is None
    if picks.unit is Unit.CENTRED and unsure:
        yield (
            "The unbinned size of the tomogram is not known and was taken as its size times its binning; "
            "if RELION has another one (rlnTomoSizeX/Y/Z), give it, or the particles are off by half the difference."
        )
    yield from frame.doubts()
    yield from position_doubts(positions, tomogram)
    yield from _of_voxels(picks, positions, frame, scale)
    if looks_mirrored(positions, tomogram):
        yield (
            f"There is more to see in {tomogram.id} where the particles would lie if z were mirrored: "
            "check the handedness of the tomogram that they were picked in."
        )


def _of_voxels(picks: ReadPicks, positions: Positions, frame: Frame, scale: float) -> Iterator[str]:
    """Say that the particles may have been picked at another binning."""
    told = picks.extras.get(PIXEL_COLUMN)
    if picks.unit is Unit.VOXEL and told is not None and frame.voxel_size > 0:
        size = float(np.median(np.asarray(told, np.float64)))
        factor = near_binning(size / frame.voxel_size / scale) if np.isfinite(size) and size > 0 else None
        if factor is not None:
            yield (
                f"The file tells a voxel size of {size:.4g} Å, and this tomogram has {frame.voxel_size:.4g} Å: about "
                f"{_spoken(factor)}; if the particles were picked at the former, undo and give the scale {scale * factor:g}."
            )
    if len(positions) >= _FEWEST and (positions < np.asarray(frame.shape) / 2).all():
        factors = [number for number in (8, 4, 2) if (positions < np.asarray(frame.shape) / number).all()]
        yield (
            "All particles lie in the first half of every axis, which often means that they were picked in a tomogram with "
            f"larger voxels; if so, undo and give the scale 2, or whatever the ratio is, such as {factors[0]}."
        )


def _spoken(factor: float) -> str:
    return f"{factor:g} times as much" if factor > 1 else f"a ratio of 1 to {1 / factor:g}"


def looks_mirrored(positions: Positions, tomogram: Tomogram) -> bool:
    """Tell whether the places that positions would have in a tomogram mirrored along z stand out more than their own.

    Parameters
    ----------
    positions : Positions
        (n, 3) zyx voxels.
    tomogram : Tomogram
        Where they are said to lie.

    Returns
    -------
    bool
        By the grey value of a spot of 80 Å at each of 40 positions less that of its surroundings in the same sections, which is
        of one sign where particles are; False where there are fewer than 20 within, or the voxel size is not known.
    """
    inside = positions[tomogram.box.contains(positions)]
    if len(inside) < _FEWEST or not tomogram.voxel_size > 0:
        return False
    chosen = inside[np.linspace(0, len(inside) - 1, min(len(inside), _SAMPLES)).round().astype(int)]
    turned = chosen.copy()
    turned[:, 0] = tomogram.shape[0] - 1 - turned[:, 0]
    own, other = (_significance(np.array([_contrast(tomogram, one) for one in places])) for places in (chosen, turned))
    return other > _CLEAR and other > 3 * own


def _contrast(tomogram: Tomogram, position: FloatArray) -> float:
    """Mean grey value of a spot less that of what is around it in the same sections; 0 beside the faces."""
    half = np.array((_THICKNESS // 2, *[max(1, round(_SPOT / tomogram.voxel_size / 2))] * 2))
    middle = np.rint(position).astype(int)
    low, high = np.maximum(middle - half * (1, 3, 3), 0), np.minimum(middle + half * (1, 3, 3) + 1, tomogram.shape)
    part = np.asarray(tomogram.data[tuple(slice(a, b) for a, b in zip(low, high, strict=True))], np.float64)
    spot = part[tuple(slice(max(m - h - a, 0), m + h + 1 - a) for m, h, a in zip(middle, half, low, strict=True))]
    around = part.size - spot.size
    found = float(spot.mean() - (part.sum() - spot.sum()) / around) if spot.size and around else 0.0
    return found if np.isfinite(found) else 0.0


def _significance(values: FloatArray) -> float:
    """Distance of the mean from 0 in standard errors."""
    error = float(values.std(ddof=1)) / len(values) ** 0.5
    return abs(float(values.mean())) / error if error > 0 else 0.0
