"""Run by ome-zarr in its own environment: reads the images in ``ours`` and writes some into ``theirs``, of NGFF 0.4 and 0.5."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from ome_zarr.format import FormatV04, FormatV05
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from ome_zarr.writer import write_image
from ome_zarr_models.v04 import Image

CUBES = [dict.fromkeys("zyx", 2), dict.fromkeys("zyx", 4)]
CHUNKS = {"chunks": (8, 32, 32)}


def told(path: Path) -> dict[str, Any]:
    """Read with ome-zarr, and hold the metadata against the models of NGFF 0.4."""
    node = next(iter(Reader(parse_url(str(path), mode="r"))()))
    said = Image.from_zarr(zarr.open_group(path, mode="r")).attributes.multiscales[0]
    levels = [np.asarray(level) for level in node.data]
    return {
        "axes": [one.model_dump(exclude_none=True) for one in said.axes],
        "transforms": node.metadata["coordinateTransformations"],
        "shapes": [level.shape for level in levels],
        "types": [str(level.dtype) for level in levels],
        "sums": [float(level.sum(dtype="f8")) for level in levels],
        "corner": levels[0][:2, :2, :2].tolist(),
    }


def written(folder: Path, data: Any) -> None:
    every = {
        "group": "",
        "scale": dict.fromkeys("zyx", 1.348),
        "axes": list("zyx"),
        "axes_units": dict.fromkeys("zyx", "nanometer"),
    }
    for name, version in (("4", FormatV04()), ("5", FormatV05())):
        plain = every | {"fmt": version, "storage_options": CHUNKS}
        write_image(data, **plain | {"group": str(folder / f"cubes_{name}.zarr"), "scale_factors": CUBES})
        write_image(data, **plain | {"group": str(folder / f"sections_{name}.zarr"), "scale_factors": [2, 4]})
        write_image(data, **plain | {"group": str(folder / f"no_unit_{name}.zarr"), "axes_units": None})
    shards = CHUNKS | {"shards": (16, 64, 64)}
    write_image(data, **every | {"group": str(folder / "shards_5.zarr"), "fmt": FormatV05(), "storage_options": shards})


here = Path(sys.argv[1])
(here / "told.json").write_text(json.dumps({path.name: told(path) for path in sorted((here / "ours").iterdir())}))
(here / "theirs").mkdir()
written(here / "theirs", np.load(here / "volume.npy"))
