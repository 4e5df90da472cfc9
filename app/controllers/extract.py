"""Cutting particles out: from the dialog to a job and a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal

from app import notify
from app.controllers.exportorder import STATUSES
from app.panels.parts import allow
from core.delivery import chosen
from core.errors import PickerError
from core.extraction import extract, plan
from core.gathering import best
from core.messages import Progress

if TYPE_CHECKING:
    from qtpy.QtGui import QAction

    from app.jobs import Runner
    from app.panels.extract import ExtractDialog
    from app.session import Session
    from core.extraction import Extracted, Plan
    from core.messages import Message
    from core.particles import ParticleTable
    from core.tomogram import Tomogram

DELAY_MS = 150  # after which what would be written is counted again
USUAL = "Small volumes around picks for other programs, with RELION's list of them"


class ExtractController(QObject):
    """Counts what would be written while the dialog is open, and writes it."""

    said = Signal(str)

    def __init__(self, session: Session, runner: Runner, dialog: ExtractDialog, action: QAction) -> None:
        super().__init__(dialog)
        self._session, self._runner, self._dialog, self._action = session, runner, dialog, action
        self._running = False
        self._done = ""  # what came of the last one, until something is changed
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self._show)
        action.triggered.connect(lambda _checked=False: self.open())
        dialog.edited.connect(self._on_dialog_edited)
        dialog.extract_requested.connect(self.extract)
        dialog.cancel_requested.connect(runner.cancel)
        for signal in (session.table_changed, session.review_changed, session.classes_changed):
            signal.connect(self._on_session_changed)
        session.project_changed.connect(self._on_session_project)
        runner.busy_changed.connect(lambda _busy, _name: self._on_session_changed())
        self._on_session_changed()

    def open(self) -> None:
        """Show the dialog."""
        self._done = ""
        self._show()
        self._dialog.show()
        self._dialog.raise_()

    def close(self) -> None:
        """Let go of the dialog."""
        self._timer.stop()
        self._dialog.close()

    # ---- what is asked for ----

    def _parts(self) -> list[tuple[Tomogram, ParticleTable]]:
        """Return what is chosen of each tomogram; raises `PickerError` where one cannot be opened."""
        session, dialog = self._session, self._dialog
        project, shown = session.project, session.tomogram
        if project is None or shown is None:
            return []
        names = [shown.id] if dialog.only_shown else [record.id for record in project.store.tomograms()]
        what = dialog.which.currentData()
        reviews = dict(session.review) if what == "shown" else None
        tomograms, tables = [], []
        for name in names:
            table = project.store.table(name)
            if not len(table):
                continue  # its file may be away
            tomogram = shown if name == shown.id else project.tomogram(name)
            made = None if reviews is None else session.made.get(name)
            if isinstance(made, str):
                raise PickerError(made)
            specs = tuple(session.classes.values())
            tables.append(chosen(table, dialog.class_id, reviews, specs, tomogram, STATUSES.get(what), made))
            tomograms.append(tomogram)
        return list(zip(tomograms, best(tables, dialog.top.value()), strict=True))

    def extract(self) -> None:
        """Cut out what is chosen."""
        spec, folder = self._session.classes.get(self._dialog.class_id), self._dialog.folder.text().strip()
        if spec is None or not folder or self._runner.busy:
            return
        try:
            steps = extract(self._parts(), spec.diameter, Path(folder).expanduser(), self._dialog.config)
        except PickerError as exc:
            notify.show(exc)
            return
        self._running = True
        self._runner.start(
            "Cutting out particles",
            steps,
            succeeded=self._on_succeeded,
            failed=self._on_failed,
            cancelled=self._on_cancelled,
            message=self._on_message,
        )

    # ---- what comes of it ----

    def _on_message(self, message: Message) -> None:
        if isinstance(message, Progress):
            self._dialog.set_said(f"{message.done:.0f} of {message.total:.0f} particles …", "Particles are being cut out.")

    def _on_succeeded(self, done: Extracted) -> None:
        padded = f" {done.padded} boxes reach past a face and were filled up with the mean." if done.padded else ""
        left = f" {done.left_out} were left out, since their boxes reach past a face." if done.left_out else ""
        self._end(f"✓ {done.count} particles in boxes of {done.edge} voxels; their list is {done.star}.{padded}{left}")

    def _on_failed(self, exc: Exception) -> None:
        self._end("")
        notify.show(exc)

    def _on_cancelled(self) -> None:
        self._end("Stopped; nothing was written.")

    def _end(self, text: str) -> None:
        self._running, self._done = False, text
        if text:
            self.said.emit(text.removeprefix("✓ "))
        self._show()

    # ---- showing ----

    def _reason_not(self) -> str:
        """Say why nothing can be cut out; empty if it can."""
        session = self._session
        if session.project is None or session.tomogram is None:
            return "Open a tomogram first."
        if not session.tomogram.voxel_size:
            return "Give the voxel size first (step 1)."
        return "" if any(session.project.store.counts().values()) else "There are no particles in this project yet."

    def _show(self) -> None:
        session, dialog = self._session, self._dialog
        dialog.set_running(self._running)
        if self._running:
            return
        dialog.set_classes(tuple(session.classes.values()), session.class_id)
        spec, tomogram = session.classes.get(dialog.class_id), session.tomogram
        reason = self._reason_not()
        if reason or spec is None or tomogram is None:
            dialog.set_said(reason, reason or "Make a class first (step 2).")
            return
        dialog.set_particle(spec.diameter, tomogram.voxel_size)
        try:
            text = _told(plan(self._parts(), spec.diameter, dialog.config))
        except PickerError as exc:
            dialog.set_said(notify.sentence(exc), notify.sentence(exc))
            return
        reason = self._runner.reason_not or ("" if dialog.folder.text().strip() else "Say which folder to make.")
        dialog.set_said(self._done or text, reason)

    # ---- callbacks ----

    def _on_dialog_edited(self) -> None:
        self._done = ""
        self._timer.start()

    def _on_session_changed(self) -> None:
        allow(self._action, self._reason_not(), USUAL)
        if self._dialog.isVisible():
            self._timer.start()

    def _on_session_project(self) -> None:
        project = self._session.project
        self._dialog.forget_box()
        self._dialog.folder.setText("" if project is None else str(project.folder.absolute() / "subvolumes"))


def _told(order: Plan) -> str:
    tomograms = len(order.parts)
    where = "one tomogram" if tomograms == 1 else f"{tomograms} tomograms"
    near = order.padded + order.left_out
    away = f" {near} reach past a face and will be {'filled up' if order.padded else 'left out'}." if near else ""
    size = f"{order.edge} voxels of {order.voxel_size:.4g} Å = {order.edge * order.voxel_size:.4g} Å"
    return f"{order.count} particles of {where}, in boxes of {size}; {order.megabytes:.3g} MB.{away}"
