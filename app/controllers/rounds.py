"""Rounds of training and picking: the second follows the first by itself where that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

if TYPE_CHECKING:
    from app.controllers.pick import PickController
    from app.controllers.train import TrainController
    from app.jobs import Runner


class RoundController(QObject):
    """Remembers whether picking follows the training that runs."""

    trained = Signal()  # a network is there to pick with

    def __init__(self, runner: Runner, train: TrainController, pick: PickController) -> None:
        super().__init__()
        self._runner, self._train, self._pick = runner, train, pick
        self._then_pick = False
        train.pick_wanted.connect(self._on_pick_wanted)
        train.trained.connect(self._on_trained)
        pick.reason_not_again = train.reason_not

    def again(self) -> None:
        """Train on from the last network, then pick."""
        self._train.train_again()
        self._then_pick = self._runner.busy

    def forget(self) -> None:
        """Let nothing follow the training that runs."""
        self._then_pick = False

    def _on_pick_wanted(self) -> None:
        self._then_pick = True

    def _on_trained(self) -> None:
        self.trained.emit()
        if self._then_pick:
            self.forget()
            self._runner.when_free(self._pick.pick)
