"""Time the scoring of a tomogram by both networks, with fresh weights; the time does not depend on them.

python benchmarks/inference.py [--shape 128 320 320] [--presets fast published]
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from core import device
from core.config import LabelConfig, NetworkConfig, PickConfig
from core.inference import scanner
from core.messages import drain
from core.network import build
from core.particles import ClassSpec
from core.preprocess import Prepared
from core.scanning import scan, targets
from core.tomogram import Tomogram

PATCH = 72


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=int, nargs=3, default=(128, 320, 320))
    parser.add_argument("--presets", nargs="+", default=["fast"])
    parser.add_argument("--tile", type=int, default=0)
    parser.add_argument("--overlap", type=int, default=0)
    arguments = parser.parse_args()

    data = np.random.default_rng(0).integers(-100, 100, arguments.shape, np.int8)
    tomogram = Tomogram(id="noise", path=None, voxel_size=10.0, data=data)
    prepared = Prepared(tomogram=tomogram, scale=1 / 58, offset=0.0)
    compute, config = device.choose(), PickConfig(tile=arguments.tile, overlap=arguments.overlap, floor=0.9)
    for preset in arguments.presets:
        look = scanner(build(NetworkConfig(preset=preset), 1), preset, PATCH, compute, config)
        wanted = targets([ClassSpec(id=1, name="any", diameter=250.0)], 10.0, LabelConfig(), config)
        tiles = look.tiles(tomogram.box)
        started = time.monotonic()
        drain(scan(prepared, look, wanted, tomogram.box))
        seconds = time.monotonic() - started
        seen = sum(np.prod(t.outer.shape) for t in tiles) / data.size
        print(
            f"{preset}: {seconds:.1f} s for {data.shape} on {compute.device} in {compute.dtype}, "
            f"{data.size / seconds / 1e6:.2f} Mvoxels/s; "
            f"{len(tiles)} tiles of up to {look.tile} with overlap {look.overlap}, each voxel computed {seen:.2f} times; "
            f"process peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB"
        )


if __name__ == "__main__":
    main()
