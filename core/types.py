"""The words that every signature is made of."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Angstrom: TypeAlias = float
Voxels: TypeAlias = float

Positions: TypeAlias = NDArray[np.float64]
"""(n, 3) zyx, 0-based voxels of one tomogram, voxel centres at integers."""

FloatArray: TypeAlias = NDArray[np.float32]
BoolArray: TypeAlias = NDArray[np.bool_]
IntArray: TypeAlias = NDArray[np.int64]

Shape: TypeAlias = tuple[int, int, int]
"""(z, y, x) extents in voxels."""


class Volume(Protocol):
    """A three-dimensional (z, y, x) array that need not be in memory: a memory map, an HDF5 or Zarr array."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __getitem__(self, key: Any, /) -> Any: ...
