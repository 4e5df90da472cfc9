"""What stands in the export panel, as an order for the engine and as words for the command line: the same in both."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from core.config import ReviewConfig
from core.io.particles.asking import all_numbers, entries_of
from core.io.particles.formats import Need
from core.io.particles.registry import format_named, missing
from core.io.particles.tomograms import geometry_told, unbinned_size
from core.io.particles.values import TomogramPicks
from core.masks.words import mask_words
from core.particles import ParticleTable, Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from core.io.particles import TiltSeriesGeometry
    from core.io.particles.asking import Entry
    from core.io.particles.formats import Format
    from core.masks import MaskConfig, Masks
    from core.particles import ClassSpec
    from core.settings import ExportConfig
    from core.tomogram import Tomogram

LACKING = {
    Need.PIXEL_SIZE: "Give the pixel size of the unbinned tilt series, or RELION's tomograms.star: this format counts in it.",
    Need.VOXEL_SIZE: "Give the voxel size of {} in step 1: this format counts in Å.",
}
STATUSES = {"accepted": Status.ACCEPTED, "candidate": Status.CANDIDATE, "rejected": Status.REJECTED, "all": None}


@dataclass(frozen=True, kw_only=True)
class ExportOrder:
    """All that is handed over, to the preview, to the export and to the command line."""

    config: ExportConfig
    tomograms: Sequence[Tomogram]  # that have particles to hand over
    class_id: int | None
    reviews: Mapping[int, ReviewConfig] | None
    options: dict[str, Any] = field(default_factory=dict)
    star: Path | None = None
    asked: Mapping[str, MaskConfig] = field(default_factory=dict)
    masks: Mapping[str, Masks] = field(default_factory=dict)  # what came of that, by tomogram

    @property
    def format(self) -> Format:
        """What will be written."""
        return format_named(self.config.format)

    @property
    def ids(self) -> list[str]:
        """The names of the tomograms."""
        return [tomogram.id for tomogram in self.tomograms]

    def _asks(self, need: Need) -> bool:
        return need in self.format.needs | self.format.wants

    @property
    def pixel_size(self) -> float | None:
        """As typed, where no file tells."""
        return (self.config.pixel_size or None) if self._asks(Need.PIXEL_SIZE) and self.star is None else None

    @property
    def names(self) -> dict[str, str]:
        """Those that were typed, where the files hold names."""
        return {one: self.config.names[one] for one in self.ids if one in self.config.names and self.format.called is not None}

    @cached_property
    def series(self) -> dict[str, TiltSeriesGeometry]:
        """What is told of tilt series but for sizes that were typed; the file is read once."""
        return geometry_told(self.ids, pixel_size=self.pixel_size, tomograms_star=self.star, names=self.names)

    def sizes(self) -> dict[str, str]:
        """Return unbinned sizes as they were typed, where no file tells them."""
        if not self._asks(Need.UNBINNED_SIZE):
            return {}
        known = {one for one, series in self.series.items() if series.size is not None}
        return {one: size for one, size in self.config.sizes.items() if one in self.ids and one not in known}

    def entries(self, told: Mapping[str, TiltSeriesGeometry]) -> tuple[Entry, ...]:
        """Return what is asked of each tomogram, with the answers; `told` is what the file says, as far as it can be read."""
        typed = {"names": self.config.names, "numbers": self.config.numbers, "sizes": self.config.sizes}
        return entries_of(self.format, self.tomograms, pixel_size=self.pixel_size, told=told, **typed)

    def numbers(self, *, all_told: bool = False) -> dict[str, int]:
        """Return the numbers of all tomograms once one of them was typed, or in any case."""
        return all_numbers(self.entries({}), None if all_told else self.config.numbers)

    def lacking(self) -> str:
        """Say what the format needs and nobody told; empty where nothing is missing."""
        series = self.series
        parts = [
            TomogramPicks.of(one, ParticleTable.build(one.id, np.empty((0, 3))), tilt_series=series.get(one.id))
            for one in self.tomograms
        ]
        for need, part in missing(self.format.needs, parts):
            return LACKING.get(need, f"Give {need} of {{}}.").format(part.name)
        return ""

    def handed(self, *, all_told: bool = False) -> dict[str, Any]:
        """Return what `core.delivery.deliver` takes beside the file and the format; `all_told` with numbers that nobody typed."""
        sizes = {one: unbinned_size(text) for one, text in self.sizes().items()}
        told = {"pixel_size": self.pixel_size, "tomograms_star": self.star, "names": self.names, "sizes": sizes}
        return {
            "tomogram_ids": self.ids,
            "class_id": self.class_id,
            "reviews": self.reviews,
            "status": STATUSES.get(self.config.what),
            "tilt_series": geometry_told(self.ids, **told),
            "names": self.names,
            "numbers": self.numbers(all_told=all_told),
            "masks": self.masks,
            "options": self.options,
        }

    def command(self, folder: Path, path: Path, classes: Mapping[int, ClassSpec]) -> str:
        """Return the command that does the same, from any folder."""
        words = ["deepetpicker", "export", str(folder.absolute()), "--out", str(path.absolute()), "--format", self.format.name]
        words += [word for name in self.ids for word in ("--tomogram", name)]
        if self.class_id is not None:
            words += ["--class", classes[self.class_id].name]
        if self.config.what != "accepted":
            words += ["--status", self.config.what]
        words += _review_words(self.reviews or {}, classes)
        if self.reviews is not None:
            words += [word for mask in mask_words(self.asked, self.ids) for word in ("--mask", mask)]
        if self.star is not None:
            words += ["--tomograms-star", str(self.star.absolute())]
        elif self.pixel_size is not None:
            words += ["--pixel-size", repr(self.pixel_size)]
        answers = {"--unbinned-size": self.sizes(), "--name": self.names, "--number": self.numbers()}
        words += [word for option, told in answers.items() for name, text in told.items() for word in (option, f"{name}={text}")]
        for name, value in self.options.items():
            words += ["--option", f"{name}={str(value).lower() if isinstance(value, bool) else value}"]
        return shlex.join(words)


def _review_words(reviews: Mapping[int, ReviewConfig], classes: Mapping[int, ClassSpec]) -> list[str]:
    usual, words = ReviewConfig(), []
    for number, review in reviews.items():
        if number not in classes:
            continue
        for option, name in (("--threshold", "threshold"), ("--min-distance", "min_distance"), ("--edge", "edge")):
            if getattr(review, name) != getattr(usual, name):
                words += [option, f"{classes[number].name}={getattr(review, name)!r}"]
    return words
