from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from test_training import CLASS, example

from core.config import RunConfig, TrainConfig
from core.errors import CheckpointError
from core.messages import drain
from core.pretrained import pretrained, read_pretrained, write_pretrained
from core.training import train
from core.transfer import handed_on

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 15_000_000


def test_the_network_that_comes_along_is_whole_and_small(tmp_path: Path) -> None:
    network = pretrained()
    assert network.network().channels_out == len(network.classes) + 1
    assert all(torch.isfinite(value).all() for value in network.weights.values())
    write_pretrained(network, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").stat().st_size < LARGEST


def test_what_is_written_is_read(tmp_path: Path) -> None:
    network, path = pretrained(), tmp_path / "x.safetensors"
    write_pretrained(network, path)
    again = read_pretrained(path)
    assert replace(again, weights={}) == replace(network, weights={})
    assert all(torch.equal(value, again.weights[name]) for name, value in network.weights.items())


@pytest.mark.parametrize("kept", [0, 7, 100, 20_000, 3_000_000])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "x.safetensors"
    write_pretrained(pretrained(), path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match="install the program again"):
        read_pretrained(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="install the program again"):
        read_pretrained(tmp_path / "none.safetensors")


@pytest.mark.parametrize(("start", "same"), [("pretrained", True), ("scratch", False)])
def test_training_begins_where_the_settings_say(tmp_path: Path, start: str, same: bool) -> None:
    settings = TrainConfig(start=start, steps=1, patch=32, batch=1, validations=1, learning_rate=1e-9, average=0.0)  # type: ignore[arg-type]
    config = RunConfig(train=settings)
    trained = drain(train([example()], [CLASS], config, tmp_path / "run"))
    known = handed_on(pretrained(), config.network, [CLASS], trained.voxel_size)
    assert torch.allclose(trained.weights["ups.0.weight"], known["ups.0.weight"], atol=1e-6) == same
