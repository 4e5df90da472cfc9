"""Picking all tomograms of the project: one job, one progress, candidates as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from app import notify
from core.errors import PickerError
from core.messages import Notice, TomogramPicked

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from app.jobs import Runner
    from app.panels.pick import PickPanel
    from app.session import Session
    from core.batch import BatchResult
    from core.batch.members import Members
    from core.config import PickConfig
    from core.messages import Message
    from core.particles import PickResult
    from core.project import Project


class PickAllController(QObject):
    """From "Pick all tomograms" to candidates in each of them."""

    said = Signal(str)

    def __init__(self, session: Session, runner: Runner, panel: PickPanel) -> None:
        super().__init__()
        self._session, self._runner, self._panel = session, runner, panel
        self._what: Members | None = None
        self._kept: dict[str, int] = {}
        panel.pick_all_requested.connect(self.pick_all)
        for signal in (session.project_changed, session.tomogram_changed, session.model_changed):
            signal.connect(self._show)
        runner.busy_changed.connect(self._on_runner_busy)
        self._show()

    def reason_not(self) -> str:
        """Say why picking cannot start; empty if it can."""
        if self._session.project is None:
            return "Open a project first."
        if not self._session.writable:
            return "This project is open to look at only."
        if self._session.model is None:
            return "Train a network first (step 3)."
        return self._runner.reason_not

    def pick_all(self) -> None:
        """Pick all tomograms that the project uses."""
        project, model = self._session.project, self._session.model
        if project is None or model is None or self.reason_not():
            return
        try:
            steps = self._order(project, model, self._panel.form.config())
        except PickerError as exc:
            notify.show(exc)
            return
        self._kept = {}
        self._runner.start(
            "Picking all tomograms",
            steps,
            message=self._on_message,
            succeeded=self._on_succeeded,
            failed=self._on_failed,
            cancelled=self._on_cancelled,
        )

    def _order(self, project: Project, model: Path, config: PickConfig) -> Generator[Message, None, BatchResult]:
        from core.batch import local, pick_all
        from core.batch.members import members
        from core.gathering import chosen_tomograms

        masks = self._session.masks if self._session.skip_masked else None
        self._what = members(project, chosen_tomograms(project), model, config, masks=masks, everything=True)
        return pick_all(list(self._what.orders.values()), local(device=config.device))

    def _on_message(self, message: Any) -> None:
        if isinstance(message, Notice):
            self.said.emit(message.text)
        elif isinstance(message, TomogramPicked) and message.result is not None:
            self._keep(message.name, message.result)

    def _keep(self, name: str, result: PickResult) -> None:
        from core.batch.records import note_kept
        from core.gathering import keep_candidates

        project, what = self._session.project, self._what
        if project is None or what is None:
            return
        try:
            kept = keep_candidates(project, result)
            note_kept(what.orders[name], kept.tolist(), everything=True)
        except PickerError as exc:
            self._runner.cancel()
            notify.show(exc)
            return
        self._kept[result.table.tomogram_id] = len(kept)
        self._session.advise({spec.name: result.thresholds[spec.id] for spec in result.classes if spec.id in result.thresholds})
        if self._session.table.tomogram_id == result.table.tomogram_id:
            self._session.reload()

    def _on_succeeded(self, found: BatchResult) -> None:
        refused = [*(self._what.refused if self._what is not None else []), *found.failed.values()]
        before = f" {len(found.before)} had been picked before with the same network and settings." if found.before else ""
        self.said.emit(f"{self._told()}{before}")
        if refused:
            reasons = " ".join(f"{one.name}: {one.refused}" for one in refused)
            total = len(refused) + len(found.picked) + len(found.before)
            notify.show(PickerError(f"{len(refused)} of {total} tomograms could not be picked. {reasons}"))

    def _on_failed(self, exc: Exception) -> None:
        self.said.emit(self._told())
        notify.show(exc)

    def _on_cancelled(self) -> None:
        self.said.emit(f"Stopped. {self._told()}")

    def _told(self) -> str:
        return f"{sum(self._kept.values())} candidates found in {len(self._kept)} tomograms."

    def _on_runner_busy(self, _busy: bool, _name: str) -> None:
        self._show()

    def _show(self) -> None:
        self._panel.set_all_ready(self.reason_not())
