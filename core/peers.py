"""Processes that train one network together: each takes its share of a step, and all come to the weights that one process would."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

import torch
import torch.distributed as dist
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PATIENCE = timedelta(hours=12)  # while the first of them validates, the others wait


class Peers:
    """The place of one process among those that train together, on one machine.

    Parameters
    ----------
    rank, world : int
        Which of how many.
    place : Path
        A file that does not exist yet, the same for all of them, where they find each other.
    device : torch.device
        Where tensors live: NCCL on CUDA, else Gloo.
    """

    def __init__(self, rank: int, world: int, place: Path, device: torch.device) -> None:
        self.rank, self.world, self._device = rank, world, device
        if device.type == "cuda":
            torch.cuda.set_device(rank)
        elif sys.platform == "linux":
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # nobody from outside may join
        backend = "nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backend, init_method=f"file://{place}", rank=rank, world_size=world, timeout=PATIENCE)

    def rows(self, batch: int) -> range:
        """Return which crops of a step are this process's share.

        Parameters
        ----------
        batch : int
            Crops of the step; a multiple of the number of processes.

        Returns
        -------
        range
            As many for each.
        """
        share = batch // self.world
        return range(self.rank * share, (self.rank + 1) * share)

    def told(self, values: Any = None) -> Any:
        """Tell all others something, or hear it.

        Parameters
        ----------
        values : Any
            What the first process says; of the others it is not looked at.

        Returns
        -------
        Any
            What the first process said.
        """
        box = [values]
        dist.broadcast_object_list(box, src=0, device=self._device if self._device.type == "cuda" else None)
        return box[0]

    def gathered(self, share: Tensor) -> Tensor:
        """Join the shares of all; a gradient flows to one's own.

        Parameters
        ----------
        share : Tensor
            (rows, …), of the same shape in every process.

        Returns
        -------
        Tensor
            (rows × processes, …).
        """
        parts = [torch.empty_like(share, memory_format=torch.contiguous_format) for _ in range(self.world)]
        dist.all_gather(parts, share.detach().contiguous())
        parts[self.rank] = share
        return torch.cat(parts)

    def spread(self, share: Tensor) -> Tensor:
        """Put one's share into its place among zeros.

        Parameters
        ----------
        share : Tensor
            (rows, …).

        Returns
        -------
        Tensor
            (rows × processes, …), for chance that is drawn for the whole step.
        """
        whole = share.new_zeros((len(share) * self.world, *share.shape[1:]))
        whole[self.rank * len(share) : (self.rank + 1) * len(share)] = share
        return whole

    def add_up(self, tensors: Iterable[Tensor | None]) -> None:
        """Add up tensors over all processes, in place.

        Parameters
        ----------
        tensors : Iterable[Tensor | None]
            Such as gradients, in the same order everywhere.
        """
        for tensor in tensors:
            if tensor is not None:
                dist.all_reduce(tensor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        dist.destroy_process_group()


class _Sum(torch.autograd.Function):
    """The sum over all processes; so is its gradient."""

    @staticmethod
    def forward(_context: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total


class PooledNorm(nn.BatchNorm3d):
    """Batch normalisation with the statistics of the crops of all processes; by itself it is the usual one."""

    world = 1

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return super().forward(input)
        x, over = input.float(), (0, 2, 3, 4)
        count = x.numel() // x.shape[1] * self.world
        mean = _summed(x.sum(over)) / count
        centred = x - mean[:, None, None, None]
        variance = _summed(centred.square().sum(over)) / count
        with torch.no_grad():
            momentum = 0.1 if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance * (count / max(count - 1, 1)), momentum)
            self.num_batches_tracked += 1
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale[:, None, None, None] + self.bias[:, None, None, None]).to(input.dtype)


def _summed(x: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(x)  # type: ignore[no-untyped-call]
    return total


def pool_norms(module: nn.Module, world: int) -> None:
    """Have the batch normalisations of a network use the statistics of all processes; its parameters stay the same objects.

    Parameters
    ----------
    module : nn.Module
        The network.
    world : int
        How many processes.
    """
    for name, inner in module.named_children():
        if isinstance(inner, nn.BatchNorm3d):
            pooled = PooledNorm(inner.num_features, inner.eps, inner.momentum)
            pooled.weight, pooled.bias, pooled.world = inner.weight, inner.bias, world
            pooled.running_mean, pooled.running_var = inner.running_mean, inner.running_var
            pooled.num_batches_tracked = inner.num_batches_tracked
            setattr(module, name, pooled)
        else:
            pool_norms(inner, world)
