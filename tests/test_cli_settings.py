from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import rich.progress

from core.cli.report import Follower, Report, duration, epoch_line, table
from core.cli.settings import run_config
from core.config import RunConfig
from core.configfile import config_to_toml
from core.errors import ConfigError
from core.messages import EpochDone, Message, Notice, Progress
from core.tomogram import Box, parsed_box

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


def test_without_options_settings_are_the_defaults() -> None:
    assert run_config() == RunConfig()


def test_assignments_override_the_file_and_named_options_override_both(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('[train]\nbatch = 2\nseed = 1\npatch = 48\n[network]\npreset = "published"\n')
    config = run_config(path, ["train.seed=2", "train.batch = 4"], seed=3, device="cpu")
    assert (config.train.patch, config.train.batch, config.train.seed) == (48, 4, 3)
    assert (config.network.preset, config.train.device, config.pick.device) == ("published", "cpu", "cpu")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("train.unlabelled=shell", "shell"),
        ("train.unlabelled='hard'", "hard"),
        ("train.augment=false", False),
        ("pick.floor=1e-2", 0.01),
    ],
)
def test_an_assignment_is_read_as_toml_or_as_a_word(text: str, value: Any) -> None:
    group, _, name = text.partition("=")[0].partition(".")
    assert getattr(getattr(run_config(assignments=[text]), group), name) == value


@pytest.mark.parametrize(
    ("minutes", "steps", "budget"), [(5.0, None, (5.0, 0)), (None, 50, (0.0, 50)), (5.0, 50, (5.0, 50)), (None, None, (2.0, 30))]
)
def test_a_budget_on_the_command_line_replaces_that_of_the_file(
    tmp_path: Path, minutes: float | None, steps: int | None, budget: tuple[float, int]
) -> None:
    path = tmp_path / "run.toml"
    path.write_text("[train]\nminutes = 2\nsteps = 30\n")
    train = run_config(path, minutes=minutes, steps=steps).train
    assert (train.minutes, train.steps) == budget


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("steps=5", "train.batch=4"),
        ("train.steps", "train.batch=4"),
        ("training.steps=5", "Unknown group of settings 'training'"),
        ("train.step=5", "Unknown setting 'step'"),
        ("train.steps=many", "must be of type int"),
        ("network.preset=huge", "must be one of fast, published"),
    ],
)
def test_wrong_assignments_are_refused(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        run_config(assignments=[text])


def test_saved_settings_can_be_given_again(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    config = run_config(assignments=["label.kind=cubic"], minutes=3)
    path.write_text(config_to_toml(config))
    assert run_config(path) == config


@pytest.mark.parametrize(
    ("text", "box"),
    [
        (":,:,:", Box((0, 0, 0), (20, 30, 40))),
        ("2:8, :15, 10:", Box((2, 0, 10), (8, 15, 40))),
        ("0:99,-5:30,0:40", Box((0, 0, 0), (20, 30, 40))),
    ],
)
def test_parts_are_read_and_cut_off_at_the_faces(text: str, box: Box) -> None:
    assert parsed_box(text, (20, 30, 40)) == box


@pytest.mark.parametrize("text", ["", "1:2,3:4", "1:2,3:4,5:6,7:8", "a:2,:,:", "5,:,:", "8:2,:,:", "30:40,:,:"])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="z0:z1,y0:y1,x0:x1"):
        parsed_box(text, (20, 30, 40))


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")])
def test_times_are_written_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def job() -> Generator[Message, None, str]:
    yield Notice(text="Mind the [gap].")
    for done in range(1, 11):
        yield Progress(stage="Training", done=done, total=10, eta=90.0, detail="loss 0.500")
    yield EpochDone(step=10, seconds=65, loss=0.5, validation_loss=0.6, f1=0.8, threshold=0.4, learning_rate=1e-3, best=True)
    return "done"


def test_a_followed_job_shows_stage_time_left_loss_and_best(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.cli.report.QUIET", 0.0)
    report = Report()
    assert report.follow(job()) == "done"
    out, err = capsys.readouterr()
    assert out == ""
    for part in ("Mind the [gap].", "Training: 50%", "1 min 30 s left", "loss 0.500", "F1 0.800", "best so far"):
        assert part in err
    assert report.notices == ["Mind the [gap]."]


def test_where_nothing_is_held_back_nothing_is_said_to_be() -> None:
    state = {"step": 10, "seconds": 65, "loss": 0.5, "validation_loss": None, "threshold": 0.4, "learning_rate": 1e-3, "best": True}
    assert epoch_line(EpochDone(f1=None, **state)).endswith("loss 0.500")
    assert epoch_line(EpochDone(f1=0.8, **state)).endswith("loss 0.500  F1 about 0.800 at score 0.40")


def test_each_stage_has_one_bar_even_when_it_comes_back() -> None:
    bars = rich.progress.Progress(disable=True)
    follower = Follower(Report(), bars)
    for stage in ("Training", "Validating", "Training"):
        follower.show(Progress(stage=stage, done=1, total=2))
    assert [task.description for task in bars.tasks] == ["Training", "Validating"]


def test_json_is_one_document_without_what_json_cannot_hold(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(as_json=True)
    report.note("Odd.")
    report.result({"f1": float("nan"), "classes": {1: [0.5, None]}}, "for people")
    out, err = capsys.readouterr()
    assert json.loads(out) == {"f1": None, "classes": {"1": [0.5, None]}, "notices": ["Odd."]}
    assert "for people" not in out + err


def test_tables_show_figures_names_and_gaps(capsys: pytest.CaptureFixture[str]) -> None:
    Report().result({}, table("Scores", ["class", "F1", "error"], [["70S [b]", 0.12345, None]]))
    out = capsys.readouterr().out
    assert "Scores" in out
    assert "70S [b]" in out
    assert "0.123" in out
