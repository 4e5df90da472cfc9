"""Turns, mirrors, small rotations, contrast and noise: seeded, and batched on the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.spatial.transform import Rotation

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from core.types import Positions

SMALL_TURN_CHANCE = 0.3  # interpolation smooths the noise, so most crops keep their own voxels
CONTRAST = 0.25  # largest relative change
BRIGHTNESS = 0.2  # largest shift in deviations
NOISE = 0.4  # largest deviation of the added noise in deviations of the tomogram


@dataclass(frozen=True, slots=True)
class Pose:
    """How a crop is turned about its centre: first a small rotation and scaling, then quarter turns, then mirrors.

    Only quarter turns about z are free, since the missing wedge forbids larger ones about other axes.

    Attributes
    ----------
    matrix : NDArray[np.float64] | None
        (3, 3) zyx, from offsets in the new crop to offsets in the old one; None for no small rotation.
    quarter : int
        Quarter turns from y towards x, 0..3.
    mirrors : tuple[int, ...]
        Axes that are mirrored.
    """

    matrix: NDArray[np.float64] | None = None
    quarter: int = 0
    mirrors: tuple[int, ...] = ()

    def margin(self, patch: int) -> int:
        """Return how many voxels more than the patch the small rotation needs on each side.

        Parameters
        ----------
        patch : int
            Edge of the crop in voxels.

        Returns
        -------
        int
            Voxels.
        """
        if self.matrix is None:
            return 0
        return int(np.ceil((np.abs(self.matrix).sum(1).max() - 1) * patch / 2)) + 1

    def offsets(self, offsets: Positions) -> Positions:
        """Move offsets from the crop's centre as the crop is moved.

        Parameters
        ----------
        offsets : Positions
            (n, 3) zyx voxels from the centre.

        Returns
        -------
        Positions
            (n, 3) zyx voxels from the centre of the turned crop.
        """
        moved = offsets.copy() if self.matrix is None else offsets @ np.linalg.inv(self.matrix).T
        for _ in range(self.quarter):
            moved = np.stack([moved[:, 0], -moved[:, 2], moved[:, 1]], 1)
        moved[:, list(self.mirrors)] *= -1
        return moved

    def block(self, block: Tensor, patch: int) -> Tensor:
        """Turn a crop.

        Parameters
        ----------
        block : Tensor
            (s, s, s) with s = patch + 2 · margin.
        patch : int
            Edge of the result in voxels.

        Returns
        -------
        Tensor
            (patch, patch, patch).
        """
        if self.matrix is not None:
            block = _resampled(block, self.matrix, patch)
        return torch.flip(torch.rot90(block, self.quarter, (1, 2)), self.mirrors)


def _resampled(block: Tensor, matrix: NDArray[np.float64], patch: int) -> Tensor:
    axis = (torch.arange(patch, device=block.device, dtype=torch.float32) - (patch - 1) / 2) * (2 / (len(block) - 1))
    grid = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1)
    source = grid @ torch.tensor(matrix.T, device=block.device, dtype=torch.float32)
    sampled = torch.nn.functional.grid_sample(block[None, None], source.flip(-1)[None], padding_mode="border", align_corners=True)
    return sampled[0, 0]


def draw_pose(rng: np.random.Generator, rotation: float, scale: float) -> Pose:
    """Draw how a crop is turned.

    Parameters
    ----------
    rng : np.random.Generator
        Source of chance.
    rotation : float
        Largest small rotation about any axis in degrees.
    scale : float
        Largest change of size, as a part of 1.

    Returns
    -------
    Pose
        A quarter turn and mirrors, sometimes with a small rotation.
    """
    matrix = None
    if rng.random() < SMALL_TURN_CHANCE and (rotation > 0 or scale > 0):
        axis = rng.normal(size=3)
        angle = rng.uniform(-rotation, rotation)
        turn = Rotation.from_rotvec(np.deg2rad(angle) * axis / np.linalg.norm(axis)).as_matrix()
        matrix = turn * rng.uniform(1 - scale, 1 + scale)
    mirrors = tuple(axis for axis in range(3) if rng.random() < 0.5)
    return Pose(matrix, int(rng.integers(4)), mirrors)


def vary_intensity(images: Tensor, generator: torch.Generator) -> Tensor:
    """Change contrast and brightness of each crop a little, and add noise to half of them.

    Parameters
    ----------
    images : Tensor
        (batch, 1, z, y, x) normalised voxels.
    generator : torch.Generator
        Source of chance, on the device of the images.

    Returns
    -------
    Tensor
        Of the same shape.
    """
    shape, device = (len(images), 1, 1, 1, 1), images.device
    contrast = 1 + CONTRAST * (2 * torch.rand(shape, generator=generator, device=device) - 1)
    brightness = BRIGHTNESS * (2 * torch.rand(shape, generator=generator, device=device) - 1)
    strength = NOISE * (2 * torch.rand(shape, generator=generator, device=device) - 1).clamp_min(0)
    noise = torch.randn(images.shape, generator=generator, device=device)
    return images * contrast + brightness + strength * noise
