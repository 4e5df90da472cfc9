"""Time steps of training: of the published network and recipe, and of ours with crops made in between and made ahead, by turns.

    PYTHONPATH=. python benchmarks/training.py [--rounds 3] [--steps 4]

The published step: the published network in single precision on crops of 72 voxels, with soft Dice alone, every crop made while
the network waits. All take crops with augmentation out of the same memory-mapped tomogram of noise with random particles; what
is in it does not change the time. A sample is a crop; crops differ in size, so that voxels are given, too. Seconds are those of
the processor (user and system), so that other work beside it counts less, and of the clock on a GPU. Waiting is the part of the
time by the clock in which steps waited for crops.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from core.config import NetworkConfig, RunConfig, TrainConfig
from core.device import choose
from core.examples import Example, with_patch
from core.io.volumes import open_tomogram, write_mrc
from core.learner import Learner
from core.messages import drain
from core.particles import ClassSpec, ParticleTable
from core.preprocess import preprocess
from core.sampling import Ground, Sampler, ground
from core.supply import Supply

VOXEL_SIZE = 10.0
CLASS = ClassSpec(id=1, name="particle", diameter=240.0)
SHAPE = (64, 256, 256)
PUBLISHED = {"patch": 72, "loss": "dice", "background": 0.0, "hard_negatives": 0.0, "unlabelled": "background", "average": 0.0}


@dataclass
class Way:
    """One way to train, and what its steps took."""

    name: str
    learner: Learner
    supply: Supply
    step: int = 0
    rates: list[float] = field(default_factory=list)
    waiting: list[float] = field(default_factory=list)

    @property
    def crop(self) -> int:
        """Voxels."""
        return self.learner.config.patch**3

    def take(self, steps: int) -> None:
        """Take some steps; the first of them, whose crops nobody has made ahead, does not count."""
        self._step()
        began, busy, waited = time.monotonic(), self._now(), self.supply.waited
        for _ in range(steps):
            self._step()
        self.rates.append(steps * self.learner.config.batch / (self._now() - busy))
        self.waiting.append((self.supply.waited - waited) / (time.monotonic() - began))

    def _now(self) -> float:
        if self.learner.compute.device.type != "cuda":
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()

    def _step(self) -> None:
        self.learner.step(self.supply.crops(self.step), self.step, 1e-4)
        self.step += 1


def grounds(folder: Path) -> tuple[list[Ground], Example]:
    rng = np.random.default_rng(0)
    write_mrc(folder / "noise.mrc", rng.normal(size=SHAPE).astype(np.float32), VOXEL_SIZE)
    tomogram = open_tomogram(folder / "noise.mrc")
    centres = rng.uniform(0, np.array(SHAPE) - 1, (60, 3))
    example = Example(tomogram=tomogram, particles=ParticleTable.build(tomogram.id, centres, CLASS.id), complete=False)
    prepared = drain(preprocess(tomogram, RunConfig().preprocess))
    return [ground(example, prepared, [CLASS])], example


def way(name: str, preset: str, train: TrainConfig, where: list[Ground], *, ahead: bool) -> Way:
    config = RunConfig(network=NetworkConfig(preset=preset), train=train)
    learner = Learner(config, 1, choose(train.device, train.precision))
    return Way(name, learner, Supply(Sampler(where, train, config.label), learner.compute.device, ahead=ahead))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3, help="in each round")
    parser.add_argument("--batch", type=int, default=2, help="crops of a step; of the published step 1, unless there is a GPU")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        where, example = grounds(Path(place))
        ours = with_patch(TrainConfig(batch=asked.batch), [example], [CLASS])
        crops = asked.batch if torch.cuda.is_available() else 1
        ways = [
            way("published", "published", TrainConfig(**PUBLISHED, batch=crops, precision="float32"), where, ahead=False),
            way("fast, crops made in between", "fast", ours, where, ahead=False),
            way("fast, crops made ahead", "fast", ours, where, ahead=True),
        ]
        load = os.getloadavg()[0]
        for _ in range(asked.rounds):
            for one in ways:
                one.take(asked.steps)
        for one in ways:
            with one.supply:
                pass
    print(f"{ways[0].learner.compute.device}, {torch.get_num_threads()} threads, load {load:.1f} to {os.getloadavg()[0]:.1f}")
    print("| step | arithmetic | crop | samples/s | Mvoxels/s | waiting for crops | times the samples | times the voxels |")
    print("|---|---|---|---|---|---|---|---|")
    base = statistics.median(ways[0].rates)
    for one in ways:
        rate, waiting = statistics.median(one.rates), statistics.median(one.waiting)
        ratio = rate / base
        kind = str(one.learner.compute.dtype).removeprefix("torch.")
        print(
            f"| {one.name} | {kind} | {one.learner.config.patch}³ | {rate:.3f} | {rate * one.crop / 1e6:.3f} | {waiting:.1%} | "
            f"{ratio:.2f} | {ratio * one.crop / ways[0].crop:.2f} |"
        )


if __name__ == "__main__":
    main()
