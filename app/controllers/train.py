"""Training: pre-flight, the job in a process of its own, the live plot, the network that comes out."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from app import notify
from app.panels.log import LogView
from core.annotations import Role
from core.config import ReviewConfig
from core.configfile import load_config
from core.errors import PickerError
from core.messages import EpochDone, Notice
from core.particles import Status
from core.runs import LOG, inputs_of, note, note_inputs, unfinished

if TYPE_CHECKING:
    from pathlib import Path

    from app.jobs import Runner
    from app.panels.preparing import PreparingForm
    from app.panels.train import TrainPanel
    from app.session import Session
    from core.config import RunConfig
    from core.errands import Trained
    from core.examples import Example
    from core.particles import ClassSpec

ENOUGH = 15  # marks of a class from which training usually works
NAME = "Training"


class TrainController(QObject):
    """Starts training and hands its network to picking."""

    trained = Signal()
    pick_wanted = Signal()
    said = Signal(str)

    def __init__(self, session: Session, runner: Runner, panel: TrainPanel, preparing: PreparingForm) -> None:
        super().__init__()
        self._session, self._runner, self._panel, self._preparing = session, runner, panel, preparing
        self._run: Path | None = None
        self._last: Path | None = None  # the run that the log is of
        self._log = LogView(panel)
        panel.train_requested.connect(self.train)
        panel.resume_requested.connect(self.resume)
        panel.log_requested.connect(self._on_panel_log)
        for signal in (session.table_changed, session.classes_changed, session.model_changed):
            signal.connect(self._show_ready)
        panel.edited.connect(self._show_chosen)
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
        return self._runner.reason_not

    def _advice(self) -> str:
        few = [f"{ENOUGH - n} more marks of {name}" for name, n in self.counts().items() if 0 < n < ENOUGH]
        if few:
            said = f"You can train now; {' and '.join(few)} are recommended."
        else:
            said = f"Ready to train; marked so far: {', '.join(f'{name} {n}' for name, n in self.counts().items() if n)}."
        held = self._held()
        return f"{said} F1 will be measured on {', '.join(held)}, from which nothing is learnt." if held else said

    def _held(self) -> list[str]:
        """Return the tomograms that the user keeps for checking, if they have marks."""
        project = self._session.project
        if project is None:
            return []
        marked = {name for (name, _, status), n in project.store.counts().items() if status is Status.ACCEPTED and n}
        return [r.id for r in project.store.tomograms() if r.role is Role.VALIDATION and r.id in marked]

    def _show_ready(self) -> None:
        self._panel.set_ready(self.reason_not(), self._advice(), self._session.model is not None)
        self._show_chosen()

    def _show_chosen(self) -> None:
        from core.examples import chosen

        counts, tomogram = self.counts(), self._session.tomogram
        marked = [spec.diameter for spec in self._session.classes.values() if counts.get(spec.name)]
        if tomogram is None or not tomogram.voxel_size or not marked:
            self._panel.set_chosen("")
            return
        try:
            self._panel.set_chosen(chosen(self._panel.config(self._preparing.values()), [d / tomogram.voxel_size for d in marked]))
        except PickerError as exc:
            self._panel.set_chosen(notify.sentence(exc))

    def _show_runs(self) -> None:
        project = self._session.project
        runs = [] if project is None or self._runner.busy else unfinished(project.runs)
        self._panel.set_runs(
            runs, "" if self._session.writable else "This project is open to look at only.", self._last is not None
        )

    # ---- the job ----

    def train(self) -> None:
        """Start training on all marks of the project."""
        project = self._session.project
        if project is None or self.reason_not():
            return
        from core.examples import check_examples, divide
        from core.gathering import chosen_classes, examples

        try:
            config = self._panel.config(self._preparing.values())
            learnt, classes = examples(project), chosen_classes(project)
            check_examples(learnt, classes, config.train)
            divide(learnt, classes, config.train)
            run = project.new_run("train")
            begin = self._session.model if self._panel.again.isChecked() else None
            note_inputs(run, learnt, classes, begin)
        except (PickerError, OSError) as exc:
            notify.show(exc)
            return
        self._panel.curves.clear_points()
        self._start(run, learnt, classes, config, start=begin)

    def resume(self, run: Path) -> None:
        """Go on with a run that was stopped."""
        project = self._session.project
        if project is None or self._runner.busy or not self._session.writable:
            return
        try:
            learnt, classes = inputs_of(project, run)
            config = load_config(run / "config.toml")
        except PickerError as exc:
            notify.show(exc)
            return
        self._start(run, learnt, classes, config, resume=True)

    def _start(self, run: Path, learnt: list[Example], classes: list[ClassSpec], config: RunConfig, **how: Any) -> None:
        from core.errands import train_model
        from core.host import hosted

        self._run = self._last = run
        how |= {"cache": run.parent.parent / "cache", "devices": self._panel.devices.currentData()}
        self._panel.result.setText("")
        note(run, "Resumed." if how.get("resume") else f"Started on {', '.join(one.tomogram.id for one in learnt)}.")
        self._runner.start(
            NAME,
            hosted(train_model, learnt, classes, config, run, self._model(run), **how),
            message=self._on_message,
            succeeded=self._on_trained,
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
            pace = f"; {message.pace}" if message.pace else ""
            self._panel.result.setText(f"{self._stands(message)} after {message.seconds / 60:.1f} min{pace}")
        elif isinstance(message, Notice):
            self.said.emit(message.text)
        if isinstance(message, EpochDone | Notice):
            self._show_log()

    def _on_trained(self, trained: Trained) -> None:
        if self._panel.then_pick.isChecked():
            self.pick_wanted.emit()
        self._on_succeeded(trained)

    def _on_succeeded(self, trained: Any) -> None:
        self._run = None
        if trained is None:
            self._panel.result.setText("Stopped before anything was learnt.")
            return
        before = {number: self._session.review_of(number).threshold for number in trained.thresholds}
        self._session.set_model(trained.model)
        for number, threshold in trained.thresholds.items():
            self._session.set_threshold(number, threshold)
        self._panel.result.setText(f"Done: {trained.worth}. Now pick (step 4).{self._moved(before, trained.thresholds)}")
        self.trained.emit()

    @staticmethod
    def _stands(message: EpochDone) -> str:
        if message.f1 is None:
            return f"Loss {message.loss:.2f}"
        if not message.measured:
            return f"F1 about {message.f1:.2f}"
        return f"F1 {message.f1:.2f}{', the best so far,' if message.best else ''}"

    def _moved(self, before: dict[int, float], after: dict[int, float]) -> str:
        """Say which thresholds are others now; a network scores in its own way, so that those of the last one do not fit it."""
        usual, classes = ReviewConfig().threshold, self._session.classes
        moved = [
            f"{classes[number].name} {after[number]:.2f} (was {was:.2f})"
            for number, was in before.items()
            if number in classes and round(was, 2) not in (usual, round(after[number], 2))
        ]
        return f" The new network has its own threshold: {', '.join(moved)}." if moved else ""

    def _on_failed(self, exc: Exception) -> None:
        self._run = None
        self._panel.result.setText(f"Training stopped: {notify.sentence(exc)}")
        notify.show(exc)

    def _on_cancelled(self) -> None:
        run, self._run = self._run, None
        if run is not None:
            note(run, "Stopped by the user.")
        if run is not None and (run / "best.pt").exists() and not self._runner.closing:
            self._keep(run)
        elif run is not None and (run / "last.pt").exists():
            self._panel.result.setText("Stopped before the first check; Resume goes on from here.")
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
        self._show_runs()
        self._show_log()

    def _on_session_project(self) -> None:
        from core.batch.sites import gpus

        project = self._session.project
        if project is not None and not self._panel.devices.count():
            self._panel.set_devices(len(gpus()))
        self._panel.curves.clear_points()
        self._panel.result.setText("")
        logs = [] if project is None else sorted(project.runs.glob(f"*/{LOG}"))
        self._last = logs[-1].parent if logs else None
        self._show_ready()
        self._show_runs()

    def _on_panel_log(self) -> None:
        self._log.show()
        self._log.raise_()
        self._show_log()

    def _show_log(self) -> None:
        if self._last is None or not self._log.isVisible():
            return
        try:
            self._log.set_text((self._last / LOG).read_text(encoding="utf-8"))
        except OSError as exc:
            self._log.set_text(notify.sentence(exc))
