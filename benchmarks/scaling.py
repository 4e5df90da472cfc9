"""Time picking against the number of voxels, with ratios to the smallest of the same run: 1 is linear.

    PYTHONPATH=. python benchmarks/scaling.py [--shapes 64x128x128 64x128x256 …]

From the file to picks with a `fast` network that has learnt nothing. Seconds are those of the processor (user and system), so
that other work beside it counts less, and of the clock on a GPU. A larger tomogram has less surface for its volume, and so less
context that is computed twice or mirrored: a ratio below 1.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from core.checkpoint import Checkpoint
from core.config import NetworkConfig, PickConfig, RunConfig, TrainConfig
from core.io.volumes import open_tomogram, write_mrc
from core.messages import drain
from core.network import build
from core.particles import ClassSpec
from core.picking import pick

SHAPES = ("64x128x128", "64x128x256", "64x256x256", "64x256x512")


def network() -> Checkpoint:
    torch.manual_seed(0)
    return Checkpoint(
        config=RunConfig(train=TrainConfig(patch=64)),
        classes=(ClassSpec(id=1, name="particle", diameter=240.0),),
        voxel_size=10.0,
        weights=dict(build(NetworkConfig(), 1).state_dict()),
        calibration={1: (1.0, 0.0)},
        thresholds={1: 0.5},
        metrics={},
    )


def now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=SHAPES)
    asked = parser.parse_args()
    checkpoint, rng = network(), np.random.default_rng(0)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {torch.get_num_threads()} threads")
    print("| voxels | Mvoxels | seconds | Mvoxels/s | times the voxels | times the seconds | ratio to linear |")
    print("|---|---|---|---|---|---|---|")
    first: tuple[int, float] | None = None
    with tempfile.TemporaryDirectory() as place:
        for number, text in enumerate((asked.shapes[0], *asked.shapes)):
            shape = tuple(int(n) for n in text.split("x"))
            path = Path(place) / f"{number}.mrc"
            write_mrc(path, rng.normal(size=shape).astype(np.float32), 10.0)
            began = now()
            drain(pick(open_tomogram(path), checkpoint, PickConfig()))
            seconds, voxels = now() - began, int(np.prod(shape))
            if not number:  # what is only done once, such as loading libraries
                continue
            first = first or (voxels, seconds)
            more, longer = voxels / first[0], seconds / first[1]
            print(
                f"| {text} | {voxels / 1e6:.1f} | {seconds:.1f} | {voxels / seconds / 1e6:.3f} | {more:.1f} | {longer:.2f} | "
                f"{longer / more:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
