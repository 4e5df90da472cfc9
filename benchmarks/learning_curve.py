"""How well a network picks after N clicks: train on one tomogram, pick another, for several N, seeds and ways to train.

    python benchmarks/learning_curve.py DATA --train ribosome_a --test ribosome_b --variants scratch fast --minutes 4
    python benchmarks/learning_curve.py DATA --train czii_a --test czii_b --classes all --clicks 10 --out curve.json

DATA is a folder of NAME.mrc and NAME_truth.csv. Clicks are drawn at random, of each class; 0 stands for all centres, and
the region then counts as complete. Threshold, checkpoint and calibration are found without the tested part. Every run is
kept in --out as it ends, and is not done again; the table and the plot beside it show all that the file holds.
"""

from __future__ import annotations

import argparse
import json
import math
import time
import tomllib
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
from volumes import draw_clicks, load, reach_of, spec_of, split_along_y, truth_of, within

from core.checkpoint import load_checkpoint
from core.config import RunConfig
from core.configfile import config_from_dict
from core.examples import Example
from core.hidden import hidden_share
from core.io.atomic import atomic_path
from core.messages import drain
from core.metrics import Assessment, Case, assess, rule_named
from core.particles import ClassSpec, ParticleTable
from core.picking import pick
from core.training import train

if TYPE_CHECKING:
    from core.tomogram import Box, Tomogram

RESOURCES = Path(__file__).parent.parent / "resources"
PUBLISHED = tomllib.loads((RESOURCES / "published.toml").read_text())
VARIANTS: dict[str, dict[str, Any]] = {
    "published": {"values": PUBLISHED, "epochs": 60},
    "scratch": {"values": {"train": {"start": "scratch"}}},
    "fast": {"values": {}},
    # `fast` with one of its parts taken away or replaced
    "all-background": {"values": {"train": {"unlabelled": "background"}}},
    "shell-only": {"values": {"train": {"unlabelled": "shell"}}},
    "no-probe": {"values": {}, "without": "core.training.linear_probe", "instead": lambda *_: iter(())},
    "share-promised": {
        "values": {},
        "without": "core.learner.hidden_share",
        "instead": lambda trust, clicked, likely, weight: hidden_share(trust, None, likely, weight),
    },
    "held-back": {"values": {"train": {"split": "clicks"}}},
    "dice-only": {"values": {"train": {"loss": "dice"}}},
    "no-augmentation": {"values": {"train": {"augment": False}}},
}


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--train", default="ribosome_a")
    parser.add_argument("--test", default="ribosome_b")
    parser.add_argument("--classes", nargs="+", default=["ribosome"], help="names; all for every class of the file")
    parser.add_argument("--split-y", type=int, default=0, help="train before this row and test from it on")
    parser.add_argument("--clicks", type=int, nargs="+", default=[5, 10, 20, 50, 100, 0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", default=["fast"], choices=VARIANTS)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--steps", type=int, default=0, help="a budget in steps, which other work on the machine does not change")
    parser.add_argument("--set", nargs="*", default=[], metavar="SECTION.NAME=VALUE")
    parser.add_argument("--start", type=Path, help="begin with this network instead of the one that comes with the program")
    parser.add_argument("--label", default="", help="added to the variant's name, to tell runs with other settings apart")
    parser.add_argument("--out", type=Path, default=Path("learning_curve.json"))
    return parser.parse_args()


def settings(arguments: argparse.Namespace, variant: dict[str, Any], seed: int, clicks: int) -> RunConfig:
    values = json.loads(json.dumps(variant["values"]))
    train_values = values.setdefault("train", {})
    train_values |= {"seed": seed, "steps": arguments.steps, "minutes": 0.0 if arguments.steps else arguments.minutes}
    if "epochs" in variant:
        train_values |= {"steps": math.ceil(variant["epochs"] * clicks / train_values["batch"]), "minutes": 0.0}
    for assignment in arguments.set:
        place, value = assignment.split("=")
        section, name = place.split(".")
        values.setdefault(section, {})[name] = json.loads(value) if value[:1] in '0123456789tf["' else value
    config: RunConfig = config_from_dict(RunConfig, values)
    return config


def run(arguments: argparse.Namespace, name: str, clicks: int, seed: int) -> dict[str, Any]:
    tomogram, rows = load(arguments.data, arguments.train)
    tested, tested_rows = load(arguments.data, arguments.test)
    wanted = list(rows) if arguments.classes == ["all"] else arguments.classes
    specs = [spec_of(rows, one, tomogram.voxel_size, number) for number, one in enumerate(wanted, start=1)]
    seen, unseen = split_along_y(tomogram, arguments.split_y) if arguments.split_y else (tomogram.box, tested.box)
    drawn = [draw_clicks(within(truth_of(tomogram, rows, spec), seen), clicks, seed) for spec in specs]
    particles = joined(tomogram.id, drawn)
    example = Example(tomogram=tomogram, particles=particles, region=seen, complete=not clicks)
    variant = VARIANTS[name]
    config = settings(arguments, variant, seed, len(example.accepted))
    start = load_checkpoint(arguments.start) if arguments.start else None
    with TemporaryDirectory() as folder:
        began = time.monotonic()
        with patch(variant["without"], variant["instead"]) if "without" in variant else nullcontext():
            checkpoint = drain(train([example], specs, config, Path(folder), start=start))
        steps = json.loads((Path(folder) / "history.json").read_text())[-1]["step"]
        trained = time.monotonic()
        result = drain(pick(tested, checkpoint, config.pick, region=unseen))
        picked = time.monotonic()
    found = judged(specs, tested, tested_rows, unseen, result.table)
    classes = {}
    for spec in specs:
        at, overall = found.figures(checkpoint.thresholds, spec.id), found.figures(class_id=spec.id)
        classes[spec.name] = {
            "f1": at.f1,
            "precision": at.precision,
            "recall": at.recall,
            "f4": at.f4,
            "ap": overall.average_precision or 0.0,
            "best": found.best(spec.id)[1],
            "error": at.error,
        }
    confusion = found.confusion(checkpoint.thresholds).tolist()
    return {"classes": classes, "confusion": confusion, "steps": steps, "training": trained - began, "picking": picked - trained}


def judged(
    specs: list[ClassSpec], tested: Tomogram, rows: dict[str, list[dict[str, str]]], unseen: Box, picks: ParticleTable
) -> Assessment:
    """Match the picks to the references of their part; the reach follows from the extent of the density."""
    truth = joined(tested.id, [within(truth_of(tested, rows, spec), unseen) for spec in specs])
    extents = [replace(spec, diameter=4 * tested.voxel_size * reach_of(rows, spec.name, 0.5)) for spec in specs]
    return assess([Case(truth=truth, picks=picks, voxel_size=tested.voxel_size)], extents, rule_named("half"))


def joined(tomogram_id: str, parts: list[ParticleTable]) -> ParticleTable:
    """Put the particles of all classes into one table."""
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ("positions", "class_ids", "statuses")}
    return replace(ParticleTable.build(tomogram_id, columns["positions"], columns["class_ids"]), statuses=columns["statuses"])


def mean(record: dict[str, Any], figure: str) -> float:
    return float(np.mean([one[figure] or 0.0 for one in record["classes"].values()]))


def show(records: dict[str, dict[str, Any]]) -> None:
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for record in records.values():
        groups.setdefault((record["way"], record["clicks"] or 10**6), []).append(record)
    print(f"{'way':40s} clicks runs  {'F1':>15s}  precision recall   best F1    AP     F4   steps   s")
    for (way, clicks), some in sorted(groups.items()):
        f1 = [mean(r, "f1") for r in some]
        rest = [np.mean([mean(r, figure) for r in some]) for figure in ("precision", "recall", "best", "ap", "f4")]
        times = np.mean([[r["steps"], r["training"]] for r in some], axis=0)
        said = "all" if clicks == 10**6 else str(clicks)
        print(
            f"{way:40s} {said:>6s} {len(some):4d}  {np.mean(f1):.3f} ± {np.std(f1):.3f}   "
            + "   ".join(f"{value:.3f}" for value in rest)
            + f"  {times[0]:5.0f} {times[1]:5.0f}"
        )
        names = list(some[0]["classes"])
        for one in names if len(names) > 1 else []:
            values = [
                np.mean([r["classes"][one][figure] or 0.0 for r in some])
                for figure in ("f1", "precision", "recall", "best", "ap", "f4")
            ]
            print(f"  {one:38s}              {values[0]:.3f}           " + "   ".join(f"{value:.3f}" for value in values[1:]))
        if len(names) > 1:
            confused = np.mean([r["confusion"] for r in some], axis=0)
            print("  picks (rows) on references (columns, the last: on nothing)")
            for one, row in zip([*names, "no pick"], confused, strict=True):
                print(f"  {one:38s}" + "".join(f"{value:7.1f}" for value in row))


def plot(records: dict[str, dict[str, Any]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for way in sorted({r["way"] for r in records.values()}):
        mine = [r for r in records.values() if r["way"] == way]
        counts = sorted({r["clicks"] or max(x["all"] for x in mine) for r in mine})
        values = [[mean(r, "f1") for r in mine if (r["clicks"] or r["all"]) == count] for count in counts]
        axes.errorbar(counts, [np.mean(v) for v in values], [np.std(v) for v in values], marker="o", capsize=3, label=way)
    axes.set(xscale="log", xlabel="clicks for each class", ylabel="F1 at half a radius, mean of classes", ylim=(0, 1))
    axes.legend()
    axes.grid(alpha=0.3)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def main() -> None:
    arguments = parsed()
    records: dict[str, dict[str, Any]] = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    data = f"{arguments.train}>{arguments.test}>{','.join(arguments.classes)}>{arguments.split_y}"
    for clicks in arguments.clicks:
        for seed in arguments.seeds:
            for name in arguments.variants:
                way = f"{arguments.train} {name}{' ' + arguments.label if arguments.label else ''}"
                key = f"{data}|{way}|{clicks}|{seed}"
                if key in records:
                    continue
                made = run(arguments, name, clicks, seed)
                total = len(load(arguments.data, arguments.train)[1][next(iter(made["classes"]))])
                records[key] = {"way": way, "clicks": clicks, "seed": seed, "all": total, **made}
                with atomic_path(arguments.out) as path:
                    path.write_text(json.dumps(records, indent=1))
                print(f"{way} {clicks} clicks seed {seed}: F1 {mean(made, 'f1'):.3f} AP {mean(made, 'ap'):.3f}", flush=True)
    show(records)
    plot(records, arguments.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
