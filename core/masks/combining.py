"""All masks of a tomogram together, worked out as a job and kept by what they were made of."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import ConfigError, PickerError
from core.io.atomic import atomic_path, make_folder
from core.io.volumes import fingerprint, open_tomogram
from core.masks.beads import Beads, find_beads
from core.masks.settings import MaskConfig, volume_path
from core.masks.slab import Slab, Surface, find_slab, given_slab
from core.masks.volumes import near_segmentation, volume_mask
from core.messages import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from core.masks.settings import GoldMask, MembraneMask, SlabMask, VolumeMaskFile
    from core.messages import Message
    from core.tomogram import Box, Mask, Tomogram
    from core.types import BoolArray, Positions, Shape

_VERSION = 2
EDGE = 192  # of the copy that is drawn


@dataclass(frozen=True, slots=True)
class Masks:
    """Masks of one tomogram by name; a pick counts where all of them let it.

    Attributes
    ----------
    parts : Mapping[str, Mask]
        ``slab``, ``volume``, ``membrane``, ``gold``: those that are on.
    """

    parts: Mapping[str, Mask] = field(default_factory=dict)

    def inside(self, positions: Positions) -> BoolArray:
        """Tell which positions count."""
        keep = np.ones(len(positions), np.bool_)
        for mask in self.parts.values():
            keep[keep] = mask.inside(positions[keep])
        return keep

    def touches(self, box: Box) -> bool:
        """Tell whether picks may count in a box."""
        return all(mask.touches(box) for mask in self.parts.values())

    def hidden(self, positions: Positions) -> dict[str, BoolArray]:
        """Tell for each mask which positions it takes out.

        Parameters
        ----------
        positions : Positions
            (n, 3) zyx voxels.

        Returns
        -------
        dict[str, BoolArray]
            (n,) by name.
        """
        return {name: ~mask.inside(positions) for name, mask in self.parts.items()}


def masks_of(tomogram: Tomogram, config: MaskConfig, cache: Path | None = None) -> Generator[Message, None, Masks]:
    """Work out the masks of a tomogram that are on, as a job.

    Parameters
    ----------
    tomogram : Tomogram
        Which.
    config : MaskConfig
        What is asked for.
    cache : Path | None
        Folder for surfaces and beads that were found, made when needed; they are found again as long as file, voxel size and
        settings are the same. None to keep nothing.

    Yields
    ------
    Message
        Progress and notices.

    Returns
    -------
    Masks
        Those that are on.

    Raises
    ------
    PickerError
        If a volume is missing or does not fit.
    """
    parts: dict[str, Mask] = {}
    for name in config.active:
        parts[name] = yield from part_of(tomogram, name, getattr(config, name), cache)
    return Masks(parts)


def part_of(tomogram: Tomogram, name: str, config: Any, cache: Path | None = None) -> Generator[Message, None, Mask]:
    """Work out one mask, whether it is on or off, as a job.

    Parameters
    ----------
    tomogram, cache : Tomogram, Path | None
        As for `masks_of`.
    name : str
        A field of `MaskConfig`.
    config : SlabMask | VolumeMaskFile | MembraneMask | GoldMask
        What stands in it.

    Yields
    ------
    Message
        Progress and notices.

    Returns
    -------
    Mask
        To be asked.

    Raises
    ------
    PickerError
        As for `masks_of`.
    """
    makers: dict[str, Callable[..., Generator[Message, None, Mask]]]
    makers = {"slab": _slab, "volume": _volume, "membrane": _membrane, "gold": _gold}
    mask: Mask = yield from makers[name](tomogram, config, cache)
    return mask


def _slab(tomogram: Tomogram, config: SlabMask, cache: Path | None) -> Generator[Message, None, Slab]:
    margin = config.margin / (tomogram.voxel_size or 1.0)
    if config.surfaces == "given":
        return given_slab(tomogram, config.low, config.high, config.tilt_y, config.tilt_x, margin)
    kept = _kept(tomogram, cache, "slab")
    known = _read(kept)
    if known is None:
        found = yield from find_slab(tomogram)
        known = {side: None if one is None else asdict(one) for side, one in (("low", found.low), ("high", found.high))}
        _note(kept, known)
    low, high = (None if known[side] is None else _surface(known[side]) for side in ("low", "high"))
    return Slab(low, high, margin)


def _surface(values: dict[str, Any]) -> Surface:
    y, x = values["middle"]
    return Surface(values["height"], values["slope_y"], values["slope_x"], (y, x))


def _gold(tomogram: Tomogram, config: GoldMask, cache: Path | None) -> Generator[Message, None, Beads]:
    diameter, voxel_size = 10 * config.diameter, tomogram.voxel_size or 10.0
    kept = _kept(tomogram, cache, "gold", diameter)
    known = _read(kept)
    if known is None:
        found = yield from find_beads(tomogram, diameter)
        known = {"positions": found.tolist()}
        _note(kept, known)
    positions = np.asarray(known["positions"], np.float64).reshape(-1, 3)
    return Beads(positions, (diameter / 2 + config.margin) / voxel_size)


def _volume(tomogram: Tomogram, config: VolumeMaskFile, _cache: Path | None) -> Generator[Message, None, Mask]:
    return (yield from volume_mask(tomogram, _opened(config.path, tomogram, "mask"), config.keep == "inside"))


def _membrane(tomogram: Tomogram, config: MembraneMask, _cache: Path | None) -> Generator[Message, None, Mask]:
    voxels = yield from volume_mask(tomogram, _opened(config.path, tomogram, "segmentation"))
    return (yield from near_segmentation(voxels, config.distance / (tomogram.voxel_size or 1.0), config.keep == "near"))


def _opened(text: str, tomogram: Tomogram, what: str) -> Tomogram:
    if not text.strip():
        raise ConfigError(f"Choose the volume of the {what} first.")
    path = volume_path(text, tomogram.id)
    if not path.exists():
        raise ConfigError(f"There is no {what} {path} for {tomogram.id}: check the path, or switch this mask off.")
    return open_tomogram(path)


# ---- what was found before ----


def _kept(tomogram: Tomogram, cache: Path | None, *facts: object) -> Path | None:
    if cache is None or tomogram.path is None:
        return None
    whole = [
        _VERSION,
        str(tomogram.path.resolve()),
        fingerprint(tomogram.path),
        tomogram.voxel_size,
        tomogram.data.dtype.str,
        *facts,
    ]
    return cache / "masks" / f"{hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:16]}.json"


def _read(kept: Path | None) -> dict[str, Any] | None:
    if kept is None:
        return None
    try:
        known = json.loads(kept.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return known if isinstance(known, dict) else None


def _note(kept: Path | None, known: dict[str, Any]) -> None:
    if kept is None:
        return
    with suppress(PickerError):  # it only saves time
        make_folder(kept.parent)
        with atomic_path(kept) as temporary:
            temporary.write_text(json.dumps(known), encoding="utf-8")


# ---- what is drawn, and written ----


def shade(mask: Mask, shape: Shape, edge: int = EDGE) -> Generator[Message, None, tuple[NDArray[np.uint8], tuple[float, ...]]]:
    """Make a small volume of where no pick counts, to lay over sections, as a job.

    Parameters
    ----------
    mask : Mask
        What is asked.
    shape : Shape
        (z, y, x) extents of the tomogram.
    edge : int
        Largest edge of the small volume in voxels.

    Yields
    ------
    Message
        Progress.

    Returns
    -------
    masked : ndarray
        (z, y, x) uint8, 1 where no pick counts.
    factor : tuple[float, ...]
        (z, y, x) voxels of the tomogram along one of these; faces lie together.
    """
    counts = [min(n, max(1, round(n * edge / max(shape)))) for n in shape]
    factor = tuple(n / count for n, count in zip(shape, counts, strict=True))
    axes = [(np.arange(count) + 0.5) * f - 0.5 for count, f in zip(counts, factor, strict=True)]
    y, x = np.meshgrid(axes[1], axes[2], indexing="ij")
    masked = np.empty(counts, np.uint8)
    for place, z in enumerate(axes[0]):
        at = np.column_stack([np.full(y.size, z), y.reshape(-1), x.reshape(-1)])
        masked[place] = ~mask.inside(at).reshape(y.shape)
        yield Progress(stage="Drawing the masks", done=place + 1, total=counts[0])
    return masked, factor
