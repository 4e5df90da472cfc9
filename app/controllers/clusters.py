"""Clusters: picks grouped in a process of its own, seen as points, and judged many at once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Signal

from app import notify
from app.controllers.deciding import Decider
from app.panels.clusterplot import Points, no_points
from app.panels.parts import allow
from core.clusters import ALONE, FEWEST, load_clusters, members
from core.curation import reclassify

if TYPE_CHECKING:
    from qtpy.QtGui import QAction

    from app.jobs import Runner
    from app.panels.clusters import ClusterDialog
    from app.session import Session
    from core.clusters import Clusters
    from core.types import IntArray

CLUSTER, GROUPING = "cluster", "Grouping picks"


class ClusterController(Decider):
    """Keeps the dialog true to the tomogram that is shown and to what was decided about its picks."""

    fly_requested = Signal(int)
    numbers_changed = Signal(str, object)  # a name to sort picks by, and what gives the numbers; None where there are none
    gallery_requested = Signal(str, list)  # that name, and ids to select

    def __init__(self, session: Session, runner: Runner, dialog: ClusterDialog, action: QAction) -> None:
        super().__init__(session)
        self._runner, self._dialog, self._action = runner, dialog, action
        self._found: Clusters | None = None
        self._grouping = ""  # the tomogram whose picks are being, or were last, grouped
        action.triggered.connect(lambda _checked=False: self.open())
        dialog.group_requested.connect(self.group)
        dialog.jobs.cancel_requested.connect(runner.cancel)
        dialog.chosen_changed.connect(self._on_dialog_chosen)
        dialog.closed.connect(lambda: session.highlight(()))
        dialog.fly_requested.connect(self.fly_requested)
        dialog.gallery_requested.connect(partial(self.gallery_requested.emit, CLUSTER))
        dialog.accept_requested.connect(self.accept)
        dialog.reject_requested.connect(self.reject)
        dialog.class_requested.connect(self.reclassify)
        session.tomogram_changed.connect(self._on_session_tomogram)
        session.classes_changed.connect(self._show)
        session.table_changed.connect(self._show)
        session.review_changed.connect(self._show)
        session.model_changed.connect(self._show)
        session.selection_changed.connect(self._show_current)
        runner.busy_changed.connect(self._on_runner_busy)

    def open(self) -> None:
        """Show the dialog; picks of which none was grouped yet are grouped at once, where they can be."""
        self._load()
        self._dialog.show()
        self._dialog.raise_()
        self._dialog.activateWindow()
        self._show()
        if not self._points_of(self._found) and not self._reason_not():
            self.group()

    # ---- grouping ----

    def _wanted(self) -> IntArray:
        """Return ids of all picks that are shown, and of what was judged."""
        return self._session.table.ids[self._session.shown]

    def _reason_not(self) -> str:
        session, count = self._session, len(self._wanted())
        if session.tomogram is None:
            return "Open a tomogram first."
        if not session.writable:
            return "This project is open to look at only."
        if not len(session.table):
            return "There are no picks in this tomogram yet: press Pick in step 4."
        if count < FEWEST:
            few = "Only one pick is shown" if count == 1 else f"Only {count} picks are shown"
            return f"{few}, and groups need at least {FEWEST}: lower the threshold in step 4."
        if session.model is None:
            return "Train a network first (step 3): picks are grouped by what it sees in them."
        return self._runner.reason_not

    def group(self) -> None:
        """Group the picks of the tomogram that is shown."""
        session = self._session
        project, tomogram, model = session.project, session.tomogram, session.model
        if project is None or tomogram is None or model is None or self._reason_not():
            return
        from core.grouping import cluster_with
        from core.host import hosted

        picks = session.table.select(session.shown)
        diameter = max(session.classes[number].diameter for number in set(picks.class_ids.tolist()))
        self._grouping = tomogram.id
        steps = hosted(
            cluster_with, tomogram, picks, model, diameter, project.clusters(tomogram.id), cache=project.folder / "cache"
        )
        self._runner.start(
            GROUPING,
            steps,
            message=self._dialog.jobs.on_message,
            succeeded=self._on_succeeded,
            failed=self._on_failed,
            cancelled=self._show,
        )

    def _on_succeeded(self, found: Clusters) -> None:
        tomogram = self._session.tomogram
        self.said.emit(f"{len(found)} picks of {self._grouping} are in {_clusters(found.count)}.")
        if tomogram is not None and tomogram.id == self._grouping:
            self._take(found)

    def _on_failed(self, exc: Exception) -> None:
        notify.show(exc)
        self._show()

    def _on_runner_busy(self, busy: bool, name: str) -> None:
        self._dialog.set_busy(busy and name == GROUPING)
        self._show()

    # ---- what is shown ----

    def _on_session_tomogram(self) -> None:
        self._load()

    def _load(self) -> None:
        project, tomogram = self._session.project, self._session.tomogram
        self._take(None if project is None or tomogram is None else load_clusters(project.clusters(tomogram.id)))

    def _take(self, found: Clusters | None) -> None:
        self._found = found
        self.numbers_changed.emit(CLUSTER, None if found is None else found.numbers)
        self._show()

    def _points_of(self, found: Clusters | None) -> Points:
        """Return the picks that are shown and were grouped."""
        session, table = self._session, self._session.table
        if found is None or (session.tomogram is not None and session.tomogram.id != table.tomogram_id):
            return no_points()
        rows, places = found.matched(table)
        shown = session.shown[rows]
        rows, places = rows[shown], places[shown]
        return Points(
            ids=table.ids[rows],
            labels=found.labels[places],
            statuses=table.statuses[rows],
            scores=table.scores[rows],
            components=found.components[places],
            explained=found.explained,
        )

    def _show(self) -> None:
        session, dialog = self._session, self._dialog
        none = "" if session.tomogram is not None else "Open a tomogram first."
        none = none or ("" if len(session.table) else "There are no particles in this tomogram yet.")
        allow(self._action, none, "Picks that look alike to the network, as groups to accept or reject in one stroke")
        if not dialog.isVisible():
            return
        points = self._points_of(self._found)
        dialog.set_points(points, members(points.labels, points.scores, points.statuses))
        dialog.set_classes(tuple(session.classes.values()))
        dialog.set_ready("" if session.writable else "This project is open to look at only.")
        self._show_current()
        reason = self._reason_not()
        dialog.set_state(self._sentence(points, reason), "Group again" if len(points) else "Group", reason)

    def _sentence(self, points: Points, reason_not: str) -> str:
        """Say in one sentence what is seen, or what to do."""
        found, wanted = self._found, self._wanted()
        if found is None or not len(points):
            return reason_not or f"{len(wanted)} picks are not grouped yet: press Group."
        missing = int((~np.isin(wanted, found.ids)).sum())
        if missing:
            return f"{missing} of the {len(wanted)} picks that are shown are not among them: press Group again."
        model = self._session.model
        if model is not None and found.network not in ("", model.stem):
            return "Another network is chosen now than the one whose features these are: press Group again to see with it."
        count, alone = len(set(points.labels.tolist()) - {ALONE}), int((points.labels == ALONE).sum())
        if not count:
            return f"{len(points)} picks, and no clusters: no group of them is more alike than the others."
        return f"{len(points)} picks: {len(points) - alone} in {_clusters(count)}, {alone} in none."

    def _show_current(self) -> None:
        self._dialog.plot.set_current(self._session.selected)

    def _on_dialog_chosen(self, ids: list[int]) -> None:
        self._session.highlight(ids if self._dialog.isVisible() else ())

    # ---- decisions ----

    def reclassify(self, ids: list[int], class_id: int) -> None:
        """Give picks another class, and accept them with it, as one change."""
        project, tomogram = self._session.project, self._session.tomogram
        if project is not None and tomogram is not None:
            self._decide("Reclassified", ids, lambda: reclassify(project.store, tomogram, ids, class_id))

    def close(self) -> None:
        """Let go of the dialog."""
        self._dialog.close()


def _clusters(count: int) -> str:
    return f"{count} {'cluster' if count == 1 else 'clusters'}"
