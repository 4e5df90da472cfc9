"""Time MP-NMS alone on a large score map, and against mean-shift on a crop where that finishes.

    python benchmarks/mp_nms.py [--shape 200 960 928] [--kind graded]

Peak memory is that of the whole process, measured by the operating system, and given as a multiple of the float32 map.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
from sklearn.cluster import MeanShift

from core.labels import label_diameter, make_labels
from core.nms import Peaks, find_peaks, pooling, thin_out

DIAMETER = 24.0
FRACTION = 0.48


def score_map(shape: tuple[int, int, int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Fill a map with soft labels at random places, one in 1.3 diameters cubed on average half the time, and with weak noise."""
    rng = np.random.default_rng(seed)
    pitch = 1.3 * DIAMETER
    cells = np.stack(np.meshgrid(*(np.arange(pitch / 2, n - pitch / 2, pitch) for n in shape), indexing="ij"), -1).reshape(-1, 3)
    centres = cells[rng.random(len(cells)) < 0.5] + rng.uniform(-2, 2, (1, 3))
    values = np.empty(shape, np.float16)
    for z in range(0, shape[0], 16):
        values[z : z + 16] = 0.08 * rng.random((min(16, shape[0] - z), *shape[1:]), np.float32)
    size = int(DIAMETER)
    for centre in centres:
        corner = np.maximum(np.floor(centre).astype(int) - size // 2, 0)
        box = tuple(slice(c, c + size) for c in corner)
        part = values[box]
        drawn = make_labels((centre - corner)[None], np.ones(1, int), np.array([DIAMETER]), part.shape, "tball", FRACTION)
        part[drawn.classes > 0] = 0.9
    return values, centres


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def mp_nms(values: np.ndarray, kind: str) -> Peaks:
    how = pooling(kind, DIAMETER, label_diameter(DIAMETER, FRACTION), 0.05)
    return thin_out(find_peaks(values, how), 0.6 * DIAMETER)


def mean_shift(values: np.ndarray) -> np.ndarray:
    return MeanShift(bandwidth=DIAMETER / 4, bin_seeding=True).fit(np.argwhere(values > 0.5)).cluster_centers_


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=int, nargs=3, default=(200, 960, 928))
    parser.add_argument("--kind", choices=("graded", "published"), default="graded")
    parser.add_argument("--crop", type=int, default=96, help="edge of the crop for mean-shift")
    arguments = parser.parse_args()

    values, centres = score_map(tuple(arguments.shape))
    before = peak_bytes()
    started = time.monotonic()
    found = mp_nms(values, arguments.kind)
    seconds = time.monotonic() - started
    float32 = 4 * values.size
    print(f"map {values.shape}, {float32 / 1e6:.0f} MB as float32, {len(centres)} particles")
    print(f"MP-NMS {arguments.kind}: {seconds:.1f} s")
    peak = peak_bytes()
    print(f"found {len(found)}; process peak {peak / 1e6:.0f} MB ({before / 1e6:.0f} before) = {peak / float32:.2f} maps")

    crop = np.ascontiguousarray(values[(slice(0, arguments.crop),) * 3]).astype(np.float32)
    mp_nms(crop, arguments.kind)
    started = time.monotonic()
    ours = len(mp_nms(crop, arguments.kind))
    ours_seconds, started = time.monotonic() - started, time.monotonic()
    theirs = len(mean_shift(crop))
    theirs_seconds = time.monotonic() - started
    print(f"crop {crop.shape}: MP-NMS {ours} in {ours_seconds:.3f} s, mean-shift {theirs} in {theirs_seconds:.1f} s")
    print(f"mean-shift takes {theirs_seconds / ours_seconds:.0f} times as long")


if __name__ == "__main__":
    main()
