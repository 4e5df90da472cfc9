from __future__ import annotations

import numpy as np
import pytest
import torch

from core.config import NetworkConfig
from core.device import Compute, choose, free_memory, place
from core.errors import ConfigError
from core.network import build

CPU = torch.device("cpu")


@pytest.fixture
def no_accelerator(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.usefixtures("no_accelerator")
@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(name):
    with pytest.raises(ConfigError, match=rf"'{name}' was asked for .* choose one of: auto, cpu\."):
        choose(name)


@pytest.mark.usefixtures("no_accelerator")
def test_without_an_accelerator_the_processor_computes():
    assert choose("auto", "float32") == Compute(CPU, torch.float32)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_the_fastest_device_is_taken(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose("auto", "float32").device.type == expected


@pytest.mark.parametrize(("name", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16), ("float16", torch.float16)])
def test_precision_can_be_named(name, dtype):
    assert choose("cpu", name).dtype == dtype


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [
        ({}, torch.float32),
        ({"avx2": True}, torch.float32),
        ({"amx_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": True}, torch.bfloat16),
    ],
)
def test_a_processor_computes_in_16_bits_only_where_it_can(monkeypatch, capabilities, dtype):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert choose("cpu").dtype == dtype


@pytest.mark.parametrize(("native", "dtype"), [(True, torch.bfloat16), (False, torch.float16)])
def test_older_cuda_devices_take_float16(monkeypatch, native, dtype):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    assert choose("cuda").dtype == dtype


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_forward_passes_run_in_the_chosen_arithmetic(dtype):
    with Compute(CPU, dtype).autocast():
        result = torch.nn.functional.conv3d(torch.ones(1, 1, 3, 3, 3), torch.ones(1, 1, 3, 3, 3))
    assert result.dtype == dtype


def test_placing_a_network_changes_its_layout_and_none_of_its_values():
    network = build(NetworkConfig(), 1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    placed = place(network, Compute(CPU, torch.float32))
    assert placed is network
    weights = [p for p in placed.parameters() if p.dim() == 5 and p.shape[1] > 1]
    assert weights
    assert all(w.is_contiguous(memory_format=torch.channels_last_3d) for w in weights)
    assert all(torch.equal(value, before[name]) for name, value in placed.state_dict().items())


def test_free_memory_is_in_bytes():
    with open("/proc/meminfo") as file:
        facts = dict(line.split(":") for line in file)
    available = 1024 * int(facts["MemAvailable"].split()[0])
    assert free_memory(CPU) == pytest.approx(available, rel=0.5)
    assert np.log10(free_memory(CPU)) > 7
