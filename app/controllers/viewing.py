"""What the eye is given beside sections: how rings are drawn, and the score map."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from app.layers.particles import RingStyle
from core.scoremap import open_score_map

if TYPE_CHECKING:
    from qtpy.QtCore import QSettings

    from app.panels.rings import RingControls
    from app.panels.scoremap import ScoreMapControls
    from app.session import Session
    from app.views.triptych import Triptych

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

    def set_ring_style(self, style: RingStyle) -> None:
        """Change size and line of all rings."""
        self._views.set_ring_style(style)
        self._settings.setValue(SIZE, style.size)
        self._settings.setValue(LINE, style.line)

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
