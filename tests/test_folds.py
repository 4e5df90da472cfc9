"""Cross-validation on the command line, with trainings that are real but short."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from core.cli import run
from core.config import TrainConfig
from core.io.volumes import write_mrc
from core.messages import drain
from core.project import Project
from core.settings import SETTINGS, Settings, save_settings
from core.simulate import PhantomConfig, simulate

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_every_slab_is_picked_by_a_network_that_never_saw_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = drain(simulate(PhantomConfig(shape=(32, 96, 64), counts={"ferritin": 20}, vesicles=0, gold=0, crowding=0.0)))
    write_mrc(tmp_path / "sample.mrc", made.tomogram.data, made.tomogram.voxel_size)
    with Project.create(tmp_path / "p") as project:
        for spec in made.classes:
            project.store.add_class(spec)
        project.add_tomogram(tmp_path / "sample.mrc")
        project.store.add_many(replace(made.truth, tomogram_id="sample"))
    train = TrainConfig(patch=32, batch=2, validations=1, device="cpu", minutes=0.0, steps=50)
    save_settings(Settings(train=train), tmp_path / "p" / SETTINGS)
    capsys.readouterr()
    within = ("--mask", "slab.surfaces=given", "--mask", "slab.low=12")
    assert run(["evaluate", str(tmp_path / "p"), "--folds", "2", "--steps", "2", *within, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["folds"], told["complete"]) == (2, False)
    assert 0 < told["classes"]["ferritin"]["truth"] == (made.truth.positions[:, 0] >= 12).sum() < len(made.truth)
    assert told["classes"]["ferritin"]["precision"] is None
    assert 0 <= told["classes"]["ferritin"]["recall"] <= 1
    runs = sorted((tmp_path / "p" / "runs").glob("*-folds/*/history.json"))
    assert [json.loads(path.read_text())[-1]["step"] for path in runs] == [2, 2]
    assert "only recall and distance are measured" in " ".join(told["notices"])
