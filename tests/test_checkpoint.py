from __future__ import annotations

import errno
import os
import pickle
import random
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core import checkpoint as checkpoints
from core.checkpoint import KIND, VERSION, Checkpoint, load_checkpoint, load_tensors, plain, save_checkpoint, save_tensors
from core.config import LabelConfig, NetworkConfig, RunConfig, TrainConfig
from core.errors import CheckpointError, PickerError
from core.network import build
from core.particles import ClassSpec

CLASSES = (
    ClassSpec(id=2, name="ribosome", diameter=250.0),
    ClassSpec(id=5, name="β-galactosidase", diameter=180.0, color="#00ff00"),
)


def made(preset="fast", seed=0):
    torch.manual_seed(seed)
    network = build(NetworkConfig(preset=preset), len(CLASSES))
    return Checkpoint(
        config=RunConfig(
            network=NetworkConfig(preset=preset), label=LabelConfig(kind="ball"), train=TrainConfig(steps=3, patch=32, batch=2)
        ),
        classes=CLASSES,
        voxel_size=13.48,
        weights=dict(network.state_dict()),
        calibration={2: (1.25, -0.5), 5: (1.0, 0.0)},
        thresholds={2: 0.4, 5: 0.61},
        metrics={"f1": 0.9, "step": 3.0},
    )


@pytest.fixture(scope="module")
def checkpoint():
    return made()


@pytest.fixture(scope="module")
def written(checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "best.pt"
    save_checkpoint(checkpoint, path)
    return path


def same_weights(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def assert_same(one, two):
    assert replace(one, weights={}) == replace(two, weights={})
    assert same_weights(one.weights, two.weights)


@pytest.mark.parametrize("preset", ["fast", "published"])
def test_what_is_saved_is_loaded(tmp_path, preset):
    before = made(preset)
    save_checkpoint(before, tmp_path / "a.pt")
    after = load_checkpoint(tmp_path / "a.pt")
    assert_same(before, after)
    assert same_weights(dict(after.network().state_dict()), before.weights)
    assert os.listdir(tmp_path) == ["a.pt"]


@pytest.mark.parametrize("part", [0, 1, 3, 100, 0.3, 0.9, -22, -1])
def test_a_truncated_file_is_refused(tmp_path, written, part):
    content = written.read_bytes()
    path = tmp_path / "cut.pt"
    path.write_bytes(content[: int(part * len(content)) if isinstance(part, float) else part])
    with pytest.raises(CheckpointError, match=r"cut\.pt is not a whole deepetpicker checkpoint"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "content",
    [
        b"garbage",
        b"\x80\x04.",
        b"PK\x03\x04",
        b"\x00" * 4096,
        b"z,y,x\n1,2,3\n",
        b"]",
        b"c__main__\nnone\n.",
        bytes(range(256)) * 20,
    ],
)
def test_garbage_is_refused(tmp_path, content):
    path = tmp_path / "garbage.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"garbage\.pt is not a"):
        load_checkpoint(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_altered_bytes_are_refused_or_give_something_of_the_right_form(tmp_path, checkpoint, zipped):
    rng, path = random.Random(0), tmp_path / "damaged.pt"
    small = {"kind": KIND, "version": VERSION, **plain(replace(checkpoint, weights={"one": torch.ones(3)}))}
    torch.save(small, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    refused = 0
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(rng.choice((1, 2, 8))):
            content[rng.randrange(len(content))] = rng.randrange(256)
        path.write_bytes(content)
        try:
            assert isinstance(load_checkpoint(path), Checkpoint)
        except CheckpointError:
            refused += 1
    assert refused > 50


def test_altered_weights_are_refused(tmp_path, checkpoint):
    path = tmp_path / "altered.pt"
    save_checkpoint(replace(checkpoint, weights={"one": torch.full((1000,), 3.25)}), path)
    content = path.read_bytes()
    assert content.count(struct.pack("<f", 3.25)) >= 1000
    path.write_bytes(content.replace(struct.pack("<2f", 3.25, 3.25), struct.pack("<2f", 3.25, 3.5), 1))
    with pytest.raises(CheckpointError, match=r"altered\.pt is not a whole deepetpicker checkpoint"):
        load_checkpoint(path)


@pytest.mark.parametrize("data", [torch.zeros(3), {"weights": torch.zeros(3)}, [1, 2], {"kind": "something else", "version": 1}])
def test_another_torch_file_is_refused(tmp_path, data):
    torch.save(data, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match=r"other\.pt is not a deepetpicker checkpoint; choose a file"):
        load_checkpoint(tmp_path / "other.pt")


@pytest.mark.parametrize("version", [VERSION + 1, 99, None, "1"])
def test_a_newer_version_is_refused_before_it_is_read(tmp_path, version):
    save_tensors({"kind": KIND, "version": version, "config": {"of": "the future"}}, tmp_path / "new.pt")
    with pytest.raises(CheckpointError, match=rf"format version {version}, but this program reads up to {VERSION}: update"):
        load_checkpoint(tmp_path / "new.pt")


@pytest.mark.parametrize("missing", ["config", "classes", "weights", "calibration", "thresholds", "metrics", "voxel_size"])
def test_a_missing_part_is_told(tmp_path, checkpoint, missing):
    parts = plain(checkpoint)
    del parts[missing]
    save_tensors({"kind": KIND, "version": VERSION, **parts}, tmp_path / "part.pt")
    with pytest.raises(CheckpointError, match=rf"lacks a part .*{missing}"):
        load_checkpoint(tmp_path / "part.pt")


@pytest.mark.parametrize(
    "wrong",
    [
        {"config": {"trian": {}}},
        {"config": {"train": {"patch": 3}}},
        {"config": None},
        {"classes": [{"id": 0, "name": "a", "diameter": 1.0}]},
        {"classes": [{"title": "a"}]},
        {"classes": 3},
        {"calibration": {"1": [1.0]}},
        {"calibration": {"one": [1.0, 0.0]}},
        {"calibration": None},
        {"thresholds": [0.5]},
        {"voxel_size": "large"},
        {"metrics": "good"},
        {"weights": [1, 2]},
    ],
)
def test_a_wrong_part_is_refused(tmp_path, checkpoint, wrong):
    save_tensors({"kind": KIND, "version": VERSION, **plain(checkpoint), **wrong}, tmp_path / "wrong.pt")
    with pytest.raises(CheckpointError, match=r"wrong\.pt lacks a part or holds a wrong one"):
        load_checkpoint(tmp_path / "wrong.pt")


@pytest.mark.parametrize(
    ("name", "says"), [("absent.pt", "there is no such file"), (".", "it is a folder"), ("a/b.pt", "there is no such")]
)
def test_a_missing_file_or_a_folder_is_refused(tmp_path, name, says):
    with pytest.raises(CheckpointError, match=rf"cannot be opened: {says}"):
        load_checkpoint(tmp_path / name)


def test_weights_of_another_network_are_refused(checkpoint):
    other = replace(checkpoint, config=replace(checkpoint.config, network=NetworkConfig(preset="published")))
    with pytest.raises(CheckpointError, match="do not fit the network 'published'"):
        other.network()
    with pytest.raises(CheckpointError, match="do not fit"):
        replace(checkpoint, classes=CLASSES[:1]).network()


class Malicious:
    def __init__(self, trap):
        self.trap = trap

    def __reduce__(self):
        return os.mkdir, (str(self.trap),)


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_code_in_a_file_is_not_run(tmp_path, how, protocol):
    trap, path = tmp_path / "trap", tmp_path / "evil.pt"
    data = {"kind": KIND, "version": VERSION, "weights": Malicious(trap)}
    if how == "torch":
        torch.save(data, path, pickle_protocol=protocol)
    else:
        path.write_bytes(pickle.dumps(data, protocol))
    with pytest.raises(CheckpointError, match=r"evil\.pt"):
        load_checkpoint(path)
    assert not trap.exists()
    torch.load(path, weights_only=False) if how == "torch" else pickle.loads(path.read_bytes())
    assert trap.exists()  # the trap works where files are trusted


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk of 64 KiB, less than any checkpoint needs."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"mounting a small disk is not permitted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_keeps_the_old_checkpoint_and_leaves_nothing_half_written(tiny_disk, checkpoint):
    old = replace(checkpoint, weights={"one": torch.ones(3)})
    save_checkpoint(old, tiny_disk / "best.pt")
    with pytest.raises(PickerError, match=r"Cannot write .*best\.pt: the disk is full; free some space"):
        save_checkpoint(checkpoint, tiny_disk / "best.pt")
    assert_same(load_checkpoint(tiny_disk / "best.pt"), old)
    assert os.listdir(tiny_disk) == ["best.pt"]


@pytest.mark.parametrize(
    ("code", "says"), [(errno.ENOSPC, "disk is full"), (errno.EDQUOT, "quota is used up"), (errno.EACCES, "no permission")]
)
def test_failing_to_write_is_a_sentence(monkeypatch, tmp_path, checkpoint, code, says):
    old = replace(checkpoint, weights={"one": torch.ones(3)})
    save_checkpoint(old, tmp_path / "best.pt")

    def half(self, data):
        with open(self, "wb") as file:
            file.write(bytes(data)[:1000])
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", half)
        with pytest.raises(PickerError, match=says):
            save_checkpoint(checkpoint, tmp_path / "best.pt")
    assert_same(load_checkpoint(tmp_path / "best.pt"), old)
    assert os.listdir(tmp_path) == ["best.pt"]


def test_a_failure_of_torch_leaves_the_old_file(monkeypatch, tmp_path, checkpoint):
    save_checkpoint(checkpoint, tmp_path / "best.pt")
    before = (tmp_path / "best.pt").read_bytes()
    monkeypatch.setattr(checkpoints.torch, "save", lambda *_: (_ for _ in ()).throw(RuntimeError("defect")))
    with pytest.raises(RuntimeError, match="defect"):
        save_checkpoint(checkpoint, tmp_path / "best.pt")
    assert (tmp_path / "best.pt").read_bytes() == before


def test_a_missing_folder_is_a_sentence(tmp_path, checkpoint):
    with pytest.raises(PickerError, match="no such file or folder"):
        save_checkpoint(checkpoint, tmp_path / "none" / "best.pt")


def test_other_kinds_of_state_are_told_apart(tmp_path):
    save_tensors({"kind": "deepetpicker training state", "version": 1}, tmp_path / "last.pt")
    assert load_tensors(tmp_path / "last.pt", "deepetpicker training state", 1)["version"] == 1
    with pytest.raises(CheckpointError, match="not a deepetpicker checkpoint"):
        load_checkpoint(tmp_path / "last.pt")
