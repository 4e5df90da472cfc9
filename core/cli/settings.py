"""Settings of a run: a file, overridden by the command line."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from core.config import RunConfig
from core.configfile import config_from_dict, load_config
from core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def run_config(
    path: Path | None = None,
    assignments: Iterable[str] = (),
    *,
    minutes: float | None = None,
    steps: int | None = None,
    preset: str | None = None,
    seed: int | None = None,
    device: str | None = None,
) -> RunConfig:
    """Gather the settings of a run: defaults, then the file, then assignments, then the named options.

    Parameters
    ----------
    path : Path | None
        A TOML configuration file.
    assignments : Iterable[str]
        Of the form ``train.batch=4``; the value is written as in TOML, quotes around words may be left out.
    minutes, steps : float | int | None
        The training budget; either of them replaces the whole budget of the file.
    preset, seed, device : str | int | None
        Network preset, seed of everything random, and the device to train and pick on.

    Returns
    -------
    RunConfig
        The settings.

    Raises
    ------
    ConfigError
        For unknown settings and values that do not fit.
    """
    values = asdict(RunConfig() if path is None else load_config(path))
    for text in assignments:
        _assign(values, *_parsed(text))
    if minutes is not None or steps is not None:
        values["train"] |= {"minutes": minutes or 0.0, "steps": steps or 0}
    for table, name, value in (
        ("network", "preset", preset),
        ("train", "seed", seed),
        ("train", "device", device),
        ("pick", "device", device),
    ):
        if value is not None:
            values[table][name] = value
    config: RunConfig = config_from_dict(RunConfig, values)
    return config


def _parsed(text: str) -> tuple[str, str, Any]:
    key, equals, value = text.partition("=")
    table, dot, name = key.strip().partition(".")
    if not (equals and dot and name):
        raise ConfigError(f"Expected a setting such as train.batch=4, not {text!r}.")
    return table, name, _plain(value.strip())


def _plain(value: str) -> Any:
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value


def _assign(values: dict[str, Any], table: str, name: str, value: Any) -> None:
    if table not in values:
        known = ", ".join(f.name for f in fields(RunConfig))
        raise ConfigError(f"Unknown group of settings {table!r}; known are {known}.")
    values[table][name] = value
