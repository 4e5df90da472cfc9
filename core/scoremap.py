"""The network's score map as a file beside the picks: for the eye, and to pick from by other means."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import FileFormatError
from core.io.atomic import make_folder
from core.io.volumes import mrc_writer, open_tomogram

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from core.io.volumes.mrc_writer import MrcWriter
    from core.tomogram import Box, Tomogram
    from core.types import Angstrom, Shape

CERTAIN = 100
"""Value of a voxel whose probability is 1: the map counts in per cent, which 8 bits hold."""

_SLAB_VOXELS = 2**22


class ScoreMapWriter:
    """Takes probabilities, lowest z first, and writes the largest over all classes.

    Parameters
    ----------
    writer : MrcWriter
        For int8 voxels.
    shape : Shape
        (z, y, x) extents of the tomogram.
    """

    def __init__(self, writer: MrcWriter, shape: Shape) -> None:
        self._writer, self._shape, self._done = writer, shape, 0
        self._failed: OSError | None = None

    def write(self, part: Box, scores: NDArray[np.floating[Any]]) -> None:
        """Append sections; what lies outside, below and beside them, is 0.

        Whoever finds picks meanwhile is not stopped by a disk that fails: `finish` tells.

        Parameters
        ----------
        part : Box
            Where they lie in the tomogram, above all that was written.
        scores : NDArray
            (classes, z, y, x) probabilities 0 to 1 of the box.
        """
        if self._failed is not None:
            return
        try:
            self._append(part, scores)
        except OSError as exc:
            self._failed = exc

    def finish(self) -> None:
        """Fill up what no network looked at.

        Raises
        ------
        OSError
            If anything could not be written.
        """
        if self._failed is not None:
            raise self._failed
        self._pad(self._shape[0])

    def _append(self, part: Box, scores: NDArray[np.floating[Any]]) -> None:
        self._pad(part.low[0])
        step = max(1, _SLAB_VOXELS // (self._shape[1] * self._shape[2]))
        beside = (slice(None), *(slice(a, b) for a, b in zip(part.low[1:], part.high[1:], strict=True)))
        for z in range(0, scores.shape[1], step):
            best = scores[:, z : z + step].max(axis=0).astype(np.float32)
            slab = np.zeros((len(best), *self._shape[1:]), np.int8)
            slab[beside] = np.rint(CERTAIN * best.clip(0, 1))
            self._writer.write(slab)
        self._done = part.high[0]

    def _pad(self, to: int) -> None:
        for _ in range(self._done, to):
            self._writer.write(np.zeros((1, *self._shape[1:]), np.int8))


@contextmanager
def score_map_writer(path: Path, shape: Shape, voxel_size: Angstrom) -> Iterator[ScoreMapWriter]:
    """Write a score map with the voxels of its tomogram; nothing appears before the block has ended well.

    Parameters
    ----------
    path : Path
        The MRC file to make or to replace, mode 0.
    shape : Shape
        (z, y, x) extents of the tomogram.
    voxel_size : Angstrom
        Å per voxel.

    Yields
    ------
    ScoreMapWriter
        Takes the probabilities.

    Raises
    ------
    PickerError
        If the file cannot be written, at the end of the block.
    """
    make_folder(path.parent)
    with mrc_writer(path, shape, np.int8, voxel_size) as writer:
        scores = ScoreMapWriter(writer, shape)
        yield scores
        scores.finish()


def room_for(path: Path, shape: Shape) -> bool:
    """Tell whether a score map fits on the disk, twice over: what else is written matters more.

    Parameters
    ----------
    path : Path
        Where it would be written.
    shape : Shape
        (z, y, x) extents of the tomogram.

    Returns
    -------
    bool
        False if the disk is nearly full.
    """
    place = next(folder for folder in path.absolute().parents if folder.exists())
    return shutil.disk_usage(place).free > 2 * shape[0] * shape[1] * shape[2]


def open_score_map(path: Path, tomogram: Tomogram) -> Tomogram | None:
    """Open the score map of a tomogram.

    Parameters
    ----------
    path : Path
        Where it was written.
    tomogram : Tomogram
        The tomogram.

    Returns
    -------
    Tomogram | None
        Probabilities in per cent; None where there is none, or one of other extents, so of another tomogram.
    """
    if not path.exists():
        return None
    try:
        found = open_tomogram(path, signed=True, id=tomogram.id)
    except FileFormatError:
        return None
    return replace(found, voxel_size=tomogram.voxel_size) if found.shape == tomogram.shape else None
