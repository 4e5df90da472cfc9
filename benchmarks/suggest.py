"""Whether answers to suggested candidates teach more than as many more random clicks.

    python benchmarks/suggest.py DATA --train mycoplasma_a --test mycoplasma_a --split-y 150 --steps 80

After some random clicks and a training, the training region is picked. Then come either as many random clicks again, or
answers, right or wrong by the reference, about the candidates of which the network is least sure or which score highest. Each
way trains afresh for as many steps and picks the tested part. Every run is kept in --out as it ends, and is not done again.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from learning_curve import joined
from scipy.spatial import cKDTree
from volumes import draw_clicks, load, neutral_and_counted, reach_of, spec_of, split_along_y, truth_of, within

from core.config import RunConfig, TrainConfig
from core.examples import Example
from core.io.atomic import atomic_path
from core.messages import drain
from core.metrics import best_threshold, figures, rank
from core.particles import ParticleTable, Status
from core.picking import pick
from core.review import doubtful, taken
from core.training import train

if TYPE_CHECKING:
    from core.checkpoint import Checkpoint

WAYS = ("before", "random", "doubtful", "best")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--train", default="ribosome_a")
    parser.add_argument("--test", default="ribosome_b")
    parser.add_argument("--particle", default="ribosome", help="name of the class")
    parser.add_argument("--split-y", type=int, default=0, help="train before this row and test from it on")
    parser.add_argument("--clicks", type=int, default=10)
    parser.add_argument("--more", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--out", type=Path, default=Path("suggest.json"))
    return parser.parse_args()


class Trial:
    """One seed on one pair of tomograms."""

    def __init__(self, arguments: argparse.Namespace, seed: int) -> None:
        self.arguments, self.seed = arguments, seed
        self.tomogram, self.rows = load(arguments.data, arguments.train)
        self.tested, self.tested_rows = load(arguments.data, arguments.test)
        self.spec = spec_of(self.rows, arguments.particle, self.tomogram.voxel_size)
        y = arguments.split_y
        self.seen, self.unseen = split_along_y(self.tomogram, y) if y else (self.tomogram.box, self.tested.box)
        self.truth = within(truth_of(self.tomogram, self.rows, self.spec), self.seen)
        self.clicks = draw_clicks(self.truth, arguments.clicks, seed)
        train_config = TrainConfig(seed=seed, steps=arguments.steps, minutes=0.0, split="none")
        self.config = RunConfig(train=train_config)

    def trained(self, particles: ParticleTable, start: Checkpoint | None = None) -> Checkpoint:
        example = Example(tomogram=self.tomogram, particles=particles, region=self.seen)
        with TemporaryDirectory() as folder:
            return drain(train([example], [self.spec], self.config, Path(folder), start=start))

    def answered(self, checkpoint: Checkpoint, way: str) -> ParticleTable:
        """Return the clicks and what was added to them."""
        more = self.arguments.more
        if way == "random":
            return draw_clicks(self.truth, self.arguments.clicks + more, self.seed)
        found = drain(pick(self.tomogram, checkpoint, self.config.pick, region=self.seen)).table
        found = found.select(~taken(found, self.clicks, {1: self.spec}, self.tomogram.voxel_size))
        order = doubtful(found.scores) if way == "doubtful" else np.argsort(-found.scores, kind="stable")
        asked = found.select(order[:more])
        away, _ = cKDTree(self.truth.positions).query(asked.positions)
        right = away <= reach_of(self.rows, self.spec.name, 0.5)
        print(f"  {way}: {int(right.sum())} of {len(asked)} are right, scores {asked.scores.min():.2f} to {asked.scores.max():.2f}")
        asked = replace(asked, statuses=np.where(right, int(Status.ACCEPTED), int(Status.REJECTED)))
        return joined(self.tomogram.id, [self.clicks, asked])

    def scored(self, checkpoint: Checkpoint) -> dict[str, float]:
        found = drain(pick(self.tested, checkpoint, self.config.pick, region=self.unseen)).table
        truth, neutral = neutral_and_counted(within(truth_of(self.tested, self.tested_rows, self.spec), self.unseen))
        reach = reach_of(self.tested_rows, self.spec.name, 0.5)
        ranking = rank(truth, found.positions, found.scores.astype(float), reach, neutral)
        at = figures(ranking, checkpoint.thresholds[self.spec.id])
        ap, best = figures(ranking).average_precision, best_threshold(ranking)[1]
        return {"f1": at.f1, "precision": at.precision, "recall": at.recall, "ap": ap, "best": best}


def main() -> None:
    arguments = parsed()
    records: dict[str, dict[str, float]] = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    for seed in arguments.seeds:
        trial, first = Trial(arguments, seed), None
        for way in WAYS:
            key = f"{arguments.train} {arguments.particle} {arguments.clicks}+{arguments.more} {arguments.steps} {way} {seed}"
            if key in records:
                continue
            first = first or trial.trained(trial.clicks)
            checkpoint = first if way == "before" else trial.trained(trial.answered(first, way))
            records[key] = trial.scored(checkpoint)
            with atomic_path(arguments.out) as path:
                path.write_text(json.dumps(records, indent=1))
            print(f"{key}: F1 {records[key]['f1']:.3f} AP {records[key]['ap']:.3f}", flush=True)


if __name__ == "__main__":
    main()
