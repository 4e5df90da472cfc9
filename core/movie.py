"""A run of sections with what is marked on them, as an animated picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from PIL import GifImagePlugin, Image

from core.display import Look, cross_sections, section
from core.errors import ConfigError
from core.io.atomic import atomic_path
from core.messages import Progress

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from numpy.typing import NDArray

    from core.messages import Message
    from core.tomogram import Tomogram
    from core.types import BoolArray, FloatArray, Positions

LARGEST_ZOOM = 4.0  # pixels for a voxel, however small the tomogram
GREYS = 192  # of the 256 colours of a frame; the others are shades of the rings
FASTEST = 50  # frames a second; viewers slow down what claims to be faster


@dataclass(frozen=True, slots=True, kw_only=True)
class MovieConfig:
    """Which sections become a movie, and how quick and how large it is.

    Attributes
    ----------
    axis : int
        0, 1 or 2: sections are perpendicular to z, y or x.
    first, last : int
        Sections, both included; from the larger to the smaller runs backwards.
    step : int
        Every so many sections one frame.
    rate : float
        Frames a second, at most 50.
    edge : int
        Longest edge of a frame in pixels; a voxel is at most 4 pixels wide.
    upwards : bool
        The second axis upwards, as IMOD draws it.
    """

    axis: int = 0
    first: int = 0
    last: int = 0
    step: int = 1
    rate: float = 15.0
    edge: int = 640
    upwards: bool = False

    def __post_init__(self) -> None:
        if self.axis not in (0, 1, 2):
            raise ConfigError(f"The axis of a movie must be 0, 1 or 2 (z, y or x), not {self.axis}.")
        if min(self.first, self.last) < 0 or self.step < 1:
            raise ConfigError("The sections of a movie are counted from 0, and every first or later one is taken.")
        if not 0 < self.rate <= FASTEST:
            raise ConfigError(f"A movie shows more than 0 and at most {FASTEST} frames a second, not {self.rate:g}.")
        if not 16 <= self.edge <= 4096:
            raise ConfigError(f"The longest edge of a movie must be 16 to 4096 pixels, not {self.edge}.")

    @property
    def sections(self) -> range:
        """Indices of the sections, in the order they are shown."""
        forward = self.last >= self.first
        return range(self.first, self.last + (1 if forward else -1), self.step if forward else -self.step)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What is drawn on the sections: n spheres.

    Attributes
    ----------
    positions : Positions
        (n, 3) zyx voxels.
    sizes : FloatArray
        (n,) diameters in voxels.
    colors : ndarray
        (n, 4) RGBA, 0 to 1.
    crossed : BoolArray
        (n,) a cross in place of a ring.
    factor : float
        Diameters are drawn times this.
    line : float
        Width of the lines in pixels.
    """

    positions: Positions = field(repr=False)
    sizes: FloatArray = field(repr=False)
    colors: NDArray[Any] = field(repr=False)
    crossed: BoolArray = field(repr=False)
    factor: float = 1.0
    line: float = 2.0


def movie(
    tomogram: Tomogram,
    path: Path,
    config: MovieConfig,
    *,
    bounds: tuple[float, float],
    look: Look | None = None,
    inverted: bool = False,
    marks: Marks | None = None,
) -> Generator[Message, None, Path]:
    """Write a movie as an animated GIF that runs for ever, as a job.

    Frames are written one after the other, so memory holds one of them.

    Parameters
    ----------
    tomogram : Tomogram
        What is shown.
    path : Path
        The file to make or to replace.
    config : MovieConfig
        Sections, rate and size.
    bounds : tuple[float, float]
        Grey values of black and white.
    look : Look | None
        Slab and filters; None for plain sections.
    inverted : bool
        Black for white.
    marks : Marks | None
        What is drawn on the sections.

    Yields
    ------
    Message
        Progress, once for each frame.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ConfigError
        If there is no such section.
    PickerError
        If the file cannot be written.
    """
    sections, depth = config.sections, tomogram.shape[config.axis]
    if max(config.first, config.last) >= depth:
        raise ConfigError(
            f"The last section along this axis is {depth - 1} (counted from 0), not {max(config.first, config.last)}."
        )
    palette = _palette(np.ones((1, 4)) if marks is None else marks.colors)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        for done, index in enumerate(sections):
            picture = frame(tomogram, index, config, bounds=bounds, look=look, inverted=inverted, marks=marks)
            _append(file, Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE), config.rate, done == 0)
            yield Progress(stage="Drawing the movie", done=done + 1, total=len(sections))
        file.write(b";")
    return path


def frame(
    tomogram: Tomogram,
    index: int,
    config: MovieConfig,
    *,
    bounds: tuple[float, float],
    look: Look | None = None,
    inverted: bool = False,
    marks: Marks | None = None,
) -> NDArray[np.uint8]:
    """Draw one section.

    Parameters
    ----------
    tomogram, config, bounds, look, inverted, marks
        As in `movie`.
    index : int
        Which section.

    Returns
    -------
    ndarray
        (height, width, 3) red, green and blue.
    """
    image = section(tomogram, config.axis, index, look or Look())
    low, high = bounds
    grey = np.clip((np.nan_to_num(image, nan=low) - low) / (high - low), 0, 1)
    zoom = min(config.edge / max(image.shape), LARGEST_ZOOM)
    height, width = (max(1, round(n * zoom)) for n in image.shape)
    small = Image.fromarray((255 * (1 - grey if inverted else grey)).astype(np.uint8)).resize((width, height), Image.Resampling.BOX)
    canvas = np.repeat(np.asarray(small, np.float32)[:, :, None], 3, axis=2)
    if marks is not None:
        _draw(canvas, marks, config.axis, index, zoom)
    return np.ascontiguousarray(canvas[::-1] if config.upwards else canvas).round().astype(np.uint8)


def _draw(canvas: FloatArray, marks: Marks, axis: int, index: int, zoom: float) -> None:
    rows, diameters = cross_sections(marks.positions, marks.sizes, axis, index)
    centres = (np.delete(marks.positions[rows], axis, axis=1) + 0.5) * zoom - 0.5  # centres of voxels to centres of pixels
    radii = diameters / 2 * marks.factor * zoom
    for row, centre, radius in zip(rows, centres, radii, strict=True):
        low = np.maximum(np.floor(centre - radius - marks.line), 0).astype(int)
        high = np.minimum(np.ceil(centre + radius + marks.line) + 1, canvas.shape[:2]).astype(int)
        if (low >= high).any():
            continue
        down, right = np.ogrid[low[0] : high[0], low[1] : high[1]]
        cover = _cover(down - centre[0], right - centre[1], radius, marks.line, bool(marks.crossed[row]))
        cover = (cover * marks.colors[row, 3])[:, :, None]
        part = canvas[low[0] : high[0], low[1] : high[1]]
        part *= 1 - cover
        part += cover * 255 * marks.colors[row, :3]


def _cover(down: NDArray[Any], right: NDArray[Any], radius: float, line: float, crossed: bool) -> NDArray[Any]:
    """Return how much of each pixel the line covers, 0 to 1."""
    distance = np.hypot(down, right)
    away = np.abs(distance - radius)
    if crossed:
        away = np.maximum(np.abs(np.abs(down) - np.abs(right)) * 0.5**0.5, distance - radius)
    return np.asarray(np.clip(line / 2 + 0.5 - away, 0, 1))


def _palette(colors: NDArray[Any]) -> Image.Image:
    """Return an image whose colours are greys, and shades of the rings on black, grey and white."""
    kinds = np.unique(np.round(colors[:, :3], 3), axis=0)[: 256 - GREYS]
    each = max(1, (256 - GREYS) // max(len(kinds), 1))
    grounds = np.array([0.25, 0.5, 0.75])
    entries = [(g, g, g) for g in np.linspace(0, 255, GREYS).round().astype(int)]
    for kind in kinds:
        shades = [255 * (part * kind + (1 - part) * ground) for part in (1.0, 0.75, 0.5, 0.3) for ground in grounds]
        entries += [tuple(shade.round().astype(int)) for shade in ([255 * kind, *shades[3:]])[:each]]
    entries += [(0, 0, 0)] * (256 - len(entries))
    image = Image.new("P", (1, 1))
    image.putpalette([int(value) for entry in entries for value in entry])
    return image


def _append(file: IO[bytes], picture: Image.Image, rate: float, first: bool) -> None:
    if first:
        header, _ = GifImagePlugin.getheader(picture, info={"loop": 0, "duration": 1000 / rate})
        file.writelines(header)
    file.writelines(GifImagePlugin.getdata(picture, duration=1000 / rate))
