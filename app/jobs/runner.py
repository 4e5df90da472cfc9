"""One job at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QCoreApplication, QEvent, QObject, Signal

from app.jobs.job import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from core.messages import Message

PATIENCE_MS = 5000
BUSY = "Something else is running; wait for it or cancel it."


class Runner(QObject):
    """Starts jobs, one at a time, and outlives them.

    Attributes
    ----------
    closing : bool
        Whether what ends now must not be followed by anything.
    """

    busy_changed = Signal(bool, str)  # whether a job runs, and its name
    message = Signal(object)  # of whatever job runs

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.closing = False
        self._job: Job | None = None
        self._next: list[Callable[[], object]] = []

    @property
    def busy(self) -> bool:
        """Whether a job runs."""
        return self._job is not None

    @property
    def name(self) -> str:
        """What runs now; empty when nothing does."""
        return self._job.name if self._job is not None else ""

    @property
    def reason_not(self) -> str:
        """Why no other job can start; empty when one can."""
        return BUSY if self.busy else ""

    def start(
        self,
        name: str,
        steps: Generator[Message, None, Any],
        *,
        succeeded: Callable[[Any], None],
        failed: Callable[[Exception], None],
        cancelled: Callable[[], None] | None = None,
        message: Callable[[Any], None] | None = None,
    ) -> None:
        """Start a job in a thread of its own; the slots are bound methods of GUI objects and run in the GUI thread.

        Parameters
        ----------
        name : str
            What the user calls it.
        steps : Generator[Message, None, Any]
            A job that has not been started.
        succeeded, failed, cancelled, message : Callable
            What is to be told.

        Raises
        ------
        RuntimeError
            If a job runs already.
        """
        if self._job is not None:
            raise RuntimeError(f"{self._job.name!r} runs already; a second job must wait for it")
        job = Job(steps, name, self)
        self._job = job
        job.finished.connect(self._on_job_finished)  # first: who is told of the result finds the runner free
        for signal, slot in ((job.message, message), (job.succeeded, succeeded), (job.failed, failed), (job.cancelled, cancelled)):
            if slot is not None:
                signal.connect(slot)
        job.message.connect(self.message)
        self.busy_changed.emit(True, name)
        job.start()

    def when_free(self, start: Callable[[], object]) -> None:
        """Call something now, or as soon as the job that runs has ended.

        Parameters
        ----------
        start : Callable[[], object]
            May start the next job.
        """
        self._next.append(start)
        self._go_on()

    def _go_on(self) -> None:
        while self._next and self._job is None:
            self._next.pop(0)()

    def cancel(self) -> None:
        """Ask the running job, if any, to stop."""
        if self._job is not None:
            self._job.cancel()

    def close(self) -> bool:
        """Cancel and wait until nothing runs, and whoever is to be told of it was.

        Returns
        -------
        bool
            False if the job did not stop in time.
        """
        self._next.clear()
        if self._job is None:
            return True
        self.closing = True
        self._job.cancel()
        ended = bool(self._job.wait(PATIENCE_MS))
        QCoreApplication.sendPostedEvents(None, QEvent.Type.MetaCall)  # later, the window would be gone
        self.closing = False
        return ended

    def _on_job_finished(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.deleteLater()
        self.busy_changed.emit(False, "")
        self._go_on()
