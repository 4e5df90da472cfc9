"""Time MP-NMS alone on a large score map, and against three other ways on a crop where all of them finish.

    python benchmarks/mp_nms.py [--shape 200 960 928] [--kind graded]

The published loop: the map is cut at 0.5, and crops of 72 voxels with 12 of padding are pooled one after the other as a whole,
their maxima in the padding dropped; then, best first, each centre is compared with all that are kept. Connected components of
the cut map, and mean-shift on its voxels. Found is what lies within half a radius of a true centre, counted once for each
centre. Seconds are those of the processor (user and system), by turns. Peak memory is that of the whole process, measured by
the operating system, and given as a multiple of the float32 map.
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import statistics
import time

import numpy as np
import torch
from scipy import ndimage
from sklearn.cluster import MeanShift
from torch.nn.functional import avg_pool3d, max_pool3d

from core.labels import label_diameter, make_labels
from core.nms import Peaks, find_peaks, pooling, thin_out

DIAMETER = 24.0
FRACTION = 0.48
PATCH, PADDING = 72, 12  # of the published loop


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


def components(values: np.ndarray) -> np.ndarray:
    labels, count = ndimage.label(values > 0.5)
    return np.array(ndimage.center_of_mass(values, labels, range(1, count + 1)))


def published_loop(values: np.ndarray) -> np.ndarray:
    """Find centres crop by crop, then drop the weaker one of each pair that is nearer than half a diameter."""
    core = PATCH - 2 * PADDING
    padded = np.pad(values, [(PADDING, PADDING + -n % core) for n in values.shape])
    found: list[tuple[float, np.ndarray]] = []
    for corner in itertools.product(*(range(0, n - PATCH + 1, core) for n in padded.shape)):
        crop = padded[tuple(slice(a, a + PATCH) for a in corner)]
        pooled = torch.from_numpy((crop > 0.5).astype(np.float32))[None]
        for _ in range(int(DIAMETER / 4) + 1):
            pooled = avg_pool3d(pooled, 5, 1, 2)
        for voxel in torch.nonzero((pooled == max_pool3d(pooled, 5, 1, 2)) & (pooled > 0.1))[:, 1:].numpy():
            if (voxel >= PADDING).all() and (voxel < PATCH - PADDING).all():
                found.append((float(pooled[0][tuple(voxel)]), voxel + np.array(corner) - PADDING))
    kept: list[np.ndarray] = []
    for _, centre in sorted(found, key=lambda one: -one[0]):
        if all(np.linalg.norm(centre - other) >= DIAMETER / 2 for other in kept):
            kept.append(centre)
    return np.array(kept)


def compared(values: np.ndarray, centres: np.ndarray, kind: str, rounds: int) -> None:
    ways = {
        f"MP-NMS here, {kind}": lambda: mp_nms(values, kind).positions,
        "published loop": lambda: published_loop(values),
        "connected components": lambda: components(values),
        "mean-shift": lambda: mean_shift(values),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    found = {}
    torch.set_num_threads(1)  # threads that wait for each other would count as work
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.process_time()
            found[name] = way()
            seconds[name].append(time.process_time() - began)
    print(f"crop {values.shape}, {len(centres)} particles; load {os.getloadavg()[0]:.1f}, {torch.get_num_threads()} threads")
    print("| way | found | too many | seconds | times MP-NMS |")
    print("|---|---|---|---|---|")
    first = 0.0
    for name, positions in found.items():
        right = hits(centres, positions)
        spent = statistics.median(seconds[name])
        first = first or spent
        print(f"| {name} | {right} of {len(centres)} | {len(positions) - right} | {spent:.3f} | {spent / first:.1f} |")


def hits(centres: np.ndarray, positions: np.ndarray) -> int:
    near = np.linalg.norm(centres[:, None] - positions[None], axis=2) <= DIAMETER / 4
    return int((near.any(1)).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=int, nargs=3, default=(200, 960, 928))
    parser.add_argument("--kind", choices=("graded", "published"), default="graded")
    parser.add_argument("--crop", type=int, default=96, help="edge of the crop on which others are compared")
    parser.add_argument("--rounds", type=int, default=2)
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

    edge = arguments.crop
    crop = np.ascontiguousarray(values[(slice(0, edge),) * 3]).astype(np.float32)
    compared(crop, centres[(centres + DIAMETER * FRACTION / 2 < crop.shape).all(1)], arguments.kind, arguments.rounds)


if __name__ == "__main__":
    main()
