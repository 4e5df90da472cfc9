"""The gallery: what it shows, its pictures, and what is decided there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Signal

from app import notify
from app.controllers.deciding import Decider
from app.jobs import Job
from app.panels.parts import allow
from core.cutting import Slabs
from core.errors import PickerError
from core.gallery import pictures, rows_of
from core.messages import SlabsCut

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtGui import QAction

    from app.panels.gallery import GalleryWindow
    from app.session import Session
    from core.particles import ParticleTable
    from core.types import FloatArray


class GalleryController(Decider):
    """Follows the session while the gallery is open; pictures are cut in a thread, only those that are seen or come next."""

    fly_requested = Signal(int)
    tomogram_requested = Signal(str)

    def __init__(self, session: Session, window: GalleryWindow, action: QAction) -> None:
        super().__init__(session)
        self._window, self._action = window, action
        self.numbers: dict[str, Callable[[ParticleTable], FloatArray]] = {}  # further numbers of picks to sort by
        self._how = Slabs(edge=8)
        self._bounds: tuple[float, float] | None = None
        self._generation = 0  # of tomogram and look; pictures of an earlier one come too late
        self._job: Job | None = None
        self._cutting: list[int] = []  # what the running job cuts
        self._wanted: list[int] = []
        action.triggered.connect(lambda _checked=False: self.open())
        window.asked.connect(self._on_window_asked)
        window.look_changed.connect(self._on_window_look)
        window.tomogram_requested.connect(self.tomogram_requested)
        window.particle_requested.connect(self._on_window_particle)
        window.accept_requested.connect(self.accept)
        window.reject_requested.connect(self.reject)
        window.flag_requested.connect(self.flag)
        window.view.cells.pictures_wanted.connect(self._on_pictures_wanted)
        session.tomogram_changed.connect(self._on_session_tomogram)
        session.classes_changed.connect(self._on_session_tomogram)
        session.table_changed.connect(self._on_session_table)
        session.review_changed.connect(self._refresh)
        self._on_session_table()

    def open(self) -> None:
        """Show the gallery."""
        self._window.show()
        self._window.raise_()
        self._window.activateWindow()
        self._on_session_tomogram()

    def sort_by(self, name: str, numbers: Callable[[ParticleTable], FloatArray] | None) -> None:
        """Offer a further number of picks to sort by, or take it away."""
        if numbers is not None:
            self.numbers[name] = numbers
        elif self.numbers.pop(name, None) is None:
            return
        self._on_session_tomogram()

    def show_sorted(self, name: str, ids: list[int]) -> None:
        """Open with picks in the order of a number, and with some of them selected."""
        self.open()
        self._window.show_order(name)
        self._window.view.choose(ids, ids[0] if ids else None)

    # ---- what is shown ----

    def _on_session_table(self) -> None:
        none = "" if self._session.tomogram is not None else "Open a tomogram first."
        none = none or ("" if len(self._session.table) else "There are no particles in this tomogram yet.")
        allow(self._action, none, "All picks as small pictures, to accept, reject and flag")
        self._refresh()

    def _on_session_tomogram(self) -> None:
        """Take another tomogram, or another size of its particles."""
        if not self._window.isVisible():
            return
        session = self._session
        names = [] if session.project is None else [record.id for record in session.project.store.tomograms()]
        self._window.set_tomograms(names, "" if session.tomogram is None else session.tomogram.id)
        self._window.set_classes(tuple(session.classes.values()))
        self._window.set_orders(tuple(self.numbers))
        self._window.set_ready("" if session.writable else "This project is open to look at only.")
        self._fit_look()
        self._refresh()

    def _on_window_asked(self) -> None:
        self._fit_look()
        self._refresh()

    def _fit_look(self) -> None:
        """Cut as befits the class that is looked at."""
        session, number = self._session, self._window.class_id
        known = [spec.diameter for spec in session.classes.values() if number in (None, spec.id)]
        if session.tomogram is None or not known:
            return
        try:
            how = Slabs.fit(max(known), session.tomogram.voxel_size)
        except PickerError as exc:
            notify.show(exc)
            return
        self._window.set_look(how, bool(session.tomogram.voxel_size))
        self._set_look(how)

    def _on_window_look(self, slab: int, low_pass: float) -> None:
        self._set_look(replace(self._how, thickness=slab, low_pass=low_pass))

    def _set_look(self, how: Slabs) -> None:
        self._how, self._bounds = how, None
        self._generation += 1
        self._cutting, self._wanted = [], []
        if self._job is not None:
            self._job.cancel()
        self._window.view.cells.forget_pictures()

    def _refresh(self) -> None:
        session, window = self._session, self._window
        table = session.table
        if not window.isVisible() or (session.tomogram is not None and session.tomogram.id != table.tomogram_id):
            return
        store = None if session.project is None or session.tomogram is None else session.project.store
        flagged = np.empty(0, np.int64) if store is None else store.flagged(table.tomogram_id)
        order = window.order.currentData()
        numbers = {order: self.numbers[order](table)} if order in self.numbers else {}
        rows = rows_of(
            table,
            session.shown,
            flagged,
            class_id=window.class_id,
            which=window.which.currentData(),
            order=order,
            numbers=numbers,
        )
        chosen = table.select(rows)
        marked = np.isin(chosen.ids, flagged)
        kept = window.view.chosen
        window.view.cells.set_particles(chosen, marked, _notes(chosen, {n: values[rows] for n, values in numbers.items()}))
        if kept != window.view.chosen:
            window.view.choose(kept)
        window.set_count(len(chosen), int(marked.sum()))

    def _on_window_particle(self, particle_id: int) -> None:
        if particle_id != self._session.selected:
            self.fly_requested.emit(particle_id)

    # ---- decisions ----

    def flag(self, ids: list[int]) -> None:
        """Flag picks, or take the flags away where all have one."""
        project, tomogram = self._session.project, self._session.tomogram
        if project is None or tomogram is None:
            return
        on = not np.isin(ids, project.store.flagged(tomogram.id)).all()
        self._decide("Flagged" if on else "Took the flag off", ids, lambda: project.store.flag(ids, on))

    def _decide(self, verb: str, ids: list[int], change: Callable[[], int | None]) -> bool:
        """Change the store and go on to what follows the selection."""
        cells = self._window.view.cells
        last = max((row for n in ids if (row := cells.row_of(n)) is not None), default=-1)
        following = int(cells.ids[last + 1]) if len(ids) == 1 and last + 1 < len(cells.ids) else None
        done = super()._decide(verb, ids, change)
        if done and following is not None and cells.row_of(following) is not None:
            self._window.view.choose([following], following)
        return done

    # ---- pictures ----

    def _on_pictures_wanted(self, ids: list[int]) -> None:
        if set(ids) <= set(self._cutting) and self._job is not None:
            return
        self._wanted = ids
        if self._job is None:
            self._cut()
        else:
            self._job.cancel()  # when it has ended, what is wanted now is cut

    def _cut(self) -> None:
        tomogram, table = self._session.tomogram, self._session.table
        rows = [row for n in self._wanted if (row := int(np.searchsorted(table.ids, n))) < len(table) and table.ids[row] == n]
        self._cutting, self._wanted = table.ids[rows].tolist(), []
        if tomogram is None or not rows:
            return
        steps = pictures(tomogram, table.select(np.array(rows)), self._how, bounds=self._bounds, generation=self._generation)
        self._job = Job(steps, "Gallery", self)
        self._job.message.connect(self._on_job_message)
        self._job.failed.connect(self._on_job_failed)
        self._job.finished.connect(self._on_job_finished)
        self._job.start()

    def _on_job_message(self, message: Any) -> None:
        if isinstance(message, SlabsCut) and message.generation == self._generation:
            self._bounds = message.bounds
            self._window.view.cells.set_picture(message.particle_id, message.picture)

    def _on_job_failed(self, exc: Exception) -> None:
        self._window.close()
        notify.show(exc)

    def _on_job_finished(self) -> None:
        if self._job is not None:
            self._job.deleteLater()
        self._job, self._cutting = None, []
        if self._wanted:
            self._cut()

    def close(self) -> None:
        """Let no thread outlive the window."""
        self._window.close()
        self._wanted = []
        if self._job is not None:
            self._job.finished.disconnect(self._on_job_finished)
            self._job.cancel()
            self._job.wait()
            self._job = None


def _notes(table: ParticleTable, numbers: dict[str, FloatArray]) -> tuple[str, ...]:
    """Say what each particle is known by: score, z, and the number that it is sorted by."""
    further = [[f" · no {name}" if np.isnan(v) else f" · {name} {v:g}" for v in values] for name, values in numbers.items()]
    scores = ["no score" if np.isnan(score) else f"{score:.2f}" for score in table.scores.tolist()]
    depths = [f" · z {z:.0f}" for z in table.positions[:, 0].tolist()]
    return tuple("".join(parts) for parts in zip(scores, depths, *further, strict=True))
