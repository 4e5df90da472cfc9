from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from core.config import (
    LabelConfig,
    NetworkConfig,
    PickConfig,
    PreprocessConfig,
    RunConfig,
    TrainConfig,
)
from core.configfile import config_from_dict, config_to_toml, load_config
from core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

CHANGED = RunConfig(
    preprocess=PreprocessConfig(normalisation="minmax", low_pass=30.0, high_pass=800.0),
    label=LabelConfig(kind="ball", diameter_fraction=0.6),
    network=NetworkConfig(preset="published"),
    train=TrainConfig(steps=0, minutes=2.5, batch=4, augment=False, unlabelled="shell", seed=7),
    pick=PickConfig(tile=128, half_turn=True, edge=4.0),
)


@pytest.mark.parametrize("config", [RunConfig(), CHANGED], ids=["defaults", "changed"])
def test_toml_gives_back_the_same_settings(tmp_path: Path, config: RunConfig) -> None:
    path = tmp_path / "run.toml"
    path.write_text(config_to_toml(config), encoding="utf-8")
    assert load_config(path) == config


def test_an_empty_file_means_all_defaults(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.touch()
    assert load_config(path) == RunConfig()


def test_whole_numbers_serve_as_decimals() -> None:
    config = config_from_dict(RunConfig, {"train": {"minutes": 3}})
    assert config.train.minutes == 3.0
    assert isinstance(config.train.minutes, float)


def test_settings_of_earlier_versions_are_passed_over():
    assert config_from_dict(RunConfig, {"train": {"hard_fraction": 0.02, "steps": 5}, "pick": {"flips": True}}) == RunConfig(
        train=TrainConfig(steps=5)
    )


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"trian": {}}, "Unknown setting 'trian'"),
        ({"train": {"stepz": 5}}, r"Unknown setting 'stepz' in \[train\]"),
        ({"train": 5}, "train must be a table"),
        ({"train": {"steps": "many"}}, r"train\.steps must be of type int"),
        ({"train": {"steps": True}}, r"train\.steps must be of type int"),
        ({"train": {"augment": 1}}, r"train\.augment must be of type bool"),
        ({"train": {"device": "tpu"}}, "device must be one of auto, cpu, cuda, mps"),
        ({"label": {"kind": 3}}, r"label\.kind must be of type str"),
    ],
)
def test_what_is_unknown_or_of_the_wrong_type_is_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        config_from_dict(RunConfig, values)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (PreprocessConfig, {"low_pass": -1.0}),
        (PreprocessConfig, {"low_pass": 50.0, "high_pass": 40.0}),
        (LabelConfig, {"diameter_fraction": 0.05}),
        (TrainConfig, {"steps": -1}),
        (TrainConfig, {"steps": 0, "minutes": 0.0}),
        (TrainConfig, {"patch": 44}),
        (TrainConfig, {"patch": 16}),
        (TrainConfig, {"batch": 0}),
        (TrainConfig, {"background": 0.6, "hard_negatives": 0.5}),
        (TrainConfig, {"validation": 0.0}),
        (TrainConfig, {"average": 1.0}),
        (TrainConfig, {"learning_rate": float("nan")}),
        (PickConfig, {"tile": 100}),
        (PickConfig, {"tile": 32, "overlap": 16}),
        (PickConfig, {"floor": 0.0}),
        (PickConfig, {"min_distance": 3.0}),
        (PickConfig, {"edge": -1.0}),
    ],
)
def test_values_out_of_range_are_refused(kind: type[Any], values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        kind(**values)


@pytest.mark.parametrize("content", [b"[train\nsteps = 1", b"\xff\xfe\x00"], ids=["not TOML", "not text"])
def test_a_file_that_is_not_toml_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"TOML configuration file at .*run\.toml"):
        load_config(path)


@pytest.mark.parametrize("name", ["absent.toml", "."])
def test_a_missing_file_or_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / name)
