"""Masks as a sentence and as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.io.volumes import mrc_writer
from core.masks.beads import Beads
from core.masks.slab import Slab
from core.masks.volumes import Segmented, VolumeMask
from core.messages import Progress

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from core.masks.slab import Surface
    from core.messages import Message
    from core.tomogram import Mask, Tomogram


def described(mask: Mask) -> str:
    """Say what a mask found.

    Parameters
    ----------
    mask : Mask
        A slab, beads, a volume or a segmentation.

    Returns
    -------
    str
        Part of a sentence, with z counted from 1 as the sections are.
    """
    if isinstance(mask, Slab):
        if mask.low is None and mask.high is None:
            return "no surface seen"
        return f"{_surface('from', mask.low)}, {_surface('to', mask.high)}"
    if isinstance(mask, Beads):
        return f"{len(mask.positions)} bead{'' if len(mask.positions) == 1 else 's'}"
    if isinstance(mask, Segmented):
        return f"{_share(mask.segmentation)} of the volume is segmented"
    return f"{_share(mask)} of the volume is marked" if isinstance(mask, VolumeMask) else ""


def _surface(word: str, surface: Surface | None) -> str:
    if surface is None:
        return f"{word} the face (no surface seen)"
    y, x = surface.tilts()
    tilt = f" (rising {y:.1f}° along y, {x:.1f}° along x)" if max(abs(y), abs(x)) >= 0.05 else ""
    return f"{word} z {surface.height + 1:.0f}{tilt}"


def _share(mask: VolumeMask) -> str:
    return f"{np.bitwise_count(mask.bits).sum(dtype=np.int64) / np.prod(mask.shape):.1%}"


def write_mask(path: Path, mask: Mask, tomogram: Tomogram) -> Generator[Message, None, None]:
    """Write where picks count as an MRC file with the voxels of the tomogram, as a job.

    Parameters
    ----------
    path : Path
        The file; 1 where picks count, 0 elsewhere.
    mask : Mask
        What is asked.
    tomogram : Tomogram
        Whose grid the file has.

    Yields
    ------
    Message
        Progress.

    Raises
    ------
    PickerError
        If it cannot be written.
    """
    depth, height, width = tomogram.shape
    y, x = (one.reshape(-1) for one in np.indices((height, width)))
    with mrc_writer(path, tomogram.shape, np.int8, tomogram.voxel_size) as writer:
        for z in range(depth):
            at = np.column_stack([np.full(y.size, z), y, x]).astype(np.float64)
            writer.write(mask.inside(at).reshape(1, height, width).astype(np.int8))
            yield Progress(stage="Writing the mask", done=z + 1, total=depth)
