"""A head fitted to the clicks on what a network sees already, before any of its other weights move (linear probing)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from core.hidden import spared
from core.losses import POSITIVE_WEIGHT
from core.messages import Progress
from core.sampling import Trust

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from core.learner import Learner
    from core.messages import Message
    from core.sampling import Crop, Sampler

EACH, MOST = 16, 96  # crops for each class, and in all
FIRST = 1 << 20  # number of the first step whose crops are drawn, which no training comes to
SPARED = 0.02  # of the unlabelled voxels, those that look most like a particle are left out
OTHERS = 3.0  # times as many voxels of the background as of particles are looked at
ITERATIONS = 60
STIFFNESS = 1e-4  # pull towards the head as it was, for each weight


def linear_probe(learner: Learner, sampler: Sampler, classes: int) -> Generator[Message, None, None]:
    """Fit the last layer of a network to clicks, on features that stay as they are.

    A logistic regression takes seconds, where steps of training would take minutes to come as far.

    Parameters
    ----------
    learner : Learner
        With a `core.network.fast.FastUNet`, whose head gives 8 sub-voxels for every voxel that it sees; the head is changed.
    sampler : Sampler
        Draws crops around the clicks.
    classes : int
        Particle classes.

    Yields
    ------
    Message
        Progress.
    """
    batches = -(-min(EACH * classes, MOST) // sampler.train.batch)
    seen: list[_Seen] = []
    for number in range(batches):
        yield Progress(stage="Looking at the clicks", done=number, total=batches)
        seen.append(_looked_at(learner, sampler.batch(FIRST + number), number))
    features, labels, weights, unlabelled = (torch.cat(part) for part in zip(*seen, strict=True))
    before = learner.network.state_dict()
    fit = _Fit(features, labels, weights, unlabelled, before["head.weight"].flatten(1).float(), before["head.bias"].float())
    for _ in range(ITERATIONS // 5):
        yield Progress(stage="Looking at the clicks", done=batches, total=batches)
        fit.go_on(5)
    weight, bias = fit.head()
    learner.begin(before | {"head.weight": weight.reshape(before["head.weight"].shape), "head.bias": bias})


_Seen = tuple[Tensor, Tensor, Tensor, Tensor]
"""Of some voxels of the last layer but one: features, class ids, weights, and whether unlabelled, of their 8 sub-voxels."""


@torch.no_grad()
def _looked_at(learner: Learner, crops: Sequence[Crop], seed: int) -> _Seen:
    network, device, patch = learner.network.eval(), learner.compute.device, len(crops[0].classes)
    images = torch.stack([crop.pose.block(torch.from_numpy(crop.block).to(device), patch) for crop in crops])[:, None]
    height = torch.stack([torch.from_numpy(crop.heights) for crop in crops]).to(device)
    kept: list[Tensor] = []
    hook = network.head.register_forward_pre_hook(lambda _, given: kept.append(given[0]))
    try:
        with learner.compute.autocast():
            network(images.contiguous(memory_format=learner.compute.memory_format), height)
    finally:
        hook.remove()
    features = kept[0].float().movedim(1, -1).flatten(0, 3)
    classes = torch.cat([_split(torch.from_numpy(crop.classes)) for crop in crops]).to(device)
    trust = torch.cat([_split(torch.from_numpy(crop.trust)) for crop in crops]).to(device)
    particle = (classes > 0).any(1)
    empty = torch.nonzero(~particle & (trust > Trust.NOTHING).any(1))[:, 0]
    wanted = min(int(OTHERS * particle.sum()) + 1, len(empty))
    drawn = empty[torch.randperm(len(empty), generator=torch.Generator().manual_seed(seed))[:wanted].to(device)]
    rows = torch.cat([torch.nonzero(particle)[:, 0], drawn])
    each = torch.ones(len(rows), device=device)
    each[len(rows) - wanted :] = len(empty) / max(wanted, 1)
    weights = each[:, None] * (trust[rows] > Trust.NOTHING) * (1 + (POSITIVE_WEIGHT - 1) * (classes[rows] > 0))
    return features[rows], classes[rows].long(), weights, trust[rows] == Trust.UNLABELLED


def _split(voxels: Tensor) -> Tensor:
    """Bring a cube of voxels to (half voxels, 8) sub-voxels, as the network's head has them."""
    n = len(voxels) // 2
    return voxels.view(n, 2, n, 2, n, 2).permute(0, 2, 4, 1, 3, 5).reshape(-1, 8)


class _Fit:
    """A logistic regression on standardised features, pulled towards the head as it was."""

    def __init__(self, features: Tensor, labels: Tensor, weights: Tensor, unlabelled: Tensor, weight: Tensor, bias: Tensor) -> None:
        self._mean, self._deviation = features.mean(0), features.std(0) + 1e-6
        self._x = (features - self._mean) / self._deviation
        self._labels, self._weights, self._unlabelled = labels, weights, unlabelled
        self._first = weight * self._deviation, bias + weight @ self._mean
        self._moved = [torch.zeros_like(part, requires_grad=True) for part in self._first]
        self._optimiser: torch.optim.LBFGS | None = None

    def go_on(self, iterations: int) -> None:
        """Take some steps of L-BFGS."""
        if self._optimiser is None:
            self._optimiser = torch.optim.LBFGS(self._moved, max_iter=iterations, line_search_fn="strong_wolfe")
        self._optimiser.step(self._closure)  # type: ignore[no-untyped-call]

    def head(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias for features as they are."""
        weight, bias = (first + moved.detach() for first, moved in zip(self._first, self._moved, strict=True))
        weight = weight / self._deviation
        return weight, bias - weight @ self._mean

    def _closure(self) -> Tensor:
        for part in self._moved:
            part.grad = None
        loss = self._loss()
        torch.autograd.backward(loss)
        return loss

    def _loss(self) -> Tensor:
        weight, bias = (first + moved for first, moved in zip(self._first, self._moved, strict=True))
        logits = (self._x @ weight.T + bias).view(len(self._x), -1, 8)
        single = logits.shape[1] == 1
        with torch.no_grad():
            likely = logits[:, 0] if single else logits[:, 1:].logsumexp(1) - logits[:, 0]
            weights = spared(self._weights, likely, self._unlabelled, SPARED)
        if single:
            each = binary_cross_entropy_with_logits(logits[:, 0], (self._labels > 0).float(), reduction="none")
        else:
            each = cross_entropy(logits, self._labels, reduction="none")
        return (each * weights).sum() / weights.sum() + STIFFNESS * self._moved[0].square().sum()
