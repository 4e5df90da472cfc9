"""Settings as plain data and as a TOML file; what is unknown or of the wrong type is refused."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

import tomli_w

from core.config import RunConfig
from core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

DESK = (
    "version",
    "review",
    "masks",
    "display",
    "export",
    "mark",
    "afterwards",
)  # what the settings of a project hold besides; a run does not need it

RETIRED = {"TrainConfig": ("hard_fraction",), "PickConfig": ("flips",)}
"""Settings of earlier versions, which networks and projects of then still hold."""


def config_from_dict(kind: type[Any], values: dict[str, Any], where: str = "") -> Any:
    """Build a configuration from plain data and refuse what it does not know.

    Parameters
    ----------
    kind : type
        One of the configuration classes.
    values : dict
        Field names and plain values; what is left out keeps its default.
    where : str
        Name of the table, for messages.

    Returns
    -------
    object
        An instance of `kind`.

    Raises
    ------
    ConfigError
        For unknown names, wrong types and values out of range; names of earlier versions are passed over.
    """
    known = {f.name for f in fields(kind)}
    values = {name: value for name, value in values.items() if name not in RETIRED.get(kind.__name__, ())}
    for name in values:
        place = f" in [{where}]" if where else ""
        _require(name in known, f"Unknown setting {name!r}{place}; known are {', '.join(sorted(known))}.")
    hints = get_type_hints(kind)
    return kind(**{name: _converted(hints[name], value, f"{where}.{name}" if where else name) for name, value in values.items()})


def _converted(hint: Any, value: Any, where: str) -> Any:
    if hasattr(hint, "__dataclass_fields__"):
        _require(isinstance(value, dict), f"{where} must be a table of settings, not {value!r}.")
        return config_from_dict(hint, value, where)
    if get_origin(hint) is dict:
        _require(isinstance(value, dict), f"{where} must be a table, not {value!r}.")
        return {name: _converted(get_args(hint)[1], one, f"{where}.{name}") for name, one in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    expected = hint if isinstance(hint, type) else str
    right = isinstance(value, expected) and (expected is bool or not isinstance(value, bool))
    _require(right, f"{where} must be of type {expected.__name__}, not {value!r}.")
    return value


def load_config(path: Path) -> RunConfig:
    """Read a configuration file.

    Parameters
    ----------
    path : Path
        A TOML file with the tables ``preprocess``, ``label``, ``network``, ``train``, ``pick``; all optional. The settings of a
        project will do: what they say about the window is left out.

    Returns
    -------
    RunConfig
        With defaults for what the file leaves out.

    Raises
    ------
    ConfigError
        If the file cannot be read or holds unknown or wrong settings.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError(f"Expected a TOML configuration file at {path}, but it cannot be read: {exc}.") from exc
    config: RunConfig = config_from_dict(RunConfig, {name: value for name, value in values.items() if name not in DESK})
    return config


def config_to_toml(config: RunConfig) -> str:
    """Write a configuration as TOML text that `load_config` reads back unchanged.

    Parameters
    ----------
    config : RunConfig
        The settings.

    Returns
    -------
    str
        TOML text.
    """
    return tomli_w.dumps(asdict(config))


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)
