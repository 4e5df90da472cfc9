"""How far a training has come: plain data, so that it can be written down."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from core.messages import EpochDone, Progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.config import TrainConfig


@dataclass(slots=True)
class Course:
    """How far a training has come.

    Attributes
    ----------
    step : int
        Steps taken.
    seconds : float
        Time used, over all resumed runs.
    validated : int
        Validations that are behind it.
    best : list[float]
        Figures of the best checkpoint, the weightiest first.
    recent, used : list[float]
        Since the last validation: the loss of each step, and how busy the device was, where that is known.
    stepped, waited : float
        Seconds of the steps since the last validation, and those of them in which they waited for crops.
    history : list[dict[str, float]]
        What was told at every validation.
    """

    step: int = 0
    seconds: float = 0.0
    validated: int = 0
    best: list[float] = field(default_factory=lambda: [-1.0, -1.0, -math.inf])
    recent: list[float] = field(default_factory=list)
    used: list[float] = field(default_factory=list)
    stepped: float = 0.0
    waited: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)

    def fraction(self, train: TrainConfig) -> float:
        """Return the part of the budget that is used up, whichever limit is nearer.

        Parameters
        ----------
        train : TrainConfig
            Steps and minutes.

        Returns
        -------
        float
            1 or more at the end.
        """
        by_steps = self.step / train.steps if train.steps else 0.0
        by_time = self.seconds / (60 * train.minutes) if train.minutes else 0.0
        return max(by_steps, by_time)

    def count(self, loss: float, seconds: float, waited: float, used: float | None) -> None:
        """Count one more step.

        Parameters
        ----------
        loss : float
            Its loss.
        seconds, waited : float
            What it took, and how long of that it waited for crops.
        used : float | None
            How busy the device was, 0..1, where that is known.
        """
        self.step += 1
        self.recent.append(loss)
        self.used += [] if used is None else [used]
        self.seconds += seconds
        self.stepped += seconds
        self.waited += waited

    def progress(self, train: TrainConfig, loss: float) -> Progress:
        """Say how far training has come.

        Parameters
        ----------
        train : TrainConfig
            Its budget.
        loss : float
            Of the last step.

        Returns
        -------
        Progress
            With the loss, and the part of the time in which steps waited for crops.
        """
        fraction = self.fraction(train)
        eta = self.seconds * max(1 / fraction - 1, 0) if fraction else None
        detail = f"loss {loss:.3f}, waiting for data {self._waiting:.0%}"
        return Progress(stage="Training", done=min(fraction, 1.0), total=1.0, eta=eta, detail=detail)

    @property
    def _waiting(self) -> float:
        return self.waited / self.stepped if self.stepped else 0.0

    def told(
        self,
        train: TrainConfig,
        seconds: float,
        thresholds: Mapping[int, float],
        learning_rate: float,
        *,
        validation_loss: float | None,
        f1: float | None,
        best: bool,
    ) -> EpochDone:
        """Count a validation, and say how training stands.

        Parameters
        ----------
        train : TrainConfig
            Its budget.
        seconds : float
            What the validation took.
        thresholds : Mapping[int, float]
            Calibrated score from which candidates of each class count.
        learning_rate, validation_loss, f1, best : float | float | None | float | None | bool
            As in `EpochDone`.

        Returns
        -------
        EpochDone
            Also kept in the history.
        """
        finite = [loss for loss in self.recent if math.isfinite(loss)]
        self.seconds += seconds
        self.validated = int(self.fraction(train) * train.validations)
        report = EpochDone(
            step=self.step,
            seconds=self.seconds,
            loss=sum(finite) / len(finite) if finite else math.nan,
            validation_loss=validation_loss,
            f1=f1,
            threshold=sum(thresholds.values()) / len(thresholds),
            learning_rate=learning_rate,
            best=best,
            waiting=self._waiting,
            utilisation=sum(self.used) / len(self.used) if self.used else None,
        )
        self.recent, self.used, self.stepped, self.waited = [], [], 0.0, 0.0
        self.history.append(asdict(report))
        return report
