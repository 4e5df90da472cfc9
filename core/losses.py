"""What training minimises: Dice and cross-entropy where the label is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

SMOOTH = 1.0  # of the published soft Dice
POSITIVE_WEIGHT = 5.0  # of a particle's voxels in the cross-entropy of training


def channel_targets(classes: Tensor, channels: int) -> Tensor:
    """Spread class ids over the channels of a network.

    Parameters
    ----------
    classes : Tensor
        (batch, z, y, x) class indices, 0 for the background.
    channels : int
        1 for a single class, classes + 1 for several.

    Returns
    -------
    Tensor
        (batch, channels, z, y, x) ones and zeros.
    """
    if channels == 1:
        return (classes > 0).float()[:, None]
    return torch.nn.functional.one_hot(classes.long(), channels).movedim(-1, 1).float()


def probabilities(logits: Tensor) -> Tensor:
    """Turn logits into probabilities: sigmoid for one channel, softmax for several.

    Parameters
    ----------
    logits : Tensor
        (batch, channels, z, y, x).

    Returns
    -------
    Tensor
        Of the same shape, float32.
    """
    return logits.float().sigmoid() if logits.shape[1] == 1 else logits.float().softmax(1)


def masked_dice(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Soft Dice loss over the whole batch, mean over channels.

    Parameters
    ----------
    logits, targets : Tensor
        (batch, channels, z, y, x).
    weights : Tensor
        (batch, 1, z, y, x) at least 0; 0 where the label is not known.

    Returns
    -------
    Tensor
        Scalar, 0 for a perfect map and near 1 for a useless one.
    """
    p, over = probabilities(logits), (0, 2, 3, 4)
    overlap = (p * targets * weights).sum(over)
    total = ((p + targets) * weights).sum(over)
    return (1 - (2 * overlap + SMOOTH) / (total + SMOOTH)).mean()


def masked_cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor, positive: float) -> Tensor:
    """Cross-entropy, weighted mean over the voxels whose label is known.

    Parameters
    ----------
    logits, targets : Tensor
        (batch, channels, z, y, x).
    weights : Tensor
        (batch, 1, z, y, x) at least 0.
    positive : float
        How many times more a particle's voxel counts than one of the background.

    Returns
    -------
    Tensor
        Scalar.
    """
    logits = logits.float()
    if logits.shape[1] == 1:
        each = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        foreground = targets
    else:
        each = -(targets * logits.log_softmax(1)).sum(1, keepdim=True)
        foreground = 1 - targets[:, :1]
    weights = weights * (1 + (positive - 1) * foreground)
    return (each * weights).sum() / weights.sum().clamp_min(1.0)
