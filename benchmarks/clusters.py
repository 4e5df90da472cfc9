"""How well clusters tell true from false candidates: `PYTHONPATH=. python benchmarks/clusters.py DATA [--model BEST.pt]`."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from core.checkpoint import load_checkpoint
from core.clusters import ALONE, grouped
from core.config import PickConfig
from core.embedding import embed
from core.io.volumes import open_tomogram
from core.masks import find_beads
from core.messages import drain
from core.picking import pick
from core.pretrained import pretrained

RIBOSOME = "ribosome"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--tomogram", default="ribosome_a")
    parser.add_argument("--model", type=Path, help="trained network; the one that comes with the program when left out")
    parser.add_argument("--most", type=int, default=1000, help="candidates, the best first")
    asked = parser.parse_args()
    tomogram = open_tomogram(asked.data / f"{asked.tomogram}.mrc")
    checkpoint = load_checkpoint(asked.model) if asked.model else pretrained()
    found = drain(pick(tomogram, checkpoint, PickConfig(floor=0.02)))
    table = found.table.select(np.arange(min(asked.most, len(found.table))))
    begun = time.perf_counter()
    features = drain(embed(tomogram, checkpoint, table.positions, 250.0))
    told = time.perf_counter()
    clusters = grouped(np.arange(1, len(table) + 1), features)
    done = time.perf_counter()
    kinds = np.array(_kinds(asked.data / f"{asked.tomogram}_truth.csv", table.positions, tomogram))
    print(f"{len(table)} candidates, {features.shape[1]} features in {told - begun:.1f} s, clusters in {done - told:.1f} s")
    print(f"first ten components explain {clusters.explained.sum():.0%}")
    print("| cluster | candidates | mean score | what it holds | purity |\n|---|---|---|---|---|")
    right = 0
    for label in sorted(set(clusters.labels.tolist()), key=lambda one: (one == ALONE, one)):
        rows = clusters.labels == label
        counts = Counter(kinds[rows].tolist()).most_common()
        right += max(int((kinds[rows] == RIBOSOME).sum()), int((kinds[rows] != RIBOSOME).sum()))
        name = "none" if label == ALONE else str(label + 1)
        holds = ", ".join(f"{count} {kind}" for kind, count in counts[:5])
        print(f"| {name} | {rows.sum()} | {table.scores[rows].mean():.2f} | {holds} | {counts[0][1] / rows.sum():.2f} |")
    base = max((kinds == RIBOSOME).mean(), (kinds != RIBOSOME).mean())
    print(f"true against false: {right / len(kinds):.3f} right if every cluster is judged as a whole; {base:.3f} without clusters")


def _kinds(truth: Path, positions: np.ndarray, tomogram: object) -> list[str]:
    """Say what lies within half a radius of what is known, or on a bead, for each candidate."""
    lines = [line.split(",") for line in truth.read_text().splitlines()]
    header, rows = lines[0], lines[1:]
    column = {name: place for place, name in enumerate(header)}
    known = np.array([[float(row[column[axis]]) for axis in "zyx"] for row in rows])
    radii = np.array([float(row[column["diameter_voxels"]]) / 2 for row in rows])
    away, which = cKDTree(known).query(positions)
    beads = drain(find_beads(tomogram, 100.0))
    gold = cKDTree(beads).query(positions)[0] <= 12 if len(beads) else np.zeros(len(positions), bool)
    return [
        "gold" if bead else rows[row][column["class"]] if distance <= radii[row] / 2 else "nothing"
        for distance, row, bead in zip(away, which, gold, strict=True)
    ]


if __name__ == "__main__":
    main()
