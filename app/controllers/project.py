"""Opening: projects, tomograms, the sample; recent projects; how sections look."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QSettings, QTimer, Signal

from app import notify
from core.display import Look
from core.errors import PickerError
from core.io.volumes import is_tomogram_folder, name_of
from core.io.volumes.ngff import MARKERS
from core.particles import ClassSpec
from core.project import Project
from core.project.folder import DATABASE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.jobs import Runner
    from app.panels.start import StartPage
    from app.panels.tomograms import TomogramPanel
    from app.session import Session
    from app.views.triptych import Triptych
    from core.annotations import Change

RECENT, MOST_RECENT = "recent projects", 8
SUFFIX = "-picks"  # of the project folder that is made beside a tomogram
FIRST_CLASS = ClassSpec(id=1, name="particle", diameter=200.0)
SAMPLE_LOOK = Look(slab=3, low_pass=60.0)  # so that newcomers see at once what to click
SAMPLE_CLASS = ClassSpec(id=1, name="ribosome", diameter=250.0)


def home_folder() -> Path:
    """Return where projects go that cannot lie beside their tomogram."""
    return Path(os.environ.get("DEEPETPICKER_HOME", Path.home() / "DeepETPicker"))


class ProjectController(QObject):
    """Keeps session and views in step with the project that is open."""

    opened = Signal()
    said = Signal(str)

    def __init__(
        self, session: Session, runner: Runner, start: StartPage, panel: TomogramPanel, views: Triptych, settings: QSettings
    ) -> None:
        super().__init__()
        self._session, self._runner, self._start, self._panel, self._views = session, runner, start, panel, views
        self._settings, self._told = settings, False
        self.ask_moved: Callable[[str, str], str] = lambda _question, _name: ""  # the new place of a file; empty for none
        panel.list.show_requested.connect(self.show_tomogram)
        session.project_changed.connect(self._on_session_project)
        start.recent_requested.connect(self.open_path)
        start.sample_requested.connect(self.open_sample)
        start.set_recent(self.recent())

    # ---- opening ----

    def open_path(self, path: str | Path) -> None:
        """Open a project folder, its database, or a tomogram; say so if it cannot be done."""
        place = Path(path).expanduser()
        try:
            if place.name == DATABASE or (place.is_dir() and (place / DATABASE).exists()):
                self._open_project(place.parent if place.name == DATABASE else place)
            elif place.is_dir() and not is_tomogram_folder(place):
                raise PickerError(f"{place} holds no project; choose a project folder, or a tomogram inside it.")
            else:
                self.open_tomogram(place)
        except (PickerError, OSError) as exc:
            notify.show(exc)

    def _open_project(self, folder: Path) -> None:
        now = self._session.project
        if now is not None and self._session.writable and now.folder.resolve() == folder.resolve():
            self.opened.emit()  # opened twice, it could only be looked at
            return
        project = Project.open(folder)  # first: for what cannot be opened, nothing is stopped
        if self._let_go():
            self._take(project)
        else:
            project.close()

    def _let_go(self) -> bool:
        """Ask before a job of the project that is open is stopped; False where it is to go on."""
        name = self._runner.name
        if self._session.project is None or not name:
            return True
        if not notify.ask(f"{name} is still running. Stop it and open another project? Your marks are safe."):
            return False
        ended = self._runner.close()
        if not ended:
            notify.show(PickerError(f"{name} has not stopped yet; open the project again in a moment."))
        return ended

    def open_paths(self, paths: Sequence[str | Path]) -> None:
        """Open what was chosen or dropped at once: tomograms go to one project, the first is shown."""
        for path in paths:
            self.open_path(path)
        project = self._session.project
        if len(paths) > 1 and project is not None:
            wanted = Path(os.path.abspath(paths[0]))
            known = next((record.id for record in project.store.tomograms() if record.path == wanted), None)
            if known is not None:
                self.show_tomogram(known)

    def open_tomogram(self, path: Path, first: ClassSpec = FIRST_CLASS) -> None:
        """Add a tomogram to the open project, or to one of its own beside it."""
        if path.name in MARKERS and path.is_file():
            path = path.parent  # a file of metadata that was chosen for the Zarr folder around it
        if not self._session.writable:
            if not self._let_go():
                return
            self._take(_project_for(path, first), path)
        project = self._session.project
        if project is None:
            return
        known = next((r.id for r in project.store.tomograms() if r.path == Path(os.path.abspath(path))), None)
        self.show_tomogram(known or project.add_tomogram(path, id=_free_name(project, name_of(path))).id)

    def open_sample(self) -> None:
        """Open the built-in sample; the first time, it is simulated."""
        folder = home_folder() / "sample"
        if (folder / DATABASE).exists():
            self.open_path(folder)
            self._panel.set_look(SAMPLE_LOOK)
            return
        if self._runner.busy:
            return
        from core.errands import make_sample
        from core.host import hosted

        self._runner.start(
            "Making the sample",
            hosted(make_sample, folder / "sample.mrc"),
            succeeded=self._on_sample_made,
            failed=self._on_failed,
        )

    def _on_sample_made(self, path: Path) -> None:
        self.close()
        try:
            project = Project.create(path.parent)
            project.store.add_class(SAMPLE_CLASS)
            self._take(project)
            self.open_tomogram(path)
            self._panel.set_look(SAMPLE_LOOK)
        except PickerError as exc:
            notify.show(exc)

    def _on_failed(self, exc: Exception) -> None:
        notify.show(exc)

    def _take(self, project: Project, path: Path | None = None) -> None:
        self.close()
        self._session.set_project(project)
        self._remember(project.folder)
        self._list_models()
        records = project.store.tomograms()
        if project.notice:
            self.said.emit(project.notice)
        if records and path is None:
            self.show_tomogram(next((one for one in records if one.path.exists()), records[0]).id)
        self.opened.emit()

    def show_tomogram(self, name: str) -> None:
        """Show one of the project's tomograms."""
        project = self._session.project
        if project is None:
            return
        try:
            tomogram = project.tomogram(name) if self._found(project, name) else None
        except PickerError as exc:
            tomogram = None
            notify.show(exc)
        if tomogram is None:
            QTimer.singleShot(0, self._mark_shown)  # when the click that asked for another is over
            return
        self._views.open(tomogram)
        self._session.set_tomogram(tomogram)
        self._panel.set_tomogram(tomogram, self._views.bounds)
        for notice in tomogram.notices or (("Ready",) if self._told else ()):  # what was said of the last one is over
            self.said.emit(notice)
        self._told = bool(tomogram.notices)

    def _mark_shown(self) -> None:
        self._panel.list.mark(None if self._session.tomogram is None else self._session.tomogram.id)

    def _found(self, project: Project, name: str) -> bool:
        """Where the file of a tomogram was moved, ask for its new place; False where nobody tells."""
        record = project.store.tomogram(name)
        if record.path.exists() or not self._session.writable:
            return True  # where nothing can be changed, opening it says what is wrong
        path = self.ask_moved(f"The file of {name} is not at {record.path} any more. Choose it where it is now?", name)
        if path:
            from core.project.moving import found_again

            place = Path(path)
            found = found_again(project, name, place.parent if place.name in MARKERS else place)
            self.said.emit(f"Found again: {', '.join(found)}.")
        else:
            self.said.emit(f"{name} cannot be shown: its file is missing.")
        return bool(path)

    def close(self) -> None:
        """Let go of the project."""
        project = self._session.project
        if project is not None:
            project.store.changed.disconnect(self._on_store_changed)
            self._views.clear()
            self._session.set_model(None)
            self._session.set_project(None)
            project.close()

    def _list_models(self) -> None:
        project = self._session.project
        if project is not None:
            models = sorted(project.models.glob("*.pt"), key=lambda path: path.stat().st_mtime)
            self._session.set_model(models[-1] if models else None)

    # ---- recent projects ----

    def recent(self) -> list[Path]:
        """Return the projects that were open last and still exist."""
        stored: Any = self._settings.value(RECENT) or []
        names = [stored] if isinstance(stored, str) else list(stored)
        return [Path(name) for name in names if (Path(name) / DATABASE).exists()]

    def _remember(self, folder: Path) -> None:
        folder = folder.absolute()
        folders = [folder, *(other for other in self.recent() if other != folder)][:MOST_RECENT]
        self._settings.setValue(RECENT, [str(one) for one in folders])
        self._start.set_recent(folders)

    # ---- callbacks ----

    def _on_session_project(self) -> None:
        # this controller is the first to listen, so that nobody asks for particles of a tomogram that has just gone
        if self._session.project is not None:
            self._session.project.store.changed.connect(self._on_store_changed)

    def _on_store_changed(self, change: Change) -> None:
        project = self._session.project
        if project is None:
            return
        if change.kind in ("classes", "several"):
            self._session.set_classes(project.store.classes())
        if change.kind in ("tomograms", "several"):
            self._follow(project)

    def _follow(self, project: Project) -> None:
        """Show another tomogram where the one that was shown has left the project."""
        names, shown = [record.id for record in project.store.tomograms()], self._session.tomogram
        if shown is None or shown.id in names:
            return
        if names:
            self.show_tomogram(names[0])
        else:
            self._views.clear()
            self._session.set_tomogram(None)


def _project_for(tomogram: Path, first: ClassSpec) -> Project:
    """Open the project beside a tomogram, or make it: clicks need a place on disk from the first one on."""
    from core.io.volumes import open_tomogram

    open_tomogram(tomogram)  # refuses what is no tomogram before a folder is made for it
    beside = tomogram.absolute().with_name(name_of(tomogram) + SUFFIX)
    for folder in (beside, home_folder() / beside.name):
        if (folder / DATABASE).exists():
            return Project.open(folder)
    place = beside if os.access(beside.parent, os.W_OK) else home_folder() / beside.name
    project = Project.create(place)
    project.store.add_class(first)
    return project


def _free_name(project: Project, stem: str) -> str:
    taken = {record.id for record in project.store.tomograms()}
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}_{number}", number + 1
    return name
