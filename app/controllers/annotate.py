"""Marking: the mouse on the canvases, classes, the list, undo; the store is the truth and everything else follows it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from app import notify
from app.layers.particles import Rings, colors_of, symbols_of
from core.centring import local_centre
from core.display import under
from core.errors import PickerError
from core.particles import COLORS, ClassSpec, Status

if TYPE_CHECKING:
    from app.panels.marks import MarkPanel
    from app.session import Session
    from app.views.triptych import Triptych
    from core.annotations import AnnotationStore, Change
    from core.tomogram import Tomogram
    from core.types import Angstrom, Positions

LEFT, RIGHT = 1, 2


class AnnotateController(QObject):
    """Turns gestures into changes of the store, and changes of the store into what is seen."""

    said = Signal(str)
    history_changed = Signal(str, str)  # why nothing can be undone, why nothing can be done again

    def __init__(self, session: Session, panel: MarkPanel, views: Triptych) -> None:
        super().__init__()
        self._session, self._panel, self._views = session, panel, views
        self.marking = True  # whether a click adds; otherwise it only looks
        self.snapping = False  # whether a click moves to the middle of what was clicked
        self._held: int | None = None
        views.clicked.connect(self._on_views_clicked)
        views.dragged.connect(self._on_views_dragged)
        views.set_holder(self._holds)
        panel.class_requested.connect(session.set_class)
        panel.class_edited.connect(self._on_panel_class_edited)
        panel.class_added.connect(self._on_panel_class_added)
        panel.class_removed.connect(self._on_panel_class_removed)
        panel.particle_requested.connect(self.fly_to)
        panel.snap_toggled.connect(self._on_panel_snap)
        panel.undo_requested.connect(self.undo)
        panel.redo_requested.connect(self.redo)
        session.project_changed.connect(self._on_session_project)
        session.table_changed.connect(self._show_all)
        session.classes_changed.connect(self._show_all)
        session.class_changed.connect(self._show_classes)
        session.selection_changed.connect(self._show_all)
        session.review_changed.connect(self._show_review)
        session.highlight_changed.connect(self._show_rings)

    @property
    def _store(self) -> AnnotationStore | None:
        return None if self._session.project is None else self._session.project.store

    # ---- the mouse ----

    def _row_under(self, position: Positions, axis: int) -> int | None:
        table, shown = self._session.table, self._session.shown
        visible = np.flatnonzero(shown)
        row = under(table.select(visible), self._session.sizes[visible], position, axis)
        return None if row is None else int(visible[row])

    def _holds(self, position: Positions, axis: int) -> bool:
        row = self._row_under(position, axis)
        self._held = None if row is None or not self._session.writable else int(self._session.table.ids[row])
        return self._held is not None

    def _on_views_clicked(self, position: Positions, button: int, modifiers: tuple[str, ...], axis: int) -> None:
        row = self._row_under(position, axis)
        if button == RIGHT:
            if row is not None:
                self._take_away(row)
        elif button != LEFT:
            return
        elif "Shift" in modifiers:
            self._views.go_to(position)
        elif row is not None:
            self._session.select(int(self._session.table.ids[row]))
        elif self.marking:
            self.add(position)
        else:
            self._session.select(None)
            self._views.go_to(position)

    def _on_views_dragged(self, position: Positions, ended: bool, _axis: int) -> None:
        if self._held is None:
            return
        if ended:
            held, self._held = self._held, None
            self._try(lambda store: store.move(held, position))
        else:
            self._preview(self._held, position)

    def _preview(self, held: int, position: Positions) -> None:
        table = self._session.table
        positions = np.where((table.ids == held)[:, None], position, table.positions)
        self._views.set_rings(self._rings(positions))

    def _take_away(self, row: int) -> None:
        """Remove a mark; a pick is rejected instead, so that training can learn from it."""
        particle, status = int(self._session.table.ids[row]), self._session.table.statuses[row]
        if status == Status.CANDIDATE:
            self._try(lambda store: store.reject(particle))
        else:
            self._try(lambda store: store.remove(particle))

    # ---- what is asked for ----

    def add(self, position: Positions) -> None:
        """Mark a particle of the current class."""
        session = self._session
        if session.tomogram is None:
            return
        if session.class_id is None:
            self.said.emit("Add a class first: it says what you mark, and how large it is.")
            return
        if not session.tomogram.box.contains(position[None])[0]:
            return
        name, number = session.tomogram.id, session.class_id
        place = self._centre(session.tomogram, position, session.classes[number].diameter) if self.snapping else position
        self._try(lambda store: store.add(name, place, number))

    def _centre(self, tomogram: Tomogram, position: Positions, diameter: Angstrom) -> Positions:
        """Return the middle of what was clicked, or the click itself."""
        if not tomogram.voxel_size:
            self.said.emit("Clicks cannot snap before the voxel size is known (step 1): diameters are in Å.")
            return position
        found = local_centre(tomogram, position, diameter / tomogram.voxel_size)
        if found is None or not tomogram.box.contains(found[None])[0]:
            self.said.emit("No clear centre near the click; it stays where you put it.")
            return position
        return found

    def remove_selected(self) -> None:
        """Remove the selected mark, or reject the selected pick."""
        rows = np.flatnonzero(self._session.table.ids == self._session.selected)
        if len(rows):
            self._take_away(int(rows[0]))

    def fly_to(self, particle_id: int) -> None:
        """Select a particle and cut through its centre."""
        rows = np.flatnonzero(self._session.table.ids == particle_id)
        if len(rows):
            self._views.go_to(self._session.table.positions[rows[0]])
            self._session.select(particle_id)

    def undo(self) -> None:
        """Take the last change back."""
        self._try(lambda store: self._tell("Undone", store.undo()))

    def redo(self) -> None:
        """Make the last undone change again."""
        self._try(lambda store: self._tell("Done again", store.redo()))

    def _show_history(self) -> None:
        store = self._store
        if store is None:
            self.history_changed.emit("Open a tomogram first.", "Open a tomogram first.")
            return
        locked = "" if self._session.writable else "This project is open to look at only."
        undo = "" if store.can_undo else "There is nothing to take back."
        self.history_changed.emit(locked or undo, locked or ("" if store.can_redo else "Nothing was taken back."))

    def _tell(self, verb: str, what: str | None) -> None:
        self.said.emit(f"{verb}: {what}" if what else "There is nothing left to take back or to do again.")

    def choose_class(self, number: int) -> None:
        """Choose the n-th class, counted from 1."""
        classes = list(self._session.classes)
        if 0 < number <= len(classes):
            self._session.set_class(classes[number - 1])

    def _try(self, change: Any) -> None:
        if self._store is None:
            return
        try:
            change(self._store)
        except PickerError as exc:
            notify.show(exc)
            self._show_all()

    # ---- panel callbacks ----

    def _on_panel_class_edited(self, class_id: int, field: str, value: str) -> None:
        spec = self._session.classes[class_id]
        try:
            changed = replace(spec, **{field: float(value.replace(",", ".")) if field == "diameter" else value.strip()})
        except ValueError:
            self.said.emit(f"A diameter is a number of Å, not {value!r}.")
            self._show_classes()
        except PickerError as exc:
            notify.show(exc)
            self._show_classes()
        else:
            self._try(lambda store: store.update_class(changed))

    def _on_panel_class_added(self) -> None:
        def add(store: AnnotationStore) -> None:
            number = store.next_class_id()
            store.add_class(
                ClassSpec(id=number, name=f"particle {number}", diameter=200.0, color=COLORS[(number - 1) % len(COLORS)])
            )
            self._session.set_class(number)

        self._try(add)

    def _on_panel_class_removed(self, class_id: int) -> None:
        self._try(lambda store: store.remove_class(class_id))

    def _on_panel_snap(self, on: bool) -> None:
        self.snapping = on

    # ---- session callbacks ----

    def _on_session_project(self) -> None:
        if self._store is not None:
            self._store.changed.connect(self._on_store_changed)
        self._show_history()

    def _on_store_changed(self, change: Change) -> None:
        self._show_history()
        shown = self._session.tomogram
        if shown is not None and change.tomogram_id in (shown.id, None):
            self._session.reload()

    def _rings(self, positions: Positions) -> Rings:
        session, table = self._session, self._session.table
        palette = {number: spec.color for number, spec in session.classes.items()}
        selected = table.ids == (session.selected or 0)
        return Rings(
            positions=positions,
            sizes=session.sizes,
            colors=colors_of(table.class_ids, table.statuses, palette, selected),
            symbols=symbols_of(table.statuses),
            shown=session.seen,
            haloed=np.isin(table.ids, session.highlighted),
        )

    def _show_rings(self) -> None:
        self._views.set_rings(self._rings(self._session.table.positions))

    def _show_all(self) -> None:
        self._show_rings()
        self._show_classes()
        self._show_list()

    def _show_review(self) -> None:
        self._views.set_shown(self._session.seen)
        self._show_list()

    def _show_list(self) -> None:
        session = self._session
        names = {number: spec.name for number, spec in session.classes.items()}
        self._panel.set_particles(session.table, session.shown, names, session.selected)
        rows = np.flatnonzero(session.table.ids == (session.selected or 0))
        self._panel.set_selected(int(session.table.class_ids[rows[0]]) if len(rows) else None, tuple(session.classes.values()))

    def _show_classes(self) -> None:
        session, accepted = self._session, self._session.table.statuses == Status.ACCEPTED
        ids, counts = np.unique(session.table.class_ids[accepted], return_counts=True)
        known = dict(zip(ids.tolist(), counts.tolist(), strict=True))
        self._panel.set_classes(tuple(session.classes.values()), known, session.class_id)
