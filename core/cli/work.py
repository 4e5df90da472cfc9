"""Commands that train: demo and train."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.options import Assignments, Classes, ConfigFile, Device, Json, Minutes, Names, Preset, Seed, Steps
from core.cli.report import Report, duration, table
from core.cli.settings import run_config
from core.errors import ProjectError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.checkpoint import Checkpoint
    from core.config import RunConfig
    from core.examples import Example
    from core.particles import ClassSpec


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("results"),
    config: ConfigFile = None,
    assign: Assignments = None,
    minutes: Minutes = None,
    steps: Steps = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """See the main job on a built-in sample: simulate a tomogram, train on one half, pick, score on the other half.

    [bold]Example:[/]  deepetpicker demo --out results
    """
    from core import demo as sample
    from core.cli.scoring import figures_table

    report = Report(as_json)
    if config is None and minutes is None and steps is None:
        minutes, steps = sample.MINUTES, sample.STEPS
    settings = run_config(config, assign or (), minutes=minutes, steps=steps, device=device)
    done = report.follow(sample.demo(out, config=settings))
    times = ", ".join(f"{part} {duration(seconds)}" for part, seconds in done.seconds.items())
    report.result(
        done.as_dict(),
        figures_table("The unseen half; a pick is right within half a particle radius", done.strict),
        figures_table("The same within one radius", done.loose),
        f"Time: {times}.",
        f"Results in {out}: {', '.join(path.name for path in done.files)}.",
    )


def train(
    project: Annotated[Path | None, typer.Argument(help="Project folder.", show_default=False)] = None,
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="Continue the run in this folder.", show_default=False)] = None,
    tomogram: Names = None,
    classes: Classes = None,
    start: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="Begin with this trained network.", show_default=False)
    ] = None,
    config: ConfigFile = None,
    assign: Assignments = None,
    minutes: Minutes = None,
    steps: Steps = None,
    preset: Preset = None,
    seed: Seed = None,
    device: Device = None,
    devices: Annotated[
        int | None,
        typer.Option(min=1, help="GPUs to train on together; all that divide the batch when left out.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a network on the accepted particles of a project.

    A run keeps its best network and can be stopped with Ctrl-C and resumed.

    [bold]Example:[/]  deepetpicker train ribosomes --minutes 15
    """
    if (project is None) == (resume is None):
        raise typer.BadParameter("give a project folder, or --resume with the folder of a run")
    if resume is not None and (config or tomogram or classes or start):
        raise typer.BadParameter(
            "a resumed run keeps its tomograms, classes and settings; leave --tomogram, --class, --config and --start out"
        )
    from core.checkpoint import load_checkpoint

    report = Report(as_json)
    resumed = None if resume is None else _resumed(resume)
    settings = run_config(
        resume / "config.toml" if resume else config,
        assign or (),
        minutes=minutes,
        steps=steps,
        preset=preset,
        seed=seed,
        device=device,
    )
    started = None if start is None else load_checkpoint(start)
    run, learnt, specs = resumed or _begun(project or Path(), tomogram, classes, start)
    _train(report, run, learnt, specs, settings, resume is not None, started, devices)


def _train(
    report: Report,
    run: Path,
    learnt: list[Example],
    specs: list[ClassSpec],
    settings: RunConfig,
    resume: bool,
    start: Checkpoint | None,
    devices: int | None,
) -> None:
    from core.errands import kept_network, worth
    from core.runs import logged
    from core.training import train

    job = logged(train(learnt, specs, settings, run, resume=resume, start=start, cache=_beside(run, "cache"), devices=devices), run)
    try:
        checkpoint = report.follow(job)
    except KeyboardInterrupt:
        if (run / "last.pt").exists():
            report.note(f"Stopped; nothing is lost. Continue with: deepetpicker train --resume {run}")
        raise
    model = _beside(run, "models") / f"{run.name}.pt"
    kept_network(checkpoint, model)
    thresholds = {spec.name: checkpoint.thresholds[spec.id] for spec in checkpoint.classes}
    report.result(
        {"run": str(run), "model": str(model), "metrics": checkpoint.metrics, "thresholds": thresholds},
        table("", ("class", "threshold"), list(thresholds.items())),
        f"{worth(checkpoint.metrics)}. Trained network: {model}",
    )


def _beside(run: Path, name: str) -> Path:
    """Return a folder of the project that a run belongs to."""
    return run.absolute().parent.parent / name


def _begun(
    folder: Path, names: Sequence[str] | None, classes: Sequence[str] | None, start: Path | None
) -> tuple[Path, list[Example], list[ClassSpec]]:
    """Gather what is to be learnt, make a folder for the run and note there what it was started on."""
    from core.gathering import chosen_classes, examples
    from core.project import Project
    from core.runs import note_inputs

    with Project.open(folder) as project:
        learnt, specs = examples(project, names), chosen_classes(project, classes)
        run = project.new_run("train")
    note_inputs(run, learnt, specs, start)
    return run, learnt, specs


def _resumed(run: Path) -> tuple[Path, list[Example], list[ClassSpec]]:
    """Gather what the run was started on."""
    from core.project import Project
    from core.runs import INPUTS, inputs_of

    if not (run / INPUTS).exists():
        raise ProjectError(f"{run} is not the folder of a training run: it has no readable {INPUTS}; choose one in runs.")
    with Project.open(run.absolute().parent.parent) as project:
        return run, *inputs_of(project, run)
