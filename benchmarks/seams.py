"""How far the score map made of tiles differs from the one made at once, for a trained network.

python benchmarks/seams.py results/best.pt results/sample.mrc
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from core import device
from core.checkpoint import Checkpoint, load_checkpoint
from core.config import PickConfig, Precision
from core.inference import scanner
from core.io.volumes import open_tomogram
from core.messages import Notice, drain
from core.preprocess import Prepared, preprocess
from core.tomogram import Box


def score_map(checkpoint: Checkpoint, prepared: Prepared, box: Box, tile: int, overlap: int, precision: Precision) -> np.ndarray:
    compute = device.choose("auto", precision)
    preset, patch = checkpoint.config.network.preset, checkpoint.config.train.patch
    look = scanner(checkpoint.network(), preset, patch, compute, PickConfig(tile=tile, overlap=overlap))
    values = np.zeros(box.shape, np.float32)
    for step in look.scores(prepared, look.tiles(box, prepared.tomogram.shape)):
        if isinstance(step, Notice):
            continue
        part, scores = step
        values[tuple(slice(a, b) for a, b in zip(part.core.low, part.core.high, strict=True))] = scores[0]
    return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("tomogram", type=Path)
    parser.add_argument("--edge", type=int, default=224, help="largest edge of the part that is compared")
    arguments = parser.parse_args()
    checkpoint, tomogram = load_checkpoint(arguments.model), open_tomogram(arguments.tomogram)
    prepared = drain(preprocess(tomogram, checkpoint.config.preprocess))
    z, y, x = (min(n, arguments.edge) for n in tomogram.shape)
    box = Box((0, 0, 0), (z, y, x))
    whole = score_map(checkpoint, prepared, box, 64 * (max(box.shape) // 64 + 2), 32, "float32")
    print("tile  overlap  precision   largest difference   mean   mean where the whole scores above 0.2")
    for tile, overlap, precision in ((320, 32, "bfloat16"), (96, 8, "float32"), (96, 16, "float32"), (128, 32, "float32")):
        gap = np.abs(score_map(checkpoint, prepared, box, tile, overlap, precision) - whole)
        print(
            f"{tile:4d}  {overlap:7d}  {precision:9s}  {gap.max():18.3f}  {gap.mean():.5f}  {gap[whole > 0.2].mean():.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
