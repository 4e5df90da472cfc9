"""From the voxels of one tomogram to those of another of the same tilt series, and what tells that two do not belong together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from core.tomogram import Tomogram
    from core.types import Positions

_BINNINGS = (2, 4, 8)
_NEAR = 0.02
_SECTIONS, _CELLS = 12, 32
_MIRROR_MARGIN = 0.1


class Alignment(StrEnum):
    """What two grids over the same specimen have in common.

    FACES: their outer faces, as means of blocks do (IMOD's binvol, levels of OME-Zarr, CryoET Data Portal).
    FIRST_VOXEL: the centre of their first voxel, as every n-th voxel and Fourier cropping do.
    MIDDLE_VOXEL: the centre of voxel n // 2, as programs do that reconstruct around a centre (RELION, Warp, EMAN2).
    """

    FACES = "faces"
    FIRST_VOXEL = "first"
    MIDDLE_VOXEL = "middle"


@dataclass(frozen=True, slots=True)
class Mapping:
    """Position in one grid = position in another * scale + offset, along each axis.

    Attributes
    ----------
    scale, offset : tuple[float, float, float]
        (z, y, x).
    """

    scale: tuple[float, float, float]
    offset: tuple[float, float, float]

    def apply(self, positions: Positions) -> Positions:
        """Carry positions over.

        Parameters
        ----------
        positions : Positions
            (n, 3) zyx voxels of the one.

        Returns
        -------
        Positions
            (n, 3) zyx voxels of the other.
        """
        return np.asarray(positions * np.asarray(self.scale) + np.asarray(self.offset), np.float64)

    def inverse(self) -> Mapping:
        """Return the way back.

        Returns
        -------
        Mapping
            From the other to the one.
        """
        z, y, x = (1 / s for s in self.scale)
        c, b, a = (-o / s for s, o in zip(self.scale, self.offset, strict=True))
        return Mapping((z, y, x), (c, b, a))

    def then(self, following: Mapping) -> Mapping:
        """Return this mapping and another after it in one.

        Parameters
        ----------
        following : Mapping
            From where this one ends.

        Returns
        -------
        Mapping
            Of both.
        """
        z, y, x = (s * t for s, t in zip(self.scale, following.scale, strict=True))
        c, b, a = (o * t + p for o, t, p in zip(self.offset, following.scale, following.offset, strict=True))
        return Mapping((z, y, x), (c, b, a))


def mapping(source: Tomogram, target: Tomogram, alignment: Alignment) -> Mapping:
    """Return how voxels of one tomogram become those of another of the same tilt series.

    A ratio of voxel sizes within 2 percent of a whole number, or of one over it, is taken as exactly that: headers round.

    Parameters
    ----------
    source, target : Tomogram
        With known voxel sizes, or of sizes in voxels that tell the binning.
    alignment : Alignment
        What their grids have in common.

    Returns
    -------
    Mapping
        From the source to the target; for means of blocks of f voxels, from n to f * n + (f - 1) / 2.

    Raises
    ------
    ConfigError
        If the ratio of their voxels is unknown.
    """
    ratio = _ratio(source, target)
    offsets = []
    for n, m in zip(source.shape, target.shape, strict=True):
        if alignment is Alignment.FACES:
            offsets.append((ratio - 1) / 2)
        elif alignment is Alignment.FIRST_VOXEL:
            offsets.append(0.0)
        else:
            offsets.append(m // 2 - ratio * (n // 2))
    return Mapping((ratio, ratio, ratio), (offsets[0], offsets[1], offsets[2]))


def _ratio(source: Tomogram, target: Tomogram) -> float:
    if source.voxel_size and target.voxel_size:
        return _whole(source.voxel_size / target.voxel_size)
    ratios = [m / n for n, m in zip(source.shape, target.shape, strict=True)]
    if max(ratios) > (1 + _NEAR) * min(ratios):
        raise ConfigError(
            f"The voxel size of {source.id} or {target.id} is unknown, and their sizes in voxels do not tell it: give both in Å."
        )
    return _whole(sum(ratios) / 3)


def near_binning(ratio: float) -> float | None:
    """Tell whether a ratio of voxel sizes looks like a binning.

    Parameters
    ----------
    ratio : float
        Of the sizes, above 0.

    Returns
    -------
    float | None
        2, 4 or 8, or one over it, where the ratio is within 2 percent of that; else None.
    """
    factors = [one for number in _BINNINGS for one in (float(number), 1 / number)]
    return next((one for one in factors if abs(ratio / one - 1) <= _NEAR), None)


def _whole(ratio: float) -> float:
    for value in (round(ratio), 1 / max(1, round(1 / ratio))):
        if value and abs(ratio / value - 1) <= _NEAR:
            return float(value)
    return ratio


def link_doubts(source: Tomogram, target: Tomogram, found: Mapping) -> Iterator[str]:
    """Say what speaks against two tomograms being of one tilt series; reads a few sections of both.

    Parameters
    ----------
    source, target : Tomogram
        The two.
    found : Mapping
        From the one to the other.

    Yields
    ------
    str
        One sentence each.
    """
    if source.voxel_size and target.voxel_size:
        real = source.voxel_size / target.voxel_size
        if found.scale[0] != real and abs(real / found.scale[0] - 1) > 1e-3:
            yield f"The voxels of {source.id} are {real:.4g} times those of {target.id}; {found.scale[0]:g} is taken."
    corners = found.apply(np.array([(-0.5, -0.5, -0.5), np.asarray(source.shape) - 0.5]))
    away = np.abs(corners - [(-0.5, -0.5, -0.5), np.asarray(target.shape) - 0.5]).max(axis=0) / target.shape
    if away.max() > _NEAR:
        axis = "zyx"[int(away.argmax())]
        yield f"{source.id} and {target.id} differ in extent along {axis} (by {away.max():.0%}): one may be cut or padded."
    if mirrored(source, target, found):
        yield f"{target.id} looks like {source.id} mirrored along z: check the handedness of both before picks are carried over."


def mirrored(source: Tomogram, target: Tomogram, found: Mapping) -> bool:
    """Tell whether a tomogram looks more like another one that is mirrored along z.

    Parameters
    ----------
    source, target : Tomogram
        The two.
    found : Mapping
        From the one to the other.

    Returns
    -------
    bool
        By the correlation of a few sections, each less its own mean and averaged in 32 x 32 cells.
    """
    depth = target.shape[0]
    sums = np.zeros(2)
    for z in np.unique(np.linspace(0.1, 0.9, _SECTIONS) * (source.shape[0] - 1)).round().astype(int):
        other = round(float(found.apply(np.array([(z, 0, 0)]))[0, 0]))
        if not 0 <= other < depth:
            continue
        mine = _cells(np.asarray(source.data[int(z)]))
        sums += [float((mine * _cells(np.asarray(target.data[at]))).mean()) for at in (other, depth - 1 - other)]
    same, turned = np.abs(sums) / _SECTIONS  # contrast may be inverted
    return bool(turned > _MIRROR_MARGIN + 2 * same)


def _cells(section: NDArray[np.generic]) -> NDArray[np.float64]:
    """Average a section in cells and bring them to mean 0 and deviation 1."""
    values = np.nan_to_num(section.astype(np.float64), posinf=0.0, neginf=0.0)
    for axis in (0, 1):
        edges = np.linspace(0, values.shape[axis], min(_CELLS, values.shape[axis]) + 1).astype(int)
        counts = np.diff(edges).reshape((-1, 1) if axis == 0 else (1, -1))
        values = np.add.reduceat(values, edges[:-1], axis=axis) / counts
    values -= values.mean()
    spread = float(values.std())
    whole = np.zeros((_CELLS, _CELLS))
    whole[: values.shape[0], : values.shape[1]] = values / spread if spread > 0 else values
    return whole


def outside_doubt(positions: Positions, tomogram: Tomogram) -> str:
    """Say how many positions lie outside a tomogram.

    Parameters
    ----------
    positions : Positions
        (n, 3) zyx voxels.
    tomogram : Tomogram
        Where they are said to lie.

    Returns
    -------
    str
        One sentence.
    """
    outside = int((~tomogram.box.contains(positions)).sum())
    return f"{outside} of {len(positions)} positions lie outside {tomogram.id}."


def position_doubts(positions: Positions, tomogram: Tomogram) -> Iterator[str]:
    """Say what looks odd about positions in a tomogram.

    Parameters
    ----------
    positions : Positions
        (n, 3) zyx voxels.
    tomogram : Tomogram
        Where they are said to lie.

    Yields
    ------
    str
        One sentence each: positions outside, another binning, a header origin.
    """
    outside = int((~tomogram.box.contains(positions)).sum())
    if outside:
        yield outside_doubt(positions, tomogram)
    if len(positions) and 2 * outside >= len(positions):
        for factor in _BINNINGS:
            if tomogram.box.contains(positions / factor).all():
                yield f"All would lie inside if they were divided by {factor}: were they picked in a tomogram of another binning?"
                break
    if any(abs(one) > 0 for one in tomogram.origin) and math.isfinite(sum(tomogram.origin)):
        text = ", ".join(f"{one:g}" for one in reversed(tomogram.origin))
        yield (
            f"The header of {tomogram.id} puts the first voxel at ({text}) Å (x, y, z): positions in voxels do not count it, "
            "those in Å of other programs may."
        )
