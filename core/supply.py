"""Crops for one step after the other: those of the next are made in a thread while the network computes."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import torch

if TYPE_CHECKING:
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
    ahead : bool
        Whether to make the crops of the next step meanwhile.

    Attributes
    ----------
    sampler : Sampler
        As given.
    waited : float
        Seconds for which steps have waited for their crops so far.
    """

    def __init__(self, sampler: Sampler, device: torch.device, *, ahead: bool = True) -> None:
        self.sampler, self._pinned, self._ahead = sampler, device.type == "cuda", ahead
        self._maker = ThreadPoolExecutor(1, "crops")
        self._next: tuple[tuple[int, range | None], Future[list[Crop]]] | None = None
        self._over = False
        self.waited = 0.0

    def crops(self, step: int, rows: range | None = None) -> list[Crop]:
        """Return the crops of a step, and begin with those of the step after it.

        Parameters
        ----------
        step : int
            Number of the step.
        rows : range | None
            Which of its crops; None for all.

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
        asked, made = self._next or (None, None)
        if made is None or asked != (step, rows):
            made = self._maker.submit(self._make, step, rows)
        crops = made.result()
        self.waited += time.monotonic() - began
        self._next = ((step + 1, rows), self._maker.submit(self._make, step + 1, rows)) if self._ahead else None
        return crops

    def _make(self, step: int, rows: range | None) -> list[Crop]:
        crops: list[Crop] = []
        for row in range(self.sampler.train.batch) if rows is None else rows:
            if not self._over:
                crops += self.sampler.batch(step, (row,))
        return [_pinned(crop) for crop in crops] if self._pinned else crops

    def end(self) -> None:
        """Make no more crops; whoever is in haste need not wait for the one in hand."""
        self._over = True
        self._maker.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._maker.shutdown()


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
