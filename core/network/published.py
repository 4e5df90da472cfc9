"""The network of the paper (Liu et al. 2024, doi 10.1038/s41467-024-46041-0)."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from core.network.blocks import ResidualBlock, patch_coordinates

FEATURES = (24, 48, 72, 108)
STRIDE = 8  # extents of the input must be multiples of this


class PublishedUNet(nn.Module):
    """Residual U-Net with image pyramid and coordinate convolution; 2 429 845 parameters for one class.

    Parameters
    ----------
    channels_out : int
        Logit maps: 1 for one class, classes + 1 for several.
    """

    def __init__(self, channels_out: int) -> None:
        super().__init__()
        coordinates, pyramid = 3, 1
        before = (1, *(n + pyramid for n in FEATURES[:-1]))
        self.encoders = nn.ModuleList(ResidualBlock(a + coordinates, b) for a, b in zip(before, FEATURES, strict=True))
        down = tuple(reversed(FEATURES))
        self.ups = nn.ModuleList(
            nn.ConvTranspose3d(a, b, 3, stride=2, padding=1, output_padding=1) for a, b in itertools.pairwise(down)
        )
        self.decoders = nn.ModuleList(ResidualBlock(n + coordinates, n) for n in down[1:])
        self.head = nn.Conv3d(FEATURES[0], channels_out, 1)

    def forward(self, x: Tensor, height: Tensor) -> Tensor:
        """Compute logits.

        Parameters
        ----------
        x : Tensor
            (batch, 1, z, y, x) normalised voxels; extents are multiples of 8.
        height : Tensor
            Not used: this network knows coordinates within the patch only.

        Returns
        -------
        Tensor
            (batch, channels_out, z, y, x) logits.
        """
        skips: list[Tensor] = []
        features, image = x, x
        for level, encoder in enumerate(self.encoders):
            if level:
                image = nn.functional.avg_pool3d(image, 2)
                features = torch.cat([nn.functional.avg_pool3d(features, 2), image], 1)
            features = encoder(_with_coordinates(features))
            skips.append(features)
        for up, decoder, skip in zip(self.ups, self.decoders, reversed(skips[:-1]), strict=True):
            features = decoder(_with_coordinates(up(features) + skip))
        logits: Tensor = self.head(features)
        return logits


def _with_coordinates(x: Tensor) -> Tensor:
    return torch.cat([x, patch_coordinates(x)], 1)
