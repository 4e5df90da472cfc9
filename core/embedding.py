"""What a network sees where candidates lie: the features of its inner layers, averaged around each centre."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch

from core import device as devices
from core.messages import Progress
from core.network.blocks import ResidualBlock, fold, heights
from core.preprocess import preprocess

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from torch import Tensor, nn

    from core.checkpoint import Checkpoint
    from core.messages import Message
    from core.preprocess import Prepared
    from core.tomogram import Tomogram
    from core.types import Angstrom, FloatArray, Positions, Voxels

STRIDE = 8
SMALLEST, LARGEST = 24, 64  # edges of crops in voxels
ROOM = 1.5  # edge of a crop in diameters
SPREAD = 0.25  # standard deviation of the weight around the centre, in diameters
BATCH_VOXELS = 2**19


def embed(
    tomogram: Tomogram, checkpoint: Checkpoint, positions: Positions, diameter: Angstrom, cache: Path | None = None
) -> Generator[Message, None, FloatArray]:
    """Describe places by the network's own features, as a job.

    A crop around each place goes through the network; of every block of its encoder and decoder, the channels are averaged with a
    Gaussian weight around the centre, over the crop and its mirror image.

    Parameters
    ----------
    tomogram : Tomogram
        Where they lie.
    checkpoint : Checkpoint
        The trained network.
    positions : Positions
        (n, 3) zyx voxels.
    diameter : Angstrom
        Of the particles that are looked for.
    cache : Path | None
        As for `core.preprocess.preprocess`.

    Yields
    ------
    Message
        Progress.

    Returns
    -------
    FloatArray
        (n, channels) features.
    """
    across = diameter / (tomogram.voxel_size or checkpoint.voxel_size)
    prepared = yield from preprocess(tomogram, checkpoint.config.preprocess, cache)
    compute = devices.choose("auto", "auto")
    network = checkpoint.network().eval()
    fold(network)
    network = devices.place(network, compute)
    edge = int(np.clip(-(-ROOM * across // STRIDE) * STRIDE, SMALLEST, LARGEST))
    step = max(1, BATCH_VOXELS // edge**3)
    found = []
    for first in range(0, len(positions), step):
        crops, levels = _crops(prepared, positions[first : first + step], edge)
        x = torch.from_numpy(crops).to(compute.device).contiguous(memory_format=compute.memory_format)
        height = torch.from_numpy(levels).to(compute.device)
        with torch.inference_mode(), compute.autocast():
            found.append((_features(network, x, height, across) + _features(network, x.flip(4), height, across)) / 2)
        yield Progress(stage="Describing picks", done=min(first + step, len(positions)), total=len(positions))
    if not found:
        return np.zeros((0, 1), np.float32)
    return np.asarray(torch.cat(found).float().cpu().numpy(), np.float32)


def _crops(prepared: Prepared, positions: Positions, edge: int) -> tuple[FloatArray, FloatArray]:
    """Cut (n, 1, edge, edge, edge) crops around places, and the (n, edge) heights of their sections."""
    crops, levels, depth = [], [], prepared.tomogram.shape[0]
    for position in positions:
        z, y, x = (int(start) for start in np.rint(position - (edge - 1) / 2))
        crops.append(prepared.block((z, y, x), (edge,) * 3))
        levels.append(heights(z, edge, depth))
    return np.stack(crops)[:, None], np.stack(levels)


def _features(network: nn.Module, x: Tensor, height: Tensor, across: Voxels) -> Tensor:
    with _listening(network) as heard:
        network(x, height)
    pooled = []
    for features in heard:
        weight = _weight(features.shape[2], x.shape[2] // features.shape[2], across).to(features)
        pooled.append((features * weight).sum(dim=(2, 3, 4)))
    return torch.cat(pooled, dim=1)


@contextmanager
def _listening(network: nn.Module) -> Iterator[list[Tensor]]:
    """Collect what the residual blocks of a network return while it is called."""
    heard: list[Tensor] = []
    hooks = [
        module.register_forward_hook(lambda _module, _given, returned: heard.append(returned))
        for module in network.modules()
        if isinstance(module, ResidualBlock)
    ]
    try:
        yield heard
    finally:
        for hook in hooks:
            hook.remove()


def _weight(extent: int, stride: int, across: Voxels) -> Tensor:
    """Return a Gaussian around the middle of a cube, with sum 1."""
    line = (torch.arange(extent) - (extent - 1) / 2) * stride
    line = torch.exp(-0.5 * (line / (SPREAD * across)) ** 2)
    weight = line[:, None, None] * line[None, :, None] * line[None, None, :]
    return weight / weight.sum()
