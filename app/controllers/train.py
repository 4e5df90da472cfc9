"""Training: pre-flight, the job in a process of its own, the live plot, the network that comes out."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from app import notify
from core.errors import PickerError
from core.messages import EpochDone, Notice
from core.particles import Status

if TYPE_CHECKING:
    from pathlib import Path

    from app.jobs import Runner
    from app.panels.preparing import PreparingForm
    from app.panels.train import TrainPanel
    from app.session import Session

ENOUGH = 15  # marks of a class from which training usually works
NAME = "Training"


class TrainController(QObject):
    """Starts training and hands its network to picking."""

    trained = Signal()
    said = Signal(str)

    def __init__(self, session: Session, runner: Runner, panel: TrainPanel, preparing: PreparingForm) -> None:
        super().__init__()
        self._session, self._runner, self._panel, self._preparing = session, runner, panel, preparing
        self._run: Path | None = None
        panel.train_requested.connect(self.train)
        for signal in (session.table_changed, session.classes_changed, session.model_changed):
            signal.connect(self._show_ready)
        session.project_changed.connect(self._on_session_project)
        runner.busy_changed.connect(self._on_runner_busy)

    # ---- before ----

    def counts(self) -> dict[str, int]:
        """Return how many accepted particles of each class the project has."""
        project = self._session.project
        if project is None:
            return {}
        found: Counter[int] = Counter()
        for (_, class_id, status), n in project.store.counts().items():
            found[class_id] += n if status is Status.ACCEPTED else 0
        return {spec.name: found[spec.id] for spec in self._session.classes.values()}

    def reason_not(self) -> str:
        """Say why training cannot start; empty if it can."""
        counts = self.counts()
        if self._session.tomogram is None:
            return "Open a tomogram first."
        if not self._session.writable:
            return "This project is open to look at only."
        if not sum(counts.values()):
            return "Mark some particles first (step 2): training learns from them."
        if not self._session.tomogram.voxel_size:
            return "Give the voxel size of the tomogram first (step 1): diameters are in Å."
        if self._runner.name == NAME:
            return "Training. Mark on in the meantime if you like; if you cancel, the best network so far is kept."
        return "Something else is running; wait for it or cancel it." if self._runner.busy else ""

    def _advice(self) -> str:
        few = [f"{ENOUGH - n} more of {name}" for name, n in self.counts().items() if 0 < n < ENOUGH]
        if few:
            return f"You can train now; {' and '.join(few)} would make it more reliable."
        marks = ", ".join(f"{n} {name}" for name, n in self.counts().items() if n)
        return f"Ready: {marks} marked."

    def _show_ready(self) -> None:
        self._panel.set_ready(self.reason_not(), self._advice(), self._session.model is not None)

    # ---- the job ----

    def train(self) -> None:
        """Start training on all marks of the project."""
        project = self._session.project
        if project is None or self.reason_not():
            return
        from core.errands import train_model
        from core.examples import check_examples, divide
        from core.gathering import chosen_classes, examples
        from core.host import hosted

        try:
            config = self._panel.config(self._preparing.values())
            learnt, classes = examples(project), chosen_classes(project)
            check_examples(learnt, classes, config.train)
            divide(learnt, classes, config.train)
            run = project.new_run("train")
        except (PickerError, OSError) as exc:
            notify.show(exc)
            return
        self._run = run
        start = self._session.model if self._panel.again.isChecked() else None
        self._panel.curves.clear_points()
        self._panel.result.setText("")
        self._runner.start(
            NAME,
            hosted(train_model, learnt, classes, config, run, self._model(run), start=start, cache=project.folder / "cache"),
            message=self._on_message,
            succeeded=self._on_succeeded,
            failed=self._on_failed,
            cancelled=self._on_cancelled,
        )

    def train_again(self) -> None:
        """Go on from the last network with all that was decided since."""
        self._panel.again.setChecked(True)
        self.train()

    def _model(self, run: Path) -> Path:
        return run.absolute().parent.parent / "models" / f"{run.name}.pt"

    def _on_message(self, message: Any) -> None:
        if isinstance(message, EpochDone):
            self._panel.curves.add(message)
            best = " — the best so far" if message.best else ""
            self._panel.result.setText(f"F1 {message.f1:.2f} after {message.seconds / 60:.1f} min{best}")
        elif isinstance(message, Notice):
            self.said.emit(message.text)

    def _on_succeeded(self, trained: Any) -> None:
        self._run = None
        if trained is None:
            self._panel.result.setText("Stopped before anything was learnt.")
            return
        self._panel.result.setText(f"Done: F1 {trained.f1:.2f}. Now pick (step 4).")
        self._session.set_model(trained.model)
        for number, threshold in trained.thresholds.items():
            self._session.set_threshold(number, threshold)
        self.trained.emit()

    def _on_failed(self, exc: Exception) -> None:
        self._run = None
        self._panel.result.setText("Training stopped. Your marks are safe.")
        notify.show(exc)

    def _on_cancelled(self) -> None:
        run, self._run = self._run, None
        if run is not None and (run / "best.pt").exists():
            self._keep(run)
        else:
            self._panel.result.setText("Stopped before anything was learnt.")

    def _keep(self, run: Path) -> None:
        """Save what a stopped run had learnt; in another process, for this one has no torch."""
        from core.errands import salvaged
        from core.host import hosted

        self._panel.result.setText("Stopped; keeping the best network so far.")
        self._later = (run, hosted(salvaged, run, self._model(run)))
        if not self._runner.busy:
            self._start_keeping()

    def _start_keeping(self) -> None:
        _run, steps = self._later
        del self._later
        self._runner.start("Keeping the best network", steps, succeeded=self._on_succeeded, failed=self._on_failed)

    # ---- callbacks ----

    def _on_runner_busy(self, busy: bool, name: str) -> None:
        self._panel.set_running(busy and name == NAME)
        if not busy and hasattr(self, "_later"):
            self._start_keeping()
        self._show_ready()

    def _on_session_project(self) -> None:
        self._panel.curves.clear_points()
        self._panel.result.setText("")
        self._show_ready()
