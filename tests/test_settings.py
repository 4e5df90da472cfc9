from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import tomli_w

from core.config import PickConfig, PreprocessConfig, ReviewConfig, TrainConfig
from core.configfile import load_config
from core.errors import ConfigError
from core.settings import MINUTES, DisplayConfig, ExportConfig, Settings, load_settings, save_settings

if TYPE_CHECKING:
    from pathlib import Path

OTHER = Settings(
    display=DisplayConfig(slab=5, invert=True, black=-1.5, white=2.0),
    preprocess=PreprocessConfig(low_pass=40.0),
    train=TrainConfig(steps=7, split="none"),
    pick=PickConfig(min_distance=1.0),
    review={"ribosome": ReviewConfig(threshold=0.7, edge=3.0)},
    export=ExportConfig(
        format="csv", what="shown", names={"TS 1": "TS_01"}, numbers={"TS 1": 7}, sizes={"TS 1": "4,3,2"}, tomograms_star="a b.star"
    ),
)


@pytest.mark.parametrize("settings", [Settings(), OTHER])
def test_settings_come_back_as_they_were(tmp_path: Path, settings: Settings) -> None:
    save_settings(settings, tmp_path / "a.toml")
    assert load_settings(tmp_path / "a.toml") == (settings, ())


def written(folder: Path, text: str) -> Path:
    (folder / "a.toml").write_text(text, encoding="utf-8")
    return folder / "a.toml"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[train\nsteps = 1", "cannot be read"),
        ("version = 99\n[train]\nsteps = 5", "of version 99"),
        ('version = "new"', "of version new"),
        ("[train]\nbatch = 3\nmood = 1\n[weather]\nrain = 2", "left them out: train.mood, weather"),
        ("weather = 3", "left them out: weather"),
        ("[train]\nbatch = 0", r"\[train\] .* batch must be at least 1"),
        ('[display]\nslab = "many"', r"\[display\] .* must be of type int"),
        ("[review.ribosome]\nthreshold = 2", r"\[review\.ribosome\] .* threshold must be 0 to 1"),
        ("[export]\nnames = 3", "must be a table"),
    ],
)
def test_what_is_odd_is_one_sentence_and_no_failure(tmp_path: Path, text: str, words: str) -> None:
    settings, notices = load_settings(written(tmp_path, text))
    assert len(notices) == 1
    assert re.search(words, notices[0])
    assert settings.pick == PickConfig()


def test_what_is_right_beside_something_odd_is_kept(tmp_path: Path) -> None:
    settings, _ = load_settings(written(tmp_path, "[train]\nbatch = 3\nmood = 1\n[pick]\nfloor = 7\n[display]\nslab = 9"))
    assert settings.train == replace(Settings().train, batch=3)
    assert settings.pick == PickConfig()
    assert settings.display.slab == 9


def test_a_wrong_value_for_one_class_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    settings, notices = load_settings(written(tmp_path, "[review.apo]\nthreshold = 2\n[review.ribosome]\nthreshold = 0.3"))
    assert settings.review == {"ribosome": ReviewConfig(threshold=0.3)}
    assert len(notices) == 1


def test_a_missing_table_has_the_values_of_the_desk_not_of_a_bare_run(tmp_path: Path) -> None:
    settings, _ = load_settings(written(tmp_path, "[train]\nbatch = 3"))
    assert (settings.train.steps, settings.train.minutes) == (0, MINUTES)


def test_a_run_can_be_started_from_the_settings_of_a_project(tmp_path: Path) -> None:
    save_settings(OTHER, tmp_path / "a.toml")
    assert load_config(tmp_path / "a.toml").train == OTHER.train


@pytest.mark.parametrize("values", [{"slab": 0}, {"slab": 99}, {"low_pass": -1.0}, {"black": 2.0, "white": 1.0}])
def test_impossible_looks_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        DisplayConfig(**values)


def test_contrast_is_found_anew_unless_a_hand_fixed_it() -> None:
    assert DisplayConfig().bounds is None
    assert OTHER.display.bounds == (-1.5, 2.0)


def test_unsaved_tables_do_not_grow(tmp_path: Path) -> None:
    save_settings(OTHER, tmp_path / "a.toml")
    once = (tmp_path / "a.toml").read_text()
    save_settings(load_settings(tmp_path / "a.toml")[0], tmp_path / "a.toml")
    assert (tmp_path / "a.toml").read_text() == once
    assert tomli_w.dumps({"version": 1}) in once
