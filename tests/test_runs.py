from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.config import RunConfig, TrainConfig
from core.configfile import config_to_toml
from core.errands import worth
from core.errors import ProjectError
from core.io.volumes import write_mrc
from core.messages import EpochDone, Notice, Progress, drain
from core.particles import ClassSpec
from core.project import Project
from core.runs import INPUTS, LOG, inputs_of, logged, note_inputs, unfinished

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from core.messages import Message

EPOCH = EpochDone(
    step=5, seconds=90.0, loss=0.5, validation_loss=0.4, f1=0.75, threshold=0.3, learning_rate=0.1, best=True, waiting=0.02
)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    write_mrc(tmp_path / "a.mrc", np.random.default_rng(0).normal(size=(16, 16, 16)).astype(np.float32), 10.0)
    with Project.create(tmp_path / "p") as made:
        made.store.add_class(ClassSpec(id=1, name="ribosome", diameter=100.0))
        made.add_tomogram(tmp_path / "a.mrc")
        made.store.add("a", (8, 8, 8), 1)
        yield made


def run_of(project: Project, steps: int, minutes: float, step: int, seconds: float) -> Path:
    run = project.new_run("train")
    (run / "config.toml").write_text(config_to_toml(RunConfig(train=TrainConfig(steps=steps, minutes=minutes))))
    (run / "history.json").write_text(json.dumps([{"step": step, "seconds": seconds}]))
    (run / "last.pt").write_bytes(b"")
    (run / INPUTS).write_text("{}")
    return run


@pytest.mark.parametrize(
    ("steps", "minutes", "step", "seconds", "open_"),
    [
        (10, 0.0, 9, 1.0, True),
        (10, 0.0, 10, 1.0, False),
        (0, 1.0, 99, 59.0, True),
        (0, 1.0, 99, 60.0, False),
        (10, 1.0, 3, 70, False),
    ],
)
def test_a_run_is_unfinished_until_its_first_limit_is_reached(
    project: Project, steps: int, minutes: float, step: int, seconds: float, open_: bool
) -> None:
    run = run_of(project, steps, minutes, step, seconds)
    assert unfinished(project.runs) == ([run] if open_ else [])


@pytest.mark.parametrize("missing", ["last.pt", "history.json", "config.toml", INPUTS])
def test_what_cannot_go_on_is_not_listed(project: Project, missing: str) -> None:
    (run_of(project, 10, 0.0, 1, 1.0) / missing).unlink()
    assert unfinished(project.runs) == []


def test_the_latest_run_comes_first(project: Project) -> None:
    runs = [run_of(project, 10, 0.0, 1, 1.0) for _ in range(2)]
    assert unfinished(project.runs) == sorted(runs, key=lambda run: run.name, reverse=True)


def test_inputs_come_back(project: Project) -> None:
    from core.gathering import chosen_classes, examples

    run = project.new_run("train")
    note_inputs(run, examples(project), chosen_classes(project))
    learnt, classes = inputs_of(project, run)
    assert [one.tomogram.id for one in learnt] == ["a"]
    assert [spec.name for spec in classes] == ["ribosome"]


def test_a_folder_that_is_no_run_is_a_sentence(project: Project) -> None:
    with pytest.raises(ProjectError, match="not the folder of a training run"):
        inputs_of(project, project.runs)


def job(fail: bool) -> Generator[Message, None, int]:
    yield Progress(stage="Training", done=0, total=1)
    yield Progress(stage="Training", done=1, total=1)
    yield Notice(text="Nothing is held back.")
    yield EPOCH
    if fail:
        raise ProjectError("The disk is full.")
    return 7


@pytest.mark.parametrize(("fail", "end"), [(False, "Done."), (True, "Failed: The disk is full.")])
def test_the_log_tells_each_thing_once_and_the_end(tmp_path: Path, fail: bool, end: str) -> None:
    heard: list[Message] = []
    try:
        assert drain(logged(job(fail), tmp_path), heard.append) == 7
    except ProjectError:
        assert fail
    assert len(heard) == 4
    lines = [line[21:] for line in (tmp_path / LOG).read_text().splitlines()]
    epoch = "Step 5, 1.5 min: loss 0.5000, held-back loss 0.4000, F1 0.750, the best so far; waiting for data 2%"
    assert lines == ["Training", "Nothing is held back.", epoch, end]


@pytest.mark.parametrize("fail", [False, True])
def test_a_log_that_cannot_be_written_costs_neither_the_result_nor_the_reason(tmp_path: Path, fail: bool) -> None:
    (tmp_path / LOG).mkdir()
    heard: list[Message] = []
    if fail:
        with pytest.raises(ProjectError, match="The disk is full"):
            drain(logged(job(fail), tmp_path), heard.append)
    else:
        assert drain(logged(job(fail), tmp_path), heard.append) == 7
    assert len(heard) == 5
    assert [one.text for one in heard if isinstance(one, Notice) and "Cannot write" in one.text and LOG in one.text]


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({"f1": 0.912, "step": 5}, "F1 0.91 on what was held back"),
        ({"expected_f1": 0.5}, "F1 about 0.50, estimated from the scores"),
        ({"step": 5}, "F1 not known yet"),
    ],
)
def test_a_network_is_said_to_be_as_good_as_is_known(metrics: dict[str, float], said: str) -> None:
    assert worth(metrics) == said
