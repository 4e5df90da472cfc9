"""The parts that both networks are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.types import FloatArray


class ResidualBlock(nn.Module):
    """Convolutions with batch normalisation; the first one's output is added to the last one's.

    The residual block of the published network (Liu et al. 2024, doi 10.1038/s41467-024-46041-0) has three.

    Parameters
    ----------
    channels_in, channels_out : int
        Channels before and after.
    convolutions : int
        Number of 3×3×3 convolutions, at least 2.
    """

    def __init__(self, channels_in: int, channels_out: int, convolutions: int = 3) -> None:
        super().__init__()
        self.first = _convolution(channels_in, channels_out)
        self.rest = nn.Sequential(*(_convolution(channels_out, channels_out) for _ in range(convolutions - 1)))

    def forward(self, x: Tensor) -> Tensor:
        first = self.first(x)
        return nn.functional.elu(first + self.rest(first))


def _convolution(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv3d(channels_in, channels_out, 3, padding=1), nn.BatchNorm3d(channels_out), nn.ReLU(inplace=True))


Window = tuple[tuple[int, int], ...]
"""First voxel and the one after the last along z, y and x, at some level of a network."""


def windows(core: Window, extents: Sequence[int], levels: int, reach: int) -> list[Window]:
    """Work out what a decoder must see at each level for its result to be right within a core.

    Parameters
    ----------
    core : Window
        What is wanted, at the finest level of the network.
    extents : Sequence[int]
        (z, y, x) extents of that level; each level below has half of them.
    levels, reach : int
        How many decoders there are, and how far each of them sees in voxels of its level.

    Returns
    -------
    list[Window]
        Of the decoders, finest first, and of the level beneath them.
    """
    found, wanted, size = [], core, list(extents)
    for _ in range(levels):
        found.append(tuple((max(a - reach, 0), min(b + reach, n)) for (a, b), n in zip(wanted, size, strict=True)))
        size = [n // 2 for n in size]
        # a transposed convolution of three looks at its neighbour above; one of two looks at none
        wanted = tuple((a // 2, min(b // 2 + 1, n)) for (a, b), n in zip(found[-1], size, strict=True))
    return [*found, wanted]


def cut(x: Tensor, window: Window, start: Window) -> Tensor:
    """Take a window out of a tensor that begins elsewhere.

    Parameters
    ----------
    x : Tensor
        (batch, channels, z, y, x).
    window, start : Window
        What is wanted, and where the tensor lies, at the same level.

    Returns
    -------
    Tensor
        A view.
    """
    z, y, w = (slice(a - o, b - o) for (a, b), (o, _) in zip(window, start, strict=True))
    return x[:, :, z, y, w]


def doubled(window: Window) -> Window:
    """Return the same window at the next finer level."""
    return tuple((2 * a, 2 * b) for a, b in window)


def whole(x: Tensor) -> Window:
    """Return the window that is all of a tensor."""
    return tuple((0, n) for n in x.shape[2:])


def fold(network: nn.Module) -> None:
    """Fold every batch normalisation into the convolution before it: the same result with less work, for inference only.

    Parameters
    ----------
    network : Module
        In evaluation mode; changed in place.
    """
    for part in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        if len(part) == 3 and isinstance(part[0], nn.Conv3d) and isinstance(part[1], nn.BatchNorm3d):
            part[0] = fuse_conv_bn_eval(part[0], part[1])
            del part[1]


def patch_coordinates(x: Tensor) -> Tensor:
    """Coordinates within the patch, as the published coordinate convolution has them.

    Parameters
    ----------
    x : Tensor
        (batch, channels, z, y, x).

    Returns
    -------
    Tensor
        (batch, 3, z, y, x), each channel running from -1 to 1 along its axis.
    """
    axes = [torch.linspace(-1, 1, n, device=x.device, dtype=x.dtype) for n in x.shape[2:]]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"))
    return grid.expand(x.shape[0], -1, -1, -1, -1)


def height_channel(height: Tensor, x: Tensor, stride: int) -> Tensor:
    """Spread the height above the tomogram's middle plane over a level of the network.

    Parameters
    ----------
    height : Tensor
        (batch, z) height of each full-resolution section, 0 in the middle plane and 1 at the faces.
    x : Tensor
        (batch, channels, z / stride, y / stride, x / stride).
    stride : int
        Full-resolution voxels per voxel of this level.

    Returns
    -------
    Tensor
        (batch, 1, z / stride, y / stride, x / stride).
    """
    level = nn.functional.avg_pool1d(height[:, None], stride)[:, :, :, None, None]
    return level.to(x.dtype).expand(-1, -1, -1, *x.shape[3:])


def heights(start: int, sections: int, depth: int) -> FloatArray:
    """Return the height of sections above a tomogram's middle plane.

    Parameters
    ----------
    start, sections : int
        First section and how many; they may reach past the tomogram.
    depth : int
        Sections of the tomogram.

    Returns
    -------
    FloatArray
        (sections,) 0 in the middle plane and 1 at the faces and beyond.
    """
    middle = (depth - 1) / 2
    z = np.arange(start, start + sections, dtype=np.float32)
    height: FloatArray = np.minimum(np.abs(z - middle) / max(middle, 0.5), 1).astype(np.float32)
    return height
