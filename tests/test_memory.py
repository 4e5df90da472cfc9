"""How much memory picking takes, in a process of its own, where the peak is known and a limit can be set."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PRELUDE = """
import json, resource, sys
import numpy as np, torch
from pathlib import Path
from core.config import NetworkConfig, PickConfig, RunConfig, TrainConfig
from core.checkpoint import Checkpoint
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


def test_a_memory_mapped_volume_larger_than_the_limit_picks_to_the_end(tmp_path):
    """Reading the file at once would break the limit; all of it is measured, and a part scored."""
    told = answer_of(
        """
import mrcfile
folder, shape = Path(sys.argv[1]), (128, 1024, 1536)
with mrcfile.new_mmap(folder / "large.mrc", shape, mrc_mode=2) as file:  # sparse: nothing but what follows takes room
    file.voxel_size = 10
    file.data[24:40, 500:540, 500:540] = noise(16, 40, 40)
room = 450 * 2**20
resource.setrlimit(resource.RLIMIT_DATA, (told("VmData") + room, -1))
try:
    np.ones(shape, np.float32)
    raise SystemExit("the limit does not hold")
except MemoryError:
    pass
volume = open_tomogram(folder / "large.mrc")
result = drain(pick(volume, checkpoint, config, region=Box((20, 490, 490), (44, 550, 550))))
print(json.dumps([volume.shape, str(volume.data.dtype), volume.voxel_size, len(result.table)]))
""",
        tmp_path,
    )
    shape, kind, voxel_size, picks = told
    assert (shape, kind.strip("<"), voxel_size) == ([128, 1024, 1536], "float32", 10)
    assert picks > 0
