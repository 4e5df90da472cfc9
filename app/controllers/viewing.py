"""What the eye is given beside sections: how rings are drawn, the score map, three dimensions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from app import notify
from app.jobs import Job
from app.layers.particles import RingStyle
from core.display import small_copy
from core.scoremap import open_score_map

if TYPE_CHECKING:
    from qtpy.QtCore import QSettings

    from app.panels.rings import RingControls
    from app.panels.scoremap import ScoreMapControls
    from app.session import Session
    from app.views.triptych import Triptych
    from core.display import SmallCopy
    from core.tomogram import Tomogram

SIZE, LINE = "ring size", "ring line"


class ViewController(QObject):
    """Keeps what is set for the eye from one tomogram, and one day, to the next."""

    def __init__(
        self, session: Session, rings: RingControls, score_map: ScoreMapControls, views: Triptych, settings: QSettings
    ) -> None:
        super().__init__()
        self._session, self._rings, self._score_map, self._views, self._settings = session, rings, score_map, views, settings
        rings.style_requested.connect(self.set_ring_style)
        usual = RingStyle()
        rings.set_style(RingStyle(size=float(settings.value(SIZE, usual.size)), line=float(settings.value(LINE, usual.line))))
        views.set_ring_style(rings.style_now)
        score_map.opacity_requested.connect(views.set_score_map_opacity)
        session.tomogram_changed.connect(self.show_score_map)
        session.tomogram_changed.connect(self._show_solid)
        self._solid = False
        self._job: Job | None = None
        self._copying: Tomogram | None = None  # what the running job, or else the copy, belongs to
        self._copy: SmallCopy | None = None

    def set_ring_style(self, style: RingStyle) -> None:
        """Change size and line of all rings."""
        self._views.set_ring_style(style)
        self._settings.setValue(SIZE, style.size)
        self._settings.setValue(LINE, style.line)

    def reset(self) -> None:
        """Draw rings as usual."""
        self._rings.set_style(RingStyle())
        self.set_ring_style(RingStyle())

    def show_score_map(self) -> None:
        """Take the score map of the tomogram that is shown, if it has one."""
        project, tomogram = self._session.project, self._session.tomogram
        found = None if project is None or tomogram is None else open_score_map(project.score_map(tomogram.id), tomogram)
        self._views.set_score_map(found)
        self._score_map.set_available(found is not None)

    def change_line(self, by: float) -> None:
        """Draw all rings thicker, or thinner, by so many pixels."""
        self._rings.set_style(replace(self._rings.style_now, line=self._rings.style_now.line + by))
        self.set_ring_style(self._rings.style_now)

    # ---- three dimensions ----

    def set_solid(self, on: bool) -> None:
        """Show the tomogram in three dimensions, or stop it."""
        self._solid = on
        self._show_solid()

    def _show_solid(self) -> None:
        """Bring the corner in step; copies are made beside the runner, which may be training."""
        tomogram, corner = self._session.tomogram, self._views.corner
        if self._copying is not tomogram:
            self._copy = None
            self._copying = None if self._job is None else self._copying
        if not self._solid or tomogram is None:
            corner.show_text()
        elif self._copy is not None:
            corner.show_solid(self._copy, tomogram.shape)
        else:
            corner.show_text()
            corner.wait(True)
            self._make_copy(tomogram)

    def _make_copy(self, tomogram: Tomogram) -> None:
        if self._job is None:
            self._copying = tomogram
            self._job = Job(small_copy(tomogram), "3-D view", self)
            self._job.succeeded.connect(self._on_job_succeeded)
            self._job.failed.connect(self._on_job_failed)
            self._job.finished.connect(self._on_job_finished)
            self._job.start()
        elif self._copying is not tomogram:
            self._job.cancel()  # when it has ended, this is called again

    def close(self) -> None:
        """Let no thread outlive the window."""
        self._solid = False
        if self._job is not None:
            self._job.finished.disconnect(self._on_job_finished)  # the window may be gone when that would arrive
            self._job.cancel()
            self._job.wait()
            self._job = None

    def _on_job_succeeded(self, copy: SmallCopy) -> None:
        self._copy = copy

    def _on_job_failed(self, exc: Exception) -> None:
        self._solid = False
        notify.show(exc)

    def _on_job_finished(self) -> None:
        if self._job is not None:
            self._job.deleteLater()
        self._job = None
        self._show_solid()
