"""Particles that nobody clicked, among the voxels taught as background: how many hide there, and which to leave out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from core.losses import probabilities
from core.sampling import Trust

if TYPE_CHECKING:
    from torch import Tensor

FIRST_SHARE = 0.01  # of the unlabelled voxels that are taken to be particles before the network has said anything
LARGEST_SHARE = 0.05  # more than this would be a tomogram full of particles
TYPICAL = 0.5  # part of the clicked voxels from which on they say how high particles score
STEPS = 11  # parts that are tried
ENOUGH = 20  # clicks of a class from which on they are a sample; fewer are learnt by heart and score higher than what is hidden


@torch.no_grad()
def likeness(logits: Tensor) -> Tensor:
    """Say how much every voxel looks like a particle of any class.

    Parameters
    ----------
    logits : Tensor
        (batch, channels, z, y, x).

    Returns
    -------
    Tensor
        (batch, 1, z, y, x) probabilities.
    """
    p = probabilities(logits)
    return p if p.shape[1] == 1 else 1 - p[:, :1]


@torch.no_grad()
def spared(weights: Tensor, likely: Tensor, unlabelled: Tensor, part: float) -> Tensor:
    """Leave out a part of the unlabelled voxels, those that look most like a particle: some of them are one.

    Parameters
    ----------
    weights : Tensor
        What each voxel counts.
    likely : Tensor
        How much it looks like a particle; of the shape of `weights`, as `unlabelled` is.
    unlabelled : Tensor
        Whether nobody has said what it is.
    part : float
        Of the unlabelled ones, 0..1.

    Returns
    -------
    Tensor
        The weights, 0 where voxels are left out.
    """
    rows = torch.nonzero(unlabelled.flatten())[:, 0]
    count = int(part * len(rows))
    if not count:
        return weights
    kept = weights.clone()
    kept.view(-1)[rows[likely.flatten()[rows].topk(count, sorted=False).indices]] = 0
    return kept


@torch.no_grad()
def hidden_share(trust: Tensor, clicked: Tensor | None, likely: Tensor, positive_weight: float) -> float | None:
    """Expect a part of the unlabelled voxels, if there are any, to belong to particles.

    It is what the probabilities add up to, with what the loss weighs more taken back, but no more than the clicks allow: they are a
    sample of all particles, so where at least half of the clicked voxels score above a threshold, about as large a part of the
    hidden ones does, and the unlabelled voxels above it bound their number.

    Parameters
    ----------
    trust : Tensor
        Values of `Trust`.
    clicked : Tensor | None
        Whether a voxel lies in the label of a clicked particle; of the shape of `trust`, as `likely` is. None where there are
        too few clicks to go by.
    likely : Tensor
        From `likeness`.
    positive_weight : float
        How many times more a particle's voxel counts in the loss.

    Returns
    -------
    float | None
        0..1; None where no voxel is unlabelled.
    """
    unlabelled = likely[trust == Trust.UNLABELLED]
    if not len(unlabelled):
        return None
    promised = float((unlabelled / (unlabelled + positive_weight * (1 - unlabelled))).mean())
    if clicked is None or not (known := likely[clicked & (trust == Trust.LABEL)].sort(descending=True).values).numel():
        return promised
    least = torch.linspace(TYPICAL, 1, STEPS, device=known.device)
    above = torch.stack([(unlabelled >= threshold).float().mean() for threshold in known[(least * (len(known) - 1)).long()]])
    return min(promised, float((above / least).min()))
