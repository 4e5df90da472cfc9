"""Time reading a tomogram tile by tile, as picking does, from every kind of file, against reading the MRC file plainly.

    PYTHONPATH=. python benchmarks/reading.py [--shape 128 512 512] [--cold]

Tiles are those of the fast network, context included; MB are those of the voxels that arrive, as they are in the file. The
plain read goes through the MRC file once in pieces of 8 MB. All of it lies in the cache of the system, and seconds are those of
the processor (user and system), unless --cold is given: then the system is asked to forget each file before it is read, which
not every file system does, and the clock counts.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tifffile
import torch

from core.inference import OUTSIDE, OVERLAP, tile_voxels
from core.io.volumes import open_tomogram, write_mrc, write_zarr
from core.network.build import STRIDE
from core.tiling import Grid, Tile, best_shape, plan
from core.tomogram import Box

if TYPE_CHECKING:
    from collections.abc import Callable

    Clock = Callable[[], float]

VOXEL_SIZE = 10.0
PIECE = 2**23


def files(folder: Path, shape: tuple[int, int, int]) -> dict[str, Path]:
    """Write the same noise, coarse enough to be compressed a little, in every form."""
    values = np.random.default_rng(0).integers(-1000, 1000, shape, np.int16)
    paths = {name: folder / f"noise{end}" for name, end in ENDS.items()}
    write_mrc(paths["MRC"], values, VOXEL_SIZE)
    write_zarr(paths["OME-Zarr"], values, VOXEL_SIZE)
    tifffile.imwrite(paths["TIFF"], values)
    tifffile.imwrite(paths["TIFF, deflated"], values, compression="zlib")
    with paths["MRC"].open("rb") as plain, gzip.open(paths["MRC.gz"], "wb", compresslevel=1) as packed:
        shutil.copyfileobj(plain, packed, PIECE)
    return paths


ENDS = {"MRC": ".mrc", "OME-Zarr": ".zarr", "TIFF": ".tif", "TIFF, deflated": "_deflated.tif", "MRC.gz": ".mrc.gz"}


def tiles(shape: tuple[int, int, int]) -> list[Tile]:
    grid = Grid(overlap=OVERLAP["fast"], stride=STRIDE, volume=shape, outside=OUTSIDE["fast"])
    whole = Box((0, 0, 0), shape)
    return plan(whole, best_shape(whole, tile_voxels("fast", torch.device("cpu")), grid), grid)


def plainly(path: Path, now: Clock) -> tuple[float, float, int]:
    piece, total, began = bytearray(PIECE), 0, now()
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(piece):
            total += count
    return 0.0, now() - began, total


def by_tiles(path: Path, asked: list[Tile], now: Clock) -> tuple[float, float, int]:
    """Return seconds to open, seconds to read all tiles, and bytes that arrived, mirrored ones not counted."""
    began = now()
    tomogram = open_tomogram(path, voxel_size=VOXEL_SIZE)
    opened = now()
    total = 0
    for tile in asked:
        tomogram.block(tile.outer.low, tile.outer.shape)
        inside = [min(b, n) - max(a, 0) for a, b, n in zip(tile.outer.low, tile.outer.high, tomogram.shape, strict=True)]
        total += int(np.prod(inside)) * tomogram.data.dtype.itemsize
    return opened - began, now() - opened, total


def forget(path: Path) -> None:
    for one in [path, *path.rglob("*")]:
        if one.is_file():
            handle = os.open(one, os.O_RDONLY)
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


def size(path: Path) -> int:
    return sum(one.stat().st_size for one in [path, *path.rglob("*")] if one.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=int, nargs=3, default=(128, 512, 512))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cold", action="store_true")
    asked = parser.parse_args()
    now = time.monotonic if asked.cold else time.process_time
    with tempfile.TemporaryDirectory() as place:
        os.environ["XDG_CACHE_HOME"] = place  # the copies of what was compressed go with it
        paths, wanted = files(Path(place), tuple(asked.shape)), tiles(tuple(asked.shape))
        load, taken = os.getloadavg()[0], {name: [] for name in ("plain read", *paths)}
        for _ in range(asked.rounds):
            for name, path in {"plain read": paths["MRC"], **paths}.items():
                if asked.cold:
                    forget(path)
                taken[name].append(plainly(path, now) if name == "plain read" else by_tiles(path, wanted, now))
        sizes = {name: size(path) for name, path in paths.items()}
    seen = sum(np.prod(tile.outer.shape) for tile in wanted) / np.prod(asked.shape)
    print(f"{tuple(asked.shape)} int16, {len(wanted)} tiles, each voxel in {seen:.2f} of them")
    print(f"load {load:.1f} on {os.cpu_count()} cores")
    print("| file | MB | open, first and later / s | MB/s | part of the plain read |")
    print("|---|---|---|---|---|")
    base = 0.0
    for name, rounds in taken.items():
        rate = statistics.median(total / seconds for _, seconds, total in rounds) / 1e6
        base = base or rate
        opened = (
            "-" if name == "plain read" else f"{rounds[0][0]:.2f}, {statistics.median(one[0] for one in rounds[1:] or rounds):.3f}"
        )
        print(f"| {name} | {sizes.get(name, sizes['MRC']) / 1e6:.0f} | {opened} | {rate:.0f} | {rate / base:.2f} |")


if __name__ == "__main__":
    main()
