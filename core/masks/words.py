"""Masks as words of a command line, such as ``gold`` or ``TS_01:slab.margin=50``, and back."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.configfile import config_from_dict
from core.errors import ConfigError
from core.masks.settings import EVERYWHERE, MaskConfig

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

NOTHING = "none"


def mask_words(configs: Mapping[str, MaskConfig], tomogram_ids: Iterable[str]) -> list[str]:
    """Say masks in words that `masks_said` understands.

    Parameters
    ----------
    configs : Mapping[str, MaskConfig]
        By name of the tomogram, and `EVERYWHERE`.
    tomogram_ids : Iterable[str]
        The tomograms that matter.

    Returns
    -------
    list[str]
        Of what is on, and of that only what is not usual.
    """
    words = _spoken(configs.get(EVERYWHERE, MaskConfig()), "")
    for name in tomogram_ids:
        if name in configs and name != EVERYWHERE:
            words += _spoken(configs[name], f"{name}:") or [f"{name}:{NOTHING}"]
    return words


def _spoken(config: MaskConfig, before: str) -> list[str]:
    words = []
    for part in config.active:
        now, usual = asdict(getattr(config, part)), asdict(getattr(MaskConfig(), part))
        odd = [name for name, value in now.items() if name != "on" and value != usual[name]]
        words += [f"{before}{part}.{name}={now[name]}" for name in odd] or [f"{before}{part}"]
    return words


def masks_said(
    words: Iterable[str], known: Mapping[str, MaskConfig] | None = None, tomograms: Collection[str] | None = None
) -> dict[str, MaskConfig]:
    """Understand masks that were said in words.

    Parameters
    ----------
    words : Iterable[str]
        ``[TOMOGRAM:]MASK`` switches a mask on; ``[TOMOGRAM:]MASK.NAME=VALUE`` sets something of it and switches it on;
        ``TOMOGRAM:none`` has nothing on. Whatever is said of a tomogram replaces what holds everywhere. A path counts from the
        current folder, and is kept as a whole one.
    known : Mapping[str, MaskConfig] | None
        What the words change; None for nothing.
    tomograms : Collection[str] | None
        Names of all tomograms that there are; None if any name will do.

    Returns
    -------
    dict[str, MaskConfig]
        By name of the tomogram, and `EVERYWHERE`.

    Raises
    ------
    ConfigError
        If a word is none such, names a tomogram that there is not, or a value is out of range.
    """
    values: dict[str, dict[str, Any]] = {name: asdict(config) for name, config in (known or {}).items()}
    for word in words:
        key, equals, value = word.partition("=")
        name, _, key = key.rpartition(":")
        name, (part, dot, field) = name.strip(), key.strip().partition(".")
        if name and tomograms is not None and name not in tomograms:
            there = ", ".join(list(tomograms)[:5]) + (" and others" if len(tomograms) > 5 else "")
            raise ConfigError(f"There is no tomogram {name!r} to mask, as {word!r} says; there are: {there}.")
        config = values.setdefault(name, asdict(MaskConfig()))
        if part == NOTHING and not (dot or equals):
            values[name] = asdict(MaskConfig())
            continue
        if part not in config or bool(dot) != bool(equals):
            raise ConfigError(
                f"Expected a mask such as gold, gold.diameter=15 or TS_01:slab.margin=50, not {word!r}; "
                f"masks: {', '.join(one.name for one in fields(MaskConfig))}."
            )
        config[part]["on"] = True
        if field:
            config[part][field] = _meant(field, value.strip(), config[part].get(field))
    return {name: config_from_dict(MaskConfig, config, "mask") for name, config in values.items()}


def _meant(field: str, value: str, now: Any) -> Any:
    if field == "path" and value:
        return str(Path(value).expanduser().absolute())
    if isinstance(now, str):
        return value
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value
