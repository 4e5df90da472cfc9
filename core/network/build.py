"""From a configuration to a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.network import fast, published

if TYPE_CHECKING:
    from core.config import NetworkConfig

Network = fast.FastUNet | published.PublishedUNet

STRIDE = max(fast.STRIDE, published.STRIDE)
"""Crops and tiles have extents, and tiles have corners, that are multiples of this."""


def build(config: NetworkConfig, classes: int) -> Network:
    """Make a network with fresh weights.

    Parameters
    ----------
    config : NetworkConfig
        Which network.
    classes : int
        Particle classes, without the background.

    Returns
    -------
    Network
        Its `forward` takes voxels and heights and returns logits: one map for a single class (sigmoid), else one for the
        background and one for each class (softmax).
    """
    channels_out = 1 if classes == 1 else classes + 1
    kinds: dict[str, type[Network]] = {"fast": fast.FastUNet, "published": published.PublishedUNet}
    return kinds[config.preset](channels_out)
