"""What the network that comes with the program finds before the first click, told nothing but a diameter.

    python benchmarks/zero_clicks.py DATA --test mixture_b --classes 5mrc 4v94 4cr2 1qvr 1bxn 3cf3
    python benchmarks/zero_clicks.py DATA --test ribosome_b --classes ribosome 4cr2

DATA is a folder of NAME.mrc and NAME_truth.csv. Each class is looked for on its own, by its diameter. The candidates that score
best are taken, --per of them for each particle there is, and the part of the particles among them is printed.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from volumes import load, neutral_and_counted, reach_of, spec_of, truth_of

from core.checkpoint import Checkpoint
from core.config import PickConfig, RunConfig
from core.messages import drain
from core.metrics import figures, rank
from core.picking import pick
from core.pretrained import pretrained
from core.transfer import handed_on

if TYPE_CHECKING:
    from core.particles import ClassSpec


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--test", default="mixture_b")
    parser.add_argument("--classes", nargs="+", default=["5mrc", "4v94", "4cr2", "1qvr", "1bxn", "3cf3"])
    parser.add_argument("--per", type=int, default=5, help="picks for each particle there is")
    return parser.parse_args()


def untaught(spec: ClassSpec, voxel_size: float) -> Checkpoint:
    """Return the network that comes with the program, looking for particles of this diameter."""
    config = RunConfig()
    weights = handed_on(pretrained(), config.network, [spec], voxel_size)
    return Checkpoint(
        config=config,
        classes=(spec,),
        voxel_size=voxel_size,
        weights=weights,
        calibration={},
        thresholds={spec.id: 0.5},
        metrics={},
    )


def main() -> None:
    arguments = parsed()
    tomogram, rows = load(arguments.data, arguments.test)
    print("class  voxels  particles  candidates  recall of the best  AP  of any kind among the best")
    for name in arguments.classes:
        spec = spec_of(rows, name, tomogram.voxel_size)
        truth, neutral = neutral_and_counted(truth_of(tomogram, rows, spec))
        found = drain(pick(tomogram, untaught(spec, tomogram.voxel_size), PickConfig(floor=0.01))).table
        best = found.select(np.arange(min(arguments.per * len(truth), len(found))))
        ranking = rank(truth, best.positions, best.scores.astype(float), reach_of(rows, name), neutral)
        others = [truth_of(tomogram, rows, spec_of(rows, other, tomogram.voxel_size)).positions for other in rows]
        anything = sum(
            int(rank(centres, best.positions, best.scores.astype(float), reach_of(rows, other)).hits.sum())
            for centres, other in zip(others, rows, strict=True)
        )
        print(
            f"{name}  {spec.diameter / tomogram.voxel_size:.0f}  {len(truth)}  {len(found)}  {ranking.hits.sum() / len(truth):.3f}"
            f"  {figures(ranking).average_precision or 0:.3f}  {anything / max(len(best), 1):.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
