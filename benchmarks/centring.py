"""How near to the true centre a click comes that snaps to the local centre: `python benchmarks/centring.py FOLDER`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.centring import local_centre
from core.io.references import read_references
from core.io.volumes import open_tomogram
from core.particles import Status

if TYPE_CHECKING:
    from core.types import Positions

CASES = (("ribosome_a", "ribosome", 25.0), ("mycoplasma_a", "ribosome", 25.0), ("czii_a", "apo-ferritin", 13.0))
CASES += (("czii_a", "beta-galactosidase", 18.0),)


def main(folder: Path) -> None:
    """Print a table."""
    print("| tomogram | particle | clicks | before / voxels | after / voxels | left alone | ms a click |")
    print("|---|---|---|---|---|---|---|")
    for name, kind, diameter in CASES:
        tomogram, rng = open_tomogram(folder / f"{name}.mrc"), np.random.default_rng(0)
        truth = references(folder / f"{name}_truth.csv", kind)
        truth = truth[rng.permutation(len(truth))[:119]]
        away = rng.normal(size=truth.shape)
        away *= rng.uniform(0.08, 0.24, (len(truth), 1)) * diameter / np.linalg.norm(away, axis=1, keepdims=True)
        started = time.perf_counter()
        found = [local_centre(tomogram, click, diameter) for click in truth + away]
        spent = 1000 * (time.perf_counter() - started) / len(truth)
        after = [a if f is None else f - t for a, f, t in zip(away, found, truth, strict=True)]
        before, beyond = (float(np.linalg.norm(one, axis=1).mean()) for one in (away, after))
        print(
            f"| {name} | {kind} | {len(truth)} | {before:.2f} | {beyond:.2f} | {sum(one is None for one in found)} | {spent:.0f} |"
        )


def references(path: Path, kind: str) -> Positions:
    """Return the reliable centres of one kind, (n, 3) zyx voxels."""
    table, classes = read_references(path)
    number = next(spec.id for spec in classes if spec.name == kind)
    return table.positions[(table.class_ids == number) & (table.statuses == Status.ACCEPTED)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
