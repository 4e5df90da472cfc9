"""The network of the paper (Liu et al. 2024, doi 10.1038/s41467-024-46041-0)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from core.network.blocks import ResidualBlock, cut, doubled, patch_coordinates, whole, windows

if TYPE_CHECKING:
    from core.network.blocks import Window

FEATURES = (24, 48, 72, 108)
DECODING = 3  # convolutions of a decoder
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
        self.decoders = nn.ModuleList(ResidualBlock(n + coordinates, n, DECODING) for n in down[1:])
        self.head = nn.Conv3d(FEATURES[0], channels_out, 1)

    def forward(self, x: Tensor, height: Tensor, core: Window | None = None) -> Tensor:
        """Compute logits.

        Parameters
        ----------
        x : Tensor
            (batch, 1, z, y, x) normalised voxels; extents are multiples of 8.
        height : Tensor
            Not used: this network knows coordinates within the patch only.
        core : Window | None
            Where the result is wanted, in voxels of `x`; only what it depends on is computed. None means everywhere.

        Returns
        -------
        Tensor
            (batch, channels_out, z, y, x) logits of the core.
        """
        skips: list[Tensor] = []
        features, image = x, x
        for level, encoder in enumerate(self.encoders):
            if level:
                image = nn.functional.avg_pool3d(image, 2)
                features = torch.cat([nn.functional.avg_pool3d(features, 2), image], 1)
            features = encoder(_with_coordinates(features))
            skips.append(features)
        wanted = core or whole(x)
        *needed, at = windows(wanted, x.shape[2:], len(self.decoders), DECODING)
        features = cut(features, at, whole(features))
        for up, decoder, skip, window in zip(self.ups, self.decoders, reversed(skips[:-1]), reversed(needed), strict=True):
            risen = cut(up(features), window, doubled(at)) + cut(skip, window, whole(skip))
            features = decoder(torch.cat([risen, cut(patch_coordinates(skip), window, whole(skip))], 1))
            at = window
        logits: Tensor = self.head(cut(features, wanted, at))
        return logits


def _with_coordinates(x: Tensor) -> Tensor:
    return torch.cat([x, patch_coordinates(x)], 1)
