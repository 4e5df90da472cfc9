#!/usr/bin/env python3
"""Write and read particles in every format: seconds of the processor, as a table.

python benchmarks/particles.py [NUMBER]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from core.io.particles import TiltSeriesGeometry, TomogramPicks, read_particles, write_parts
from core.io.particles.registry import WRITABLE
from core.io.particles.values import Frame
from core.particles import ClassSpec, ParticleTable

if TYPE_CHECKING:
    from core.io.particles.formats import Format

CLASSES = [ClassSpec(id=number, name=f"kind {number}", diameter=200.0) for number in (1, 2, 3)]
TOMOGRAMS = 4


def main(count: int) -> None:
    """Print a row for each format that is written."""
    parts = [part(f"TS_{number:02d}", count // TOMOGRAMS, number) for number in range(1, TOMOGRAMS + 1)]
    print(f"{count} particles of {len(CLASSES)} classes in {TOMOGRAMS} tomograms\n")
    print("| format | write, read back and compare / s | read / s | MB |\n|---|---|---|---|")
    for known in WRITABLE:
        written, read, size = measured(known, parts)
        print(f"| `{known.name}` | {written:.1f} | {read:.1f} | {size:.0f} |", flush=True)


def part(name: str, count: int, seed: int) -> TomogramPicks:
    """Make particles anywhere in a tomogram, each with a score."""
    rng = np.random.default_rng(seed)
    frame = Frame(voxel_size=10.0, shape=(200, 960, 928), tilt_series=TiltSeriesGeometry(pixel_size=2.5, size=(800, 3840, 3712)))
    positions = rng.random((count, 3)) * (np.asarray(frame.shape) - 1)
    table = ParticleTable.build(name, positions, rng.choice([1, 2, 3], count), scores=rng.random(count).astype(np.float32))
    return TomogramPicks(name=name, table=table, frame=frame)


def measured(known: Format, parts: list[TomogramPicks]) -> tuple[float, float, float]:
    """Return seconds to write, seconds to read, and megabytes."""
    with TemporaryDirectory() as folder:
        start = time.process_time()
        written = write_parts(Path(folder) / f"picks{known.suffixes[0]}", parts, CLASSES, format=known.name)
        middle = time.process_time()
        for piece in written.pieces:
            read_particles(piece.path, format=known.name)
        end = time.process_time()
        return middle - start, end - middle, sum(file.stat().st_size for file in written.files) / 1e6


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
