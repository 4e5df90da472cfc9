"""Tomograms made ready ahead of time, and shown as networks see them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from core.messages import Progress
from core.preprocess import preprocess

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from core.config import PreprocessConfig
    from core.messages import Message
    from core.preprocess import Prepared
    from core.tomogram import Tomogram
    from core.types import Volume


def prepare(
    tomograms: Sequence[Tomogram], config: PreprocessConfig, cache: Path | None = None
) -> Generator[Message, None, list[Prepared]]:
    """Prepare tomograms one after another, so that training and picking find it done.

    Parameters
    ----------
    tomograms : Sequence[Tomogram]
        As opened.
    config, cache : PreprocessConfig, Path | None
        As for `core.preprocess.preprocess`.

    Yields
    ------
    Message
        Progress, with the name of the tomogram.

    Returns
    -------
    list[Prepared]
        In the same order.

    Raises
    ------
    PickerError
        As `core.preprocess.preprocess`.
    """
    found = []
    for number, tomogram in enumerate(tomograms, 1):
        place = f"{tomogram.id} ({number} of {len(tomograms)})"
        found.append((yield from _told(preprocess(tomogram, config, cache), place)))
    return found


def _told(steps: Generator[Message, None, Prepared], place: str) -> Generator[Message, None, Prepared]:
    try:
        while True:
            message = next(steps)
            yield replace(message, detail=place) if isinstance(message, Progress) else message
    except StopIteration as stop:
        prepared: Prepared = stop.value
        return prepared
    finally:
        steps.close()


def seen(prepared: Prepared) -> Tomogram:
    """Return a tomogram as networks see it.

    Parameters
    ----------
    prepared : Prepared
        The tomogram or its filtered copy, and its scale.

    Returns
    -------
    Tomogram
        Normalised where it is looked at and nowhere else; positions, shape and voxel size are those of the original.
    """
    return replace(prepared.tomogram, data=cast("Volume", _Scaled(prepared)))


class _Scaled:
    """Looks like a volume as far as cutting goes."""

    ndim = 3
    dtype = np.dtype(np.float32)

    def __init__(self, prepared: Prepared) -> None:
        self._data, self._scale, self._offset = prepared.tomogram.data, np.float32(prepared.scale), np.float32(prepared.offset)
        self.shape = self._data.shape

    def __getitem__(self, key: Any) -> Any:
        return np.asarray(self._data[key]).astype(np.float32) * self._scale + self._offset
