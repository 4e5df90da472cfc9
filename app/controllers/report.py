"""Writing a report: the job in a process of its own, since it reads a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from app import notify
from app.panels.parts import allow

if TYPE_CHECKING:
    from qtpy.QtGui import QAction

    from app.jobs import Runner
    from app.session import Session

USUAL = "One page for the notebook: data, network, curves, gallery, averages, counts, and how to do it again"


class ReportController(QObject):
    """From a file name to a page."""

    said = Signal(str)

    def __init__(self, session: Session, runner: Runner, action: QAction) -> None:
        super().__init__()
        self._session, self._runner, self._action = session, runner, action
        session.tomogram_changed.connect(self._show)
        runner.busy_changed.connect(lambda _busy, _name: self._show())

    def reason_not(self) -> str:
        """Say why no report can be written; empty if it can."""
        if self._session.tomogram is None:
            return "Open a tomogram first."
        return self._runner.reason_not

    def write(self, path: str) -> None:
        """Write a report on the project that is open; it is read again from disk, where every click is."""
        project = self._session.project
        if project is None or self.reason_not():
            return
        from core.host import hosted
        from core.report import write_report

        steps = hosted(write_report, project.folder.absolute(), Path(path))
        self._runner.start("Writing the report", steps, succeeded=self._on_succeeded, failed=self._on_failed)

    def _on_succeeded(self, files: list[Path]) -> None:
        self.said.emit(f"The report is written to {files[0]}.")

    def _on_failed(self, exc: Exception) -> None:
        notify.show(exc)

    def _show(self) -> None:
        allow(self._action, self.reason_not(), USUAL)
