"""From a tomogram to probabilities, tile by tile."""

from __future__ import annotations

import copy
import math
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from core.device import fetched, free_memory, out_of_memory, pinned, place
from core.errors import PickerError
from core.losses import probabilities
from core.memory import forget
from core.messages import Notice
from core.network.blocks import fold, heights
from core.network.build import STRIDE
from core.tiling import Grid, best_shape, halves, plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from core.config import PickConfig
    from core.device import Compute
    from core.network import Network
    from core.network.blocks import Window
    from core.preprocess import Prepared
    from core.tiling import Tile
    from core.tomogram import Box
    from core.types import FloatArray, Shape

    Fetch = Callable[[], NDArray[np.float16]]

BYTES_PER_VOXEL = {"fast": 80, "published": 520}
"""Peak memory of a forward pass in single precision, per voxel of the tile; measured, rounded up."""

OVERLAP = {"fast": 32, "published": 12}
"""Context in voxels: what the fast network needs for tiles to agree with the whole, and what was published."""

OUTSIDE = {"fast": 32, "published": 12}
"""How much of the context may be mirrored voxels beyond a face of the volume."""

LARGEST = {"cpu": 10**9, "cuda": 2**33, "mps": 2**32}
"""Bytes for one tile beyond which tiles gain little and progress becomes coarse; on the host, where the score map is too, fewer."""

PART = 0.25
"""Of the free memory, for one tile."""


BEHIND = {"cuda": 1}
"""How many tiles are under way on a device when the next one is given to it, so that it need not wait for the host."""


@dataclass(slots=True, kw_only=True)
class Scanner:
    """A network ready to score tomograms.

    Attributes
    ----------
    network : Network
        In evaluation mode, on the device of `compute`.
    compute : Compute
        Where and in which arithmetic.
    edge : int
        Largest edge of a tile in voxels; 0 for the shape that `limit` allows and that computes the fewest voxels twice.
    limit : int
        Voxels of the largest tile; lowered when the memory does not suffice for one.
    overlap, outside : int
        Context on each side, and how much of it may lie beyond the volume, in voxels.
    half_turn : bool
        Whether the map is averaged with that of the tomogram turned by 180 degrees about z.
    fixed : bool
        Whether every tile has the full edge, as a network needs whose coordinates are those within the tile.
    """

    network: Network
    compute: Compute
    edge: int = 0
    limit: int = 2**40
    overlap: int
    outside: int
    half_turn: bool = False
    fixed: bool = False

    def tiles(self, region: Box, volume: Shape, tallest: int = 2**40) -> list[Tile]:
        """Cut a region into tiles.

        Parameters
        ----------
        region : Box
            What must be scored.
        volume : Shape
            (z, y, x) extents of the tomogram.
        tallest : int
            Sections that a row of tiles may have, as far as that is free to choose.

        Returns
        -------
        list[Tile]
            In z, y, x order.
        """
        grid = self._grid(volume)
        return plan(region, (self.edge,) * 3 if self.edge else best_shape(region, self.limit, grid, tallest), grid)

    def scores(self, prepared: Prepared, tiles: Iterable[Tile]) -> Iterator[tuple[Tile, NDArray[np.float16]] | Notice]:
        """Score tiles one after the other, while the voxels of the next are read; on CUDA also while results are fetched.

        Parameters
        ----------
        prepared : Prepared
            The normalised tomogram.
        tiles : Iterable[Tile]
            From `tiles`.

        Yields
        ------
        tuple[Tile, NDArray[np.float16]] | Notice
            The tile and the (classes, z, y, x) probabilities of its core. A tile for which the memory does not suffice comes in
            halves, and so do all that follow, which is told.

        Raises
        ------
        PickerError
            If the memory does not suffice for the smallest tile.
        """
        grid, waiting = self._grid(prepared.tomogram.shape), deque(tiles)
        computing: deque[tuple[Tile, Fetch]] = deque()
        device = self.compute.device
        with ThreadPoolExecutor(1, "read") as reader:
            ahead = None
            while waiting:
                tile = waiting.popleft()
                if math.prod(tile.outer.shape) > self.limit and (smaller := halves(tile, grid)):
                    waiting.extendleft(reversed(smaller))
                    continue
                block = ahead[1].result() if ahead and ahead[0] == tile else _block(prepared, tile, device)
                ahead = (waiting[0], reader.submit(_block, prepared, waiting[0], device)) if waiting else None
                height = heights(tile.outer.low[0], len(block), prepared.tomogram.shape[0])
                if (scores := self._attempt(block, height, tile)) is not None:
                    computing.append((tile, scores))
                    if len(computing) > BEHIND.get(device.type, 0):
                        yield _finished(computing)
                    continue
                self.limit = math.prod(tile.outer.shape) // 2
                if not (smaller := halves(tile, grid)):
                    raise PickerError(_hopeless(tile, self.compute.device))
                yield Notice(text=f"The memory does not suffice for tiles of ({_told(tile)}) voxels: they are halved.")
                waiting.extendleft(reversed(smaller))
        while computing:
            yield _finished(computing)

    def _grid(self, volume: Shape) -> Grid:
        return Grid(overlap=self.overlap, stride=STRIDE, fixed=self.fixed, volume=volume, outside=self.outside)

    def _attempt(self, block: Tensor, height: FloatArray, tile: Tile) -> Fetch | None:
        """Begin to score a tile; None if the memory does not suffice."""
        try:
            return fetched(self._score(block, height, tile.inner).to(torch.float16))
        except (RuntimeError, MemoryError) as exc:
            if not out_of_memory(exc):
                raise
        if self.compute.device.type == "cuda":
            torch.cuda.empty_cache()
        return None

    @torch.inference_mode()
    def _score(self, block: Tensor, height: FloatArray, inner: tuple[slice, slice, slice]) -> Tensor:
        device = self.compute.device
        x = block[None, None].to(device, non_blocking=True)
        h = torch.from_numpy(height)[None].to(device)
        core: Window = tuple((part.start, part.stop) for part in inner)
        found = self._forward(x, h, core)
        if self.half_turn:
            turned = (core[0], *((n - b, n - a) for n, (a, b) in zip(x.shape[3:], core[1:], strict=True)))
            found = (found + self._forward(x.flip(3, 4), h, turned).flip(2, 3)) / 2
        return found

    def _forward(self, x: Tensor, height: Tensor, core: Window) -> Tensor:
        with self.compute.autocast():
            found = probabilities(self.network(x.contiguous(memory_format=self.compute.memory_format), height, core))[0]
        return found[1:] if len(found) > 1 else found


def scanner(network: Network, preset: str, patch: int, compute: Compute, config: PickConfig) -> Scanner:
    """Make a network ready to score tomograms.

    Parameters
    ----------
    network : Network
        With its trained weights; it is left as it is.
    preset : str
        Which network it is; the published one is tied to tiles of the training patch by its coordinates, whatever is set.
    patch : int
        Edge of the training crops in voxels.
    compute : Compute
        Where and in which arithmetic.
    config : PickConfig
        Tile, overlap and half turn.

    Returns
    -------
    Scanner
        With a copy of the network on the device, in evaluation mode, its batch normalisation folded into the convolutions.
    """
    ready = copy.deepcopy(network).eval()
    fold(ready)
    tied = preset == "published"
    edge = patch if tied else config.tile
    overlap = config.overlap or OVERLAP[preset]
    return Scanner(
        network=place(ready, compute),
        compute=compute,
        edge=edge,
        limit=tile_voxels(preset, compute.device),
        overlap=min(overlap, (edge - 1) // 2 // STRIDE * STRIDE) if edge else overlap,
        outside=OUTSIDE[preset],
        half_turn=config.half_turn,
        fixed=tied,
    )


def tile_voxels(preset: str, device: torch.device) -> int:
    """Return how many voxels the largest tile may hold.

    Parameters
    ----------
    preset : str
        Which network.
    device : torch.device
        Where it is to run; a part of its free memory is taken.

    Returns
    -------
    int
        At least 128³.
    """
    room = min(PART * free_memory(device), LARGEST[device.type])
    return max(int(room / BYTES_PER_VOXEL[preset]), 128**3)  # with less, nearly all is context


def _block(prepared: Prepared, tile: Tile, device: torch.device) -> Tensor:
    block = prepared.block(tile.outer.low, tile.outer.shape)
    forget(prepared.tomogram.data)
    return pinned(block, device)


def _finished(computing: deque[tuple[Tile, Fetch]]) -> tuple[Tile, NDArray[np.float16]]:
    tile, fetch = computing.popleft()
    return tile, fetch()


def _told(tile: Tile) -> str:
    return ", ".join(map(str, tile.outer.shape))


def _hopeless(tile: Tile, device: torch.device) -> str:
    return (
        f"The memory of {device} does not suffice for a tile of ({_told(tile)}) voxels, and a smaller one cannot be made: "
        "close other programs or choose another device."
    )
