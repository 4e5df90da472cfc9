"""Checkpoints: everything that picking needs, in one file of tensors and plain data."""

from __future__ import annotations

import io
import pickle
import struct
import warnings
import zipfile
import zlib
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from core.config import RunConfig
from core.configfile import config_from_dict
from core.errors import CheckpointError, ConfigError, os_reason
from core.io.atomic import atomic_path
from core.network import Network, build
from core.particles import ClassSpec

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from core.types import Angstrom

KIND = "deepetpicker checkpoint"
VERSION = 1

_DAMAGED = (  # what torch raises for files with altered bytes, found by altering bytes
    pickle.UnpicklingError,
    struct.error,
    RuntimeError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    zipfile.BadZipFile,
    zlib.error,
    OverflowError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A trained network and all that it takes to pick with it.

    Attributes
    ----------
    config : RunConfig
        The settings it was trained with.
    classes : tuple[ClassSpec, ...]
        What it finds, in the order of its channels.
    voxel_size : Angstrom
        Mean voxel size of the tomograms it was trained on, in Å.
    weights : dict[str, Tensor]
        State of the network, on the CPU.
    calibration : dict[int, tuple[float, float]]
        For each class id, slope and offset that turn the logit of a raw score into that of a calibrated one.
    thresholds : dict[int, float]
        For each class id, the calibrated score from which a candidate counts, chosen on the held-back part.
    metrics : dict[str, float]
        Figures of the held-back part, such as ``f1``.
    """

    config: RunConfig
    classes: tuple[ClassSpec, ...]
    voxel_size: Angstrom
    weights: dict[str, Tensor] = field(repr=False)
    calibration: dict[int, tuple[float, float]]
    thresholds: dict[int, float]
    metrics: dict[str, float]

    def network(self) -> Network:
        """Build the network with these weights.

        Returns
        -------
        Network
            On the CPU.

        Raises
        ------
        CheckpointError
            If the weights do not fit the network that the configuration names.
        """
        network = build(self.config.network, len(self.classes))
        try:
            network.load_state_dict(self.weights)
        except RuntimeError as exc:
            raise CheckpointError(
                f"The weights of this checkpoint do not fit the network {self.config.network.preset!r} that it names: "
                "it was damaged or made by another version; train again."
            ) from exc
        return network


def save_tensors(data: dict[str, Any], path: Path) -> None:
    """Write tensors and plain data whole or not at all.

    Parameters
    ----------
    data : dict
        Tensors, numbers, strings, lists and dictionaries.
    path : Path
        Where to; an older file there survives a failure.

    Raises
    ------
    PickerError
        If the file cannot be written, for example because the disk is full.
    """
    # torch hides why writing failed, so it writes to memory and the file is written here
    buffer = io.BytesIO()
    torch.save(data, buffer)
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load_tensors(path: Path, kind: str, version: int) -> dict[str, Any]:
    """Read what `save_tensors` wrote; nothing is unpickled but tensors and plain data.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        What the file must say it is.
    version : int
        Newest format version that can be read.

    Returns
    -------
    dict
        The data, tensors on the CPU.

    Raises
    ------
    CheckpointError
        If the file is missing, truncated, of another kind or of a newer version.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of what foreign files hold, and then fails
            _check_sums(path)
            data = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as exc:
        raise CheckpointError(f"Expected a {kind} at {path}, but it cannot be opened: {os_reason(exc)}.") from exc
    except _DAMAGED as exc:
        raise CheckpointError(
            f"{path} is not a whole {kind}: it is truncated, damaged or another kind of file; take another one."
        ) from exc
    if not isinstance(data, dict) or data.get("kind") != kind:
        raise CheckpointError(f"{path} is not a {kind}; choose a file that this program's training wrote.")
    if not isinstance(data.get("version"), int) or data["version"] > version:
        raise CheckpointError(
            f"{path} has format version {data.get('version')}, but this program reads up to {version}: update the program."
        )
    return data


def _check_sums(path: Path) -> None:
    """Compare every part with its check sum, which torch writes and never looks at: damaged weights would pick nonsense."""
    with zipfile.ZipFile(path) as archive:
        if (part := archive.testzip()) is not None:
            raise zipfile.BadZipFile(f"{part} is damaged")


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint whole or not at all.

    Parameters
    ----------
    checkpoint : Checkpoint
        What to write.
    path : Path
        Where to; an older checkpoint there survives a failure.

    Raises
    ------
    PickerError
        If the file cannot be written, for example because the disk is full.
    """
    save_tensors({"kind": KIND, "version": VERSION, **plain(checkpoint)}, path)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Parameters
    ----------
    path : Path
        A file that `save_checkpoint` wrote.

    Returns
    -------
    Checkpoint
        Whole and checked.

    Raises
    ------
    CheckpointError
        If the file is missing, truncated, of another kind or of a newer version.
    """
    data = load_tensors(path, KIND, VERSION)
    try:
        return from_plain(data)
    except (LookupError, TypeError, ValueError, AttributeError, ConfigError) as exc:
        raise CheckpointError(f"{path} lacks a part or holds a wrong one ({exc}): it is damaged; train again.") from exc


def plain(checkpoint: Checkpoint) -> dict[str, Any]:
    """Take a checkpoint apart into tensors and plain data.

    Parameters
    ----------
    checkpoint : Checkpoint
        What to take apart.

    Returns
    -------
    dict
        For `from_plain`.
    """
    return {
        "config": asdict(checkpoint.config),
        "classes": [asdict(spec) for spec in checkpoint.classes],
        "voxel_size": float(checkpoint.voxel_size),
        "weights": checkpoint.weights,
        "calibration": {k: [float(v) for v in pair] for k, pair in checkpoint.calibration.items()},
        "thresholds": {k: float(v) for k, v in checkpoint.thresholds.items()},
        "metrics": {k: float(v) for k, v in checkpoint.metrics.items()},
    }


def from_plain(data: dict[str, Any]) -> Checkpoint:
    """Put a checkpoint together again.

    Parameters
    ----------
    data : dict
        From `plain`.

    Returns
    -------
    Checkpoint
        With constructors' checks passed.

    Raises
    ------
    LookupError, TypeError, ValueError, AttributeError, ConfigError
        If a part is missing or of another form.
    """
    return Checkpoint(
        config=config_from_dict(RunConfig, data["config"]),
        classes=tuple(ClassSpec(**spec) for spec in data["classes"]),
        voxel_size=float(data["voxel_size"]),
        weights=dict(data["weights"]),
        calibration={int(k): (v[0], v[1]) for k, v in data["calibration"].items()},
        thresholds={int(k): float(v) for k, v in data["thresholds"].items()},
        metrics={k: float(v) for k, v in data["metrics"].items()},
    )
