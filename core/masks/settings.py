"""What masks are made of, as plain settings: kept with a project, and the same in the window and on the command line."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from core.errors import ConfigError
from core.types import Angstrom, Voxels  # noqa: TC001 - field types are read at run time

if TYPE_CHECKING:
    from collections.abc import Mapping

EVERYWHERE = ""  # the key of what holds for tomograms that have nothing of their own
NAME = "{tomogram}"  # in a path, stands for the tomogram's name

Surfaces = Literal["found", "given"]
Keep = Literal["inside", "outside"]
Reach = Literal["near", "far"]


@dataclass(frozen=True, kw_only=True)
class SlabMask:
    """Only what lies between the surfaces of a lamella or of the ice.

    Attributes
    ----------
    on : bool
        Whether it is used.
    surfaces : Surfaces
        ``found``: where the texture ends; ``given``: by the four numbers that follow.
    low, high : Voxels
        z of the lower and upper surface in the middle of the field of view, first section 0; 0 as `high`: the last section.
    tilt_y, tilt_x : float
        How both rise along y and x, in degrees.
    margin : Angstrom
        How far inside of the surfaces picks begin to count, in Å; negative to count some outside.
    """

    on: bool = False
    surfaces: Surfaces = "found"
    low: Voxels = 0.0
    high: Voxels = 0.0
    tilt_y: float = 0.0
    tilt_x: float = 0.0
    margin: Angstrom = 0.0

    def __post_init__(self) -> None:
        _choice("surfaces", self.surfaces, Surfaces)
        _require(math.isfinite(self.margin), f"margin must be a number of Å, not {self.margin}.")
        _require(self.low >= 0 and self.high >= 0, "low and high must be sections, 0 or more.")
        _require(abs(self.tilt_y) <= 60 and abs(self.tilt_x) <= 60, "tilt_y and tilt_x must be -60 to 60 degrees.")


@dataclass(frozen=True, kw_only=True)
class VolumeMaskFile:
    """Only what lies inside, or outside, of the voxels above 0 of another volume.

    Attributes
    ----------
    on : bool
        Whether it is used.
    path : str
        The volume, of the same field of view at any binning; ``{tomogram}`` in it stands for the tomogram's name.
    keep : Keep
        ``inside``: picks on its voxels count; ``outside``: all others do.
    """

    on: bool = False
    path: str = ""
    keep: Keep = "inside"

    def __post_init__(self) -> None:
        _choice("keep", self.keep, Keep)


@dataclass(frozen=True, kw_only=True)
class MembraneMask:
    """Only what lies near to, or far from, the voxels above 0 of a segmentation.

    Attributes
    ----------
    on : bool
        Whether it is used.
    path : str
        The segmentation, of the same field of view at any binning; ``{tomogram}`` in it stands for the tomogram's name.
    keep : Reach
        ``near``: picks within the distance count; ``far``: those beyond it do.
    distance : Angstrom
        From the segmented voxels to the centre of a pick, in Å.
    """

    on: bool = False
    path: str = ""
    keep: Reach = "far"
    distance: Angstrom = 100.0

    def __post_init__(self) -> None:
        _choice("keep", self.keep, Reach)
        _require(self.distance > 0, f"distance must be above 0 Å, not {self.distance}.")


@dataclass(frozen=True, kw_only=True)
class GoldMask:
    """Nothing on gold beads.

    Attributes
    ----------
    on : bool
        Whether it is used.
    diameter : float
        Of the beads, in nm.
    margin : Angstrom
        Around the beads, in Å.
    """

    on: bool = False
    diameter: float = 10.0
    margin: Angstrom = 50.0

    def __post_init__(self) -> None:
        _require(0 < self.diameter <= 200, f"diameter must be above 0 and at most 200 nm, not {self.diameter}.")
        _require(self.margin >= 0, f"margin must be 0 or more Å, not {self.margin}.")


@dataclass(frozen=True, kw_only=True)
class MaskConfig:
    """All masks of a tomogram; a pick counts where every one that is on lets it."""

    slab: SlabMask = field(default_factory=SlabMask)
    volume: VolumeMaskFile = field(default_factory=VolumeMaskFile)
    membrane: MembraneMask = field(default_factory=MembraneMask)
    gold: GoldMask = field(default_factory=GoldMask)

    @property
    def active(self) -> tuple[str, ...]:
        """Names of those that are on."""
        return tuple(one.name for one in fields(self) if getattr(self, one.name).on)

    def only(self, *names: str) -> MaskConfig:
        """Return the same with all others off."""
        off = {one.name: replace(getattr(self, one.name), on=False) for one in fields(self) if one.name not in names}
        return replace(self, **off)


def config_for(configs: Mapping[str, MaskConfig], tomogram_id: str) -> MaskConfig:
    """Return what holds for a tomogram: its own, or else what holds everywhere.

    Parameters
    ----------
    configs : Mapping[str, MaskConfig]
        By name of the tomogram, and `EVERYWHERE`.
    tomogram_id : str
        Which tomogram.

    Returns
    -------
    MaskConfig
        With nothing on where nobody said anything.
    """
    return configs.get(tomogram_id) or configs.get(EVERYWHERE) or MaskConfig()


def volume_path(text: str, tomogram_id: str) -> Path:
    """Return the file of a mask.

    Parameters
    ----------
    text : str
        As the settings have it, with `NAME` for the tomogram's name.
    tomogram_id : str
        The tomogram.

    Returns
    -------
    Path
        It need not exist.
    """
    return Path(text.replace(NAME, tomogram_id)).expanduser()


def _choice(name: str, value: str, choices: Any) -> None:
    _require(value in get_args(choices), f"{name} must be one of {', '.join(get_args(choices))}, not {value!r}.")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)
