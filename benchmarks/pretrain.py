"""Teach a network what particles look like, on tomograms of invented complexes, before it ever sees a click.

    python benchmarks/pretrain.py FOLDER --volumes 60 --steps 1800 --out resources/pretrained.safetensors

Makes simulated tomograms in FOLDER (kept, and made only once), trains the `fast` network to tell their kinds apart and
writes FOLDER/run/best.pt, and --out, which is what comes with the program. Stopped at any time, the same command goes on.
Everything follows from the numbers below.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np

from core.config import LabelConfig, PickConfig, RunConfig, TrainConfig
from core.examples import Example
from core.io.particles import read_particles, write_particles
from core.io.volumes import open_tomogram, write_mrc
from core.messages import EpochDone, Message, Progress, drain
from core.particles import ClassSpec, ParticleTable
from core.simulate import PhantomConfig, simulate
from core.simulate.inventions import invention
from core.simulate.shapes import CLASSES

SEED = 700_000
INVENTIONS = 29
KINDS = (*CLASSES, *(invention(n) for n in range(1, INVENTIONS + 1)))
SHAPE = (96, 224, 224)
AT_ONCE = 20  # kinds in a tomogram
SIZES = 6


def phantom_config(number: int) -> PhantomConfig:
    """Draw what is in a tomogram and how it was taken."""
    rng = np.random.default_rng([SEED, number])
    kinds = rng.choice(len(KINDS), AT_ONCE, replace=False)
    counts = {KINDS[k].name: int(np.clip(round(12 * (180 / KINDS[k].diameter) ** 1.5), 4, 20)) for k in kinds}
    return PhantomConfig(
        shape=SHAPE,
        voxel_size=float(rng.choice([9.5, 10.0, 10.0, 10.0, 12.0, 13.5])),
        seed=int(rng.integers(1 << 30)),
        counts=counts,
        vesicles=int(rng.integers(0, 3)),
        gold=int(rng.integers(0, 6)),
        crowding=float(rng.uniform(0.01, 0.2)),
        snr=float(math.exp(rng.uniform(math.log(0.01), math.log(0.25)))),
        defocus_um=float(rng.uniform(2.5, 6)),
        max_tilt=float(rng.choice([48.0, 54.0, 60.0, 60.0])),
        dose=float(rng.uniform(2.0, 3.5)),
        jitter=float(rng.uniform(1, 8)),
    )


def grouped() -> tuple[tuple[ClassSpec, ...], dict[str, int]]:
    """Sort the kinds into sizes, and each size into two sorts, so that size and shape must both be seen.

    Fewer channels than kinds keep a step affordable.
    """
    kinds = sorted(KINDS, key=lambda spec: spec.diameter)
    members: dict[int, list[ClassSpec]] = {}
    for rank, spec in enumerate(kinds):
        members.setdefault(1 + 2 * (rank * SIZES // len(kinds)) + rank % 2, []).append(spec)
    specs = tuple(
        ClassSpec(id=number, name=f"sort {number}", diameter=float(np.mean([s.diameter for s in members[number]])), color="#ffd400")
        for number in sorted(members)
    )
    return specs, {spec.name: number for number, those in members.items() for spec in those}


def example(folder: Path, number: int) -> Example:
    """Make a tomogram, or take the one that is there."""
    path, centres = folder / f"phantom_{number:03d}.mrc", folder / f"phantom_{number:03d}.csv"
    if not centres.exists():
        began = time.monotonic()
        phantom = drain(simulate(phantom_config(number)))
        write_mrc(path, phantom.tomogram.data, phantom.tomogram.voxel_size)
        write_particles(centres, phantom.truth, phantom.classes, phantom.tomogram)
        print(f"{path.name}: {len(phantom.truth)} particles, {time.monotonic() - began:.0f} s", flush=True)
    tomogram, known = open_tomogram(path), read_particles(centres)
    _, ids = grouped()
    numbers = np.array([ids[name] for name in known.class_names])
    return Example(tomogram=tomogram, particles=ParticleTable.build(tomogram.id, known.positions, numbers), complete=True)


def show(message: Message) -> None:
    if isinstance(message, EpochDone):
        print(f"step {message.step}  {message.seconds:.0f} s  loss {message.loss:.3f}  F1 {message.f1:.3f}", flush=True)
    elif isinstance(message, Progress) and message.stage == "Training" and message.detail:
        print(f"\r{message.done:6.1%}  {message.detail}  ", end="", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--volumes", type=int, default=60)
    parser.add_argument("--steps", type=int, default=1800)
    parser.add_argument("--out", type=Path, help="safetensors file for the finished network")
    parser.add_argument("--only", type=int, nargs=2, help="make the tomograms from this number to before that one, and stop")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    if arguments.only:
        for number in range(*arguments.only):
            example(arguments.folder, number)
        return
    from core.pretrained import write_pretrained
    from core.training import train

    examples = [example(arguments.folder, number) for number in range(arguments.volumes)]
    held = [Example(tomogram=e.tomogram, particles=e.particles, complete=True, role="validation") for e in examples[:1]]
    config = RunConfig(
        label=LabelConfig(),
        train=TrainConfig(
            start="scratch", steps=arguments.steps, background=0.1, validations=8, learning_rate=2e-3, average=0.995, seed=SEED
        ),
        pick=PickConfig(),
    )
    run = arguments.folder / "run"
    best = drain(train([*held, *examples[1:]], grouped()[0], config, run, resume=(run / "last.pt").exists()), show)
    if arguments.out:
        write_pretrained(best, arguments.out)


if __name__ == "__main__":
    main()
