"""Volumes that are read part by part, and remember the parts that were read last."""

from __future__ import annotations

import math
import threading
import weakref
from collections import OrderedDict
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from core.memory import available

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import DTypeLike, NDArray

    from core.types import Shape

    Fetch = Callable[[tuple[slice, slice, slice]], NDArray[Any]]

_LEAST_CACHE = 2**28
_SHARE = 4  # of the free memory, at most the n-th part is used to remember


class LazyVolume:
    """A (z, y, x) array that stays on disk and is sliced like one of numpy.

    It is fetched in the chunks of the file. The last ones are kept, as many as one layer of them needs, so that going through a
    volume section by section along any axis fetches each chunk once, where memory allows.

    Parameters
    ----------
    shape : Shape
        (z, y, x) extents.
    dtype : DTypeLike
        Type of the voxels.
    chunks : Shape
        (z, y, x) extents of what is fetched at a time.
    fetch : Callable
        Returns the voxels of a box, given as three slices with start and stop.
    close : Callable | None
        Closes the file when nobody needs the volume any more.
    """

    def __init__(
        self, shape: Shape, dtype: DTypeLike, chunks: Shape, fetch: Fetch, close: Callable[[], object] | None = None
    ) -> None:
        self.shape: tuple[int, ...] = tuple(shape)
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.chunks = tuple(max(1, min(c, n)) for c, n in zip(chunks, shape, strict=True))
        self._fetch = fetch
        self._kept: OrderedDict[tuple[int, ...], NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()
        self._room: int | None = None
        if close is not None:
            weakref.finalize(self, close)

    @property
    def ndim(self) -> int:
        """Always 3."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of voxels."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that all voxels would take in memory."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("the voxels are on disk, and reading them makes a copy")
        return np.asarray(self[:], dtype)

    def __getitem__(self, key: Any, /) -> Any:
        """Read a part.

        Parameters
        ----------
        key
            Whole numbers and slices for z, y and x, and ``...``, as for a numpy array.

        Returns
        -------
        ndarray or scalar
            A copy in memory.

        Raises
        ------
        IndexError
            For numbers outside, and for anything else than numbers and slices.
        """
        box, after = [], []
        for one, n in zip(_expanded(key, self.ndim), self.shape, strict=True):
            low, high, rest = _span(one, n)
            box.append((low, high))
            after.append(rest)
        return self._box(box)[tuple(after)]

    def pieces(self) -> Iterator[tuple[Shape, NDArray[Any]]]:
        """Read all of it once, chunk by chunk, and remember none.

        Yields
        ------
        tuple[Shape, ndarray]
            The (z, y, x) first voxel of a chunk and its voxels.
        """
        for number in product(*(range(-(-n // c)) for n, c in zip(self.shape, self.chunks, strict=True))):
            box = self._whole(number)
            yield (box[0].start, box[1].start, box[2].start), self._fetch(box)

    def _whole(self, number: Sequence[int]) -> tuple[slice, slice, slice]:
        z, y, x = (slice(i * c, min((i + 1) * c, n)) for i, c, n in zip(number, self.chunks, self.shape, strict=True))
        return z, y, x

    def _box(self, box: Sequence[tuple[int, int]]) -> NDArray[Any]:
        result = np.empty([high - low for low, high in box], self.dtype)
        if not result.size:
            return result
        numbers = (range(low // c, (high - 1) // c + 1) for (low, high), c in zip(box, self.chunks, strict=True))
        for number in product(*numbers):
            chunk = self._chunk(number)
            into, out = [], []
            for i, c, (low, high), n in zip(number, self.chunks, box, chunk.shape, strict=True):
                first, last = max(low, i * c), min(high, i * c + n)
                into.append(slice(first - low, last - low))
                out.append(slice(first - i * c, last - i * c))
            result[tuple(into)] = chunk[tuple(out)]
        return result

    def _chunk(self, number: tuple[int, ...]) -> NDArray[Any]:
        with self._lock:
            if number in self._kept:
                self._kept.move_to_end(number)
                return self._kept[number]
        chunk = self._fetch(self._whole(number))
        with self._lock:
            self._kept[number] = chunk
            room = self._most()
            while len(self._kept) > 1 and sum(one.nbytes for one in self._kept.values()) > room:
                self._kept.popitem(last=False)
        return chunk

    def _most(self) -> int:
        """Bytes to remember: the largest layer of chunks, unless memory is short."""
        if self._room is None:
            layers = [self.nbytes * c // n for c, n in zip(self.chunks, self.shape, strict=True)]
            self._room = min(max(_LEAST_CACHE, *layers), available() // _SHARE)
        return self._room


def _expanded(key: Any, ndim: int) -> list[Any]:
    keys = list(key) if isinstance(key, tuple) else [key]
    dots = [i for i, one in enumerate(keys) if one is Ellipsis]
    if len(dots) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    place = dots[0] if dots else len(keys)
    given = len(keys) - len(dots)
    if given > ndim:
        raise IndexError(f"too many indices: the volume has {ndim} axes, but {given} were indexed")
    return keys[:place] + [slice(None)] * (ndim - given) + keys[place + len(dots) :]


def _span(key: Any, n: int) -> tuple[int, int, Any]:
    """Return the voxels to read along an axis, first and after the last, and what to take of them."""
    if isinstance(key, slice):
        steps = range(*key.indices(n))
        if not steps:
            return 0, 0, slice(0, 0)
        low, high = min(steps[0], steps[-1]), max(steps[0], steps[-1]) + 1
        return low, high, slice(None, None, steps.step)
    if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
        index = int(key) + (n if key < 0 else 0)
        if not 0 <= index < n:
            raise IndexError(f"index {key} is out of bounds for an axis of {n} voxels")
        return index, index + 1, 0
    raise IndexError(f"a volume on disk is indexed by whole numbers and slices, not {type(key).__name__}")
