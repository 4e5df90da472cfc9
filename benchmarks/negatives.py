"""Whether one round of rejecting the best-scoring false picks makes the next network better.

    python benchmarks/negatives.py DATA --train mycoplasma_a --test mycoplasma_a --split-y 150 --steps 80

After some random clicks and a training, the training region is picked, and the false picks that score highest are rejected.
A pick is false where it lies more than a particle's radius from every reference, neutral ones included: what a person would
reject. The next training goes on from the first network or begins afresh, with the rejected picks or, to tell what the steps
alone give, without them. Every run is kept in --out as it ends, and is not done again.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from learning_curve import joined
from scipy.spatial import cKDTree
from suggest import Trial
from volumes import reach_of, truth_of

from core.checkpoint import load_checkpoint, save_checkpoint
from core.io.atomic import atomic_path
from core.messages import drain
from core.particles import Status
from core.picking import pick

if TYPE_CHECKING:
    from core.checkpoint import Checkpoint
    from core.particles import ParticleTable

WAYS = {"before": (False, False), "on, rejected": (True, True), "afresh, rejected": (False, True), "on, without": (True, False)}


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--train", default="ribosome_a")
    parser.add_argument("--test", default="ribosome_b")
    parser.add_argument("--particle", default="ribosome", help="name of the class")
    parser.add_argument("--split-y", type=int, default=0, help="train before this row and test from it on")
    parser.add_argument("--clicks", type=int, default=10)
    parser.add_argument("--rejections", type=int, default=20)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=NUMBER", help="settings of the second training")
    parser.add_argument("--label", default="", help="added to the name of a run, to tell runs with other settings apart")
    parser.add_argument("--on-training", action="store_true", help="score on the training region: for choosing settings")
    parser.add_argument("--out", type=Path, default=Path("negatives.json"))
    return parser.parse_args()


def rejected(trial: Trial, checkpoint: Checkpoint, many: int) -> ParticleTable:
    """Return the false picks of the training region that score highest, as a person who knows the references rejects them."""
    found = drain(pick(trial.tomogram, checkpoint, trial.config.pick, region=trial.seen)).table
    references = truth_of(trial.tomogram, trial.rows, trial.spec).positions
    away, _ = cKDTree(references).query(found.positions)
    false = found.select(away > reach_of(trial.rows, trial.spec.name, 1.0))
    worst = false.select(np.argsort(-false.scores, kind="stable")[:many])
    counted = int((worst.scores >= checkpoint.thresholds[trial.spec.id]).sum())
    scores = f"scores {worst.scores.min():.2f} to {worst.scores.max():.2f}"
    print(f"  {len(worst)} false picks rejected, {counted} above the threshold, {scores}", flush=True)
    return replace(worst, statuses=np.full(len(worst), int(Status.REJECTED)))


def first_of(trial: Trial, key: str, kept: Path) -> Checkpoint:
    """Return the network that was trained on the clicks alone; it is trained once."""
    path = kept / f"{key}.pt"
    if not path.exists():
        kept.mkdir(exist_ok=True)
        save_checkpoint(trial.trained(trial.clicks), path)
    return load_checkpoint(path)


def changed(trial: Trial, assignments: list[str]) -> None:
    """Change settings of training."""
    values: dict[str, Any] = {name: float(number) for name, _, number in (one.partition("=") for one in assignments)}
    trial.config = replace(trial.config, train=replace(trial.config.train, **values))


def main() -> None:
    arguments = parsed()
    records: dict[str, dict[str, float]] = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    where = "on the training part, " if arguments.on_training else ""
    for seed in arguments.seeds:
        trial = Trial(arguments, seed)
        if arguments.on_training:
            trial.tested, trial.tested_rows, trial.unseen = trial.tomogram, trial.rows, trial.seen
        wrong = None
        for way in arguments.ways:
            goes_on, told = WAYS[way]
            order = f"{arguments.clicks}-{arguments.rejections} {arguments.steps}"
            key = f"{arguments.train} {order} {where}{way}{arguments.label} {seed}"
            if key in records:
                continue
            first = first_of(trial, f"{arguments.train}-{arguments.clicks}-{arguments.steps}-{seed}", arguments.out.with_suffix(""))
            checkpoint = first
            if way != "before":
                wrong = wrong if wrong is not None else rejected(trial, first, arguments.rejections)
                changed(trial, arguments.set)
                particles = joined(trial.tomogram.id, [trial.clicks, wrong]) if told else trial.clicks
                checkpoint = trial.trained(particles, first if goes_on else None)
            records[key] = trial.scored(checkpoint)
            with atomic_path(arguments.out) as path:
                path.write_text(json.dumps(records, indent=1))
            print(f"{key}: " + ", ".join(f"{name} {value:.3f}" for name, value in records[key].items()), flush=True)


if __name__ == "__main__":
    main()
