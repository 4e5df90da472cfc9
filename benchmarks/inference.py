"""Score noise with both networks, and against the published tiling in the same run; the time does not depend on the weights.

    PYTHONPATH=. .venv/bin/python benchmarks/inference.py [--shape 128 320 320] [--presets fast published] [--rounds 3]

The published tiling: the published network, crops of 72 with 12 of context, single precision, nothing folded or left out. It
is timed on one of its crops, by turns with the others, and multiplied. Seconds are those of the processor (user and system) on
the CPU, so that other work beside it counts less, and of the clock on a GPU. The peak is that of a product of two large
matrices on the same device, the best of ten; operations are those that tiles really take.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from core import device
from core.config import NetworkConfig, PickConfig
from core.inference import Scanner, scanner
from core.network import build
from core.preprocess import Prepared
from core.tomogram import Box, Tomogram

if TYPE_CHECKING:
    from core.tiling import Tile

PATCH, PADDING = 72, 12


def seconds(compute: device.Compute) -> float:
    if compute.device.type == "cuda":
        torch.cuda.synchronize()
    return time.process_time() if compute.device.type == "cpu" else time.perf_counter()


def peak(compute: device.Compute, dtype: torch.dtype) -> float:
    size = 1536 if compute.device.type == "cpu" else 8192
    a = torch.randn(size, size, device=compute.device).to(dtype)
    best = 0.0
    for _ in range(10):
        started = seconds(compute)
        _ = a @ a
        best = max(best, 2 * size**3 / (seconds(compute) - started))
    return best


def operations(look: Scanner, prepared: Prepared, tile: Tile) -> int:
    """Count the multiplications and additions of one tile."""
    with FlopCounterMode(display=False) as counter:
        for _ in look.scores(prepared, [tile]):
            pass
    return counter.get_total_flops()


def published_crop(network: torch.nn.Module, compute: device.Compute, block: np.ndarray) -> None:
    with torch.inference_mode():
        torch.sigmoid(network(torch.from_numpy(block)[None, None].to(compute.device), None)).cpu()


def of_tiles(look: Scanner, prepared: Prepared, few: int) -> tuple[float, int]:
    """Time some tiles, and return seconds and the voxels that so many tiles yield on average."""
    shape = prepared.tomogram.shape
    tiles = look.tiles(Box((0, 0, 0), shape), shape)
    step = max(1, len(tiles) // few)
    chosen = tiles[step // 2 :: step][:few]
    started = seconds(look.compute)
    for _ in look.scores(prepared, chosen):
        pass
    return seconds(look.compute) - started, len(chosen) * int(np.prod(shape)) // len(tiles)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=int, nargs=3, default=(128, 320, 320))
    parser.add_argument("--presets", nargs="+", default=["fast", "published"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--few", type=int, default=2, help="tiles in each round")
    arguments = parser.parse_args()

    data = np.random.default_rng(0).integers(-100, 100, arguments.shape, np.int8)
    prepared = Prepared(tomogram=Tomogram(id="noise", path=None, voxel_size=10.0, data=data), scale=1 / 58, offset=0.0)
    compute = device.choose()
    networks = {preset: build(NetworkConfig(preset=preset), 1) for preset in ("fast", "published")}
    looks = {preset: scanner(networks[preset], preset, PATCH, compute, PickConfig()) for preset in arguments.presets}
    plain = networks["published"].eval().to(replace(compute, dtype=torch.float32).device)
    block = prepared.block((0, 0, 0), (PATCH,) * 3)
    crops = int(np.prod([-(-n // (PATCH - 2 * PADDING)) for n in data.shape]))
    before, rates = [], {preset: [] for preset in looks}
    for _ in range(arguments.rounds):
        started = seconds(compute)
        published_crop(plain, compute, block)
        before.append(data.size / (crops * (seconds(compute) - started)))
        for preset, look in looks.items():
            spent, voxels = of_tiles(look, prepared, arguments.few)
            rates[preset].append(voxels / spent)
    best = {str(dtype): peak(compute, dtype) for dtype in (torch.float32, compute.dtype)}
    print(f"{data.shape} on {compute.device} in {compute.dtype}, {torch.get_num_threads()} threads")
    print("peak: " + ", ".join(f"{rate / 1e9:.0f} GFLOP/s in {name}" for name, rate in best.items()))
    base = statistics.median(before)
    print(f"published tiling: {base / 1e6:.4f} Mvoxels/s ({crops} crops)")
    for preset, look in looks.items():
        rate = statistics.median(rates[preset])
        tiles = look.tiles(prepared.tomogram.box, data.shape)
        seen = sum(np.prod(t.outer.shape) for t in tiles) / data.size
        part = operations(look, prepared, tiles[len(tiles) // 2]) * len(tiles) / data.size * rate / best[str(compute.dtype)]
        print(
            f"{preset}: {rate / 1e6:.4f} Mvoxels/s, {rate / base:.1f} times the published tiling; {len(tiles)} tiles of up to "
            f"{max((t.outer.shape for t in tiles), key=np.prod)}, each voxel in {seen:.2f} of them; {part:.0%} of the peak"
        )


if __name__ == "__main__":
    main()
