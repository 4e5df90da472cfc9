"""All settings as frozen dataclasses that check themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_type_hints

from core.errors import ConfigError
from core.types import Angstrom, Voxels

Normalisation = Literal["standardise", "minmax"]
LabelKind = Literal["tball", "ball", "cubic"]
Preset = Literal["fast", "published"]
Unlabelled = Literal["background", "shell", "hard"]
Split = Literal["auto", "clicks", "tomogram", "none"]
Start = Literal["pretrained", "scratch"]
Loss = Literal["mixed", "dice"]
Nms = Literal["graded", "published"]
DeviceName = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)


def _check_choices(config: Any) -> None:
    for name, hint in get_type_hints(type(config), globalns=globals()).items():
        choices, value = get_args(hint), getattr(config, name)
        if choices and all(isinstance(c, str) for c in choices):
            _require(value in choices, f"{name} must be one of {', '.join(choices)}, not {value!r}.")


@dataclass(frozen=True, kw_only=True)
class PreprocessConfig:
    """What is done to a tomogram before anything looks at it.

    Attributes
    ----------
    normalisation : Normalisation
        ``standardise``: zero mean and unit deviation over the tomogram; ``minmax``: the 0.1 and 99.9 percentiles to 0 and 1.
    low_pass, high_pass : Angstrom
        Resolutions in Å beyond which detail, or gradients, are removed; 0 for none.
    """

    normalisation: Normalisation = "standardise"
    low_pass: Angstrom = 0.0
    high_pass: Angstrom = 0.0

    def __post_init__(self) -> None:
        _check_choices(self)
        _require(self.low_pass >= 0, f"low_pass must be 0 (none) or a resolution in Å, not {self.low_pass}.")
        _require(self.high_pass >= 0, f"high_pass must be 0 (none) or a resolution in Å, not {self.high_pass}.")
        if self.low_pass and self.high_pass:
            _require(self.high_pass > self.low_pass, "high_pass must be a coarser resolution (more Å) than low_pass.")


@dataclass(frozen=True, kw_only=True)
class LabelConfig:
    """How weak labels are made from centres.

    Attributes
    ----------
    kind : LabelKind
        ``tball`` (TBall-M), ``ball`` (Ball-M) or ``cubic`` (Cubic-M).
    diameter_fraction : float
        Label diameter as a part of the particle's diameter, 0.1..1.
    """

    kind: LabelKind = "tball"
    diameter_fraction: float = 0.48

    def __post_init__(self) -> None:
        _check_choices(self)
        _require(0.1 <= self.diameter_fraction <= 1, f"diameter_fraction must be 0.1 to 1, not {self.diameter_fraction}.")


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Which network.

    Attributes
    ----------
    preset : Preset
        ``fast``: ours; ``published``: the one of the paper.
    """

    preset: Preset = "fast"

    def __post_init__(self) -> None:
        _check_choices(self)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a network is trained.

    Attributes
    ----------
    start : Start
        ``pretrained``: begin with the network that comes with the program, which knows particles of many sizes and shapes;
        ``scratch``: begin with nothing. The published network always begins with nothing.
    steps : int
        Optimiser steps at most; 0 for no limit.
    minutes : float
        Training time at most, in minutes; 0 for no limit. The first limit reached ends training.
    patch : int
        Edge of the cubic training crop in voxels; a multiple of 8. 0: twice the diameter of the largest particle, 64 to 128.
    batch : int
        Crops a step; where ``patch`` is 0, that many of 64 voxels, or fewer larger ones.
    learning_rate : float
        Peak of the one-cycle schedule.
    loss : Loss
        ``mixed``: soft Dice and cross-entropy; ``dice``: soft Dice alone, as published.
    background : float
        Part of the crops that are drawn anywhere in the region, 0..1.
    hard_negatives : float
        Part of the crops that are drawn around rejected picks, where there are any, 0..1.
    unlabelled : Unlabelled
        What is taught where nobody clicked, unless the region is completely annotated. ``background``: that there is nothing;
        ``shell``: nothing at all beyond a shell around each click; ``hard``: that there is nothing,
        except where the network itself sees the most particle-like places, which are left out.
    hard_margin : float
        With ``hard``: how many times as many of the unlabelled voxels are left out as the network takes to be particles, 0..10.
    shell : float
        Outer radius of the trusted shell around a click in particle diameters; inside it all voxels count.
    augment : bool
        Turns, mirrors, small rotations and scalings, contrast, brightness and noise.
    rotation : float
        Largest small rotation about any axis in degrees.
    scale : float
        Largest change of size, as a part of 1.
    split : Split
        ``clicks``: a slab of each tomogram with ``validation`` of its clicks is held back; ``auto``: where every particle is
        annotated, such a slab is, and nothing elsewhere; ``tomogram``: whole tomograms are; ``none``: nothing is. Where nothing
        is held back, the last network is kept and the picking F1 is estimated from the scores.
    validation : float
        Part of the clicks that are held back, 0..0.5.
    validations : int
        How often the picking F1 is measured during training.
    average : float
        Decay of the running average of the weights, 0 for none.
    precision : Precision
        Arithmetic of the forward pass; ``auto`` takes a 16-bit type where the device computes it faster.
    device : DeviceName
        Where to compute; ``auto`` takes CUDA, then Apple's GPU, then the CPU.
    seed : int
        Seed of everything random.
    """

    start: Start = "pretrained"
    steps: int = 1000
    minutes: float = 0.0
    patch: int = 0
    batch: int = 8
    learning_rate: float = 2e-3
    loss: Loss = "mixed"
    background: float = 0.25
    hard_negatives: float = 0.15
    unlabelled: Unlabelled = "hard"
    hard_margin: float = 2.0
    shell: float = 0.75
    augment: bool = True
    rotation: float = 15.0
    scale: float = 0.05
    split: Split = "auto"
    validation: float = 0.2
    validations: int = 10
    average: float = 0.99
    precision: Precision = "auto"
    device: DeviceName = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        _check_choices(self)
        _require(self.steps >= 0, f"steps must be 0 (no limit) or more, not {self.steps}.")
        _require(self.minutes >= 0, f"minutes must be 0 (no limit) or more, not {self.minutes}.")
        _require(self.steps > 0 or self.minutes > 0, "Give a training budget: steps, minutes or both must be above 0.")
        fits = self.patch == 0 or (self.patch >= 32 and self.patch % 8 == 0)
        _require(fits, f"patch must be a multiple of 8, at least 32, or 0 to follow from the diameters, not {self.patch}.")
        _require(self.batch >= 1, f"batch must be at least 1, not {self.batch}.")
        _require(0 < self.learning_rate < 1, f"learning_rate must lie between 0 and 1, not {self.learning_rate}.")
        for name in ("background", "hard_negatives"):
            _require(0 <= getattr(self, name) <= 1, f"{name} must be 0 to 1, not {getattr(self, name)}.")
        _require(
            self.background + self.hard_negatives < 1,
            "background + hard_negatives must be below 1 to leave room for clicks.",
        )
        _require(0 <= self.hard_margin <= 10, f"hard_margin must be 0 to 10, not {self.hard_margin}.")
        _require(self.shell > 0, f"shell must be above 0 particle diameters, not {self.shell}.")
        _require(0 <= self.rotation <= 30, f"rotation must be 0 to 30 degrees, not {self.rotation}.")
        _require(0 <= self.scale <= 0.3, f"scale must be 0 to 0.3, not {self.scale}.")
        _require(0 < self.validation <= 0.5, f"validation must be above 0 and at most 0.5, not {self.validation}.")
        _require(self.validations >= 1, f"validations must be at least 1, not {self.validations}.")
        _require(0 <= self.average < 1, f"average must be 0 (none) to below 1, not {self.average}.")


@dataclass(frozen=True, kw_only=True)
class PickConfig:
    """How a tomogram is scanned and peaks become picks.

    Attributes
    ----------
    nms : Nms
        ``graded``: MP-NMS on the probabilities, sub-voxel centres, a calibrated score; ``published``: on the binarised map.
    tile : int
        Largest edge of a tile in voxels, its overlap included; a multiple of 8, 0 to choose from the free memory. The published
        network keeps to its training patch.
    overlap : int
        Context around the part of a tile that is kept, on each side in voxels; a multiple of 4, 0 to let the network choose.
    floor : float
        Raw score below which nothing is kept, 0..1.
    min_distance : float
        Smallest distance between picks of one class in particle diameters.
    edge : Voxels
        Margin at the tomogram's faces where picks are dropped, in voxels.
    half_turn : bool
        Average the map with that of the tomogram turned by 180° about z, where the missing wedge is the same (twice as slow).
    precision : Precision
        Arithmetic of the forward pass; ``auto`` takes a 16-bit type where the device computes it faster.
    device : DeviceName
        Where to compute.
    """

    nms: Nms = "graded"
    tile: int = 0
    overlap: int = 0
    floor: float = 0.05
    min_distance: float = 0.6
    edge: Voxels = 0.0
    half_turn: bool = False
    precision: Precision = "auto"
    device: DeviceName = "auto"

    def __post_init__(self) -> None:
        _check_choices(self)
        _require(self.tile >= 0 and self.tile % 8 == 0, f"tile must be 0 (automatic) or a multiple of 8, not {self.tile}.")
        _require(self.overlap >= 0 and self.overlap % 4 == 0, f"overlap must be a multiple of 4, not {self.overlap}.")
        _require(
            self.tile == 0 or self.tile > 2 * self.overlap,
            f"tile ({self.tile}) must be larger than twice the overlap ({self.overlap}).",
        )
        _require(0 < self.floor < 1, f"floor must lie between 0 and 1, not {self.floor}.")
        _require(0 <= self.min_distance <= 2, f"min_distance must be 0 to 2 diameters, not {self.min_distance}.")
        _require(self.edge >= 0, f"edge must be 0 or more voxels, not {self.edge}.")


@dataclass(frozen=True, kw_only=True)
class ReviewConfig:
    """Which candidates of one class count as picks; a view, so that nothing is computed again when it changes.

    Attributes
    ----------
    threshold : float
        Smallest score, 0..1.
    min_distance : float
        Smallest distance to a pick of the same class with a higher score, in particle diameters; 0 for none.
    edge : Voxels
        Margin at the tomogram's faces where no pick counts, in voxels.
    """

    threshold: float = 0.5
    min_distance: float = 0.0
    edge: Voxels = 0.0

    def __post_init__(self) -> None:
        _require(0 <= self.threshold <= 1, f"threshold must be 0 to 1, not {self.threshold}.")
        _require(0 <= self.min_distance <= 2, f"min_distance must be 0 to 2 diameters, not {self.min_distance}.")
        _require(0 <= self.edge < float("inf"), f"edge must be 0 or more voxels, not {self.edge}.")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """All settings of a run; one TOML table for each part."""

    preprocess: PreprocessConfig = field(default_factory=PreprocessConfig)
    label: LabelConfig = field(default_factory=LabelConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    pick: PickConfig = field(default_factory=PickConfig)
