"""Run by copick in its own environment: reads the project that we wrote into ``ours``, and writes one into ``theirs`` for us."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import copick
import numpy as np

SETTINGS = {
    "config_type": "filesystem",
    "name": "theirs",
    "version": "1.0.0",
    "pickable_objects": [{"name": "ribosome", "is_particle": True, "label": 1, "color": [255, 0, 0, 255], "radius": 125}],
    "overlay_fs_args": {"auto_mkdir": True},
}


def told(folder: Path) -> dict[str, Any]:
    root = copick.from_file(str(folder / "copick_config.json"))
    found: dict[str, Any] = {"picks": {}, "volumes": {}}
    found["objects"] = {one.name: [one.radius, *one.color] for one in root.pickable_objects}
    for run in root.runs:
        for picks in run.picks:
            points = [(one.location.x, one.location.y, one.location.z, one.score) for one in picks.points]
            turns = [np.asarray(one.transformation).tolist() for one in picks.points]
            name = f"{run.name} {picks.pickable_object_name} {picks.user_id} {picks.session_id}"
            found["picks"][name] = {"points": points, "turns": turns, "trusted": picks.trust_orientation}
        for spacing in run.voxel_spacings:
            for tomogram in spacing.tomograms:
                levels = [np.asarray(tomogram.numpy(zarr_group=str(level))) for level in range(2)]
                sums = [float(level.sum(dtype="f8")) for level in levels]
                found["volumes"][f"{run.name} {spacing.voxel_size:g} {tomogram.tomo_type}"] = [[*levels[0].shape], *sums]
    return found


def written(folder: Path, order: dict[str, Any]) -> None:
    folder.mkdir()
    settings = SETTINGS | {"overlay_root": f"local://{folder}"}
    (folder / "copick_config.json").write_text(json.dumps(settings))
    run = copick.from_file(str(folder / "copick_config.json")).new_run("TS_03")
    picks = run.new_picks("ribosome", "5", "them")
    picks.from_numpy(np.array(order["points"]), np.array(order["turns"]))
    for point, score in zip(picks.points, order["scores"], strict=True):
        point.score = score
    picks.store()
    run.new_voxel_spacing(10.0).new_tomogram("wbp").from_numpy(np.load(order["volume"]))


here = Path(sys.argv[1])
(here / "told.json").write_text(json.dumps(told(here / "ours")))
written(here / "theirs", json.loads((here / "order.json").read_text()))
