"""A local Zarr store that looks at chunks of Blosc before they are decoded.

The decoder trusts the lengths in the header of a chunk and reads past the end of one that is cut off, which can end the process.
Source: the header of 16 bytes in Blosc's README_CHUNK_FORMAT.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from zarr.storage import LocalStore

from core.errors import FileFormatError

if TYPE_CHECKING:
    from pathlib import Path

    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype

_HEADER = struct.Struct("<4B3I")


class CheckedStore(LocalStore):
    """Reads a folder.

    Parameters
    ----------
    folder : Path
        Of one array.
    decoded : int
        Bytes of a chunk once it is decoded.
    whole : bool
        Files are single chunks; otherwise chunks are parts of files, and files begin with one.
    """

    def __init__(self, folder: Path, decoded: int, whole: bool) -> None:
        super().__init__(folder, read_only=True)
        self._decoded, self._whole = decoded, whole

    async def get(self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Read a file or a part of it; refuse a chunk whose header does not fit."""
        found = await super().get(key, prototype, byte_range)
        from zarr.abc.store import RangeByteRequest

        single = isinstance(byte_range, RangeByteRequest) or byte_range is None
        if found is not None and single and not key.rpartition("/")[2].startswith((".z", "zarr.json")):
            self._require_sound(key, found.to_bytes()[: _HEADER.size], len(found), self._whole or byte_range is not None)
        return found

    def _require_sound(self, key: str, head: bytes, length: int, exact: bool) -> None:
        *_, nbytes, block, cbytes = _HEADER.unpack(head) if len(head) == _HEADER.size else (0, 0, 0)
        fits = cbytes == length if exact else 0 < cbytes <= length
        if not fits or nbytes != self._decoded or block > max(nbytes, 1):
            raise FileFormatError(f"Chunk {key} of {self.root} is damaged; copy or write the folder again.")
