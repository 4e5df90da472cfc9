"""How much memory picking takes, in a process of its own, where the peak is known and a limit can be set."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from core.config import NetworkConfig, PickConfig
from core.device import Compute
from core.inference import BYTES_PER_VOXEL, scanner
from core.network import build
from core.preprocess import Prepared
from core.tomogram import Box, Tomogram

PRELUDE = """
import json, resource, sys
import numpy as np, torch
from pathlib import Path
from core.config import NetworkConfig, PickConfig, RunConfig, TrainConfig
from core.checkpoint import Checkpoint
from core.filters import measure
from core.io.volumes import open_tomogram
from core.messages import drain
from core.network import build
from core.particles import ClassSpec
from core.picking import pick
from core.tomogram import Box, Tomogram

def told(key):
    return next(1024 * int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(key))

torch.manual_seed(0)
checkpoint = Checkpoint(
    config=RunConfig(train=TrainConfig(patch=64)), classes=(ClassSpec(id=1, name="a", diameter=120.0),), voxel_size=10.0,
    weights=dict(build(NetworkConfig(), 1).state_dict()), calibration={1: (1.0, 0.0)}, thresholds={1: 0.5}, metrics={},
)
config = PickConfig(device="cpu", precision="float32")
def noise(*shape):
    return np.random.default_rng(0).integers(-100, 100, shape, np.int8)
drain(pick(Tomogram(id="small", path=None, voxel_size=10.0, data=noise(40, 40, 40)), checkpoint, config))  # libraries are loaded
"""


def answer_of(script, *arguments):
    """Run a script in a process of its own and return what it prints as JSON."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("needs the peak memory that Linux tells")
    command = [sys.executable, "-c", PRELUDE + script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1], timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_peak_on_the_host_is_within_what_was_predicted():
    """What convolutions need besides their tensors differs among processors: 44 to 77 bytes a voxel were measured."""
    told = answer_of("""
from core import device
from core.inference import scanner
volume = Tomogram(id="t", path=None, voxel_size=10.0, data=noise(64, 192, 192))
tiles = scanner(checkpoint.network(), "fast", 64, device.choose("cpu", "float32"), config).tiles(volume.box, volume.shape)
Path("/proc/self/clear_refs").write_text("5")
before = told("VmRSS")
drain(pick(volume, checkpoint, config))
print(json.dumps([before, told("VmHWM"), max(int(np.prod(t.outer.shape)) for t in tiles), 2 * volume.data.size]))
""")
    before, peak, voxels, score_map = told
    predicted = BYTES_PER_VOXEL["fast"] * voxels + score_map
    assert 0.4 * predicted < peak - before < 1.05 * predicted
    assert peak < 1.5e9 + 2 * score_map


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("preset", ["fast", "published"])
def test_the_peak_on_the_device_is_what_was_predicted(preset):
    data = np.random.default_rng(0).normal(size=(128, 192, 192)).astype(np.float32)
    prepared = Prepared(tomogram=Tomogram(id="t", path=None, voxel_size=10.0, data=data), scale=1.0, offset=0.0)
    compute = Compute(torch.device("cuda"), torch.float32)
    look = scanner(build(NetworkConfig(preset=preset), 1), preset, 72, compute, PickConfig(tile=192))
    (tile, *_) = look.tiles(Box((0, 0, 0), data.shape), data.shape)
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    next(look.scores(prepared, [tile]))
    voxels = int(np.prod(tile.outer.shape))
    assert torch.cuda.max_memory_allocated() - before == pytest.approx(BYTES_PER_VOXEL[preset] * voxels, rel=0.2)


def test_volumes_larger_than_the_limit_pick_to_the_end(tmp_path):
    """Reading either file at once would break the limit, and so would a layer of chunks; all is measured, and a part scored."""
    told = answer_of(
        """
import mrcfile, zarr
folder, shape = Path(sys.argv[1]), (128, 1024, 1536)
with mrcfile.new_mmap(folder / "large.mrc", shape, mrc_mode=2) as file:  # sparse: nothing but what follows takes room
    file.voxel_size = 10
    file.data[24:40, 500:540, 500:540] = noise(16, 40, 40)
array = zarr.create_array(folder / "large.zarr", shape=shape, chunks=(128, 256, 256), dtype="f4", fill_value=0, zarr_format=2)
array[24:40, 500:540, 500:540] = noise(16, 40, 40)
room = 450 * 2**20
resource.setrlimit(resource.RLIMIT_DATA, (told("VmData") + room, -1))
try:
    np.ones(shape, np.float32)
    raise SystemExit("the limit does not hold")
except MemoryError:
    pass
found = []
for name in ("large.mrc", "large.zarr"):
    volume = open_tomogram(folder / name)
    Path("/proc/self/clear_refs").write_text("5")
    drain(measure(volume.data))
    measured = told("VmHWM") - told("VmRSS")
    result = drain(pick(volume, checkpoint, config, region=Box((20, 490, 490), (44, 550, 550))))
    found.append([volume.shape, str(volume.data.dtype), len(result.table), measured])
print(json.dumps(found))
""",
        tmp_path,
    )
    for shape, kind, picks, measured in told:
        assert (shape, kind.strip("<")) == ([128, 1024, 1536], "float32")
        assert picks > 0
        assert measured < 150e6  # some chunks of 34 MB; a layer of them is 805 MB
