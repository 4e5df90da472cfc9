from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest
from matplotlib.image import imread

from core.config import RunConfig, TrainConfig
from core.demo import FILES, MINUTES, demo
from core.io.volumes import open_tomogram
from core.messages import EpochDone, Message, drain
from core.simulate import PhantomConfig

if TYPE_CHECKING:
    from pathlib import Path

    from core.demo import DemoReport

QUICK = RunConfig(train=TrainConfig(steps=4, patch=32, batch=2, validations=2, device="cpu"))
SMALL = PhantomConfig(shape=(32, 96, 64), counts={"ferritin": 24, "globule": 6}, vesicles=0, gold=0, crowding=0.0)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DemoReport, list[Message]]:
    out = tmp_path_factory.mktemp("demo") / "results"
    messages: list[Message] = []
    return out, drain(demo(out, config=QUICK, phantom=SMALL), messages.append), messages


def test_all_files_are_there_and_whole(done: tuple[Path, DemoReport, list[Message]]) -> None:
    out, report, _ = done
    assert report.files == tuple(out / name for name in FILES)
    assert all(path.stat().st_size > 0 for path in report.files)
    assert not list(out.glob(".*"))
    assert imread(out / "picks.png").ndim == imread(out / "training.png").ndim == 3


def test_figures_count_the_unseen_half_only(done: tuple[Path, DemoReport, list[Message]]) -> None:
    out, report, _ = done
    with (out / "picks.csv").open(newline="") as file:
        picks = [float(row["y"]) for row in csv.DictReader(file)]
    with (out / "clicks.csv").open(newline="") as file:
        clicks = [float(row["y"]) for row in csv.DictReader(file)]
    middle = open_tomogram(out / "sample.mrc").shape[1] / 2
    assert clicks
    assert max(clicks) < middle
    assert report.strict.pooled.picks == sum(y >= middle - 0.5 for y in picks)
    assert report.strict.pooled.truth > 0
    assert report.loose.pooled.hits >= report.strict.pooled.hits


def test_metrics_are_what_the_report_says(done: tuple[Path, DemoReport, list[Message]]) -> None:
    out, report, _ = done
    written = json.loads((out / "metrics.json").read_text())
    assert written == json.loads(json.dumps(report.as_dict()))
    assert len(written["half_radius"]["classes"]) == 1
    assert set(written["seconds"]) == {"sample", "training", "picking", "pictures"}


def test_its_messages_are_those_of_its_parts(done: tuple[Path, DemoReport, list[Message]]) -> None:
    assert sum(isinstance(message, EpochDone) for message in done[2]) == QUICK.train.validations


def test_the_budget_leaves_time_within_ten_minutes() -> None:
    assert 0 < MINUTES <= 8
