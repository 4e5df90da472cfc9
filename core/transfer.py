"""Handing on what a network has learnt to one with other classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from core.errors import CheckpointError
from core.network import build

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from core.checkpoint import Checkpoint
    from core.config import NetworkConfig
    from core.particles import ClassSpec
    from core.types import Angstrom

HEAD = ("head.weight", "head.bias")
NEAREST = 2  # known classes that a new one begins as the mean of


def handed_on(start: Checkpoint, network: NetworkConfig, classes: Sequence[ClassSpec], voxel_size: Angstrom) -> dict[str, Tensor]:
    """Return weights to begin with.

    Where the classes are the same, all weights are kept. Otherwise each new class begins as what the old network found of its
    size: the mean of the old classes whose diameters in voxels are nearest to it.

    Parameters
    ----------
    start : Checkpoint
        What was learnt.
    network : NetworkConfig
        The network to begin with.
    classes : Sequence[ClassSpec]
        What it shall find.
    voxel_size : Angstrom
        Mean of the tomograms it shall learn from.

    Returns
    -------
    dict[str, Tensor]
        State of the network.

    Raises
    ------
    CheckpointError
        If the network is another one.
    """
    if network.preset != start.config.network.preset:
        raise CheckpointError(
            f"The checkpoint to start from has the network {start.config.network.preset!r}, not {network.preset!r}: "
            "choose that network, or another checkpoint."
        )
    if [(spec.name, spec.diameter) for spec in classes] == [(spec.name, spec.diameter) for spec in start.classes]:
        return start.weights
    fresh, weights = build(network, len(classes)).state_dict(), dict(start.weights)
    if any(name not in weights or (name not in HEAD and weights[name].shape != fresh[name].shape) for name in fresh):
        raise CheckpointError("The weights of the checkpoint to start from do not fit its network: it was damaged; choose another.")
    known = np.log([spec.diameter / start.voxel_size for spec in start.classes])
    for name in HEAD:
        odds = _odds(weights[name], len(start.classes))
        rows = []
        for spec in classes:
            nearest = np.argsort(np.abs(known - np.log(spec.diameter / voxel_size)), kind="stable")[:NEAREST]
            rows.append(odds[nearest].mean(0))
        if len(classes) > 1:
            rows.insert(0, torch.zeros_like(rows[0]))
        weights[name] = torch.stack(rows).reshape(fresh[name].shape)
    return weights


def _odds(head: Tensor, classes: int) -> Tensor:
    """Bring a head to (classes, sub-voxels, ...) logits of each class against the background."""
    maps = head.reshape(1 if classes == 1 else classes + 1, -1, *head.shape[1:])
    return maps if classes == 1 else maps[1:] - maps[:1]
