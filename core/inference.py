"""From a tomogram to probabilities, tile by tile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from core.device import free_memory, place
from core.losses import probabilities
from core.network.blocks import heights
from core.network.build import STRIDE
from core.tiling import plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from core.config import PickConfig
    from core.device import Compute
    from core.network import Network
    from core.preprocess import Prepared
    from core.tiling import Tile
    from core.tomogram import Box
    from core.types import FloatArray

BYTES_PER_VOXEL = {"fast": 110, "published": 520}
"""Peak memory of a forward pass in single precision, per voxel of the tile; measured, rounded up."""

OVERLAP = {"fast": 32, "published": 12}
"""Context in voxels: what the fast network needs for tiles to agree with the whole, and what was published."""

LARGEST_TILE = 256  # beyond this, tiles gain little and progress becomes coarse


@dataclass(frozen=True, slots=True)
class Scanner:
    """A network ready to score tomograms.

    Attributes
    ----------
    network : Network
        In evaluation mode, on the device of `compute`.
    compute : Compute
        Where and in which arithmetic.
    tile, overlap : int
        Largest edge of a tile and context on each side, in voxels.
    turns : int
        Quarter turns about z over which the map is averaged: 1 or 4.
    fixed : bool
        Whether every tile has the full edge, as a network needs whose coordinates are those within the tile.
    """

    network: Network
    compute: Compute
    tile: int
    overlap: int
    turns: int = 1
    fixed: bool = False

    def tiles(self, region: Box) -> list[Tile]:
        """Cut a region into tiles.

        Parameters
        ----------
        region : Box
            What must be scored.

        Returns
        -------
        list[Tile]
            In z, y, x order.
        """
        return plan(region, self.tile, self.overlap, STRIDE, self.fixed)

    def scores(self, prepared: Prepared, tiles: list[Tile]) -> Iterator[tuple[Tile, NDArray[np.float16]]]:
        """Score tiles one after the other.

        Parameters
        ----------
        prepared : Prepared
            The normalised tomogram.
        tiles : list[Tile]
            From `tiles`.

        Yields
        ------
        tuple[Tile, NDArray[np.float16]]
            The tile and the (classes, z, y, x) probabilities of its core.
        """
        for tile in tiles:
            block = prepared.block(tile.outer.low, tile.outer.shape)
            map_ = self._score(block, heights(tile.outer.low[0], len(block), prepared.tomogram.shape[0]))
            yield tile, map_[(slice(None), *tile.inner)].to(torch.float16).cpu().numpy()

    @torch.inference_mode()
    def _score(self, block: FloatArray, height: FloatArray) -> Tensor:
        device = self.compute.device
        x = torch.from_numpy(block)[None, None].to(device)
        h = torch.from_numpy(height)[None].to(device)
        total: Tensor | None = None
        for turn in range(self.turns):
            turned = torch.rot90(x, turn, (3, 4)).contiguous(memory_format=self.compute.memory_format)
            with self.compute.autocast():
                p = torch.rot90(probabilities(self.network(turned, h)), -turn, (3, 4))[0]
            total = p if total is None else total + p
        if total is None:
            raise ValueError(f"turns must be at least 1, not {self.turns}")
        return (total[1:] if len(total) > 1 else total) / self.turns


def scanner(network: Network, preset: str, patch: int, compute: Compute, config: PickConfig) -> Scanner:
    """Make a network ready to score tomograms.

    Parameters
    ----------
    network : Network
        With its trained weights.
    preset : str
        Which network it is; the published one is tied to tiles of the training patch by its coordinates, whatever is set.
    patch : int
        Edge of the training crops in voxels.
    compute : Compute
        Where and in which arithmetic.
    config : PickConfig
        Tile, overlap and turns.

    Returns
    -------
    Scanner
        The network is moved to the device and put into evaluation mode.
    """
    ready = place(network, compute).eval()
    tied = preset == "published"
    tile = patch if tied else config.tile or _fitting_tile(preset, compute.device)
    overlap = min(config.overlap or OVERLAP[preset], (tile - 1) // 2 // STRIDE * STRIDE)
    return Scanner(ready, compute, tile, overlap, 4 if config.flips else 1, tied)


def _fitting_tile(preset: str, device: torch.device) -> int:
    room = 0.25 * free_memory(device) / BYTES_PER_VOXEL[preset]
    return int(np.clip(room ** (1 / 3) // 16 * 16, 64, LARGEST_TILE))
