"""Pick volumes larger than the memory that a process may take, to the end: a mapped MRC file and an OME-Zarr image of the same.

    PYTHONPATH=. OMP_NUM_THREADS=1 .venv/bin/python benchmarks/larger_than_memory.py FOLDER [--shape 512 2048 2048] [--limit 4]

The files (noise in float32, 8.6 and about 3 GB) are made in FOLDER unless they are there. Each is picked by a process of its own
whose data are limited as by `ulimit -d`, which mapped files do not count in. Every voxel is measured; scored are, by a mask,
the tiles that touch a column of 160 x 160 voxels through all sections, so that this takes minutes and not hours on one core. The
network is `fast` with random weights. The score map is held for whole rows of tiles, masked or not.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import mrcfile
import numpy as np
import torch
import zarr

from core.checkpoint import Checkpoint
from core.config import NetworkConfig, PickConfig, RunConfig, TrainConfig
from core.io.volumes import open_tomogram
from core.messages import Progress, drain
from core.network import build
from core.particles import ClassSpec
from core.picking import pick
from core.tomogram import Box, Tomogram

BAR = 1.5e9
CHUNK = 128
WIDE = 160  # voxels of the column that is scored


class Column:
    """A mask: a column through all sections."""

    def __init__(self, tomogram: Tomogram) -> None:
        middle = [n // 2 for n in tomogram.shape[1:]]
        (y0, x0), (y1, x1) = ([m + d for m in middle] for d in (-WIDE // 2, WIDE // 2))
        self.box = Box((0, y0, x0), (tomogram.shape[0], y1, x1))

    def touches(self, box: Box) -> bool:
        """Tell whether a box holds a voxel of it."""
        return all(a < d and c < b for a, b, c, d in zip(box.low, box.high, self.box.low, self.box.high, strict=True))

    def inside(self, positions: np.ndarray) -> np.ndarray:
        """Tell which positions lie in it."""
        return self.box.contains(positions)


def make(folder: Path, shape: tuple[int, int, int]) -> list[Path]:
    """Make both files, unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    mrc, chunked = folder / "large.mrc", folder / "large.zarr"
    rng = np.random.default_rng(0)
    if not mrc.exists():
        with mrcfile.new_mmap(folder / "unfinished.mrc", shape, mrc_mode=2) as file:
            file.voxel_size = 10
            for section in file.data:
                section[:] = rng.integers(-100, 100, shape[1:], np.int8)
        (folder / "unfinished.mrc").rename(mrc)
    if not chunked.exists():
        voxels, part = open_tomogram(mrc).data, folder / "unfinished.zarr"
        array = zarr.create_array(part, shape=shape, chunks=(CHUNK,) * 3, dtype="f4", zarr_format=2, overwrite=True)
        for z, y, x in itertools.product(*(range(0, n, CHUNK) for n in shape)):
            array[z : z + CHUNK, y : y + CHUNK, x : x + CHUNK] = voxels[z : z + CHUNK, y : y + CHUNK, x : x + CHUNK]
        part.rename(chunked)
    return [mrc, chunked]


def checkpoint() -> Checkpoint:
    """Return a network that gives out a few peaks in noise."""
    torch.manual_seed(0)
    network = build(NetworkConfig(), 1).eval()
    with torch.inference_mode():
        logits = network(torch.randn(1, 1, 64, 64, 64), torch.zeros(1, 64))
        network.head.weight *= 2 / logits.std()
        network.head.bias.fill_(-2 / float(logits.std()) * float(logits.mean()) - 3)
    return Checkpoint(
        config=RunConfig(train=TrainConfig(patch=64)),
        classes=(ClassSpec(id=1, name="a", diameter=120.0),),
        voxel_size=10.0,
        weights=dict(network.state_dict()),
        calibration={1: (1.0, 0.0)},
        thresholds={1: 0.5},
        metrics={},
    )


def told(key: str) -> int:
    """Return bytes that Linux tells of this process."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(key))


class Peak(threading.Thread):
    """Looks ten times a second at what the process holds: its own memory without that of mapped files."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.bytes = 0

    def run(self) -> None:
        while True:
            self.bytes = max(self.bytes, told("RssAnon"))
            time.sleep(0.1)


def picked(path: Path, limit: float) -> dict[str, float]:
    """Pick a file under a limit, in this process."""
    network = checkpoint()
    tomogram = open_tomogram(path, voxel_size=10.0)
    size = int(np.prod(tomogram.shape))
    resource.setrlimit(resource.RLIMIT_DATA, (int(limit * 1e9), -1))
    try:
        np.asarray(tomogram.data).astype(np.float32)
        raise SystemExit("the limit does not hold")
    except MemoryError:
        pass
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    peak = Peak()
    peak.start()
    stages: dict[str, tuple[int, int]] = {}

    def watch(message: object) -> None:
        if isinstance(message, Progress):
            stages[message.stage] = (message.done, message.total)

    started = time.process_time()
    config = PickConfig(device="cpu", precision="float32")
    result = drain(pick(tomogram, network, config, mask=Column(tomogram)), watch)
    (measured, voxels), (scored, wanted) = stages["Measuring the tomogram"], stages["Scoring"]
    if not measured == voxels == size or not 0 < scored == wanted:
        raise SystemExit(f"not all was measured and scored: {stages}")
    z = result.table.positions[:, 0]
    return {
        "GB": size * tomogram.data.dtype.itemsize / 1e9,
        "limit": limit,
        "seconds": time.process_time() - started,
        "scored": scored / 1e6,
        "candidates": len(result.table),
        "first": float(z.min()),
        "last": float(z.max()),
        "own": peak.bytes / 1e9,
        "peak": told("VmHWM") / 1e9,
        "bar": (BAR + 2 * 2 * size) / 1e9,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shape", type=int, nargs=3, default=(512, 2048, 2048))
    parser.add_argument("--limit", type=float, default=4.0, help="GB that each process may take")
    parser.add_argument("--pick", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.pick:
        print(json.dumps(picked(arguments.pick, arguments.limit)))
        return
    head = ("file", "GB", "limit", "own memory", "with mapped pages", "bar", "Mvoxels scored", "candidates", "z", "CPU seconds")
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}", flush=True)
    for path in make(arguments.folder, tuple(arguments.shape)):
        command = [sys.executable, __file__, str(arguments.folder), "--limit", str(arguments.limit), "--pick", str(path)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        one = json.loads(done.stdout.splitlines()[-1])
        memory = " | ".join(f"{one[name]:.2f} GB" for name in ("limit", "own", "peak", "bar"))
        found = f"{one['scored']:.0f} | {one['candidates']} | {one['first']:.0f} to {one['last']:.0f} | {one['seconds']:.0f}"
        print(f"| {path.name} | {one['GB']:.2f} | {memory} | {found} |", flush=True)


if __name__ == "__main__":
    main()
