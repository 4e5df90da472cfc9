"""What a job says while it runs; a job is a generator of messages that returns its result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import numpy as np
    from numpy.typing import NDArray

    from core.particles import PickResult
    from core.types import FloatArray, IntArray, Positions

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a job has come.

    Attributes
    ----------
    stage : str
        What is being done now, in the user's words.
    done, total : float
        Amount done and amount to do, in the same unit of the stage's choice.
    eta : float | None
        Estimated seconds to the end of the stage; None when it is not known yet.
    detail : str
        A figure worth showing beside the bar, such as ``loss 0.123``.
    """

    stage: str
    done: float
    total: float
    eta: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something the user should know that does not stop the job."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochDone:
    """The state of training at one validation.

    Attributes
    ----------
    step : int
        Optimiser steps taken so far.
    seconds : float
        Training time so far, over all resumed runs.
    loss : float
        Mean training loss since the last validation.
    validation_loss : float | None
        Loss on the held-back part; None where nothing is held back.
    f1 : float | None
        Best picking F1 over thresholds on the held-back part, 0..1; where nothing is held back, the one that the scores promise
        at the end of training, and None before it.
    threshold : float
        Calibrated score from which candidates count with this network, mean over the classes.
    learning_rate : float
        Learning rate of the last step.
    best : bool
        Whether this is the best checkpoint so far.
    waiting : float | None
        Part of the time of the steps since the last validation in which they waited for crops, 0..1; None where it was not noted.
    utilisation : float | None
        Part of that time in which the device computed, 0..1, as its driver counts; None where it does not say.
    """

    step: int
    seconds: float
    loss: float
    validation_loss: float | None
    f1: float | None
    threshold: float
    learning_rate: float
    best: bool
    waiting: float | None = None
    utilisation: float | None = None

    @property
    def pace(self) -> str:
        """How well the device was kept busy, as part of a sentence; empty where it was not noted."""
        waiting = "" if self.waiting is None else f"waiting for data {self.waiting:.0%}"
        busy = "" if self.utilisation is None else f"GPU busy {self.utilisation:.0%}"
        return ", ".join(part for part in (waiting, busy) if part)

    @property
    def measured(self) -> bool:
        """Whether `f1` was measured on what was held back; otherwise it is an estimate, if anything."""
        return self.validation_loss is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class PicksFound:
    """Candidates of a part of the tomogram that is finished.

    Attributes
    ----------
    tomogram_id : str
        The tomogram they were found in.
    positions : Positions
        (n, 3) zyx voxels.
    class_ids : IntArray
        (n,) class of each candidate, as the network counts.
    scores : FloatArray
        (n,) calibrated score of each candidate, 0..1.
    names : dict[int, str]
        Name of each class of the network; a project may count the same classes otherwise.
    """

    tomogram_id: str
    positions: Positions = field(repr=False)
    class_ids: IntArray = field(repr=False)
    scores: FloatArray = field(repr=False)
    names: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TomogramPicked:
    """One tomogram of many is done.

    Attributes
    ----------
    name : str
        Of the tomogram.
    refused : str
        Why it could not be picked, in a sentence; empty where it was.
    result : PickResult | None
        All candidates, where they were asked for and it was picked.
    """

    name: str
    refused: str = ""
    result: PickResult | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlabsCut:
    """The picture of one particle.

    Attributes
    ----------
    generation : int
        What the job was given, to tell a late picture from one that is wanted.
    particle_id : int
        Which particle.
    picture : ndarray
        (3, edge, edge) greys of the slabs xy, xz and yz.
    bounds : tuple[float, float]
        The grey values that are black and white.
    """

    generation: int
    particle_id: int
    picture: NDArray[np.uint8] = field(repr=False)
    bounds: tuple[float, float]


Message: TypeAlias = Progress | Notice | EpochDone | PicksFound | TomogramPicked | SlabsCut


def drain(job: Generator[Message, None, Result], listen: Callable[[Message], None] | None = None) -> Result:
    """Run a job to its end in this thread.

    Parameters
    ----------
    job : Generator[Message, None, Result]
        A core job that has not been started.
    listen : Callable[[Message], None] | None
        Called with every message.

    Returns
    -------
    Result
        What the job returned.
    """
    try:
        while True:
            message = next(job)
            if listen is not None:
                listen(message)
    except StopIteration as stop:
        result: Result = stop.value
        return result
    finally:
        job.close()
