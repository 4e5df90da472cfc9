"""Step 4: picking all tomograms of a project by one button."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from app import notify
from core.annotations import Role
from core.assessment import side_by_side
from core.checkpoint import Checkpoint, save_checkpoint
from core.config import NetworkConfig, RunConfig, TrainConfig
from core.io.volumes import write_mrc
from core.masks import MaskConfig
from core.masks.settings import SlabMask
from core.messages import Progress
from core.metrics import Kind
from core.network import build
from core.origins import CANDIDATES, Origin, pick_runs
from core.particles import ClassSpec, Status

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.launch import Application

LEFT = Qt.MouseButton.LeftButton
MINUTE = 60_000


@pytest.fixture
def many(desk: Application, tmp_path: Path) -> Application:
    """A project with four tomograms, one of them not used, and a network that finds something in noise."""
    rng = np.random.default_rng(0)
    for number in (1, 2, 3, 4):
        write_mrc(tmp_path / f"TS_{number}.mrc", rng.normal(size=(32, 32, 32)).astype(np.float32), 10.0)
    desk.project.close()
    desk.project.open_paths([str(path) for path in sorted(tmp_path.glob("*.mrc"))])
    torch.manual_seed(0)
    checkpoint = Checkpoint(
        config=RunConfig(train=TrainConfig(patch=32)),
        classes=(ClassSpec(id=1, name="ribosome", diameter=100.0, color="#ff0000"),),
        voxel_size=10.0,
        weights=dict(build(NetworkConfig(), 1).state_dict()),
        calibration={1: (1.0, 0.0)},
        thresholds={1: 0.1},
        metrics={},
    )
    model = desk.session.project.models / "20260101-120000-train.pt"
    save_checkpoint(checkpoint, model)
    desk.session.set_model(model)
    store = desk.session.project.store
    store.update_tomogram(replace(store.tomogram("TS_4"), role=Role.NONE))
    desk.window.go_to_step(3)
    return desk


def candidates(desk: Application) -> dict[str, int]:
    store = desk.session.project.store
    return {record.id: int((store.table(record.id).statuses == Status.CANDIDATE).sum()) for record in store.tomograms()}


@pytest.mark.engine
def test_one_button_picks_all_and_names_the_one_that_cannot_be_read(
    many: Application, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(notify, "show", lambda exc, _parent=None: told.append(notify.sentence(exc)))
    damaged = tmp_path / "TS_2.mrc"
    damaged.write_bytes(damaged.read_bytes()[:3000])
    steps: list[Progress] = []
    many.runner.message.connect(lambda message: steps.append(message) if isinstance(message, Progress) else None)
    QTest.mouseClick(many.window.pick.pick_all, LEFT)
    assert many.runner.busy
    assert "wait for it" in many.window.pick.pick_all.toolTip()
    qtbot.waitUntil(lambda: not many.runner.busy and bool(told), timeout=3 * MINUTE)
    found = candidates(many)
    assert found["TS_1"] > 0
    assert found["TS_3"] > 0
    assert (found["TS_2"], found["TS_4"]) == (0, 0)
    assert len(told) == 1
    assert told[0].startswith("1 of 3 tomograms could not be picked. TS_2:")
    assert {step.stage for step in steps} <= {"Looking what is finished", "Waiting for workers", "Picking"}
    assert int((many.session.table.statuses == Status.CANDIDATE).sum()) == found["TS_1"]  # the one that is shown
    assert many.window.pick.pick_all.isEnabled()
    project = many.session.project
    run = Origin("run", pick_runs(project)[0])
    both = side_by_side(project, run, CANDIDATES, project.store.classes(), 0.5)
    assert both.keys() == {"TS_1", "TS_3"}
    for name, one in both.items():
        assert one.count(Kind.SAME) == found[name]  # the run keeps those below the threshold, too
        assert one.count(Kind.ONLY_B) == 0


def test_cancelling_keeps_what_is_finished_and_masks_hold_for_the_workers(many: Application, qtbot: QtBot) -> None:
    said: list[str] = []
    many.pick_all.said.connect(said.append)
    store, session = many.session.project.store, many.session
    session.set_masks({"TS_1": MaskConfig(slab=SlabMask(on=True, surfaces="given", low=4, high=12))})
    session.skip_masked = True
    QTest.mouseClick(many.window.pick.pick_all, LEFT)
    qtbot.waitUntil(lambda: any(candidates(many).values()), timeout=2 * MINUTE)
    many.window.jobs.cancel_requested.emit()
    qtbot.waitUntil(lambda: not many.runner.busy, timeout=MINUTE)
    first = {name: store.table(name).ids.tolist() for name, count in candidates(many).items() if count}
    assert first
    assert not [one for one in threading.enumerate() if not one.daemon and one is not threading.main_thread()]

    QTest.mouseClick(many.window.pick.pick_all, LEFT)
    qtbot.waitUntil(lambda: not many.runner.busy, timeout=2 * MINUTE)
    assert {name: store.table(name).ids.tolist() for name in first} == first
    assert said[-1].endswith("had been picked before with the same network and settings.")
    heights = {name: store.table(name).positions[:, 0] for name in ("TS_1", "TS_2")}
    assert len(heights["TS_1"])
    assert 3.5 <= heights["TS_1"].min() <= heights["TS_1"].max() <= 12.5
    assert heights["TS_2"].max() > 16
    session.skip_masked = False


def test_without_a_network_the_button_says_what_is_missing(many: Application) -> None:
    many.session.set_model(None)
    assert not many.window.pick.pick_all.isEnabled()
    assert "Train a network first" in many.window.pick.pick_all.toolTip()
