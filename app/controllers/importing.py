"""Importing particles: the dialog's answers become a proposal, and the proposal a change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from app.panels.importing import NEW
from core.errors import ConfigError, PickerError
from core.particles import Status

if TYPE_CHECKING:
    from app.panels.importing import ImportDialog
    from app.session import Session
    from core.particles import ClassSpec
    from core.project import Project
    from core.project.proposing import ImportOrder


class ImportController(QObject):
    """Opens the dialog, keeps its preview up to date and imports."""

    said = Signal(str)
    converted = Signal(object, bool)  # these are to be exported now: of which class, None for all; of several tomograms

    def __init__(self, session: Session, dialog: ImportDialog) -> None:
        super().__init__()
        self._session, self._dialog, self._converting = session, dialog, False
        dialog.edited.connect(self.show)
        dialog.import_requested.connect(self.carry_out)

    def open(self) -> None:
        """Ask for a file, then for the rest."""
        if self._session.project is None:
            self.said.emit("Open a tomogram first: particles need a place.")
            return
        self._fill()
        if self._dialog.ask_path():
            self._dialog.exec()

    def convert(self) -> None:
        """Ask for a file whose particles are to be exported in another format."""
        self._fill(converting=True)
        if self._dialog.ask_path():
            self._keep_apart()
            self._dialog.exec()

    def _keep_apart(self) -> None:
        """Offer a class of their own where the project has particles already, so that only those of the file are exported."""
        project = self._session.project
        if project is not None and any(status is Status.ACCEPTED for _, _, status in project.store.counts()):
            usual = next(iter(self._session.classes.values())).diameter
            self._dialog.set_new_class(Path(self._dialog.answers()["path"]).stem, usual)

    def open_path(self, path: str) -> None:
        """Show what a file would become, without waiting for an answer."""
        self._fill()
        self._dialog.path.setText(path)
        self._dialog.open()
        self.show()

    def _fill(self, *, converting: bool = False) -> None:
        session, self._converting = self._session, converting
        self._dialog.set_purpose(*(("Convert particles", "Go on to export") if converting else ("Import particles", "Import")))
        names = [] if session.project is None else [record.id for record in session.project.store.tomograms()]
        shown = None if session.tomogram is None else session.tomogram.id
        self._dialog.set_choices(names, shown, tuple(session.classes.values()))

    def _order(self) -> ImportOrder | None:
        from core.io.particles.frames import Unit
        from core.io.particles.tomograms import unbinned_size
        from core.project.proposing import ImportOrder

        answers, project = self._dialog.answers(), self._session.project
        if project is None or not answers["path"]:
            return None
        new = self._new_class(project, answers.pop("class_name"), answers.pop("diameter"), answers["class_id"])
        target, unit, star, size = (answers.pop(name) for name in ("target", "unit", "tomograms_star", "unbinned_size"))
        names = tuple(record.id for record in project.store.tomograms()) if target is None else (target,)
        answers |= {
            "class_id": answers["class_id"] if new is None else new.id,
            "new_class": new,
            "path": Path(answers["path"]).expanduser(),
            "unit": None if unit is None else Unit(unit),
            "status": Status[answers["status"].upper()],
            "tomograms_star": Path(star).expanduser() if star else None,
            "unbinned_size": unbinned_size(size) if size else None,
        }
        return ImportOrder(tomogram_ids=names, **answers)

    def _new_class(self, project: Project, name: str, diameter: float, chosen: object) -> ClassSpec | None:
        """Return the class that was asked for, where it is none of the project."""
        from core.particles import COLORS, ClassSpec

        if chosen != NEW:
            return None
        if not name or not diameter:
            raise ConfigError("Give the new class a name and its diameter in Å.")
        if name in {spec.name for spec in project.store.classes()}:
            raise ConfigError(f"The project has a class {name!r} already; choose it in the list, or give another name.")
        number = project.store.next_class_id()
        return ClassSpec(id=number, name=name, diameter=diameter, color=COLORS[(number - 1) % len(COLORS)])

    def show(self) -> None:
        """Show what would be imported, or why it cannot be."""
        from core.project.proposing import propose

        project = self._session.project
        names = {number: spec.name for number, spec in self._session.classes.items()}
        try:
            order = self._order()
            if project is None or order is None:
                self._dialog.set_proposal(None, "Choose a file first.", names)
                return
            proposal = propose(project, order)
        except PickerError as exc:
            self._dialog.set_proposal(None, str(exc), names)
        else:
            refused = "" if self._session.writable else "This project is open to look at only."
            self._dialog.set_proposal(proposal, proposal.problem or refused, names)

    def carry_out(self) -> None:
        """Import what is shown."""
        from core.project.proposing import carry_out

        project = self._session.project
        try:
            order = self._order()
            if project is None or order is None:
                return
            ids = carry_out(project, order)
        except PickerError as exc:
            self._dialog.set_proposal(None, str(exc), {})
            return
        self._dialog.accept()
        self.said.emit(f"{len(ids)} particles imported from {order.path.name}. Ctrl+Z takes it back.")
        if self._converting:
            self.converted.emit(order.new_class.id if order.new_class is not None else order.class_id, len(order.tomogram_ids) > 1)
