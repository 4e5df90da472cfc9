"""Movies of sections."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from app import notify
from app.layers.particles import CROSS
from core.movie import Marks, MovieConfig, movie

if TYPE_CHECKING:
    from pathlib import Path

    from app.jobs import Runner
    from app.panels.movie import MovieDialog
    from app.session import Session
    from app.views.triptych import Seen, Triptych


class MovieController(QObject):
    """From the menu to a file."""

    said = Signal(str)

    def __init__(self, session: Session, runner: Runner, dialog: MovieDialog, views: Triptych) -> None:
        super().__init__()
        self._session, self._runner, self._dialog, self._views = session, runner, dialog, views
        dialog.movie_requested.connect(self.make)

    def ask(self) -> None:
        """Let the user choose sections and file."""
        project, tomogram = self._session.project, self._session.tomogram
        if self._runner.busy:
            self.said.emit(self._runner.reason_not)
        elif project is None or tomogram is None:
            self.said.emit("Open a tomogram first.")
        else:
            self._dialog.set_tomogram(tomogram.shape, project.folder / f"{tomogram.id}.gif")
            self._dialog.open()

    def make(self, config: MovieConfig, path: Path, with_rings: bool) -> None:
        """Draw sections as they are seen now."""
        tomogram, seen = self._session.tomogram, self._views.seen
        if tomogram is None or self._runner.busy:
            return
        steps = movie(
            tomogram,
            path,
            replace(config, upwards=seen.upwards),
            bounds=seen.bounds,
            look=seen.look,
            inverted=seen.inverted,
            marks=_marks(seen) if with_rings else None,
        )
        self._runner.start("Drawing the movie", steps, succeeded=self._on_succeeded, failed=self._on_failed)

    def _on_succeeded(self, path: Path) -> None:
        self.said.emit(f"The movie is written to {path}.")

    def _on_failed(self, exc: Exception) -> None:
        notify.show(exc)


def _marks(seen: Seen) -> Marks:
    rings, shown = seen.rings, seen.rings.shown
    return Marks(
        positions=rings.positions[shown],
        sizes=rings.sizes[shown],
        colors=rings.colors[shown],
        crossed=rings.symbols[shown] == CROSS,
        factor=seen.ring_style.size,
        line=seen.ring_style.line,
    )
