"""Crops for one step after the other: those of the next are made in a thread while the network computes."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from core.sampling import Crop, Sampler


class Supply:
    """Crops of the steps of a training; what a step gets does not depend on when its crops are made.

    Parameters
    ----------
    sampler : Sampler
        Draws the crops.
    device : torch.device
        Where the network computes; for CUDA, crops are put where the device can fetch them by itself (pinned memory).
    rows : Iterable[int] | None
        Which crops of every step; None for all.
    ahead : bool
        Whether to make the crops of the next step meanwhile.

    Attributes
    ----------
    waited : float
        Seconds for which steps have waited for their crops so far.
    """

    def __init__(self, sampler: Sampler, device: torch.device, rows: Iterable[int] | None = None, *, ahead: bool = True) -> None:
        self._sampler, self._pinned, self._ahead = sampler, device.type == "cuda", ahead
        self._rows = None if rows is None else tuple(rows)
        self._maker = ThreadPoolExecutor(1, "crops")
        self._next: tuple[int, Future[list[Crop]]] | None = None
        self.waited = 0.0

    def crops(self, step: int) -> list[Crop]:
        """Return the crops of a step, and begin with those of the step after it.

        Parameters
        ----------
        step : int
            Number of the step.

        Returns
        -------
        list[Crop]
            As `Sampler.batch` draws them.

        Raises
        ------
        PickerError
            If the voxels cannot be read.
        """
        began = time.monotonic()
        waiting = self._next if self._next is not None and self._next[0] == step else (step, self._made(step))
        self._next = None
        crops = waiting[1].result()
        self.waited += time.monotonic() - began
        if self._ahead:
            self._next = (step + 1, self._made(step + 1))
        return crops

    def _made(self, step: int) -> Future[list[Crop]]:
        return self._maker.submit(self._make, step)

    def _make(self, step: int) -> list[Crop]:
        crops = self._sampler.batch(step, self._rows)
        return [_pinned(crop) for crop in crops] if self._pinned else crops

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._maker.shutdown(cancel_futures=True)


def _pinned(crop: Crop) -> Crop:
    """Move the arrays of a crop to pinned memory, from where copies to the device need not be waited for."""
    return replace(
        crop,
        block=_array_pinned(crop.block),
        classes=_array_pinned(crop.classes),
        trust=_array_pinned(crop.trust),
        heights=_array_pinned(crop.heights),
    )


def _array_pinned(values: NDArray[Any]) -> NDArray[Any]:
    pinned: NDArray[Any] = torch.from_numpy(values).pin_memory().numpy()
    return pinned
