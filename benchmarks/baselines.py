"""What methods without learning reach: a difference-of-Gaussians blob detector, and correlation with the mean click.

    python benchmarks/baselines.py DATA --train ribosome_a --test ribosome_b
    python benchmarks/baselines.py DATA --train mycoplasma_a --test mycoplasma_a --split-y 150

The blob detector's scale and cut are tuned on the training part. The correlation is cut where it is best on the tested part,
which flatters it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.fft import irfftn, rfftn
from volumes import draw_clicks, load, neutral_and_counted, reach_of, spec_of, split_along_y, truth_of, within

from core.metrics import Ranking, best_threshold, figures, rank
from core.nms import Peaks, thin_out

if TYPE_CHECKING:
    from core.particles import ParticleTable
    from core.tomogram import Box, Tomogram

CANDIDATES = 3000
SCALES = (0.12, 0.16, 0.2, 0.24, 0.28)  # of the diameter
CLICKS = (5, 10, 20, 50, 100, 0)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--train", default="ribosome_a")
    parser.add_argument("--test", default="ribosome_b")
    parser.add_argument("--class", dest="name", default="ribosome")
    parser.add_argument("--split-y", type=int, default=0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    return parser.parse_args()


def voxels(tomogram: Tomogram, box: Box) -> np.ndarray:
    """Return a part as float32 with particles bright, extremes clipped."""
    part = -tomogram.block(box.low, box.shape)
    return np.clip((part - part.mean()) / part.std(), -4, 4)


def peaks(response: np.ndarray, box: Box, diameter: float) -> Peaks:
    found = np.argwhere((response == ndimage.maximum_filter(response, 5)) & (response > 0))
    scores = response[tuple(found.T)]
    order = np.argsort(-scores)[:CANDIDATES]
    kept = thin_out(Peaks(found[order].astype(float), scores[order]), 0.6 * diameter)
    return Peaks(kept.positions + np.array(box.low), kept.scores)


def blobs(part: np.ndarray, sigma: float) -> np.ndarray:
    return ndimage.gaussian_filter(part, sigma) - ndimage.gaussian_filter(part, 1.6 * sigma)


def mean_crop(tomogram: Tomogram, clicks: ParticleTable, diameter: float) -> np.ndarray:
    half = int(np.ceil(0.6 * diameter))
    crops = [tomogram.block(tuple(np.round(p).astype(int) - half), (2 * half + 1,) * 3) for p in clicks.positions]
    mean = -np.mean(crops, 0)
    return mean - mean.mean()


def correlation(part: np.ndarray, template: np.ndarray) -> np.ndarray:
    """Correlate, and divide by the local deviation under a box of the template's size."""
    shape = [n + m - 1 for n, m in zip(part.shape, template.shape, strict=True)]
    full = irfftn(rfftn(part, shape) * rfftn(template[::-1, ::-1, ::-1], shape), shape)
    middle = tuple(slice(m // 2, m // 2 + n) for n, m in zip(part.shape, template.shape, strict=True))
    size = template.shape[0]
    mean = ndimage.uniform_filter(part, size)
    deviation = np.sqrt(np.maximum(ndimage.uniform_filter(part**2, size) - mean**2, 1e-3))
    return (full[middle] / deviation / (np.linalg.norm(template) * size**1.5)).astype(np.float32)


def main() -> None:
    arguments = parsed()
    tomogram, rows = load(arguments.data, arguments.train)
    tested, tested_rows = load(arguments.data, arguments.test)
    spec = spec_of(rows, arguments.name, tomogram.voxel_size)
    diameter = spec.diameter / tomogram.voxel_size
    seen, unseen = split_along_y(tomogram, arguments.split_y) if arguments.split_y else (tomogram.box, tested.box)
    known = within(truth_of(tomogram, rows, spec), seen)
    asked = within(truth_of(tested, tested_rows, spec), unseen)

    def ranked(found: Peaks, table: ParticleTable) -> Ranking:
        truth, neutral = neutral_and_counted(table)
        return rank(truth, found.positions, found.scores.astype(float), reach_of(tested_rows, spec.name), neutral)

    first, second = voxels(tomogram, seen), voxels(tested, unseen)
    tuned = {s: best_threshold(ranked(peaks(blobs(first, s * diameter), seen, diameter), known)) for s in SCALES}
    scale = max(SCALES, key=lambda s: tuned[s][1])
    result = ranked(peaks(blobs(second, scale * diameter), unseen, diameter), asked)
    at = figures(result, tuned[scale][0])
    print(
        f"difference of Gaussians, sigma {scale} diameters: F1 {at.f1:.3f}, AP {figures(result).average_precision:.3f}", flush=True
    )
    for clicks in CLICKS:
        f1s = []
        for seed in arguments.seeds if clicks else [0]:
            template = mean_crop(tomogram, draw_clicks(known, clicks, seed), diameter)
            f1s.append(best_threshold(ranked(peaks(correlation(second, template), unseen, diameter), asked))[1])
        print(f"correlation with the mean of {clicks or 'all'} clicks: best F1 {np.mean(f1s):.3f} ± {np.std(f1s):.3f}", flush=True)


if __name__ == "__main__":
    main()
