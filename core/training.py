"""Training: one readable loop over steps, with picking F1 on held-back clicks choosing what is kept."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from core import device as devices
from core.checkpoint import Checkpoint, load_checkpoint, load_tensors, save_checkpoint, save_tensors
from core.configfile import config_to_toml
from core.errors import CheckpointError, TrainingError
from core.examples import check_examples, divide
from core.inference import scanner
from core.io.atomic import atomic_path
from core.learner import Learner, learning_rate
from core.messages import EpochDone, Notice, Progress
from core.preprocess import preprocess
from core.sampling import Sampler, ground
from core.validation import Verdict, validate

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

KIND = "deepetpicker training state"
VERSION = 1
PATIENCE = 5  # steps in a row whose loss is not finite before training gives up


@dataclass(slots=True)
class _Course:
    """How far training has come; plain data, so that it can be written down."""

    step: int = 0
    seconds: float = 0.0
    validated: int = 0
    best: list[float] = field(default_factory=lambda: [-1.0, -1.0, -math.inf])
    recent: list[float] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)


def train(
    examples: Sequence[Example],
    classes: Sequence[ClassSpec],
    config: RunConfig,
    run: Path,
    *,
    resume: bool = False,
    start: Checkpoint | None = None,
    cache: Path | None = None,
) -> Generator[Message, None, Checkpoint]:
    """Train a network to find particles.

    The run folder gets ``config.toml``, ``best.pt`` (the checkpoint with the best picking F1), ``last.pt`` (all that resuming
    needs) and ``history.json``. A run that was killed and is resumed ends with the same weights as one that was not.

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
        Continue the run in that folder.
    start : Checkpoint | None
        Begin with these weights instead of fresh ones.
    cache : Path | None
        Folder for filtered volumes, if the preprocessing filters.

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
    check_examples(examples, classes, config.train)
    training, validation, notices = divide(examples, classes, config.train)
    for text in notices:
        yield Notice(text=text)
    prepared: dict[str, Prepared] = {}
    for example in examples:
        prepared[example.tomogram.id] = yield from preprocess(example.tomogram, config.preprocess, cache)
    grounds, held = ([ground(e, prepared[e.tomogram.id], classes) for e in part] for part in (training, validation))
    run.mkdir(parents=True, exist_ok=True)
    with atomic_path(run / "config.toml") as path:
        path.write_text(config_to_toml(config), encoding="utf-8")
    learner = Learner(config, len(classes), devices.choose(config.train.device, config.train.precision))
    course = _begin(learner, run, resume, start)
    template = Checkpoint(
        config=config,
        classes=tuple(classes),
        voxel_size=float(np.mean([e.tomogram.voxel_size for e in training])),
        weights={},
        calibration={},
        thresholds={},
        metrics={},
    )
    try:
        yield from _steps(learner, course, grounds, held, template, run)
    finally:
        _write_down(learner, course, run)
    return load_checkpoint(run / "best.pt")


def _begin(learner: Learner, run: Path, resume: bool, start: Checkpoint | None) -> _Course:
    if start is not None:
        try:
            learner.network.load_state_dict(start.weights)
        except RuntimeError as exc:
            raise CheckpointError(
                "The checkpoint to start from has another network or number of classes; choose a matching one or start afresh."
            ) from exc
    if not resume:
        return _Course()
    state = load_tensors(run / "last.pt", KIND, VERSION)
    try:
        learner.load_state(state["learner"])
        return _Course(**state["course"])
    except (KeyError, TypeError, RuntimeError, ValueError) as exc:
        raise CheckpointError(f"{run} cannot be resumed with these settings: use those in its config.toml.") from exc


def _write_down(learner: Learner, course: _Course, run: Path) -> None:
    state = {"kind": KIND, "version": VERSION, "learner": learner.state(), "course": asdict(course)}
    save_tensors(state, run / "last.pt")
    with atomic_path(run / "history.json") as path:
        path.write_text(json.dumps(course.history, indent=1), encoding="utf-8")


def _steps(
    learner: Learner, course: _Course, grounds: list[Ground], held: list[Ground], template: Checkpoint, run: Path
) -> Generator[Message, None, None]:
    train_config = template.config.train
    sampler = Sampler(grounds, train_config, template.config.label)
    failures, last = 0, time.monotonic()
    while (done := _fraction(course, template.config)) < 1 or course.validated == 0:
        rate = learning_rate(train_config.learning_rate, done)
        loss = learner.step(sampler.batch(course.step), _noise_seed(train_config.seed, course.step), rate)
        course.step += 1
        failures = 0 if math.isfinite(loss) else failures + 1
        if failures == PATIENCE:
            raise TrainingError(
                f"The loss was not finite for {PATIENCE} steps in a row at step {course.step}: lower the learning rate "
                f"({train_config.learning_rate:g}) or set precision to float32. The best checkpoint so far is kept."
            )
        course.recent.append(loss)
        course.seconds, last = course.seconds + time.monotonic() - last, time.monotonic()
        fraction = _fraction(course, template.config)
        eta = course.seconds / course.step * _steps_left(course, template.config)
        yield Progress(stage="Training", done=min(fraction, 1.0), total=1.0, eta=eta, detail=f"loss {loss:.3f}")
        if int(min(fraction, 1.0) * train_config.validations) > course.validated or fraction >= 1:
            yield from _validation(learner, course, held, template, run, rate)
            course.seconds, last = course.seconds + time.monotonic() - last, time.monotonic()
            _write_down(learner, course, run)


def _noise_seed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, step]).generate_state(1)[0])


def _fraction(course: _Course, config: RunConfig) -> float:
    """Return the part of the budget that is used up, whichever limit is nearer."""
    by_steps = course.step / config.train.steps if config.train.steps else 0.0
    by_time = course.seconds / (60 * config.train.minutes) if config.train.minutes else 0.0
    return max(by_steps, by_time)


def _steps_left(course: _Course, config: RunConfig) -> float:
    fraction = _fraction(course, config)
    return course.step * (1 - fraction) / fraction if fraction else math.inf


def _validation(
    learner: Learner, course: _Course, held: list[Ground], template: Checkpoint, run: Path, rate: float
) -> Generator[Message, None, None]:
    config = template.config
    quiet = replace(config.train, augment=False, seed=config.train.seed + 1)
    crops = Sampler(held, quiet, config.label).batch(0)
    validation_loss = learner.validation_loss(crops)
    look = scanner(learner.best_network, config.network.preset, config.train.patch, learner.compute, config.pick)
    verdict = yield from validate(look, held, template.classes, config)
    score = [round(verdict.f1, 4), round(verdict.average_precision, 4), -validation_loss]
    best = score > course.best
    if best:
        course.best = score
        save_checkpoint(_judged(template, learner, verdict, course.step), run / "best.pt")
    finite = [v for v in course.recent if math.isfinite(v)]
    report = EpochDone(
        step=course.step,
        seconds=course.seconds,
        loss=float(np.mean(finite)) if finite else math.nan,
        validation_loss=validation_loss,
        f1=verdict.f1,
        threshold=float(np.mean(list(verdict.thresholds.values()))),
        learning_rate=rate,
        best=best,
    )
    course.recent.clear()
    course.validated = max(course.validated + 1, int(_fraction(course, config) * config.train.validations))
    course.history.append(asdict(report))
    yield report


def _judged(template: Checkpoint, learner: Learner, verdict: Verdict, step: int) -> Checkpoint:
    weights: dict[str, torch.Tensor] = {
        name: value.detach().to("cpu", copy=True).contiguous() for name, value in learner.best_network.state_dict().items()
    }
    figures = {"f1": verdict.f1, "average_precision": verdict.average_precision, "step": float(step)}
    return replace(template, weights=weights, calibration=verdict.calibration, thresholds=verdict.thresholds, metrics=figures)
