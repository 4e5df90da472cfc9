"""Make a tomogram ready to be looked at: filtered if asked for, and on a common scale."""

from __future__ import annotations

import hashlib
import json
import math
from contextlib import suppress
from dataclasses import dataclass, replace
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from core.errors import ConfigError, FileFormatError, PickerError, os_reason
from core.filters import gaussian_sigma, high_pass, low_pass, measure, normalisation, smooth
from core.io.atomic import atomic_path
from core.io.volumes import fingerprint, mrc_writer, open_tomogram
from core.messages import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from core.config import PreprocessConfig
    from core.filters import Statistics
    from core.filters.measuring import Affine
    from core.messages import Message
    from core.tomogram import Tomogram
    from core.types import FloatArray, Shape, Volume, Voxels

_STRIP_VOXELS = 2**20
_CACHE_VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A tomogram with the scale on which networks see it.

    Attributes
    ----------
    tomogram : Tomogram
        The tomogram, or its filtered copy.
    scale, offset : float
        Normalised value = voxel * scale + offset.
    """

    tomogram: Tomogram
    scale: float
    offset: float

    def block(self, start: Shape, shape: Shape) -> FloatArray:
        """Read a box as normalised float32, reflected where it reaches past the volume.

        Parameters
        ----------
        start : Shape
            (z, y, x) first voxel; may be negative.
        shape : Shape
            (z, y, x) extents in voxels.

        Returns
        -------
        FloatArray
            The box, of exactly this shape.
        """
        part = self.tomogram.block(start, shape)
        part *= np.float32(self.scale)
        part += np.float32(self.offset)
        return part


def preprocess(tomogram: Tomogram, config: PreprocessConfig, cache: Path | None = None) -> Generator[Message, None, Prepared]:
    """Prepare a tomogram, as a job.

    Without filters no copy is written: the tomogram is only measured. With filters a float32 copy is written to the cache once,
    with memory for a few sections only, and found again as long as file, voxel size and filters are the same; so is the scale, so
    that the second time is quick. Without a file or without a cache it is filtered in memory.

    Parameters
    ----------
    tomogram : Tomogram
        The tomogram as opened.
    config : PreprocessConfig
        Filters and normalisation.
    cache : Path | None
        Folder for filtered copies, made when needed; None for no copies.

    Yields
    ------
    Message
        Progress.

    Returns
    -------
    Prepared
        The tomogram or its filtered copy, and its scale.

    Raises
    ------
    FileFormatError
        If voxels are NaN or infinite, or all the same.
    ConfigError
        If a filter is wanted and the voxel size is unknown.
    PickerError
        If the cache cannot be written.
    """
    kept = None if tomogram.path is None or cache is None else cache / f"{_content_hash(tomogram.path, tomogram, config)}.json"
    if kept is not None and (remembered := _remembered(tomogram, config, kept)) is not None:
        return remembered
    found = yield from measure(tomogram.data)
    _require_finite(tomogram, found)
    affine = normalisation(found, config.normalisation)
    if config.low_pass or config.high_pass:
        tomogram = yield from _filtered(tomogram, config, cache)
        found = yield from measure(tomogram.data)
        affine = normalisation(found, config.normalisation)
    if kept is not None:
        _note(kept, config.normalisation, affine)
    return Prepared(tomogram=tomogram, scale=affine.scale, offset=affine.offset)


def _remembered(tomogram: Tomogram, config: PreprocessConfig, kept: Path) -> Prepared | None:
    """Find what was measured before; None if anything of it is missing."""
    try:
        scale, offset = json.loads(kept.read_text(encoding="utf-8"))[config.normalisation]
        if config.low_pass or config.high_pass:
            copy = open_tomogram(kept.with_suffix(".mrc"), voxel_size=tomogram.voxel_size, id=tomogram.id)
            tomogram = replace(copy, notices=tomogram.notices)
        return Prepared(tomogram=tomogram, scale=float(scale), offset=float(offset))
    except (OSError, ValueError, LookupError, TypeError, PickerError):
        return None


def _note(kept: Path, normalisation: str, affine: Affine) -> None:
    try:
        known = json.loads(kept.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    # it only saves time: whoever cannot write here measures again
    with suppress(PickerError):
        _make_folder(kept.parent)
        with atomic_path(kept) as temporary:
            temporary.write_text(json.dumps(known | {normalisation: [float(affine.scale), float(affine.offset)]}), encoding="utf-8")


def _require_finite(tomogram: Tomogram, found: Statistics) -> None:
    if found.first_not_finite is None:
        return
    z, y, x = found.first_not_finite
    many = "1 voxel that is" if found.not_finite == 1 else f"{found.not_finite} voxels that are"
    raise FileFormatError(
        f"{tomogram.path or tomogram.id} holds {many} not a number (NaN or infinite), the first at x = {x}, y = {y}, z = {z}; "
        "mend or reconstruct it."
    )


def _filtered(tomogram: Tomogram, config: PreprocessConfig, cache: Path | None) -> Generator[Message, None, Tomogram]:
    if tomogram.voxel_size == 0:
        raise ConfigError(
            f"The filters are set in Å, but the voxel size of {tomogram.id} is unknown: give it, or switch the filters off."
        )
    if tomogram.path is None or cache is None:
        return replace(tomogram, data=_filtered_in_memory(tomogram, config))
    copy = cache / f"{_content_hash(tomogram.path, tomogram, config)}.mrc"
    if not copy.exists():
        _make_folder(cache)
        with mrc_writer(copy, tomogram.shape, np.float32, tomogram.voxel_size) as writer, TemporaryFile(dir=cache) as middle:
            yield from _filter(tomogram.data, _sigmas(tomogram, config), middle, writer.write)
    opened = open_tomogram(copy, voxel_size=tomogram.voxel_size, id=tomogram.id)
    return replace(opened, notices=tomogram.notices)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise PickerError(f"Cannot make the folder {folder}: {os_reason(exc)}.") from exc


def _content_hash(path: Path, tomogram: Tomogram, config: PreprocessConfig) -> str:
    facts = [
        _CACHE_VERSION,
        str(path.resolve()),
        fingerprint(path),
        tomogram.voxel_size,
        tomogram.data.dtype.str,  # tells signed from unsigned bytes
        config.low_pass,
        config.high_pass,
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _filtered_in_memory(tomogram: Tomogram, config: PreprocessConfig) -> Volume:
    data: Volume = tomogram.data
    if config.low_pass:
        data = low_pass(data, config.low_pass, tomogram.voxel_size)
    return high_pass(data, config.high_pass, tomogram.voxel_size) if config.high_pass else data


def _sigmas(tomogram: Tomogram, config: PreprocessConfig) -> list[Voxels]:
    """Return the Gaussian to keep and, for a high pass, the wider one to subtract from it."""
    fine = gaussian_sigma(config.low_pass, tomogram.voxel_size)
    if not config.high_pass:
        return [fine]
    return [fine, math.hypot(fine, gaussian_sigma(config.high_pass, tomogram.voxel_size))]


def _filter(
    volume: Volume, sigmas: list[Voxels], middle: IO[bytes], write: Callable[[FloatArray], None]
) -> Generator[Message, None, None]:
    """Smooth along z in strips of rows, then along y and x in slabs of sections: both passes stream, whatever the width."""
    nz, ny, nx = volume.shape
    step = max(1, _STRIP_VOXELS // (nz * nx))
    for y in range(0, ny, step):
        strip = np.asarray(volume[:, y : y + step]).astype(np.float32)
        smoothed = np.stack([smooth(strip, sigma, axes=(0,)) for sigma in sigmas])  # (sigma, z, y, x)
        middle.write(np.ascontiguousarray(smoothed.transpose(2, 0, 1, 3)).tobytes())
        yield Progress(stage="Filtering along z", done=min(y + step, ny), total=ny)
    middle.flush()
    columns: Any = np.memmap(middle, np.float32, "r", shape=(ny, len(sigmas), nz, nx))
    step = max(1, _STRIP_VOXELS // (ny * nx))
    for z in range(0, nz, step):
        slabs = np.ascontiguousarray(columns[:, :, z : z + step].transpose(1, 2, 0, 3))  # (sigma, z, y, x)
        fine, *coarse = (smooth(slab, sigma, axes=(1, 2)) for slab, sigma in zip(slabs, sigmas, strict=True))
        write(fine - coarse[0] if coarse else fine)
        yield Progress(stage="Filtering along y and x", done=min(z + step, nz), total=nz)
