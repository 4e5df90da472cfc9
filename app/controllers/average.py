"""Averages of picks: from the dialog to a job and back, and to files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal

from app import notify
from app.panels.parts import allow
from core.averaging import average
from core.errors import PickerError
from core.gallery import rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from qtpy.QtGui import QAction

    from app.jobs import Runner
    from app.panels.average import AverageDialog
    from app.session import Session
    from core.averaging import Average, AverageConfig


class AverageController(QObject):
    """Averages are of the tomogram that is shown."""

    said = Signal(str)

    def __init__(self, session: Session, runner: Runner, dialog: AverageDialog, action: QAction) -> None:
        super().__init__()
        self._session, self._runner, self._dialog, self._action = session, runner, dialog, action
        self._made: Average | None = None
        self._title = ""
        action.triggered.connect(lambda _checked=False: self.open())
        dialog.average_requested.connect(self.make)
        dialog.save_requested.connect(self.save)
        session.table_changed.connect(self._show_ready)
        session.classes_changed.connect(self._show_ready)
        runner.busy_changed.connect(lambda _busy, _name: self._show_ready())
        self._show_ready()

    def open(self) -> None:
        """Show the dialog."""
        self._show_ready()
        self._dialog.show()
        self._dialog.raise_()

    def _show_ready(self) -> None:
        session = self._session
        none = "" if session.tomogram is not None else "Open a tomogram first."
        none = none or ("" if len(session.table) else "There are no particles in this tomogram yet.")
        none = none or ("" if session.tomogram is None or session.tomogram.voxel_size else "Give the voxel size first (step 1).")
        allow(self._action, none, "The mean of picks beside that of random places: is there something?")
        self._dialog.set_classes(tuple(session.classes.values()), session.class_id)
        self._dialog.set_ready(none or self._runner.reason_not)

    def make(self, class_id: int, which: str, top: int, how: AverageConfig) -> None:
        """Average picks of a class."""
        session, tomogram = self._session, self._session.tomogram
        if tomogram is None or session.project is None or class_id not in session.classes or self._runner.busy:
            return
        table, spec = session.table, session.classes[class_id]
        flagged = session.project.store.flagged(tomogram.id)
        rows = rows_of(table, session.shown, flagged, class_id=class_id, which=which)[: top or None]
        self._title = f"{spec.name}: {len(rows)} {which} particles of {tomogram.id}"
        steps = average([(tomogram, table.positions[np.asarray(rows)])], spec.diameter, how, [table.positions])
        self._runner.start("Averaging", steps, succeeded=self._on_succeeded, failed=self._on_failed)

    def _on_succeeded(self, made: Average) -> None:
        self._made = made
        self._dialog.set_average(made)
        self.said.emit(f"Averaged {made.count} particles and as many decoys.")

    def _on_failed(self, exc: Exception) -> None:
        notify.show(exc)

    def save(self, path: Path) -> None:
        """Write the volumes with their picture, or the picture alone."""
        if self._made is None:
            return
        from core.portrait import draw_average, write_average

        try:
            if path.suffix.lower() in (".mrc", ".map"):
                files = write_average(self._made, path, self._title)
            else:
                draw_average(self._made, path, self._title)
                files = [path]
        except PickerError as exc:
            notify.show(exc)
            return
        self.said.emit(f"Written: {', '.join(map(str, files))}.")

    def close(self) -> None:
        """Let go of the dialog."""
        self._dialog.close()
