"""Folders of training runs: what they were started on, how they went, and which of them can go on."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from core import __version__
from core.configfile import load_config
from core.errors import PickerError, ProjectError, os_reason
from core.gathering import chosen_classes, examples
from core.io.atomic import atomic_path
from core.messages import EpochDone, Notice, Progress

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from core.examples import Example
    from core.messages import Message
    from core.particles import ClassSpec
    from core.project import Project

Result = TypeVar("Result")

INPUTS = "inputs.json"
PICKING = "picking.json"
LOG = "log.txt"


def note_inputs(run: Path, learnt: Sequence[Example], classes: Sequence[ClassSpec], start: Path | None = None) -> None:
    """Write down what a run is started on, so that it can be resumed and repeated.

    Parameters
    ----------
    run : Path
        Its folder.
    learnt, classes : Sequence[Example], Sequence[ClassSpec]
        What it learns from, and what it learns.
    start : Path | None
        The network of this project or another that it begins with; None for that of its settings.

    Raises
    ------
    PickerError
        If it cannot be written.
    """
    inputs: dict[str, object] = {"tomograms": [one.tomogram.id for one in learnt], "classes": [spec.name for spec in classes]}
    inputs["start"] = None if start is None else str(start.absolute())
    with atomic_path(run / INPUTS) as path:
        path.write_text(json.dumps(inputs, indent=1, ensure_ascii=False), encoding="utf-8")


def note_picking(
    run: Path, model: Path, *, threshold: float | None = None, region: str | None = None, masks: Sequence[str] = ()
) -> None:
    """Write down which network a run of picking is of, so that it can be told from others of that name, and what was asked for.

    Parameters
    ----------
    run : Path
        Its folder.
    model : Path
        The network.
    threshold, region, masks : float | None, str | None, Sequence[str]
        Least score of picks that become candidates, the part that was looked at, and masks in words, as the command line has
        them; what training found, all of it, and none when left out.

    Raises
    ------
    PickerError
        If it cannot be written, or the network cannot be read.
    """
    noted: dict[str, object] = {"model": model.name, "sha256": sha256(model), "program": __version__}
    noted |= {"threshold": threshold, "region": region, "masks": list(masks)}
    with atomic_path(run / PICKING) as path:
        path.write_text(json.dumps(noted, indent=1, ensure_ascii=False), encoding="utf-8")


def sha256(path: Path) -> str:
    """Return what tells a file from all others.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def inputs_of(project: Project, run: Path) -> tuple[list[Example], list[ClassSpec]]:
    """Gather what a run was started on.

    Parameters
    ----------
    project : Project
        That of the run.
    run : Path
        Its folder.

    Returns
    -------
    tuple[list[Example], list[ClassSpec]]
        As the project has them now.

    Raises
    ------
    PickerError
        If the folder is not of a run, or a tomogram or class is not there any more.
    """
    try:
        inputs = json.loads((run / INPUTS).read_text(encoding="utf-8"))
        names, classes = inputs["tomograms"], inputs["classes"]
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ProjectError(f"{run} is not the folder of a training run: it has no readable {INPUTS}; choose one in runs.") from exc
    return examples(project, names), chosen_classes(project, classes)


def unfinished(runs: Path) -> list[Path]:
    """List runs that were stopped before their time was used up and can go on.

    Parameters
    ----------
    runs : Path
        The folder of all runs.

    Returns
    -------
    list[Path]
        Their folders, the latest first.
    """
    found = [run.parent for run in runs.glob("*/last.pt") if (run.parent / INPUTS).exists()]
    return sorted((run for run in found if _used(run) < 1), key=lambda run: run.name, reverse=True)


def _used(run: Path) -> float:
    """Return the part of its budget that a run had used at its last validation; 1 for a run that cannot be read."""
    try:
        history = json.loads((run / "history.json").read_text(encoding="utf-8"))
        train = load_config(run / "config.toml").train
        last = history[-1] if history else {"step": 0, "seconds": 0.0}
        by_steps = last["step"] / train.steps if train.steps else 0.0
        return float(max(by_steps, last["seconds"] / (60 * train.minutes) if train.minutes else 0.0))
    except (OSError, ValueError, LookupError, TypeError, PickerError):
        return 1.0


# ---- the log ----


def note(run: Path, text: str) -> None:
    """Add a line with the time to the log of a run.

    Parameters
    ----------
    run : Path
        Its folder.
    text : str
        One line.

    Raises
    ------
    ProjectError
        If it cannot be written.
    """
    try:
        with (run / LOG).open("a", encoding="utf-8") as log:
            log.write(f"{datetime.now():%Y-%m-%d %H:%M:%S}  {text}\n")
    except OSError as exc:
        raise ProjectError(f"Cannot write {run / LOG}: {os_reason(exc)}.") from exc


def logged(steps: Generator[Message, None, Result], run: Path) -> Generator[Message, None, Result]:
    """Write down what a job says while it runs; where that fails, the job says so once and goes on.

    Parameters
    ----------
    steps : Generator[Message, None, Result]
        The job.
    run : Path
        The folder of its run.

    Yields
    ------
    Message
        The same, and a notice if the log cannot be written.

    Returns
    -------
    Result
        The same.
    """
    stage, told = "", False
    try:
        while True:
            message = next(steps)
            line, stage = _line(message, stage)
            if line and not told and (why := _tried(run, line)):
                told = True
                yield Notice(text=f"{why} The run goes on without a log.")
            yield message
    except StopIteration as stop:
        _tried(run, "Done.")
        result: Result = stop.value
        return result
    except Exception as exc:
        _tried(run, f"Failed: {exc}" if isinstance(exc, PickerError) else f"Failed: {type(exc).__name__}: {exc}")
        raise
    finally:
        steps.close()


def _tried(run: Path, text: str) -> str:
    """Add a line to the log, or say why that cannot be: hours of training are worth more than a line about them."""
    try:
        note(run, text)
    except ProjectError as exc:
        return str(exc)
    return ""


def _line(message: Message, stage: str) -> tuple[str, str]:
    """Say a message in one line, and which stage is reached; progress is only told where a stage begins."""
    if isinstance(message, Notice):
        return message.text, stage
    if isinstance(message, EpochDone):
        best = ", the best so far" if message.best and message.measured else ""
        held = f", held-back loss {message.validation_loss:.4f}" if message.measured else ""
        f1 = "" if message.f1 is None else f", F1 {'' if message.measured else 'about '}{message.f1:.3f}"
        figures = f"loss {message.loss:.4f}{held}{f1}"
        pace = f"; {message.pace}" if message.pace else ""
        return f"Step {message.step}, {message.seconds / 60:.1f} min: {figures}{best}{pace}", stage
    if isinstance(message, Progress) and message.stage != stage:
        return message.stage, message.stage
    return "", stage
