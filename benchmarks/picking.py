"""Train on one tomogram, pick another (or another part), score by the one rule, and print a table.

    python benchmarks/picking.py DATA --train ribosome_a --test ribosome_b --minutes 15
    python benchmarks/picking.py DATA --train ribosome_a --test ribosome_b --clicks 10 --seeds 0 1 2
    python benchmarks/picking.py DATA --train mycoplasma_a --test mycoplasma_a --split-y 150

DATA is a folder of NAME.mrc and NAME_truth.csv. The threshold is the one that training chose, without the tested part.
Picks of the last run are kept in --keep as CSV, for any other scorer and for looking at.
"""

from __future__ import annotations

import argparse
import json
import math
import time
import tomllib
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from volumes import draw_clicks, load, neutral_and_counted, reach_of, spec_of, split_along_y, truth_of, within

from core.config import RunConfig
from core.configfile import config_from_dict
from core.examples import Example
from core.io.atomic import atomic_path
from core.messages import EpochDone, Message, drain
from core.metrics import best_threshold, figures, rank
from core.picking import pick
from core.training import train


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--train", default="ribosome_a")
    parser.add_argument("--test", default="ribosome_b")
    parser.add_argument("--class", dest="name", default="ribosome")
    parser.add_argument("--split-y", type=int, default=0, help="train before this row and test from it on")
    parser.add_argument(
        "--clicks", type=int, default=0, help="number of random clicks; 0 for all, the region then counts as complete"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--config", type=Path, help="a TOML file, such as resources/published.toml")
    parser.add_argument("--epochs", type=int, default=0, help="train for this many crops of every click instead of for minutes")
    parser.add_argument("--set", nargs="*", default=[], metavar="SECTION.NAME=VALUE")
    parser.add_argument("--keep", type=Path)
    return parser.parse_args()


def settings(arguments: argparse.Namespace, seed: int, clicks: int) -> RunConfig:
    values = tomllib.loads(arguments.config.read_text()) if arguments.config else {}
    train_values = values.setdefault("train", {})
    train_values |= {"seed": seed, "steps": 0, "minutes": arguments.minutes}
    if arguments.epochs:
        batch = train_values.get("batch", RunConfig().train.batch)
        train_values |= {"steps": math.ceil(arguments.epochs * clicks / batch), "minutes": 0.0}
    for assignment in arguments.set:
        place, value = assignment.split("=")
        section, name = place.split(".")
        try:
            values.setdefault(section, {})[name] = json.loads(value)
        except json.JSONDecodeError:
            values.setdefault(section, {})[name] = value
    config: RunConfig = config_from_dict(RunConfig, values)
    return config


def show(message: Message) -> None:
    if isinstance(message, EpochDone):
        print(
            f"    step {message.step:5d}  {message.seconds:5.0f} s  loss {message.loss:.3f}  validation F1 {message.f1:.3f}",
            flush=True,
        )


def run(arguments: argparse.Namespace, seed: int) -> dict[str, float]:
    tomogram, rows = load(arguments.data, arguments.train)
    tested, tested_rows = load(arguments.data, arguments.test)
    spec = spec_of(rows, arguments.name, tomogram.voxel_size)
    seen, unseen = split_along_y(tomogram, arguments.split_y) if arguments.split_y else (tomogram.box, tested.box)
    particles = draw_clicks(within(truth_of(tomogram, rows, spec), seen), arguments.clicks, seed)
    example = Example(tomogram=tomogram, particles=particles, region=seen, complete=not arguments.clicks)
    config = settings(arguments, seed, len(example.accepted))
    with TemporaryDirectory() as folder:
        started = time.monotonic()
        checkpoint = drain(train([example], (spec,), config, Path(folder)), show)
        trained = time.monotonic()
        result = drain(pick(tested, checkpoint, replace(config.pick), region=unseen))
        picked = time.monotonic()
    truth, neutral = neutral_and_counted(within(truth_of(tested, tested_rows, spec), unseen))
    scores = result.table.scores.astype(np.float64)
    half, whole = (
        rank(truth, result.table.positions, scores, reach_of(tested_rows, spec.name, radius), neutral) for radius in (0.5, 1.0)
    )
    at = figures(half, checkpoint.thresholds[spec.id])
    if arguments.keep:
        keep(arguments.keep, result.table.positions, result.table.scores, spec.name)
    return {
        "seed": seed,
        "F1": at.f1,
        "precision": at.precision,
        "recall": at.recall,
        "AP": figures(half).average_precision or 0.0,
        "best F1": best_threshold(half)[1],
        "F1 at 1 radius": figures(whole, checkpoint.thresholds[spec.id]).f1,
        "error [voxels]": at.error or np.nan,
        "threshold": checkpoint.thresholds[spec.id],
        "training [s]": trained - started,
        "picking [s]": picked - trained,
    }


def keep(path: Path, positions: np.ndarray, scores: np.ndarray, name: str) -> None:
    lines = [f"{name},{x:.3f},{y:.3f},{z:.3f},{s:.5f}" for (z, y, x), s in zip(positions, scores, strict=True)]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(["class,x,y,z,score", *lines, ""]))


def main() -> None:
    arguments = parsed()
    table = [run(arguments, seed) for seed in arguments.seeds]
    print("  ".join(f"{name:>14s}" for name in table[0]))
    for row in table:
        print("  ".join(f"{value:14.3f}" for value in row.values()))
    if len(table) > 1:
        for name, of in (("mean", np.mean), ("deviation", np.std)):
            print("  ".join(f"{of([row[column] for row in table]):14.3f}" for column in table[0]), name)


if __name__ == "__main__":
    main()
