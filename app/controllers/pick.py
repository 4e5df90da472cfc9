"""Picking and curating: candidates while tiles finish, thresholds as views, accept and reject."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from app import notify
from app.controllers.deciding import decided
from app.layers.particles import Rings, colors_of, symbols_of
from core.curation import accept, reclassify
from core.display import diameters
from core.errors import PickerError
from core.masks.words import mask_words
from core.messages import Notice, PicksFound
from core.networkfile import thresholds_of
from core.particles import ParticleTable, Status, numbered
from core.review import doubtful, masked, unjudged

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from app.jobs import Runner
    from app.panels.pick import PickPanel
    from app.session import Session
    from app.views.triptych import Triptych
    from core.particles import PickResult
    from core.project import Project
    from core.tomogram import Tomogram
    from core.types import IntArray


class PickController(QObject):
    """From Pick to a decision about every candidate."""

    said = Signal(str)
    picked = Signal()
    fly_requested = Signal(int)

    def __init__(self, session: Session, runner: Runner, panel: PickPanel, views: Triptych) -> None:
        super().__init__()
        self._session, self._runner, self._panel, self._views = session, runner, panel, views
        self._found: list[PicksFound] = []
        panel.pick_requested.connect(self.pick)
        panel.model_requested.connect(self._on_panel_model)
        panel.class_requested.connect(lambda _number: self._show())
        panel.review_requested.connect(self._on_panel_review)
        panel.accept_all_requested.connect(self.accept_all)
        panel.reject_all_requested.connect(self.reject_all)
        panel.remove_hidden_requested.connect(self.remove_hidden)
        panel.reclassify_all_requested.connect(self.reclassify_all)
        panel.accept_requested.connect(self.accept)
        panel.reject_requested.connect(self.reject)
        panel.reclassify_requested.connect(self.reclassify)
        panel.walk_requested.connect(self.walk)
        for signal in (session.table_changed, session.review_changed, session.selection_changed):
            signal.connect(self._show)
        session.classes_changed.connect(self._on_session_classes)
        session.model_changed.connect(self._on_session_model)
        runner.busy_changed.connect(self._on_runner_busy)
        self.reason_not_again: Callable[[], str] = lambda: ""  # why training cannot go on
        for signal in (session.table_changed, session.model_changed):
            signal.connect(self._show_again)

    # ---- the job ----

    def reason_not(self) -> str:
        """Say why picking cannot start; empty if it can."""
        if self._session.tomogram is None:
            return "Open a tomogram first."
        if not self._session.writable:
            return "This project is open to look at only."
        if self._session.model is None:
            return "Train a network first (step 3)."
        return self._runner.reason_not

    def pick(self) -> None:
        """Pick the tomogram that is shown."""
        project, tomogram, model = self._session.project, self._session.tomogram, self._session.model
        if project is None or tomogram is None or model is None or self.reason_not():
            return
        from core.errands import pick_with
        from core.host import hosted

        try:
            config = self._panel.form.config()
        except PickerError as exc:
            notify.show(exc)
            return
        self._found = []
        kept: dict[str, Any] = {
            "cache": project.folder / "cache",
            "score_map": project.score_map(tomogram.id),
            "runs": project.runs,
        }
        if self._session.skip_masked:
            kept |= {"mask": self._session.mask, "words": mask_words(self._session.masks, [tomogram.id])}
        self._runner.start(
            "Picking",
            hosted(pick_with, tomogram, model, config, **kept),
            message=self._on_message,
            succeeded=self._on_succeeded,
            failed=self._on_failed,
            cancelled=self._on_cancelled,
        )

    def _on_message(self, message: Any) -> None:
        if isinstance(message, Notice):
            self.said.emit(message.text)
        elif isinstance(message, PicksFound) and len(message.positions) and message.tomogram_id == self._session.table.tomogram_id:
            self._found.append(message)
            self._preview()

    def _preview(self) -> None:
        """Draw what was found so far beside what is known."""
        session, table = self._session, self._session.table
        found = ParticleTable.build(
            table.tomogram_id,
            np.concatenate([one.positions for one in self._found]),
            np.concatenate([numbered(one.class_ids, one.names, session.classes.values()) for one in self._found]),
            scores=np.concatenate([one.scores for one in self._found]),
            status=Status.CANDIDATE,
        )
        voxel_size = session.tomogram.voxel_size if session.tomogram else 0.0
        shape = session.tomogram.shape if session.tomogram else (1, 1, 1)
        found = found.select(unjudged(found, table, session.review, session.classes, shape, voxel_size, session.mask))
        class_ids = np.concatenate([table.class_ids, found.class_ids])
        statuses = np.concatenate([table.statuses, found.statuses])
        old = table.statuses != Status.CANDIDATE  # of an earlier run, about to be replaced
        self._views.set_rings(
            Rings(
                positions=np.concatenate([table.positions, found.positions]),
                sizes=np.concatenate([session.sizes, diameters(found, session.classes, voxel_size)]),
                colors=colors_of(
                    class_ids, statuses, {n: s.color for n, s in session.classes.items()}, np.zeros(len(class_ids), bool)
                ),
                symbols=symbols_of(statuses),
                shown=np.concatenate([old, np.ones(len(found), bool)]),
            )
        )

    def _on_succeeded(self, result: PickResult) -> None:
        self._found = []
        project, tomogram = self._session.project, self._session.tomogram
        if project is None:
            return
        from core.gathering import keep_candidates

        try:
            kept = keep_candidates(project, result)
        except PickerError as exc:
            notify.show(exc)
            return
        self._session.advise({spec.name: result.thresholds[spec.id] for spec in result.classes if spec.id in result.thresholds})
        if tomogram is not None and tomogram.id == result.table.tomogram_id:
            self._session.reload()
        self.said.emit(f"{len(kept)} candidates found; move the threshold until what is shown is right.")
        self.picked.emit()

    def _on_failed(self, exc: Exception) -> None:
        self._on_cancelled()
        notify.show(exc)

    def _on_cancelled(self) -> None:
        self._found = []
        self._session.reload()

    # ---- curating ----

    def _decide(self, verb: str, ids: IntArray, change: Callable[[Project, Tomogram], int | None]) -> bool:
        project, tomogram = self._session.project, self._session.tomogram
        if project is None or tomogram is None or not len(ids):
            return False
        told = decided(verb, len(ids), lambda: change(project, tomogram))
        if told:
            self.said.emit(told)
        return bool(told)

    def accept_all(self, class_id: int) -> None:
        """Accept every candidate that is shown."""
        ids = self._session.ids(Status.CANDIDATE, class_id, shown=True)
        self._decide("Accepted", ids, lambda project, tomogram: accept(project.store, tomogram, ids))

    def reject_all(self, class_id: int) -> None:
        """Reject every candidate that is shown."""
        ids = self._session.ids(Status.CANDIDATE, class_id, shown=True)
        self._decide("Rejected", ids, lambda project, _: project.store.reject(ids))

    def remove_hidden(self, class_id: int) -> None:
        """Remove every candidate that is hidden."""
        ids = self._session.ids(Status.CANDIDATE, class_id, shown=False)
        self._decide("Removed", ids, lambda project, _: project.store.remove(ids))

    def reclassify_all(self, class_id: int, to: int) -> None:
        """Give every candidate that is shown another class."""
        ids = self._session.ids(Status.CANDIDATE, class_id, shown=True)
        self._decide("Reclassified", ids, lambda project, tomogram: reclassify(project.store, tomogram, ids, to))

    def accept(self) -> None:
        """Accept the selected pick and go to the next."""
        self._judge("Accepted", lambda project, tomogram, ids: accept(project.store, tomogram, ids))

    def reject(self) -> None:
        """Reject the selected pick and go to the next; a mark can be rejected, too."""
        self._judge("Rejected", lambda project, _, ids: project.store.reject(ids))

    def reclassify(self, to: int) -> None:
        """Give the selected pick or mark another class; with a pick, go to the next."""
        self._judge("Reclassified", lambda project, tomogram, ids: reclassify(project.store, tomogram, ids, to))

    def reclassify_to_nth(self, number: int) -> None:
        """Give the selected pick or mark the n-th class, counted from 1."""
        classes = list(self._session.classes)
        if 0 < number <= len(classes):
            self.reclassify(classes[number - 1])

    def _judge(self, verb: str, change: Callable[[Project, Tomogram, IntArray], int | None]) -> None:
        ids = self._session.table.ids[self._session.table.ids == (self._session.selected or 0)]
        following = self._neighbour(1) if self._session.selected in self._order() else None
        done = self._decide(verb, ids, lambda project, tomogram: change(project, tomogram, ids))
        if done and following not in (None, *ids.tolist()):
            self.fly_requested.emit(following)

    def walk(self, by: int) -> None:
        """Select the next candidate, or the one before, by falling score or by rising certainty."""
        following = self._neighbour(by)
        if following is not None:
            self.fly_requested.emit(following)

    def _order(self) -> list[int]:
        table, most_doubtful = self._session.table, self._panel.doubtful.isChecked()
        counts = self._session.placed if most_doubtful else self._session.shown
        rows = np.flatnonzero((table.statuses == Status.CANDIDATE) & counts)
        order = doubtful(table.scores[rows]) if most_doubtful else np.argsort(-table.scores[rows], kind="stable")
        return [int(i) for i in table.ids[rows[order]]]

    def _neighbour(self, by: int) -> int | None:
        order = self._order()
        if not order:
            return None
        if self._session.selected not in order:
            return order[0]
        return order[(order.index(self._session.selected) + by) % len(order)]

    # ---- callbacks ----

    def _show(self) -> None:
        session, number = self._session, self._panel.class_id
        table, mine = session.table, session.table.class_ids == self._panel.class_id
        candidate = mine & (table.statuses == Status.CANDIDATE)
        judged = tuple(int((mine & (table.statuses == status)).sum()) for status in (Status.ACCEPTED, Status.REJECTED))
        out, shown = candidate & masked(table, session.mask), int((candidate & session.shown).sum())
        self._panel.set_scores(table.scores[candidate & ~out], session.review_of(number), shown, judged, int(out.sum()))
        self._show_selected()
        self._panel.set_ready(self.reason_not())

    def _show_selected(self) -> None:
        table, classes = self._session.table, tuple(self._session.classes.values())
        rows = np.flatnonzero(table.ids == (self._session.selected or 0))
        status, number = (Status(table.statuses[rows[0]]), int(table.class_ids[rows[0]])) if len(rows) else (None, None)
        self._panel.set_selected(status, number, classes)

    def _on_session_classes(self) -> None:
        self._panel.set_classes(tuple(self._session.classes.values()))
        self._show()

    def _on_session_model(self) -> None:
        project = self._session.project
        models: list[Path] = [] if project is None else sorted(project.models.glob("*.pt"), reverse=True)
        self._panel.set_models(models, self._session.model)
        self.follow_network()
        self._show()

    def follow_network(self) -> None:
        """Take the thresholds of the chosen network where nobody has moved one by hand."""
        project, model = self._session.project, self._session.model
        if project is not None and model is not None:
            self._session.advise(thresholds_of(model), [thresholds_of(other) for other in project.models.glob("*.pt")])

    def _on_panel_model(self, name: str) -> None:
        from pathlib import Path

        self._session.set_model(Path(name) if name else None)

    def _on_panel_review(self, class_id: int, field: str, value: float) -> None:
        if class_id:
            self._session.set_review({class_id: replace(self._session.review_of(class_id), **{field: value})})

    def _show_again(self) -> None:
        none = "" if self._session.model is not None else "Train a first network (step 3): this goes on from it."
        self._panel.set_again(self.reason_not_again() or none)

    def _on_runner_busy(self, _busy: bool, _name: str) -> None:
        self._show_again()
        self._panel.set_ready(self.reason_not())
