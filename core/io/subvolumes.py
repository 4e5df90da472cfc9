"""Boxes of one tomogram as files: one each, a stack, or an array of them, put down one after the other."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from core.io.atomic import safe_name
from core.io.volumes import write_mrc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import DTypeLike, NDArray

    from core.types import Angstrom

    Boxes = tuple[int, int, int, int]  # how many, and their edges

MODES = ("int8", "int16", "uint16", "float16", "float32")  # of MRC; all others become the last

Writer = tuple["Callable[[int, NDArray[Any]], None]", "Callable[[int], str]"]
"""Takes the n-th box, and says what a STAR file calls it."""


def file_names(tomogram_ids: Sequence[str]) -> dict[str, str]:
    """Return what tomograms are called in files, by their names; no two are called alike."""
    plain = [safe_name(one) for one in tomogram_ids]
    often = Counter(name.lower() for name in plain)
    return {
        one: f"{name}-{place}" if often[name.lower()] > 1 else name
        for place, (one, name) in enumerate(zip(tomogram_ids, plain, strict=True), 1)
    }


def mrc_files(folder: Path, name: str, _shape: Boxes, _dtype: DTypeLike, voxel_size: Angstrom) -> Writer:
    """Write each box as an MRC file in a folder of its own."""
    (folder / name).mkdir()

    def image(place: int) -> str:
        return f"{name}/{place + 1:06d}.mrc"

    return lambda place, box: write_mrc(folder / image(place), box, voxel_size), image


def mrc_stack(folder: Path, name: str, shape: Boxes, dtype: DTypeLike, voxel_size: Angstrom) -> Writer:
    """Write all boxes into one MRC file, a stack of volumes."""
    import mrcfile
    from mrcfile.utils import mode_from_dtype

    kind = np.dtype(dtype)
    mode = mode_from_dtype(kind if kind.name in MODES else np.dtype(MODES[-1]))
    with mrcfile.new_mmap(folder / f"{name}.mrcs", shape=shape, mrc_mode=mode) as file:
        file.voxel_size = voxel_size

    def put(place: int, box: NDArray[Any]) -> None:
        with mrcfile.mmap(folder / f"{name}.mrcs", mode="r+") as file:
            file.data[place] = box

    return put, lambda place: f"{place + 1:06d}@{name}.mrcs"


def zarr_array(folder: Path, name: str, shape: Boxes, dtype: DTypeLike, voxel_size: Angstrom) -> Writer:
    """Write all boxes into one Zarr array, a chunk each."""
    import zarr

    array = zarr.create_array(str(folder / f"{name}.zarr"), shape=shape, chunks=(1, *shape[1:]), dtype=dtype, zarr_format=2)
    array.attrs.update({"axes": ["particle", "z", "y", "x"], "voxel_size": voxel_size, "unit": "angstrom"})

    def put(place: int, box: NDArray[Any]) -> None:
        array[place] = box

    return put, lambda place: f"{place + 1:06d}@{name}.zarr"


WRITERS: dict[str, Callable[[Path, str, Boxes, DTypeLike, Angstrom], Writer]] = {
    "mrc": mrc_files,
    "stack": mrc_stack,
    "zarr": zarr_array,
}
