"""The settings of a project's desk, as one file beside the database; what is odd in it is told and never stops anybody."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import tomli_w

from core.config import LabelConfig, NetworkConfig, PickConfig, PreprocessConfig, ReviewConfig, TrainConfig
from core.configfile import config_from_dict
from core.display import Look
from core.errors import ConfigError
from core.io.atomic import atomic_path
from core.masks.settings import MaskConfig  # noqa: TC001 - as below
from core.types import Angstrom  # noqa: TC001 - field types are read at run time

if TYPE_CHECKING:
    from pathlib import Path

VERSION = 1
SETTINGS = "settings.toml"
MINUTES = 4.0  # of training, where nobody chose
SLABS = 51

What = Literal["accepted", "shown", "candidate", "rejected", "all"]
Scope = Literal["this", "all"]


@dataclass(frozen=True, kw_only=True)
class DisplayConfig:
    """How sections are shown; training and picking never see any of it.

    Attributes
    ----------
    slab : int
        Sections that are averaged.
    low_pass, high_pass : Angstrom
        Resolutions in Å beyond which detail, or gradients, are removed from the picture; 0 for none.
    invert : bool
        Black for white.
    black, white : float
        Grey values that a hand has chosen; where they are the same, the contrast is found for each tomogram.
    """

    slab: int = 1
    low_pass: Angstrom = 0.0
    high_pass: Angstrom = 0.0
    invert: bool = False
    black: float = 0.0
    white: float = 0.0

    def __post_init__(self) -> None:
        _require(1 <= self.slab <= SLABS, f"slab must be 1 to {SLABS} sections, not {self.slab}.")
        _require(self.low_pass >= 0, f"low_pass must be 0 (none) or a resolution in Å, not {self.low_pass}.")
        _require(self.high_pass >= 0, f"high_pass must be 0 (none) or a resolution in Å, not {self.high_pass}.")
        _require(self.black <= self.white, f"black must not lie above white, as {self.black} above {self.white} does.")

    @property
    def look(self) -> Look:
        """Slab and filters."""
        return Look(slab=self.slab, low_pass=self.low_pass, high_pass=self.high_pass)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Grey values of black and white; None to find them."""
        return (self.black, self.white) if self.black < self.white else None


@dataclass(frozen=True, kw_only=True)
class MarkConfig:
    """What a click does.

    Attributes
    ----------
    snap : bool
        Move to the middle of what was clicked.
    """

    snap: bool = False


@dataclass(frozen=True, kw_only=True)
class AfterwardsConfig:
    """What follows training.

    Attributes
    ----------
    pick : bool
        Pick the tomogram that is shown.
    """

    pick: bool = False


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """What is handed over, and as what.

    Attributes
    ----------
    format : str
        As for `core.io.particles.write_parts`; empty for the first there is.
    what : What
        ``accepted``: accepted particles; ``shown``: these and the candidates that count; ``candidate``: picks that nobody has
        judged; ``rejected``: rejected ones; ``all``: all of these.
    scope : Scope
        ``this``: of the tomogram that is shown; ``all``: of all tomograms.
    pixel_size : Angstrom
        Of the unbinned tilt series in Å; 0 where nobody gave it.
    names : dict[str, str]
        What tomograms are called in the file, where it is not their own name.
    numbers : dict[str, int]
        Numbers of tomograms, for formats that number them, where somebody gave them.
    sizes : dict[str, str]
        Unbinned sizes of tomograms as ``X,Y,Z`` in pixels of the tilt series, where somebody gave them.
    tomograms_star : str
        RELION's file of that name, which tells pixel and unbinned sizes; empty where nobody gave it.
    options : dict[str, str]
        Choices of formats by ``FORMAT.NAME``, where they are not the usual ones.
    """

    format: str = ""
    what: What = "accepted"
    scope: Scope = "this"
    pixel_size: Angstrom = 0.0
    names: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, str] = field(default_factory=dict)
    tomograms_star: str = ""
    options: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require(self.what in get_args(What), f"what must be one of {', '.join(get_args(What))}, not {self.what!r}.")
        _require(self.scope in ("this", "all"), f"scope must be this or all, not {self.scope!r}.")
        _require(self.pixel_size >= 0, f"pixel_size must be 0 (not given) or more Å, not {self.pixel_size}.")
        _require(all(number >= 1 for number in self.numbers.values()), "the numbers of tomograms must be 1 or more.")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of all steps; one TOML table for each part.

    `review` is by name of the class, `masks` by that of the tomogram, with "" for all that have nothing of their own.
    """

    display: DisplayConfig = field(default_factory=DisplayConfig)
    preprocess: PreprocessConfig = field(default_factory=PreprocessConfig)
    mark: MarkConfig = field(default_factory=MarkConfig)
    label: LabelConfig = field(default_factory=LabelConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    train: TrainConfig = field(default_factory=lambda: TrainConfig(steps=0, minutes=MINUTES))
    afterwards: AfterwardsConfig = field(default_factory=AfterwardsConfig)
    pick: PickConfig = field(default_factory=PickConfig)
    review: dict[str, ReviewConfig] = field(default_factory=dict)
    export: ExportConfig = field(default_factory=ExportConfig)
    masks: dict[str, MaskConfig] = field(default_factory=dict)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)


def load_settings(path: Path) -> tuple[Settings, tuple[str, ...]]:
    """Read settings as far as they can be understood.

    Parameters
    ----------
    path : Path
        A TOML file.

    Returns
    -------
    settings : Settings
        With the usual values for what is missing, unknown or wrong.
    notices : tuple[str, ...]
        A sentence about each thing that was left out; empty where everything was understood.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        return Settings(), (f"The settings in {path} cannot be read ({exc}); the usual ones are used.",)
    version = values.pop("version", VERSION)
    if version != VERSION:
        return Settings(), (
            f"The settings in {path} are of version {version}, but this program knows version {VERSION}; the usual ones are used.",
        )
    return _understood(values, path)


def _understood(values: dict[str, Any], path: Path) -> tuple[Settings, tuple[str, ...]]:
    settings, unknown = Settings(), []
    notices: list[str] = []
    tables = {one.name for one in fields(Settings)}
    for table, content in values.items():
        if table not in tables or not isinstance(content, dict):
            unknown.append(table)
            continue
        if table in ("review", "masks"):
            entries, said = _entries(table, content, path)
            changed: dict[str, Any] = {table: entries}
            settings, notices = replace(settings, **changed), notices + said
            continue
        usual = getattr(settings, table)
        kept = asdict(usual) if hasattr(usual, "__dataclass_fields__") else {}
        strange = sorted(set(content) - set(kept)) if kept else []
        unknown += [f"{table}.{name}" for name in strange]
        try:
            settings = replace(settings, **{table: _table(table, kept | {n: v for n, v in content.items() if n not in strange})})
        except ConfigError as exc:
            notices.append(f"The usual values are used for [{table}] of {path}: {exc}")
    if unknown:
        notices.append(f"This program does not know some settings in {path} and left them out: {', '.join(unknown)}.")
    return settings, tuple(notices)


def _entries(table: str, content: dict[str, Any], path: Path) -> tuple[dict[str, Any], list[str]]:
    """Understand a table of tables, one for each class or tomogram; what is wrong with one leaves the others as they are."""
    entries: dict[str, Any] = {}
    notices: list[str] = []
    for name, values in content.items():
        try:
            entries |= _table(table, {name: values})
        except ConfigError as exc:
            notices.append(f"The usual values are used for [{table}.{name}] of {path}: {exc}")
    return entries, notices


def _table(name: str, values: dict[str, Any]) -> Any:
    return getattr(config_from_dict(Settings, {name: values}), name)


def save_settings(settings: Settings, path: Path) -> None:
    """Write settings so that `load_settings` reads them back unchanged.

    Parameters
    ----------
    settings : Settings
        All of them.
    path : Path
        The file, which appears whole or not at all.

    Raises
    ------
    PickerError
        If it cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(tomli_w.dumps({"version": VERSION} | asdict(settings)), encoding="utf-8")
