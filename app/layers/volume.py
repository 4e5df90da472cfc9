"""The tomogram as napari sees it: an array whose sections are cut, averaged and filtered when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.display import Look, section
from core.tomogram import Columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from core.tomogram import Tomogram


class Sections:
    """Looks like a three-dimensional array; napari only ever asks for one section, or its shape and type."""

    ndim = 3
    dtype = np.dtype(np.float32)

    def __init__(self, tomogram: Tomogram, look: Look | None = None) -> None:
        self.tomogram, self._columns = tomogram, Columns(tomogram)
        self.look = look or Look()
        self.shape = tomogram.shape
        self.size = int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        whole = key if isinstance(key, tuple) else (key,)
        whole += (slice(None),) * (3 - len(whole))
        axis = next((i for i, part in enumerate(whole) if not isinstance(part, slice)), None)
        if axis is None:
            # napari never needs all of it in 2-D; a stray request must not read gigabytes
            return np.asarray(self.tomogram.data[whole], np.float32)
        image = section(self.tomogram, axis, int(whole[axis]), self.look, self._columns)
        rest = tuple(part for i, part in enumerate(whole) if i != axis)
        return image[rest]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self.tomogram.data, dtype or np.float32)
