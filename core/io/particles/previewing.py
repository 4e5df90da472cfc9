"""What an export would write, shown before it happens."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from itertools import islice, takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from core.errors import FileFormatError
from core.io.atomic import make_folder
from core.io.particles.formats import Need
from core.io.particles.names import tomogram_numbers
from core.io.particles.registry import format_named, write_parts
from core.io.particles.text import decoded_head, read_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.io.particles.formats import Options
    from core.io.particles.registry import Choices
    from core.io.particles.values import TomogramPicks
    from core.particles import ClassSpec
    from core.types import BoolArray

MOST_TOMOGRAMS, LINES, WIDTH, HEAD_BYTES = 6, 24, 200, 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewedFile:
    """A file that would be written.

    Attributes
    ----------
    path : Path
        Where.
    exists : bool
        Whether there is one already, which would be replaced or added to.
    head : tuple[str, ...]
        Its first lines with the first particles; empty where it is no text.
    """

    path: Path
    exists: bool
    head: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an export would write.

    Attributes
    ----------
    files : tuple[PreviewedFile, ...]
        The first is the one to hand to other programs.
    notices : tuple[str, ...]
        What the user should know, also of files that are there already.
    more : int
        Tomograms that are left out of the preview, not of the export.
    """

    files: tuple[PreviewedFile, ...]
    notices: tuple[str, ...] = ()
    more: int = 0

    def tree(self) -> tuple[str, ...]:
        """Return folders and files as lines, two blanks deeper for each folder.

        Returns
        -------
        tuple[str, ...]
            The folder of the first file is the root, and is not among the lines.
        """
        root = self.files[0].path.parent
        lines: list[str] = []
        before: tuple[str, ...] = ()
        for file in sorted(self.files, key=lambda file: (len(file.path.relative_to(root).parts) > 1, file.path)):
            *folders, name = file.path.relative_to(root).parts
            shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, folders, strict=False)))
            lines += [f"{'  ' * (shared + depth)}{folder}/" for depth, folder in enumerate(folders[shared:])]
            lines.append(f"{'  ' * len(folders)}{name}")
            before = tuple(folders)
        if self.more:
            lines.append(f"… and the same for {self.more} more tomogram{'s' if self.more > 1 else ''}")
        return tuple(lines)


def preview_parts(
    path: Path,
    parts: Sequence[TomogramPicks],
    classes: Sequence[ClassSpec],
    *,
    format: str,
    options: Choices = None,
    rows: int = 3,
) -> Preview:
    """Write a few particles of each tomogram and class to a folder that goes away, and say what is in it.

    Parameters
    ----------
    path : Path
        The file that would be written; neither it nor its folder is touched.
    parts, classes, format, options : Sequence[TomogramPicks], Sequence[ClassSpec], str, Mapping[str, Any] | Options | None
        As for `core.io.particles.write_parts`.
    rows : int
        Particles of each class of each tomogram.

    Returns
    -------
    Preview
        Files of the first few tomograms, with their first lines.

    Raises
    ------
    PickerError
        As the export itself would.
    """
    filled = [part for part in parts if len(part)]
    known = format_named(format)
    chosen = known.chosen(options)
    filled, told = _numbered(filled) if Need.NUMBER in known.needs | known.wants else (filled, ())
    few = [part.select(_few(part, rows)) for part in filled[:MOST_TOMOGRAMS]]
    target = path.absolute()
    with TemporaryDirectory(prefix="preview-") as name:
        world = _World(Path(name), target.anchor)
        inner = world.inside(target)
        make_folder(inner.parent)
        written = write_parts(inner, few, classes, format=format, options=world.options(chosen))
        files = tuple(_previewed(file, world) for file in written.files)
        notices = (*told, *map(world.told, written.notices))
    there = [file.path for file in files if file.exists]
    stay = known.stays
    replaced = ", ".join(path.name for path in there if not stay(path))
    stale = [f"These are there already and will be replaced: {replaced}."] if replaced else []
    notices = (*notices, *stale, *filter(None, map(stay, there)))
    return Preview(files=files, notices=notices, more=len(filled) - len(few))


def _numbered(parts: list[TomogramPicks]) -> tuple[list[TomogramPicks], tuple[str, ...]]:
    """Give all their numbers before some are left out, which could change them."""
    numbers, told = tomogram_numbers(parts)
    return [replace(part, number=number) for part, number in zip(parts, numbers, strict=True)], told


class _World:
    """A folder in which every path has its place, so that what stands relative to something is the same inside."""

    def __init__(self, root: Path, anchor: str) -> None:
        self._root, self._anchor = root, anchor

    def inside(self, path: Path) -> Path:
        return self._root / path.relative_to(path.anchor)

    def outside(self, path: Path) -> Path:
        return Path(self._anchor) / path.relative_to(self._root)

    def told(self, text: str) -> str:
        bare = self._anchor.rstrip("/\\")
        return text.replace(self._root.as_posix(), bare).replace(str(self._root), bare)

    def options(self, chosen: Options) -> Options:
        words = {entry.name: getattr(chosen, entry.name) for entry in fields(chosen)}
        folders = {name: Path(word) for name, word in words.items() if isinstance(word, str) and os.path.isabs(word)}
        return replace(chosen, **{name: str(self.inside(folder)) for name, folder in folders.items()})


def _few(part: TomogramPicks, rows: int) -> BoolArray:
    """Choose the first of each class, and the first without a score, because columns of scores take all of them."""
    chosen = np.zeros(len(part), np.bool_)
    without = np.isnan(part.table.scores)
    for number in np.unique(part.table.class_ids):
        mine = part.table.class_ids == number
        chosen[np.flatnonzero(mine)[:rows]] = True
        chosen[np.flatnonzero(mine & without)[:1]] = True
    return chosen


def _previewed(file: Path, world: _World) -> PreviewedFile:
    try:
        text = decoded_head(file, read_bytes(file, HEAD_BYTES))
    except FileFormatError:
        text = ""
    head = tuple(line.rstrip()[:WIDTH] for line in islice(world.told(text).splitlines(), LINES))
    path = world.outside(file)
    return PreviewedFile(path=path, exists=path.exists(), head=head)
