"""Tomograms of one tilt series: linked, unlinked, and particles carried from one to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from app import notify
from core.errors import PickerError
from core.grids import Alignment
from core.project import linking

if TYPE_CHECKING:
    from app.panels.linking import CarryDialog, LinkDialog
    from app.panels.tomograms import TomogramPanel
    from app.session import Session
    from core.annotations import Change

READ_ONLY = "This project is open to look at only."


class LinkController(QObject):
    """Keeps both dialogs true to the project while they are open."""

    said = Signal(str)

    def __init__(self, session: Session, panel: TomogramPanel, link: LinkDialog, carry: CarryDialog) -> None:
        super().__init__()
        self._session, self._panel, self._link, self._carry = session, panel, link, carry
        panel.link_requested.connect(self.ask_link)
        panel.carry_requested.connect(self.ask_carry)
        link.edited.connect(self._show_link)
        link.link_requested.connect(self.link)
        link.unlink_requested.connect(self.unlink)
        carry.edited.connect(self._show_carry)
        carry.carry_requested.connect(self.carry)
        session.project_changed.connect(self._on_session_project)
        session.tomogram_changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Say in the panel what the tomogram that is shown goes with, and what can be done."""
        project, shown = self._session.project, self._session.tomogram
        if project is None or shown is None:
            self._panel.set_linked((), "Open a tomogram first.", "Open a tomogram first.")
            return
        others = linking.groups(project).get(shown.id, ())
        refused = "" if self._session.writable else READ_ONLY
        alone = "" if len(project.store.tomograms()) > 1 else "Add the other tomogram of the same specimen first."
        unlinked = "" if others else "Link it with another tomogram first: Same specimen as…"
        self._panel.set_linked(others, refused or alone, refused or unlinked)

    # ---- linking ----

    def ask_link(self) -> None:
        """Let the user choose the other tomogram."""
        project, shown = self._session.project, self._session.tomogram
        if project is None or shown is None:
            return
        with_it = linking.groups(project).get(shown.id, ())
        others = [record.id for record in project.store.tomograms() if record.id not in (shown.id, *with_it)]
        self._link.set_others(f"{shown.id} is linked with {', '.join(with_it)}." if with_it else f"Link {shown.id}", others)
        own = project.store.tomogram(shown.id).link
        self._link.set_unlinkable(
            "" if own else "Nothing to unlink here: links are kept with the tomogram that was linked to another."
        )
        self._show_link()
        self._link.open()

    def _show_link(self) -> None:
        project, shown, other = self._session.project, self._session.tomogram, self._link.other.currentText()
        if project is None or shown is None:
            return
        if not other:
            self._link.set_found(shown.id, None, (), "There is no other tomogram to link it with.")
            return
        try:
            found, doubts = linking.survey(project, shown.id, other, self._alignment())
        except PickerError as exc:
            self._link.set_found(shown.id, None, (), str(exc))
        else:
            self._link.set_found(shown.id, found, doubts, "")

    def _alignment(self) -> Alignment:
        return Alignment(self._link.alignment.currentData())

    def link(self) -> None:
        """Link what was chosen."""
        project, shown, other = self._session.project, self._session.tomogram, self._link.other.currentText()
        if project is None or shown is None:
            return
        try:
            linking.link(project, shown.id, other, self._alignment())
        except PickerError as exc:
            notify.show(exc)
            return
        self._link.accept()
        self.said.emit(f"{shown.id} shows the same specimen as {other}. Ctrl+Z takes it back.")

    def unlink(self) -> None:
        """Forget what the tomogram that is shown goes with."""
        project, shown = self._session.project, self._session.tomogram
        if project is None or shown is None:
            return
        try:
            linking.unlink(project, shown.id)
        except PickerError as exc:
            notify.show(exc)
            return
        self._link.accept()
        self.said.emit(f"{shown.id} is by itself again. Ctrl+Z takes it back.")

    # ---- carrying over ----

    def ask_carry(self) -> None:
        """Let the user choose where particles go, with their number in view."""
        project, shown = self._session.project, self._session.tomogram
        if project is None or shown is None:
            return
        self._carry.set_others(f"Carry particles of {shown.id} over", linking.groups(project).get(shown.id, ()))
        self._show_carry()
        self._carry.open()

    def _show_carry(self) -> None:
        project, shown, other = self._session.project, self._session.tomogram, self._carry.other.currentText()
        if project is None or shown is None or not other:
            return
        try:
            particles, notices = linking.to_carry(project, shown.id, other)
        except PickerError as exc:
            self._carry.set_count(0, (), str(exc))
            return
        nothing = f"{shown.id} has no accepted particle that is not in {other} already."
        self._carry.set_count(len(particles), notices, "" if len(particles) else nothing)

    def carry(self) -> None:
        """Copy the particles."""
        project, shown, other = self._session.project, self._session.tomogram, self._carry.other.currentText()
        if project is None or shown is None:
            return
        try:
            ids, _ = linking.carry_over(project, shown.id, other)
        except PickerError as exc:
            notify.show(exc)
            return
        self._carry.accept()
        self.said.emit(f"{len(ids)} particles carried over to {other}. Ctrl+Z takes it back.")

    # ---- callbacks ----

    def _on_session_project(self) -> None:
        if self._session.project is not None:
            self._session.project.store.changed.connect(self._on_store_changed)
        self.refresh()

    def _on_store_changed(self, _change: Change) -> None:
        self.refresh()
