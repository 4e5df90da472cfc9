"""The part of training that has a state: weights, their running average, and the optimiser."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import torch
from torch.optim.swa_utils import AveragedModel

from core.augment import vary_intensity
from core.device import moved, place
from core.hidden import ENOUGH, FIRST_SHARE, LARGEST_SHARE, hidden_share, likeness, spared
from core.losses import POSITIVE_WEIGHT, channel_targets, masked_cross_entropy, masked_dice
from core.network import build
from core.peers import pool_norms
from core.sampling import Trust

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from core.config import RunConfig
    from core.device import Compute
    from core.network import Network
    from core.peers import Peers
    from core.sampling import Crop

WARM_UP = 0.1  # part of the budget
INITIAL, FINAL = 1 / 30, 1 / 3000  # of the peak learning rate, as in the published one-cycle schedule
LARGEST_GRADIENT = 5.0  # norm beyond which a gradient is shortened
MEMORY = 0.9  # of the share's running average, for each step


class Learner:
    """A network in training.

    Parameters
    ----------
    config : RunConfig
        Network and training.
    classes : int
        Particle classes.
    compute : Compute
        Where and in which arithmetic.
    clicks : float
        How many particles of a class are known, in the mean.

    Attributes
    ----------
    network : Network
        With the weights of the last step.
    share : float
        Part of the unlabelled voxels that belong to particles, as the network itself has it lately.
    whole : bool
        False from the moment that weights change until whoever counts the steps has counted this one and sets it; a state in
        between, which an interrupt may leave, is not one to resume from.
    """

    def __init__(self, config: RunConfig, classes: int, compute: Compute, clicks: float = 0.0) -> None:
        torch.manual_seed(config.train.seed)
        self.config = config.train
        self.compute = compute
        self.network = place(build(config.network, classes), compute)
        self.average = _running_average(self.network, config.train.average)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=config.train.learning_rate, betas=(0.9, 0.99), weight_decay=0.01
        )
        self._scaler = torch.amp.GradScaler(compute.device.type, enabled=compute.dtype == torch.float16)
        self.share, self._sampled = FIRST_SHARE, clicks >= ENOUGH
        self.whole = True
        self.peers: Peers | None = None

    @property
    def best_network(self) -> Network:
        """The averaged network, or the network itself where nothing is averaged."""
        return self.network if self.average is None else cast("Network", self.average.module)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the last step."""
        return float(self.optimiser.param_groups[0]["lr"])

    @property
    def rows(self) -> range | None:
        """Which crops of every step are its own; None for all."""
        return None if self.peers is None else self.peers.rows(self.config.batch)

    def begin(self, weights: dict[str, Tensor]) -> None:
        """Begin with other weights than fresh ones.

        Parameters
        ----------
        weights : dict[str, Tensor]
            State of the network.
        """
        self.network.load_state_dict(weights)
        self.average = _running_average(self.network, self.config.average)

    def join(self, peers: Peers) -> None:
        """Take only a share of every step from now on, together with others.

        Parameters
        ----------
        peers : Peers
            Who trains beside.
        """
        self.peers = peers
        pool_norms(self.network, peers.world)

    def state(self) -> dict[str, Any]:
        """Return all that continuing needs, as tensors and plain data.

        Returns
        -------
        dict
            For `load_state`.
        """
        return {
            "network": self.network.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
            "share": self.share,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from a state.

        Parameters
        ----------
        state : dict
            From `state`.
        """
        self.network.load_state_dict(state["network"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self._scaler.load_state_dict(state["scaler"])
        self.share = float(state["share"])

    def step(self, crops: Sequence[Crop], seed: int, learning_rate: float) -> float:
        """Learn from crops; crops whose loss or gradient is not finite change nothing.

        Parameters
        ----------
        crops : Sequence[Crop]
            From a `Sampler`.
        seed : int
            Seed of the noise that is added.
        learning_rate : float
            For this step.

        Returns
        -------
        float
            The loss; not finite if nothing was learnt.
        """
        self.network.train()
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        loss, share = self._gradient(crops, seed)
        if math.isfinite(loss):
            self.whole = False
            if share is not None:
                self.share = MEMORY * self.share + (1 - MEMORY) * min(share, LARGEST_SHARE)
            self._scaler.step(self.optimiser)
            if self.average is not None:
                self.average.update_parameters(self.network)
        self._scaler.update()
        return loss

    def _gradient(self, crops: Sequence[Crop], seed: int) -> tuple[float, float | None]:
        """Compute loss and gradient, and the share seen; where they are not finite or something interrupts, all is as before."""
        self.optimiser.zero_grad(set_to_none=True)
        statistics = [(buffer, buffer.clone()) for buffer in self.network.buffers()]  # the forward pass moves them
        finite = False
        try:
            loss, share = self._loss(crops, seed)
            torch.autograd.backward(self._scaler.scale(loss))
            if self.peers is not None:
                self.peers.add_up(parameter.grad for parameter in self.network.parameters())
            self._scaler.unscale_(self.optimiser)
            norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
            finite = bool(torch.isfinite(loss) & (torch.isfinite(norm) | self._scaler.is_enabled()))
        finally:
            if not finite:
                for buffer, before in statistics:
                    buffer.copy_(before)
        return (float(loss.detach()), share) if finite else (math.nan, None)

    @torch.no_grad()
    def validation_loss(self, crops: Sequence[Crop]) -> float:
        """Measure the loss of the averaged network.

        Parameters
        ----------
        crops : Sequence[Crop]
            Crops of the held-back part.

        Returns
        -------
        float
            The loss.
        """
        return float(self._loss(crops, None, self.best_network.eval())[0])

    def _loss(self, crops: Sequence[Crop], seed: int | None, network: Network | None = None) -> tuple[Tensor, float | None]:
        device, patch = self.compute.device, len(crops[0].classes)
        images = torch.stack([c.pose.block(moved(c.block, device), patch) for c in crops])[:, None]
        if seed is not None and self.config.augment:
            images = self._varied(images, torch.Generator(device).manual_seed(seed))
        height = torch.stack([moved(c.heights, device) for c in crops])
        classes = torch.stack([moved(c.classes, device) for c in crops])
        trust = torch.stack([moved(c.trust, device) for c in crops])[:, None]
        with self.compute.autocast():
            logits = (network or self.network)(images.contiguous(memory_format=self.compute.memory_format), height)
        if self.peers is not None and seed is not None:
            logits, classes, trust = (self.peers.gathered(one) for one in (logits, classes, trust))
        targets = channel_targets(classes, logits.shape[1])
        likely = likeness(logits)
        part = self.config.hard_margin * self.share
        weights = spared((trust > Trust.NOTHING).float(), likely, trust == Trust.UNLABELLED, part)
        loss = masked_dice(logits, targets, weights)
        mixed = self.config.loss == "mixed"
        if mixed:
            loss = loss + masked_cross_entropy(logits, targets, weights, POSITIVE_WEIGHT)
        clicked = classes[:, None] > 0 if self._sampled else None
        return loss, hidden_share(trust, clicked, likely, POSITIVE_WEIGHT if mixed else 1.0)

    def _varied(self, images: Tensor, generator: torch.Generator) -> Tensor:
        if self.peers is None:
            return vary_intensity(images, generator)
        return vary_intensity(self.peers.spread(images), generator)[self.peers.rows(len(images) * self.peers.world)]


def _running_average(network: Network, decay: float) -> AveragedModel | None:
    if not decay:
        return None

    def average(averaged: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        """Forget faster at first, when the weights are still far from where they will be."""
        if not averaged.is_floating_point():
            return current
        return averaged.lerp(current, 1 - min(decay, (1 + int(count)) / (10 + int(count))))

    return AveragedModel(network, avg_fn=average, use_buffers=True)


def learning_rate(peak: float, fraction: float) -> float:
    """Follow the one-cycle schedule: a cosine up over the first tenth, a cosine down over the rest.

    Parameters
    ----------
    peak : float
        Largest learning rate.
    fraction : float
        Part of the budget that is used up, 0..1.

    Returns
    -------
    float
        Learning rate of the next step.
    """
    if fraction < WARM_UP:
        start, end, along = INITIAL, 1.0, fraction / WARM_UP
    else:
        start, end, along = 1.0, FINAL, (fraction - WARM_UP) / (1 - WARM_UP)
    return peak * (end + (start - end) * (1 + math.cos(math.pi * min(along, 1.0))) / 2)
