"""Settings of all steps: kept with the project a moment after they change, saved, loaded and reset on request."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal

from app import notify
from core.config import ReviewConfig
from core.configfile import config_from_dict
from core.errors import ConfigError, PickerError
from core.settings import SETTINGS, Settings, load_settings, save_settings

if TYPE_CHECKING:
    from app.panels.export import ExportPanel
    from app.panels.marks import MarkPanel
    from app.panels.pick import PickPanel
    from app.panels.tomograms import TomogramPanel
    from app.panels.train import TrainPanel
    from app.session import Session

DELAY_MS = 400
OLD = "settings.old.toml"  # what could not be understood whole is kept under this name
PARTS = {
    0: ("display", "preprocess"),
    1: ("mark",),
    2: ("network", "label", "train", "afterwards"),
    3: ("pick", "review", "masks"),
    4: ("export",),
}  # by step


class SettingsController(QObject):
    """Reads the panels, and fills them."""

    said = Signal(str)

    def __init__(
        self,
        session: Session,
        tomograms: TomogramPanel,
        marks: MarkPanel,
        train: TrainPanel,
        pick: PickPanel,
        export: ExportPanel,
    ) -> None:
        super().__init__(export)  # so that its timer ends with the window
        self._session, self._tomograms, self._marks = session, tomograms, marks
        self._train, self._pick, self._export = train, pick, export
        self._folder: Path | None = None
        self._saved = Settings()
        self._filling = False
        self._lost = False  # they could not be written last time
        self._strange = False  # the file on disk says more than was understood
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self.save)
        for signal in (tomograms.display.edited, tomograms.preparing.edited, train.edited, pick.form.edited, export.edited):
            signal.connect(self._on_edited)
        for box in (marks.snap, train.then_pick):
            box.toggled.connect(self._on_edited)
        for signal in (session.review_changed, session.masks_changed):
            signal.connect(self._on_edited)
        session.leaving.connect(self._on_session_leaving)
        session.project_changed.connect(self._on_session_project)

    # ---- reading and filling ----

    def current(self) -> Settings:
        """Return what stands in the panels.

        Raises
        ------
        ConfigError
            If a value is out of range.
        """
        values = self._train.values() | {
            "display": asdict(self._tomograms.display.config),
            "preprocess": self._tomograms.preparing.values(),
            "mark": {"snap": self._marks.snap.isChecked()},
            "afterwards": {"pick": self._train.then_pick.isChecked()},
            "pick": self._pick.form.values(),
            "export": asdict(self._export.config),
            "masks": {name: asdict(config) for name, config in self._session.masks.items()},
            "review": {
                self._session.classes[number].name: asdict(review)
                for number, review in self._session.review.items()
                if number in self._session.classes
            },
        }
        settings: Settings = config_from_dict(Settings, values)
        return settings

    def fill(self, settings: Settings) -> None:
        """Put settings into the panels."""
        self._filling = True
        try:
            self._tomograms.display.set_config(settings.display)
            self._tomograms.preparing.set_values(asdict(settings.preprocess))
            self._marks.snap.setChecked(settings.mark.snap)
            self._train.then_pick.setChecked(settings.afterwards.pick)
            self._train.set_values(asdict(settings))
            self._pick.form.set_values(asdict(settings.pick))
            self._export.set_config(settings.export)
            self._session.set_masks(settings.masks)
            wanted = {number: settings.review.get(spec.name) for number, spec in self._session.classes.items()}
            usual = dict.fromkeys(self._session.review, ReviewConfig())
            self._session.set_review(usual | {number: review for number, review in wanted.items() if review is not None})
        finally:
            self._filling = False

    # ---- files ----

    def save(self) -> None:
        """Write what has changed to the project."""
        self._timer.stop()
        if self._folder is None:
            return
        try:
            settings = self.current()
            if settings == self._saved:
                return
            if self._strange:
                os.replace(self._folder / SETTINGS, self._folder / OLD)
                self._strange = False
            save_settings(settings, self._folder / SETTINGS)
            self._saved = settings
            if self._lost:
                self.said.emit("The settings are kept again.")
            self._lost = False
        except (PickerError, OSError) as exc:
            self._lost = True
            self.said.emit(f"The settings are not kept: {notify.sentence(exc)}")

    def save_as(self, path: str) -> None:
        """Write the settings to a file of the user's."""
        try:
            save_settings(self.current(), Path(path))
        except PickerError as exc:
            notify.show(exc)
        else:
            self.said.emit(f"Settings saved to {path}.")

    def load(self, path: str) -> None:
        """Take over settings from a file; what it does not say well keeps its usual value."""
        settings, notices = load_settings(Path(path))
        self.fill(settings)
        self._on_edited()
        notices += self._strangers(settings)
        if notices:
            notify.show(ConfigError("\n".join(notices)))
        else:
            self.said.emit(f"Settings loaded from {path}.")

    def reset(self, step: int | None = None) -> None:
        """Go back to the usual values, of one step or of all."""
        usual = Settings()
        names = PARTS.get(step, ()) if step is not None else tuple(Settings.__dataclass_fields__)
        if not names:
            self.said.emit("This step has no settings.")
            return
        try:
            now = self.current()
        except ConfigError:
            now = self._saved
        self.fill(replace(now, **{name: getattr(usual, name) for name in names}))
        self._on_edited()
        self.said.emit("The usual settings are back.")

    def _strangers(self, settings: Settings) -> tuple[str, ...]:
        names = sorted(set(settings.review) - {spec.name for spec in self._session.classes.values()})
        return (f"The settings name classes that this project does not have: {', '.join(names)}.",) if names else ()

    # ---- callbacks ----

    def _on_edited(self, *_value: object) -> None:
        if self._folder is not None and not self._filling:
            self._timer.start()

    def _on_session_leaving(self) -> None:
        if self._timer.isActive():
            self.save()

    def _on_session_project(self) -> None:
        self._timer.stop()
        project = self._session.project
        self._folder = None
        settings, notices = Settings(), ()
        if project is not None and (project.folder / SETTINGS).exists():
            settings, notices = load_settings(project.folder / SETTINGS)
        self.fill(settings)
        notices += self._strangers(settings)
        self._saved, self._strange = settings, bool(notices)
        if project is not None and self._session.writable:
            self._folder = project.folder
        for text in notices:
            self.said.emit(text)
