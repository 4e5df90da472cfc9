"""Time against the number of tomograms and of workers, with ratios to one worker in the same run.

PYTHONPATH=. python benchmarks/scaling_tomograms.py --counts 1 10 40 --workers 1 2
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from core.batch import Order, local, pick_all
from core.batch.records import content_hash
from core.checkpoint import Checkpoint, save_checkpoint
from core.config import NetworkConfig, PickConfig, RunConfig, TrainConfig
from core.io.volumes import write_mrc
from core.messages import TomogramPicked
from core.network import build
from core.particles import ClassSpec


def prepared(folder: Path, count: int, edge: int) -> list[Path]:
    """Write noise, and a network that has learnt nothing: neither changes how long picking takes."""
    torch.manual_seed(0)
    checkpoint = Checkpoint(
        config=RunConfig(train=TrainConfig(patch=32)),
        classes=(ClassSpec(id=1, name="particle", diameter=100.0, color="#ff0000"),),
        voxel_size=10.0,
        weights=dict(build(NetworkConfig(), 1).state_dict()),
        calibration={1: (1.0, 0.0)},
        thresholds={1: 0.5},
        metrics={},
    )
    save_checkpoint(checkpoint, folder / "model.pt")
    rng = np.random.default_rng(0)
    paths = [folder / f"t{number:03d}.mrc" for number in range(count)]
    for path in paths:
        write_mrc(path, rng.normal(size=(edge,) * 3).astype(np.float32), 10.0)
    return paths


def timed(folder: Path, paths: list[Path], workers: int) -> tuple[float, float]:
    """Seconds in all, and from the first tomogram that is finished to the last."""
    with tempfile.TemporaryDirectory(dir=folder) as out:
        orders = [
            Order(
                name=path.stem,
                tomogram=str(path),
                model=str(folder / "model.pt"),
                model_hash=content_hash(folder / "model.pt"),
                settings=asdict(PickConfig()),
                picks=str(Path(out) / f"{path.stem}.csv"),
            )
            for path in paths
        ]
        began = time.monotonic()
        ends = [time.monotonic() for message in pick_all(orders, local(workers)) if isinstance(message, TomogramPicked)]
        return time.monotonic() - began, ends[-1] - ends[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 10, 40])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--edge", type=int, default=64, help="of each tomogram in voxels")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        paths = prepared(Path(place), max(asked.counts), asked.edge)
        print(f"{asked.edge}³ voxels each; load at the start {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        print("| tomograms | workers | seconds | seconds each after the first | ratio to the first line of workers |")
        print("|---|---|---|---|---|")
        for count in asked.counts:
            first = 0.0
            for workers in asked.workers:
                whole, after = timed(Path(place), paths[:count], workers)
                first = first or whole
                each = f"{after / (count - 1):.2f}" if count > 1 else "-"
                print(f"| {count} | {workers} | {whole:.1f} | {each} | {first / whole:.2f} |", flush=True)
        print(f"load at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
