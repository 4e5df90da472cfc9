"""The main job on a built-in sample: simulate, train on one half, pick the whole, score on the half that was never seen."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from core.config import RunConfig, TrainConfig
from core.examples import Example
from core.figures import picks_figure, training_figure
from core.io.atomic import atomic_path, make_folder
from core.io.particles import TiltSeriesGeometry, write_particles
from core.io.volumes import open_tomogram, write_mrc
from core.messages import EpochDone
from core.metrics import evaluate
from core.picking import pick
from core.simulate import PhantomConfig, simulate
from core.tomogram import Box
from core.training import train

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from core.checkpoint import Checkpoint
    from core.messages import Message
    from core.metrics import Evaluation
    from core.particles import ClassSpec, ParticleTable
    from core.tomogram import Tomogram

STEPS = 100
"""How long the demonstration trains: some two minutes on two cores."""
MINUTES = 6.0
"""How long it trains at most, should the cores be slow or busy."""
NAME = "sample"
SEED = 1
FILES = (
    "picks.csv",
    "picks.star",
    "picks.png",
    "training.png",
    "metrics.json",
    "best.pt",
    "config.toml",
    "history.json",
    "sample.mrc",
    "clicks.csv",
)


@dataclass(frozen=True, kw_only=True)
class DemoReport:
    """What the demonstration came to.

    Attributes
    ----------
    strict, loose : Evaluation
        Figures on the unseen half, a pick being right within half a particle radius, and within one.
    checkpoint : Checkpoint
        The trained network.
    seconds : dict[str, float]
        How long each part took.
    files : tuple[Path, ...]
        What was written.
    """

    strict: Evaluation
    loose: Evaluation
    checkpoint: Checkpoint
    seconds: dict[str, float]
    files: tuple[Path, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON.

        Returns
        -------
        dict
            Figures on the unseen half, thresholds, seconds and files.
        """
        return {
            "half_radius": self.strict.as_dict(),
            "one_radius": self.loose.as_dict(),
            "validation": self.checkpoint.metrics,
            "thresholds": {spec.name: self.checkpoint.thresholds[spec.id] for spec in self.checkpoint.classes},
            "seconds": {stage: round(value, 1) for stage, value in self.seconds.items()},
            "files": [path.name for path in self.files],
        }


class _Clock:
    """Seconds of each part of the job."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def stop(self, part: str) -> None:
        now = time.monotonic()
        self.seconds[part], self._last = now - self._last, now


def demo(
    out: Path, *, config: RunConfig | None = None, phantom: PhantomConfig | None = None
) -> Generator[Message, None, DemoReport]:
    """Show the main job from end to end.

    Parameters
    ----------
    out : Path
        Folder for the results; made if it is missing.
    config : RunConfig | None
        All settings; by default the fast preset and a budget of `STEPS` or `MINUTES`.
    phantom : PhantomConfig | None
        Another sample than the built-in one.

    Yields
    ------
    Message
        What its parts say.

    Returns
    -------
    DemoReport
        Figures, times and files.

    Raises
    ------
    PickerError
        If a result cannot be written.
    """
    settings = config or RunConfig(train=TrainConfig(steps=STEPS, minutes=MINUTES))
    make_folder(out)
    clock = _Clock()
    tomogram, truth, spec = yield from _sample(out, phantom or PhantomConfig(seed=SEED))
    seen, unseen = _halves(tomogram)
    clicks, expected = (truth.select(part.contains(truth.positions)) for part in (seen, unseen))
    write_particles(out / "clicks.csv", clicks, [spec], tomogram)
    clock.stop("sample")
    example = Example(tomogram=tomogram, particles=clicks, region=seen, complete=True)
    checkpoint = yield from train([example], [spec], settings, out)
    clock.stop("training")
    result = yield from pick(tomogram, checkpoint, settings.pick)
    clock.stop("picking")
    picks = result.picks(edge=settings.pick.edge)
    found = picks.select(unseen.contains(picks.positions))
    _write_picks(out, picks, spec, tomogram)
    z, y, x = ((low + high) // 2 for low, high in zip(unseen.low, unseen.high, strict=True))
    picks_figure(tomogram, found, expected, [spec], out / "picks.png", centre=(z, y, x), trained=seen)
    training_figure(_history(out), out / "training.png")
    clock.stop("pictures")
    report = DemoReport(
        strict=evaluate(expected, found, [spec], tomogram.voxel_size),
        loose=evaluate(expected, found, [spec], tomogram.voxel_size, radius=1.0),
        checkpoint=checkpoint,
        seconds=clock.seconds,
        files=tuple(out / name for name in FILES),
    )
    with atomic_path(out / "metrics.json") as path:
        path.write_text(json.dumps(report.as_dict(), indent=1, ensure_ascii=False), encoding="utf-8")
    return report


def _sample(out: Path, config: PhantomConfig) -> Generator[Message, None, tuple[Tomogram, ParticleTable, ClassSpec]]:
    """Simulate the sample, write it down, and return it with the centres of its first class."""
    made = yield from simulate(config)
    path = out / f"{NAME}.mrc"
    write_mrc(path, made.tomogram.data, made.tomogram.voxel_size)
    spec = made.classes[0]
    truth = made.truth.select(made.truth.class_ids == spec.id)
    return open_tomogram(path), replace(truth, tomogram_id=NAME), spec


def _halves(tomogram: Tomogram) -> tuple[Box, Box]:
    """Divide a tomogram along y."""
    z, y, x = tomogram.shape
    return Box((0, 0, 0), (z, y // 2, x)), Box((0, y // 2, 0), (z, y, x))


def _write_picks(out: Path, picks: ParticleTable, spec: ClassSpec, tomogram: Tomogram) -> None:
    series = TiltSeriesGeometry(pixel_size=tomogram.voxel_size, size=tomogram.shape)
    for name in ("picks.csv", "picks.star"):
        write_particles(out / name, picks, [spec], tomogram, tilt_series=series)


def _history(run: Path) -> list[EpochDone]:
    return [EpochDone(**values) for values in json.loads((run / "history.json").read_text(encoding="utf-8"))]
