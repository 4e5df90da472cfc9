"""Training: one readable loop over steps, with picking F1 on held-back clicks choosing what is kept."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from core.checkpoint import Checkpoint, load_checkpoint, load_tensors, save_checkpoint, save_tensors
from core.configfile import config_to_toml
from core.course import Course
from core.crew import crewed, shared_by, step_together
from core.device import choose, utilisation
from core.errors import CheckpointError, TrainingError
from core.examples import check_examples, chosen, divide, with_patch
from core.inference import scanner
from core.io.atomic import atomic_path, make_folder
from core.learner import Learner, learning_rate
from core.messages import Notice
from core.preprocess import preprocess
from core.pretrained import pretrained
from core.probing import linear_probe
from core.sampling import Sampler, clicks_each, ground
from core.supply import Supply
from core.transfer import handed_on
from core.validation import looked_at, unmeasured, validate

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    import torch

    from core.config import RunConfig
    from core.examples import Example
    from core.messages import Message
    from core.particles import ClassSpec
    from core.preprocess import Prepared
    from core.sampling import Ground
    from core.validation import Verdict

KIND = "deepetpicker training state"
VERSION = 2
MAY_CHANGE = ("start", "steps", "minutes", "device", "precision", "tile")  # settings, when a run is resumed
KEPT_EVERY = 60.0  # seconds after which the state is written down between validations, for a process that is killed
PATIENCE = 5  # steps in a row whose loss is not finite before training gives up


def train(
    examples: Sequence[Example],
    classes: Sequence[ClassSpec],
    config: RunConfig,
    run: Path,
    *,
    resume: bool = False,
    start: Checkpoint | None = None,
    cache: Path | None = None,
    devices: int | None = 1,
) -> Generator[Message, None, Checkpoint]:
    """Train a network to find particles.

    The run folder gets ``config.toml``, ``best.pt`` (the checkpoint with the best picking F1, or the last one where nothing is
    held back), ``last.pt`` (all that resuming needs) and ``history.json``. A run that was killed and is resumed ends with the
    same weights as one that was not.

    Parameters
    ----------
    examples : Sequence[Example]
        Tomograms with their particles.
    classes : Sequence[ClassSpec]
        What to find.
    config : RunConfig
        All settings.
    run : Path
        Folder of this run; made if it is missing.
    resume : bool
        Continue the run in that folder, with its settings; budget, device, precision and tile may be others.
    start : Checkpoint | None
        Begin with these weights instead of those that `TrainConfig.start` names.
    cache : Path | None
        Folder for filtered volumes, if the preprocessing filters.
    devices : int | None
        Processes that train together, each on a CUDA device of its own; None for as many as there are.

    Yields
    ------
    Message
        Progress after every step and `EpochDone` after every validation.

    Returns
    -------
    Checkpoint
        The best one.

    Raises
    ------
    TrainingError
        If there is nothing sensible to learn, or the loss stays infinite.
    CheckpointError
        If the run cannot be resumed, or `start` is of another network.
    """
    asked, config = config, replace(config, train=with_patch(config.train, examples, classes))
    check_examples(examples, classes, config.train)
    training, validation, notices = divide(examples, classes, config.train)
    finest = min(e.tomogram.voxel_size for e in examples)
    notices.append(f"Chosen: {chosen(asked, [spec.diameter / finest for spec in classes])}")
    for text in notices:
        yield Notice(text=text)
    prepared: dict[str, Prepared] = {}
    for example in examples:
        prepared[example.tomogram.id] = yield from preprocess(example.tomogram, config.preprocess, cache)
    grounds, held = ([ground(e, prepared[e.tomogram.id], classes) for e in part] for part in (training, validation))
    if validation is training:
        held = []
    learner = _learner(config, grounds, len(classes))
    voxel_size = float(np.mean([e.tomogram.voxel_size for e in training]))
    if start is None and not resume and config.train.start == "pretrained" and config.network.preset == "fast":
        start = pretrained()
    course = _resumed(learner, config, run) if resume else Course()
    if start is not None and not resume:
        weights = handed_on(start, config.network, classes, voxel_size)
        learner.begin(weights)
        if weights is not start.weights and config.network.preset == "fast":  # a new head, of sub-voxels
            began = time.monotonic()
            yield from linear_probe(learner, Sampler(grounds, config.train, config.label), len(classes))
            course.seconds += time.monotonic() - began
    make_folder(run)
    with atomic_path(run / "config.toml") as path:
        path.write_text(config_to_toml(config), encoding="utf-8")
    empty: dict[str, Any] = {"weights": {}, "calibration": {}, "thresholds": {}, "metrics": {}}
    template = Checkpoint(config=config, classes=tuple(classes), voxel_size=voxel_size, **empty)
    with Supply(Sampler(grounds, config.train, config.label), learner.compute.device) as supply:
        try:
            with crewed(shared_by(config.train, devices), grounds, config, len(classes), learner):
                yield from _steps(learner, course, supply, held, template, run)
        finally:
            supply.end()
            if learner.whole:
                _write_down(learner, course, config, run)
    return load_checkpoint(run / "best.pt")


def _learner(config: RunConfig, grounds: Sequence[Ground], classes: int) -> Learner:
    return Learner(config, classes, choose(config.train.device, config.train.precision), clicks_each(grounds, classes))


def _resumed(learner: Learner, config: RunConfig, run: Path) -> Course:
    state = load_tensors(run / "last.pt", KIND, VERSION)
    try:
        other = sorted(_settings(asdict(config)) - _settings(state["config"]))
        if other:
            names = ", ".join(f"{table}.{name} = {value!r}" for table, name, value in other)
            raise CheckpointError(f"{run} was begun with other settings than {names}: use those in its config.toml.")
        learner.load_state(state["learner"])
        course = Course(**state["course"])
    except (LookupError, TypeError, RuntimeError, ValueError, AttributeError) as exc:
        raise CheckpointError(f"{run} cannot be resumed: its last.pt is damaged or of other classes; start a new run.") from exc
    # a longer budget sets the marks of the next validations anew
    course.validated = min(course.validated, int(course.fraction(config.train) * config.train.validations))
    return course


def _settings(config: dict[str, dict[str, Any]]) -> set[tuple[str, str, Any]]:
    """List the settings that a resumed run must keep: all but its budget and the machine."""
    return {(table, name, value) for table, part in config.items() for name, value in part.items() if name not in MAY_CHANGE}


def _write_down(learner: Learner, course: Course, config: RunConfig, run: Path) -> None:
    parts = {"config": asdict(config), "learner": learner.state(), "course": asdict(course)}
    save_tensors({"kind": KIND, "version": VERSION, **parts}, run / "last.pt")
    with atomic_path(run / "history.json") as path:
        path.write_text(json.dumps(course.history, indent=1), encoding="utf-8")


def _steps(
    learner: Learner, course: Course, supply: Supply, held: list[Ground], template: Checkpoint, run: Path
) -> Generator[Message, None, None]:
    config = template.config
    failures, written = 0, time.monotonic()
    while True:
        # looked at first, so that a run that ended between a step and its validation goes on with the validation
        validated = int(min(course.fraction(config.train), 1.0) * config.train.validations) > course.validated
        if validated:
            yield from (
                _validation(learner, course, held, template, run)
                if held
                else _checkpoint(learner, course, supply.sampler.grounds, template, run)
            )
        if validated or time.monotonic() - written > KEPT_EVERY:
            _write_down(learner, course, config, run)
            written = time.monotonic()
        if course.fraction(config.train) >= 1:
            return
        loss = _step(learner, course, supply, config)
        failures = 0 if math.isfinite(loss) else failures + 1
        if failures == PATIENCE:
            raise TrainingError(
                f"The loss was not finite for {PATIENCE} steps in a row at step {course.step}: lower the learning rate "
                f"({config.train.learning_rate:g}) or set precision to float32. The best checkpoint so far is kept."
            )
        yield course.progress(config.train, loss)


def _step(learner: Learner, course: Course, supply: Supply, config: RunConfig) -> float:
    began, waited = time.monotonic(), supply.waited
    rate = learning_rate(config.train.learning_rate, course.fraction(config.train))
    loss = step_together(learner, supply, course.step, _noise_seed(config.train.seed, course.step), rate)
    course.count(loss, time.monotonic() - began, supply.waited - waited, utilisation(learner.compute.device))
    learner.whole = True
    return loss


def _noise_seed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, step]).generate_state(1)[0])


def _validation(
    learner: Learner, course: Course, held: list[Ground], template: Checkpoint, run: Path
) -> Generator[Message, None, None]:
    config, began = template.config, time.monotonic()
    quiet = replace(config.train, augment=False, seed=config.train.seed + 1)
    crops = Sampler(held, quiet, config.label).batch(0)
    validation_loss = learner.validation_loss(crops)
    look = scanner(learner.best_network, config.network.preset, config.train.patch, learner.compute, config.pick)
    verdict = yield from validate(look, held, template.classes, config)
    score = [round(verdict.f1, 4), round(verdict.average_precision, 4), -validation_loss]
    best = score > course.best
    if best:
        save_checkpoint(_judged(template, learner, verdict, course.step, held=True), run / "best.pt")
        course.best = score
    seconds, rate = time.monotonic() - began, learner.learning_rate
    yield course.told(config.train, seconds, verdict.thresholds, rate, validation_loss=validation_loss, f1=verdict.f1, best=best)


def _checkpoint(
    learner: Learner, course: Course, grounds: Sequence[Ground], template: Checkpoint, run: Path
) -> Generator[Message, None, None]:
    """Keep the network where nothing is held back; only at the end is it looked at what it finds."""
    config, began = template.config, time.monotonic()
    verdict = unmeasured(template.classes, config.train.loss)
    if course.fraction(config.train) >= 1:
        look = scanner(learner.best_network, config.network.preset, config.train.patch, learner.compute, config.pick)
        taught = [looked_at(part) for part in grounds if len(part.centres)]
        verdict = yield from validate(look, taught, template.classes, config)
    save_checkpoint(_judged(template, learner, verdict, course.step, held=False), run / "best.pt")
    f1 = verdict.expected if math.isfinite(verdict.expected) else None
    seconds, rate = time.monotonic() - began, learner.learning_rate
    yield course.told(config.train, seconds, verdict.thresholds, rate, validation_loss=None, f1=f1, best=True)


def _judged(template: Checkpoint, learner: Learner, verdict: Verdict, step: int, held: bool) -> Checkpoint:
    weights: dict[str, torch.Tensor] = {
        name: value.detach().to("cpu", copy=True).contiguous() for name, value in learner.best_network.state_dict().items()
    }
    figures = {"f1": verdict.f1, "average_precision": verdict.average_precision} if held else {"expected_f1": verdict.expected}
    metrics = {name: value for name, value in figures.items() if math.isfinite(value)} | {"step": float(step)}
    return replace(template, weights=weights, calibration=verdict.calibration, thresholds=verdict.thresholds, metrics=metrics)
