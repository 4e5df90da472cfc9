"""A look at the pages of a TIFF file before a library reads them: none may lead back to another or to lists without end.

Source: TIFF 6.0, section 2; BigTIFF (offsets and counts of eight bytes).
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np

from core.errors import FileFormatError
from core.io.volumes.values import LARGEST_EDGE

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_EDGES = (256, 257)  # tags of width and height
_WORDS = {3: 2, 4: 4, 16: 8}  # bytes of the kinds of whole numbers
_TEXTS = (1, 2, 7)  # kinds of tags that are kept as bytes
_PRIVATE = 32768  # tags from here on are read when somebody asks for them
_MOST_TAGS = 4096
_MOST_NUMBERS, _MOST_TEXT = 2**20, 2**28  # in one tag: more strips or tiles, or a longer description, than any image has


class _Layout(NamedTuple):
    order: str
    word: int  # bytes of an offset
    few: int  # bytes of the number of tags

    def number(self, raw: bytes) -> int:
        return int.from_bytes(raw, "little" if self.order == "<" else "big")

    def entry(self) -> np.dtype[np.void]:
        kinds = [("tag", "u2"), ("kind", "u2"), ("count", f"u{self.word}"), ("value", f"V{self.word}")]
        return np.dtype([(name, self.order + kind) for name, kind in kinds])


def require_sound_pages(path: Path) -> None:
    """Refuse a TIFF file whose pages cannot be those of an image.

    A library would follow pages that lead back to an earlier one for ever, and make lists as long as a damaged tag says.

    Parameters
    ----------
    path : Path
        A file that begins like TIFF or BigTIFF.

    Raises
    ------
    FileFormatError
        If a page is impossibly large, a tag impossibly long, the first page is not there, or the pages have no end.
    struct.error
        If the file is shorter than its header.
    """
    with path.open("rb") as file:
        head, size = file.read(16), os.fstat(file.fileno()).st_size
        big = head[2:4] in (b"+\0", b"\0+")
        layout = _Layout("<" if head[:2] == b"II" else ">", 8 if big else 4, 8 if big else 2)
        if len(head) < 2 * layout.word:
            raise struct.error("the file ends within its header")
        offset = layout.number(head[layout.word : 2 * layout.word])
        seen: set[int] = set()
        while 0 < offset < size:
            if offset in seen or len(seen) == LARGEST_EDGE:
                raise FileFormatError(f"The pages of {path} have no end; copy or write it again.")
            file.seek(offset)
            tags = _tags(file, layout)
            if not seen and (tags is None or _EDGES[0] not in tags["tag"]):
                raise FileFormatError(f"{path} names no page that can be read; copy or write it again.")
            if tags is None:  # a later page that is cut off is left out
                return
            _require_sane(path, tags, layout, size)
            seen.add(offset)
            offset = layout.number(file.read(layout.word))


def _tags(file: BinaryIO, layout: _Layout) -> NDArray[np.void] | None:
    """Return the entries of the page where the file stands; None if they are not all there."""
    count, entry = layout.number(file.read(layout.few)), layout.entry()
    raw = file.read(count * entry.itemsize) if count <= _MOST_TAGS else b""
    return np.frombuffer(raw, entry) if count and len(raw) == count * entry.itemsize else None


def _require_sane(path: Path, tags: NDArray[np.void], layout: _Layout, size: int) -> None:
    most = np.where(np.isin(tags["kind"], _TEXTS), _MOST_TEXT, _MOST_NUMBERS)
    counts = tags["count"]
    long = counts[(tags["tag"] < _PRIVATE) & (counts > most) & (counts <= size)]  # beyond the file, the library believes none
    if len(long):
        raise FileFormatError(f"A page of {path} has a list of {long.max()} values; copy or write it again.")
    for tag in tags[np.isin(tags["tag"], _EDGES)]:
        edge = layout.number(tag["value"].tobytes()[: _WORDS.get(int(tag["kind"]), 0)])
        if edge > LARGEST_EDGE:
            raise FileFormatError(f"The header of {path} makes no sense (images of {edge} pixels along an edge); copy it again.")
