"""Evaluating: figures in a thread beside whatever runs, thresholds as views of them, disagreements flown to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from app import notify
from app.jobs import Job
from app.panels.comparing import Row
from app.panels.parts import allow, spoken_time
from core.evaluating import Evaluated, comparing, evaluating, promised
from core.metrics import Kind
from core.origins import ACCEPTED, CANDIDATES, Origin, pick_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from qtpy.QtGui import QAction

    from app.panels.evaluation import EvaluationDialog
    from app.session import Session
    from core.masks import MaskConfig
    from core.messages import Message
    from core.metrics import Assessment, Comparison
    from core.types import FloatArray

DELAY_MS = 60  # after which a moved threshold is drawn
STALE_MS = 400  # after which changed particles are scored again
ESTIMATE = "nothing: estimate from the scores"
ESTIMATED = (
    "An estimate, not a measurement: what the calibrated scores promise. Particles that are no candidate are not counted. "
    "Cross-validation, which trains anew, measures: deepetpicker evaluate PROJECT --folds 4."
)


class EvaluationController(QObject):
    """Keeps the dialog true to project, particles and thresholds while it is open."""

    said = Signal(str)
    fly_requested = Signal(str, object)  # tomogram, (3,) zyx voxels

    def __init__(self, session: Session, dialog: EvaluationDialog, action: QAction) -> None:
        super().__init__()
        self._session, self._dialog, self._page, self._action = session, dialog, dialog.evaluate, action
        self._job: Job | None = None
        self._next: Callable[[], None] | None = None  # what is to be computed when the job has ended
        self._found: Evaluated | None = None
        self._scores: dict[int, FloatArray] = {}
        self._compared: dict[str, Comparison] = {}
        self._moved, self._stale = QTimer(self), QTimer(self)
        for timer, delay, slot in ((self._moved, DELAY_MS, self._show), (self._stale, STALE_MS, self.compute)):
            timer.setSingleShot(True)
            timer.setInterval(delay)
            timer.timeout.connect(slot)
        action.triggered.connect(lambda _checked=False: self.open())
        self._page.score_requested.connect(self.compute)
        self._page.class_requested.connect(self._show)
        self._page.best_requested.connect(self._on_page_best)
        self._page.save_requested.connect(self._on_page_save)
        dialog.compare.compare_requested.connect(self.compute)
        dialog.masks_requested.connect(self.compute)
        dialog.compare.filter_requested.connect(self._show_compared)
        dialog.compare.fly_requested.connect(self.fly_requested)
        dialog.tabs.currentChanged.connect(lambda _tab: self.compute())
        session.project_changed.connect(self._on_session_project)
        session.tomogram_changed.connect(self._on_session_tomogram)
        for signal in (session.table_changed, session.masks_changed):
            signal.connect(lambda: self._start_timer(self._stale))
        session.review_changed.connect(lambda: self._start_timer(self._moved))

    def open(self) -> None:
        """Show the dialog with what there is now."""
        if self._session.project is None:
            return
        self._list_origins()
        self._dialog.show()
        self._dialog.raise_()
        self.compute()

    def close(self) -> None:
        """Let no thread outlive the window."""
        self._next = None
        self._moved.stop()
        self._stale.stop()
        self._dialog.close()
        if self._job is not None:
            self._job.finished.disconnect(self._on_job_finished)
            self._job.cancel()
            self._job.wait()
            self._job = None

    def _list_origins(self) -> None:
        project = self._session.project
        if project is None:
            return
        runs: list[tuple[str, Origin]] = [(f"all picks of {spoken_time(r.name)}", Origin("run", r)) for r in pick_runs(project)]
        candidates, accepted = ("candidates of this project", CANDIDATES), ("accepted particles of this project", ACCEPTED)
        self._page.picks.set_origins([*runs, candidates])
        self._page.reference.set_origins([accepted, (ESTIMATE, None), *runs])
        self._dialog.compare.a.set_origins([accepted, *runs, candidates])
        self._dialog.compare.b.set_origins([*runs, candidates, accepted])

    # ---- computing ----

    def compute(self) -> None:
        """Score or compare what is chosen; what is being computed is given up."""
        if not self._dialog.isVisible() or self._session.project is None:
            return
        comparing_now = self._dialog.tabs.currentWidget() is self._dialog.compare
        self._next = self._start_comparing if comparing_now else self._start_scoring
        if self._job is None:
            self._go_on()
        else:
            self._job.cancel()

    def _go_on(self) -> None:
        start, self._next = self._next, None
        if start is not None:
            start()

    def _names(self, only_shown: bool) -> list[str] | None:
        shown = self._session.tomogram
        return [shown.id] if only_shown and shown is not None else None

    def _masks(self) -> dict[str, MaskConfig]:
        """Return where particles count, if that is asked for."""
        masks = {name: config for name, config in self._session.masks.items() if config.active}
        allow(self._dialog.within, "" if masks else "No mask is in use; see Masks….", "What lies elsewhere does not count")
        return dict(self._session.masks) if masks and self._dialog.within.isChecked() else {}

    def _start_scoring(self) -> None:
        project, page = self._session.project, self._page
        picks, reference, names = page.picks.origin, page.reference.origin, self._names(page.only_shown)
        if project is None or picks is None:
            return
        if reference is None:
            self._start(promised(project.folder, picks, names, self._masks()), self._on_promised)
        else:
            steps = evaluating(project.folder, picks, reference, page.chosen_rule, names, self._masks())
            self._start(steps, self._on_evaluated)

    def _start_comparing(self) -> None:
        project, page = self._session.project, self._dialog.compare
        a, b = page.a.origin, page.b.origin
        if project is not None and a is not None and b is not None:
            reach = self._page.chosen_rule.reach
            steps = comparing(project.folder, a, b, reach, self._names(page.only_shown), self._masks())
            self._start(steps, self._on_compared)

    def _start(self, steps: Generator[Message, None, Any], succeeded: Callable[[Any], None]) -> None:
        self._job = Job(steps, "Evaluating", self)
        self._job.succeeded.connect(succeeded)
        self._job.failed.connect(self._on_failed)
        self._job.finished.connect(self._on_job_finished)
        self._job.start()

    # ---- results ----

    def _on_evaluated(self, found: Evaluated) -> None:
        self._found, self._scores = found, {}
        self._page.set_classes(found.found.classes)
        self._show()

    def _on_promised(self, scores: dict[int, FloatArray]) -> None:
        self._found, self._scores = None, scores
        self._page.set_classes([spec for number, spec in self._session.classes.items() if number in scores])
        self._show()

    def _on_compared(self, found: dict[str, Comparison]) -> None:
        self._compared = found
        self._show_compared()

    def _on_failed(self, exc: Exception) -> None:
        """Say in the dialog why there are no figures; that is no fault which needs a window of its own."""
        self._found, self._scores, self._compared = None, {}, {}
        self._page.clear_plots()
        self._page.set_texts("", [notify.sentence(exc)])
        self._page.set_best(None, "There is nothing to choose from.")
        self._dialog.compare.set_rows(notify.sentence(exc), [])

    def _on_job_finished(self) -> None:
        if self._job is not None:
            self._job.deleteLater()
        self._job = None
        self._go_on()

    # ---- showing ----

    def _thresholds(self) -> dict[int, float]:
        return {number: self._session.review_of(number).threshold for number in self._session.classes}

    def _show(self) -> None:
        if self._found is not None:
            self._show_measured(self._found.found, self._found.notices)
        elif self._scores:
            self._show_estimated()

    def _show_measured(self, found: Assessment, notices: tuple[str, ...]) -> None:
        page, thresholds, number = self._page, self._thresholds(), self._page.class_id
        curve, best, at = found.curve(number), found.best(number), found.figures(thresholds, number)
        area = found.figures(class_id=number).average_precision
        page.set_measured(True)
        page.curve.show_curve(curve, f"AP {area:.2f}", (at.recall, at.precision) if at.picks else None, estimated=False)
        page.score.show_curve(curve, found.rule.score, best, estimated=False)
        page.score.set_threshold(self._one_threshold(number))
        away = found.cut(thresholds).ranking(number, angstrom=True)
        sizes = {one.case.voxel_size for one in found.judged}
        size = sizes.pop() if len(sizes) == 1 else None
        most = max((spec.diameter / 2 * found.rule.reach for spec in found.classes), default=1.0)
        page.errors.show_errors(away.distances[away.hits], most, size)
        page.set_confusion(found.confusion(thresholds), [spec.name for spec in found.classes])
        score = f"{found.rule.score} {found.score(at):.2f} at the current threshold"
        counts = f"{at.hits} of {at.truth} found, {at.picks - at.hits} of {at.picks} picks are on nothing"
        error = "" if at.error is None else f" Hits lie {at.error:.1f} voxels off."
        page.set_texts(f"{score}: {counts}. Best: {best[1]:.2f} at {best[0]:.2f}. AP {area:.2f}.{error}", notices)
        self._offer_best(best[0] if best[1] else None, number)

    def _show_estimated(self) -> None:
        from core.calibration import estimated_curve

        page, number = self._page, self._page.class_id
        scores = self._scores.get(number or 0)
        scores = np.concatenate(list(self._scores.values())) if scores is None else scores
        curve = estimated_curve(scores)
        best = int(np.argmax(curve.f1))
        threshold = self._one_threshold(number)
        page.set_measured(False)
        row = None if threshold is None else int(np.searchsorted(-curve.thresholds, -threshold, side="right")) - 1
        at = (float(curve.recall[row]), float(curve.precision[row])) if row is not None and row >= 0 else None
        page.curve.show_curve(curve, "estimated", at, estimated=True)
        page.score.show_curve(curve, "F1", (float(curve.thresholds[best]), float(curve.f1[best])), estimated=True)
        page.score.set_threshold(threshold)
        now = "" if row is None or row < 0 else f"F1 about {curve.f1[row]:.2f} at the current threshold. "
        text = f"{now}Best: about {curve.f1[best]:.2f} at {curve.thresholds[best]:.2f}. About {scores.sum():.0f} particles."
        page.set_texts(text, [ESTIMATED])
        self._offer_best(float(curve.thresholds[best]), number)

    def _one_threshold(self, number: int | None) -> float | None:
        """Return the threshold of a class; of all together, where they share one."""
        thresholds = set(self._thresholds().values()) if number is None else {self._session.review_of(number).threshold}
        return thresholds.pop() if len(thresholds) == 1 else None

    def _offer_best(self, best: float | None, number: int | None) -> None:
        several = "" if number is not None else "Choose a class first: each has its own threshold."
        self._page.set_best(best, several or ("" if best is not None else "No threshold gives a hit."))

    def _show_compared(self) -> None:
        page, names = self._dialog.compare, {number: spec.name for number, spec in self._session.classes.items()}
        counts, rows = dict.fromkeys(Kind, 0), []
        for tomogram, found in self._compared.items():
            for kind in Kind:
                counts[kind] += found.count(kind)
            columns = zip(found.kinds.tolist(), found.rows_a, found.rows_b, found.positions, found.distances, strict=True)
            for kind, a, b, position, distance in columns:
                if kind != Kind.SAME or page.agreed.isChecked():
                    one, other = (names[int(t.class_ids[row])] if row >= 0 else "" for t, row in ((found.a, a), (found.b, b)))
                    rows.append(Row(tomogram, Kind(kind), one, other, position, float(distance)))
        same, other, only_a, only_b = (counts[kind] for kind in Kind)
        total = 2 * (same + other) + only_a + only_b
        agreement = f"agreement {2 * same / total:.2f} (1: the same)" if total else "nothing to compare"
        page.set_rows(f"{same} in both, {other} of another class, {only_a} only in A, {only_b} only in B; {agreement}.", rows)

    # ---- callbacks ----

    def _start_timer(self, timer: QTimer) -> None:
        if self._dialog.isVisible():
            timer.start()

    def _on_session_project(self) -> None:
        self._found, self._scores, self._compared = None, {}, {}
        for box in (self._page.picks, self._page.reference, self._dialog.compare.a, self._dialog.compare.b):
            box.forget()
        self._page.set_classes(())
        self._dialog.hide()
        self._on_session_tomogram()

    def _on_session_tomogram(self) -> None:
        allow(self._action, "" if self._session.tomogram is not None else "Open a tomogram first.", "How good the picks are")
        self._start_timer(self._stale)

    def _on_page_best(self, threshold: float) -> None:
        number = self._page.class_id
        if number is not None:
            self._session.set_threshold(number, threshold)
            self.said.emit(f"The threshold of {self._session.classes[number].name} is {threshold:.2f} now.")

    def _on_page_save(self, folder: str) -> None:
        from core.plots import drawing

        if self._found is None or self._job is not None:
            return
        self._start(drawing(self._found.found, self._thresholds(), Path(folder)), self._on_saved)

    def _on_saved(self, files: list[Path]) -> None:
        self.said.emit(f"{len(files)} plots are written to {files[0].parent}.")
