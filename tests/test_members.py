"""Tomograms of a project on workers: stopped, gone on with, and with masks of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from core.batch import Local, pick_all
from core.batch.members import members
from core.checkpoint import Checkpoint, save_checkpoint
from core.cli import batches, run
from core.config import NetworkConfig, PickConfig, RunConfig, TrainConfig
from core.io.volumes import write_mrc
from core.masks import MaskConfig
from core.masks.settings import SlabMask
from core.messages import TomogramPicked
from core.network import build
from core.particles import ClassSpec
from core.project import Project

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = PickConfig(device="cpu")
NAMES = [f"t{number}" for number in range(4)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with four small tomograms of noise, and a network that finds something in it."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    with Project.create(tmp_path / "work") as project:
        for name in NAMES:
            write_mrc(tmp_path / f"{name}.mrc", rng.normal(size=(32, 32, 32)).astype(np.float32), 10.0)
            project.add_tomogram(tmp_path / f"{name}.mrc")
        checkpoint = Checkpoint(
            config=RunConfig(train=TrainConfig(patch=32)),
            classes=(ClassSpec(id=1, name="ribosome", diameter=100.0, color="#ff0000"),),
            voxel_size=10.0,
            weights=dict(build(NetworkConfig(), 1).state_dict()),
            calibration={1: (1.0, 0.0)},
            thresholds={1: 0.1},
            metrics={},
        )
        save_checkpoint(checkpoint, project.models / "net.pt")
    return tmp_path / "work"


def kept(folder: Path) -> dict[str, list[int]]:
    """Ids of the particles of each tomogram, and with that whether they were put there anew."""
    with Project.open(folder) as project:
        return {name: project.store.table(name).ids.tolist() for name in NAMES}


def test_what_is_finished_in_a_project_is_not_picked_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["pick", str(folder), "--workers", "1", "--device", "cpu", "--json"]
    with Project.open(folder) as project:
        what = members(project, NAMES, project.models / "net.pt", CONFIG)
        assert not any(order.kept for order in what.orders.values())
        job = batches._kept(project, pick_all(list(what.orders.values()), Local(1, ("",))), what.orders, None, CONFIG.edge, None)
        done = [next(m.name for m in job if isinstance(m, TomogramPicked)) for _ in range(2)]
        job.close()  # as Ctrl-C does
    first = kept(folder)
    assert all(bool(first[name]) == (name in done) for name in NAMES)
    assert not list(what.run.glob(".*"))

    assert run(command) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["before"] == sorted(done)
    assert (list(told["tomograms"]), told["run"]) == (NAMES, str(what.run))
    second = kept(folder)
    assert all(second[name] for name in NAMES)
    assert {name: second[name] for name in done} == {name: first[name] for name in done}
    assert run(command) == 0  # nothing is left, so no worker is started
    assert json.loads(capsys.readouterr().out)["before"] == NAMES

    with Project.open(folder) as project:
        ask = {"model": project.models / "net.pt", "config": CONFIG}
        project.store.undo()
        gone = [name for name in NAMES if not len(project.store.table(name).ids)]
        assert len(gone) == 1
        assert {name for name, order in members(project, NAMES, **ask).orders.items() if not order.kept} == set(gone)
        masks = {"t0": MaskConfig(slab=SlabMask(on=True, surfaces="given", low=8, high=20))}
        other = members(project, NAMES, **ask, masks=masks)
        assert (other.orders["t0"].kept, other.orders["t0"].masks["slab"]["low"], other.orders["t1"].masks) == (False, 8, None)
        assert not any(order.kept for order in members(project, NAMES, **ask, threshold=0.3).orders.values())
        assert not any(order.kept for order in members(project, NAMES, **ask, everything=True).orders.values())
