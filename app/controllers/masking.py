"""Masks: worked out in a thread when they are first asked for, kept, and from then on switched at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from app import notify
from app.jobs import Job
from app.panels.parts import allow
from core.curation import reject_masked
from core.errors import ConfigError, PickerError
from core.masks import EVERYWHERE, Masks, config_for, part_of, shade
from core.masks.describing import described
from core.messages import Notice, Progress
from core.particles import Status
from core.review import masked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qtpy.QtGui import QAction

    from app.panels.masks import MaskDialog
    from app.session import Session
    from app.views.triptych import Triptych
    from core.masks import MaskConfig
    from core.tomogram import Mask

DELAY_MS = 250  # after which an edited number counts
Key = tuple[str, str, Any]  # tomogram, mask, its settings


class MaskController(QObject):
    """Keeps session, dialog and veil true to what is asked of places."""

    said = Signal(str)

    def __init__(self, session: Session, dialog: MaskDialog, action: QAction, views: Triptych) -> None:
        super().__init__(dialog)
        self._session, self._dialog, self._action, self._views = session, dialog, action, views
        self._known: dict[Key, Mask | str] = {}  # worked out, or why it cannot be
        self._job: Job | None = None
        self._doing: Key | Masks | None = None
        self._progress = ""
        self._veiled: Masks | None = None  # what the veil shows
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self._take)
        action.triggered.connect(lambda _checked=False: self.open())
        dialog.edited.connect(self._timer.start)
        dialog.scope_requested.connect(self._on_dialog_scope)
        dialog.veil_requested.connect(lambda _on: self.refresh())
        dialog.skip_requested.connect(lambda on: setattr(session, "skip_masked", on))
        dialog.reject_requested.connect(self.reject)
        session.leaving.connect(self._on_session_leaving)
        session.project_changed.connect(self._on_session_project)
        session.tomogram_changed.connect(self._on_session_tomogram)
        session.masks_changed.connect(self._on_session_masks)
        session.table_changed.connect(self._show)

    def open(self) -> None:
        """Show the dialog."""
        self._fill()
        self._show()
        self._dialog.show()
        self._dialog.raise_()

    def reject(self) -> None:
        """Reject all candidates that are masked, as one change."""
        project, tomogram, mask = self._session.project, self._session.tomogram, self._session.mask
        if project is None or tomogram is None or mask is None:
            return
        try:
            count = reject_masked(project.store, tomogram.id, mask)
        except PickerError as exc:
            notify.show(exc)
            return
        self.said.emit(f"Rejected {count} masked picks; the next training learns from them. Ctrl+Z takes it back.")

    # ---- what is asked for ----

    def _take(self) -> None:
        tomogram = self._session.tomogram
        if tomogram is None:
            return
        try:
            config = self._dialog.config()
        except ConfigError as exc:
            self._dialog.set_states({}, notify.sentence(exc), "Correct the setting first.")
            return
        key = tomogram.id if tomogram.id in self._session.masks else EVERYWHERE
        self._session.set_masks(self._session.masks | {key: config})

    def _on_dialog_scope(self, own: bool) -> None:
        tomogram, masks = self._session.tomogram, dict(self._session.masks)
        if tomogram is None:
            return
        if own:
            masks[tomogram.id] = config_for(masks, tomogram.id)
        else:
            masks.pop(tomogram.id, None)
        self._session.set_masks(masks)
        self._fill()

    def _fill(self) -> None:
        tomogram = self._session.tomogram
        if tomogram is not None and not self._timer.isActive():
            self._dialog.fill(config_for(self._session.masks, tomogram.id), tomogram.id in self._session.masks)

    # ---- what comes of it ----

    def _names(self) -> Iterator[str]:
        """Yield the tomograms that matter: first the one that is shown, then all with candidates."""
        project, shown = self._session.project, self._session.tomogram
        if project is None or shown is None:
            return
        yield shown.id
        counts = project.store.counts()
        yield from sorted({name for name, _, status in counts if status is Status.CANDIDATE} - {shown.id})

    def _keys(self, name: str) -> list[Key]:
        config: MaskConfig = config_for(self._session.masks, name)
        return [(name, part, getattr(config, part)) for part in config.active]

    def refresh(self) -> None:
        """Give the session what is known, and work out what is missing."""
        made: dict[str, Masks | str] = {}
        missing: list[Key] = []
        for name in self._names():
            keys = self._keys(name)
            found = {key[1]: self._known[key] for key in keys if key in self._known}
            wrong = next((one for one in found.values() if isinstance(one, str)), "")
            missing += [key for key in keys if key not in self._known]
            if keys and len(found) < len(keys):
                made[name] = wrong or f"The masks of {name} are being worked out; wait a moment."
            elif keys:
                made[name] = wrong or Masks(found)
        self._session.set_made(made)
        self._show()
        if self._job is None:
            self._start(missing)

    def _start(self, missing: list[Key]) -> None:
        project, tomogram, mask = self._session.project, self._session.tomogram, self._session.mask
        if project is None or tomogram is None:
            return
        if missing:
            key = missing[0]
            try:
                place = tomogram if key[0] == tomogram.id else project.tomogram(key[0])
            except PickerError as exc:
                self._known[key] = notify.sentence(exc)
                self.refresh()
                return
            self._run(key, part_of(place, key[1], key[2], project.folder / "cache"))
            return
        if mask is None or not self._dialog.veil.isChecked():
            self._veiled = None
            self._views.set_masked(None)
        elif mask != self._veiled:
            self._run(mask, shade(mask, tomogram.shape))

    def _run(self, doing: Key | Masks, steps: Any) -> None:
        self._doing = doing
        self._job = Job(steps, "Masks", self)
        self._job.message.connect(self._on_job_message)
        self._job.succeeded.connect(self._on_job_succeeded)
        self._job.failed.connect(self._on_job_failed)
        self._job.finished.connect(self._on_job_finished)
        self._job.start()

    def _on_job_message(self, message: Any) -> None:
        if isinstance(message, Notice):
            self.said.emit(message.text)
        elif isinstance(message, Progress) and isinstance(self._doing, tuple):
            self._progress = f"{message.stage} …"
            self._show()

    def _on_job_succeeded(self, result: Any) -> None:
        if isinstance(self._doing, tuple):
            self._known[self._doing] = result
        elif self._doing is not None and self._doing == self._session.mask:
            self._veiled = self._doing
            self._views.set_masked(*result)

    def _on_job_failed(self, exc: Exception) -> None:
        if not isinstance(exc, PickerError):
            notify.show(exc)
        if isinstance(self._doing, tuple):
            self._known[self._doing] = notify.sentence(exc)
        else:
            self._veiled = self._session.mask  # not again and again

    def _on_job_finished(self) -> None:
        if self._job is not None:
            self._job.deleteLater()
        self._job, self._doing, self._progress = None, None, ""
        self.refresh()

    def close(self) -> None:
        """Let no thread outlive the window."""
        self._timer.stop()
        if self._job is not None:
            self._job.finished.disconnect(self._on_job_finished)
            self._job.cancel()
            self._job.wait()
            self._job = None

    # ---- callbacks ----

    def _show(self) -> None:
        session = self._session
        allow(self._action, "" if session.tomogram is not None else "Open a tomogram first.", "Where picks count")
        if not self._dialog.isVisible() or session.tomogram is None:
            return
        table, mask = session.table, session.mask
        candidates = table.select(table.statuses == Status.CANDIDATE)
        states = {}
        for key in self._keys(session.tomogram.id):
            found = self._known.get(key, self._progress or "Waiting …")
            if not isinstance(found, str):
                hidden = int((~found.inside(candidates.positions)).sum())
                found = f"{described(found)}; hides {hidden} of {len(candidates)} picks".capitalize()
            states[key[1]] = found
        count = int(masked(candidates, mask).sum())
        total = f"{count} of {len(candidates)} open picks are masked." if mask is not None else "No mask is in use."
        self._dialog.set_states(states, total, "" if count else "No pick is masked.")

    def _on_session_leaving(self) -> None:
        if self._timer.isActive():  # an edit is of the tomogram that it was made at
            self._timer.stop()
            self._take()

    def _on_session_project(self) -> None:
        self._known = {}
        if self._job is not None:
            self._job.cancel()
            self._doing = None

    def _on_session_tomogram(self) -> None:
        self._veiled = None  # the canvases have let go of it
        self._fill()
        self.refresh()

    def _on_session_masks(self) -> None:
        self._fill()
        self.refresh()
