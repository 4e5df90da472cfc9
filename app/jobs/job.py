"""A thread that drives one job of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QThread, Signal

if TYPE_CHECKING:
    from collections.abc import Generator

    from core.messages import Message


class Job(QThread):
    """Drives one generator; ends with exactly one of `succeeded`, `failed` and `cancelled`, then Qt's `finished`.

    Connect bound methods of objects that live in the GUI thread, never lambdas: those would run in this thread.
    """

    message = Signal(object)  # a core message
    succeeded = Signal(object)  # what the job returned
    failed = Signal(object)  # the exception
    cancelled = Signal()

    def __init__(self, steps: Generator[Message, None, Any], name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.name = name
        self._steps = steps

    def cancel(self) -> None:
        """Ask the job to stop at its next message."""
        self.requestInterruption()

    def run(self) -> None:
        try:
            while not self.isInterruptionRequested():
                self.message.emit(next(self._steps))
            self._steps.close()
        except StopIteration as stop:
            self.succeeded.emit(stop.value)
        except Exception as exc:  # noqa: BLE001 - the one place where it is right: the window must hear of anything
            self.failed.emit(exc)
        else:
            self.cancelled.emit()
