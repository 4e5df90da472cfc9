"""The first step: what each tomogram is used for, how it is shown, and what the network sees of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from app import notify
from app.panels.tomogramlist import Entry
from core.annotations import Role
from core.errors import PickerError
from core.particles import Status
from core.project import linking

if TYPE_CHECKING:
    from app.jobs import Runner
    from app.panels.tomograms import TomogramPanel
    from app.session import Session
    from app.views.triptych import Triptych
    from core.annotations import Change, TomogramRecord
    from core.preprocess import Prepared

NAME = "Preparing"


class TomogramsController(QObject):
    """Keeps list, display and preparation in step with the project."""

    said = Signal(str)
    show_requested = Signal(str)

    def __init__(self, session: Session, runner: Runner, panel: TomogramPanel, views: Triptych) -> None:
        super().__init__()
        self._session, self._runner, self._panel, self._views = session, runner, panel, views
        self._wanted = ""  # the tomogram that is to be shown as the network sees it
        panel.list.role_requested.connect(self._on_list_role)
        panel.list.complete_requested.connect(self._on_list_complete)
        panel.remove_requested.connect(self.remove)
        panel.voxel_size_requested.connect(self._on_panel_voxel_size)
        panel.display.edited.connect(self._on_display_edited)
        panel.preparing.edited.connect(self._on_preparing_edited)
        panel.preparing.prepare_requested.connect(self.prepare)
        panel.preparing.seen_requested.connect(self._on_seen)
        session.project_changed.connect(self._on_session_project)
        session.tomogram_changed.connect(self._on_session_tomogram)
        runner.busy_changed.connect(self._on_runner_busy)

    # ---- the list ----

    def _show(self) -> None:
        project, shown = self._session.project, self._session.tomogram
        entries = []
        if project is not None:
            counts, groups = project.store.counts(), linking.groups(project)
            for record in project.store.tomograms():
                marks = sum(n for (name, _, status), n in counts.items() if name == record.id and status is Status.ACCEPTED)
                linked = groups.get(record.id, ())
                entries.append(Entry(name=record.id, marks=marks, role=record.role, complete=record.complete, linked=linked))
        self._panel.list.set_entries(entries, None if shown is None else shown.id, self._session.writable)
        reason = "Open a tomogram first." if shown is None else ""
        reason = reason or ("" if self._session.writable else "This project is open to look at only.")
        self._panel.set_removable(reason or self._runner.reason_not)
        self._panel.preparing.set_ready(self.reason_not())

    def _update(self, name: str, **changes: Any) -> None:
        project = self._session.project
        if project is None:
            return
        try:
            record: TomogramRecord = project.store.tomogram(name)
            project.store.update_tomogram(replace(record, **changes))
        except PickerError as exc:
            notify.show(exc)
        self._show()

    def remove(self) -> None:
        """Take the tomogram that is shown out of the project; asks where that takes particles along."""
        project, tomogram = self._session.project, self._session.tomogram
        if project is None or tomogram is None:
            return
        count = sum(n for (name, _, _), n in project.store.counts().items() if name == tomogram.id)
        question = f"{tomogram.id} has {count} particles and picks. Remove it from the project together with them?"
        if count and not notify.ask(f"{question} Undo brings all back; the file itself is not touched."):
            return
        try:
            project.store.remove_tomogram(tomogram.id, with_particles=True)
        except PickerError as exc:
            notify.show(exc)
        else:
            self.said.emit(f"Removed {tomogram.id} from the project; Ctrl+Z takes it back.")

    # ---- preparation ----

    def reason_not(self) -> str:
        """Say why nothing can be prepared; empty if it can."""
        if self._session.tomogram is None:
            return "Open a tomogram first."
        if not self._session.writable:
            return "This project is open to look at only."
        return self._runner.reason_not

    def prepare(self) -> None:
        """Prepare all tomograms that training uses, and the one that is shown."""
        project, shown = self._session.project, self._session.tomogram
        if project is None or shown is None:
            return
        used = [record.id for record in project.store.tomograms() if record.role is not Role.NONE and record.id != shown.id]
        self._start([shown.id, *used])

    def _start(self, names: list[str]) -> None:
        project = self._session.project
        if project is None or self.reason_not():
            return
        from core.preparing import prepare

        try:
            steps = prepare([project.tomogram(name) for name in names], self._panel.preparing.config(), project.folder / "cache")
        except PickerError as exc:
            self._panel.preparing.seen.setChecked(False)
            notify.show(exc)
            return
        self._runner.start(NAME, steps, succeeded=self._on_succeeded, failed=self._on_failed, cancelled=self._on_cancelled)

    def _on_succeeded(self, found: list[Prepared]) -> None:
        shown, wanted = self._session.tomogram, self._wanted
        self._wanted = ""
        names = [one.tomogram.id for one in found]
        if shown is not None and wanted == shown.id and wanted in names:
            from core.preparing import seen

            self._views.open(seen(found[names.index(wanted)]), self._views.position)
            self._panel.display.set_bounds(self._views.bounds)
            self._session.reload()  # opening takes the rings away
            self.said.emit("This is what the network sees.")
        else:
            self.said.emit(f"Prepared {', '.join(names)}.")

    def _on_failed(self, exc: Exception) -> None:
        self._on_cancelled()
        notify.show(exc)

    def _on_cancelled(self) -> None:
        self._wanted = ""
        self._panel.preparing.seen.setChecked(False)

    def _on_seen(self, on: bool) -> None:
        tomogram = self._session.tomogram
        if tomogram is None:
            return
        if on:
            self._wanted = tomogram.id
            self._start([tomogram.id])
        else:
            self._show_file()

    def _show_file(self) -> None:
        tomogram = self._session.tomogram
        if tomogram is not None:
            self._views.open(tomogram, self._views.position)
            self._panel.display.set_bounds(self._views.bounds)
            self._session.reload()

    # ---- callbacks ----

    def _on_list_role(self, name: str, role: str) -> None:
        self._update(name, role=Role(role))

    def _on_list_complete(self, name: str, complete: bool) -> None:
        self._update(name, complete=complete)

    def _on_panel_voxel_size(self, value: float) -> None:
        tomogram = self._session.tomogram
        if tomogram is not None and value != tomogram.voxel_size:
            self._update(tomogram.id, voxel_size=value)
            self.show_requested.emit(tomogram.id)

    def _on_display_edited(self) -> None:
        config = self._panel.display.config
        self._views.set_look(config.look, inverted=config.invert, bounds=config.bounds)
        if config.bounds is None:
            self._panel.display.set_bounds(self._views.bounds)

    def _on_preparing_edited(self) -> None:
        if self._panel.preparing.seen.isChecked():
            self._panel.preparing.seen.setChecked(False)
            self._show_file()

    def _on_session_project(self) -> None:
        if self._session.project is not None:
            self._session.project.store.changed.connect(self._on_store_changed)
        self._show()

    def _on_store_changed(self, _change: Change) -> None:
        self._show()

    def _on_session_tomogram(self) -> None:
        self._panel.preparing.seen.setChecked(False)
        config = self._panel.display.config
        if config.bounds is not None:  # those that a hand has chosen hold for all
            self._views.set_look(config.look, inverted=config.invert, bounds=config.bounds)
        self._show()

    def _on_runner_busy(self, _busy: bool, _name: str) -> None:
        self._show()
