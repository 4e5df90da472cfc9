"""Jobs for another process: what they take and return is small and plain, and no network travels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.config import RunConfig
from core.configfile import config_to_toml
from core.errors import PickerError
from core.io.atomic import atomic_path
from core.io.particles import write_particles
from core.io.volumes import write_mrc
from core.networkfile import note_thresholds
from core.project.folder import file_name, new_run
from core.runs import note_picking

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

    from core.checkpoint import Checkpoint
    from core.config import PickConfig
    from core.examples import Example
    from core.messages import Message
    from core.particles import ClassSpec, PickResult
    from core.tomogram import Mask, Tomogram
    from core.types import Shape

SAMPLE_CLASS = "ribosome"
SAMPLE_CENTRES = "centres.csv"  # the true ones, beside the sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A network that was trained.

    Attributes
    ----------
    model : Path
        Where it was saved.
    worth : str
        How good it is, as part of a sentence.
    thresholds : dict[int, float]
        Best score threshold of each class id.
    """

    model: Path
    worth: str
    thresholds: dict[int, float]


def train_model(
    examples: Sequence[Example],
    classes: Sequence[ClassSpec],
    config: RunConfig,
    run: Path,
    model: Path,
    *,
    start: Path | None = None,
    resume: bool = False,
    cache: Path | None = None,
    devices: int | None = None,
) -> Generator[Message, None, Trained]:
    """Train a network and save it; the run keeps a log.

    Parameters
    ----------
    examples : Sequence[Example]
        Tomograms with their particles.
    classes : Sequence[ClassSpec]
        What to find.
    config : RunConfig
        All settings.
    run : Path
        Folder of this run.
    model : Path
        File for the best network.
    start : Path | None
        Begin with this network instead of a fresh one.
    resume : bool
        Go on with the run in that folder.
    cache : Path | None
        Folder for filtered volumes.
    devices : int | None
        As for `core.training.train`.

    Yields
    ------
    Message
        As `core.training.train`.

    Returns
    -------
    Trained
        Where it is and how good it is.
    """
    from core.checkpoint import load_checkpoint
    from core.runs import logged
    from core.training import train

    begin = None if start is None else load_checkpoint(start)
    steps = train(examples, classes, config, run, resume=resume, start=begin, cache=cache, devices=devices)
    best = yield from logged(steps, run)
    return kept_network(best, model)


def kept_network(best: Checkpoint, model: Path) -> Trained:
    """Save a network, and beside it what can be read without torch.

    Parameters
    ----------
    best : Checkpoint
        The network.
    model : Path
        Its file.

    Returns
    -------
    Trained
        Where it is and how good it is.

    Raises
    ------
    PickerError
        If a file cannot be written.
    """
    from core.checkpoint import save_checkpoint

    save_checkpoint(best, model)
    note_thresholds(model, best.classes, best.thresholds)
    return Trained(model=model, worth=worth(best.metrics), thresholds=best.thresholds)


def worth(metrics: Mapping[str, float]) -> str:
    """Say how good a network is.

    Parameters
    ----------
    metrics : Mapping[str, float]
        Of its checkpoint.

    Returns
    -------
    str
        Part of a sentence.
    """
    if "f1" in metrics:
        return f"F1 {metrics['f1']:.2f} on what was held back"
    if "expected_f1" in metrics:
        return f"F1 about {metrics['expected_f1']:.2f}, estimated from the scores"
    return "F1 not known yet"


def salvaged(run: Path, model: Path) -> Generator[Message, None, Trained | None]:
    """Save the best network of a run that was stopped.

    Parameters
    ----------
    run : Path
        Folder of the run.
    model : Path
        File for the network.

    Yields
    ------
    Message
        Nothing.

    Returns
    -------
    Trained | None
        None where the run had not come far enough.
    """
    from core.checkpoint import load_checkpoint

    yield from ()
    if not (run / "best.pt").exists():
        return None
    return kept_network(load_checkpoint(run / "best.pt"), model)


def pick_with(
    tomogram: Tomogram,
    model: Path,
    config: PickConfig,
    *,
    cache: Path | None = None,
    score_map: Path | None = None,
    runs: Path | None = None,
    mask: Mask | None = None,
    words: Sequence[str] = (),
) -> Generator[Message, None, PickResult]:
    """Pick with a network from a file.

    Parameters
    ----------
    tomogram : Tomogram
        Where to look.
    model : Path
        A saved network.
    config : PickConfig
        How to scan.
    cache : Path | None
        Folder for filtered volumes.
    score_map : Path | None
        File for the score map; None for none.
    runs : Path | None
        The folder of runs, where all candidates are kept in a table of a new one; None for none.
    mask : Mask | None
        Where to look; None for everywhere.
    words : Sequence[str]
        The same in words, for the note of the run.

    Yields
    ------
    Message
        As `core.picking.pick`.

    Returns
    -------
    PickResult
        All candidates.
    """
    from core.checkpoint import load_checkpoint
    from core.picking import pick

    result = yield from pick(tomogram, load_checkpoint(model), config, cache=cache, score_map=score_map, mask=mask)
    if runs is not None and len(result.table):
        run = new_run(runs, "pick")
        with atomic_path(run / "config.toml") as path:
            path.write_text(config_to_toml(RunConfig(pick=config)), encoding="utf-8")
        write_particles(run / f"{file_name(tomogram.id)}.csv", result.table, result.classes, tomogram)
        note_picking(run, model, threshold=0.0, masks=words)  # the window keeps all candidates
    return result


def make_sample(path: Path, shape: Shape = (64, 192, 192), seed: int = 1) -> Generator[Message, None, Path]:
    """Simulate a small tomogram to try everything on.

    Parameters
    ----------
    path : Path
        The MRC file to make.
    shape : Shape
        (z, y, x) voxels.
    seed : int
        Seed of everything random.

    Yields
    ------
    Message
        Progress.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    PickerError
        If it cannot be written.
    """
    from core.simulate import PhantomConfig, simulate

    room = shape[0] * shape[1] * shape[2] / (64 * 192 * 192)
    counts = {SAMPLE_CLASS: max(8, round(40 * room)), "globule": round(15 * room)}
    phantom = yield from simulate(PhantomConfig(shape=shape, seed=seed, counts=counts, vesicles=1 if room >= 1 else 0, snr=0.3))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise PickerError(f"Cannot make the folder {path.parent} for the sample: {exc.strerror}.") from exc
    write_mrc(path, phantom.tomogram.data, phantom.tomogram.voxel_size)
    write_particles(path.with_name(SAMPLE_CENTRES), phantom.truth, phantom.classes, phantom.tomogram)
    return path
