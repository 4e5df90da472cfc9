from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.annotations import AnnotationStore, TomogramRecord
from core.particles import ClassSpec, Source

BULK = 200

# adds one click after the other, and now and then a block; says each time, after the call has returned, what it was
CLICKER = f"""
import sys
from itertools import count
from pathlib import Path
import numpy as np
from core.annotations import AnnotationStore
from core.particles import ParticleTable
store = AnnotationStore.open(Path(sys.argv[1]))
for n in count():
    if n % 7 == 6:
        ids = store.add_many(ParticleTable.build("a", np.full(({BULK}, 3), float(n))))
    else:
        ids = [store.add("a", (n + 0.25, 0.5, 0.125), 1)]
    print(n, *ids, flush=True)
"""


@pytest.mark.parametrize("seed", range(5))
def test_every_acknowledged_click_survives_a_kill(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "project.db"
    with AnnotationStore.create(path) as store:
        store.add_class(ClassSpec(id=1, name="ribosome", diameter=250.0))
        store.add_tomogram(TomogramRecord(id="a", path=tmp_path / "a.mrc"))
    said = _said_until_killed(path, lines=int(np.random.default_rng(seed).integers(1, 120)))
    with AnnotationStore.open(path) as store:
        assert not store.read_only
        table = store.table("a")
        clicks = table.sources == Source.MANUAL
        assert {particle for line in said for particle in line[1:]} <= set(table.ids.tolist())
        assert (~clicks).sum() % BULK == 0
        assert np.bincount(table.positions[~clicks, 0].astype(int)).max(initial=0) in (0, BULK)
        np.testing.assert_array_equal(table.positions[clicks, 1:], [[0.5, 0.125]] * int(clicks.sum()))
        while store.undo():
            pass
        assert store.tomograms() == ()


def _said_until_killed(path: Path, lines: int) -> list[list[int]]:
    root = Path(__file__).parents[1]
    clicker = subprocess.Popen([sys.executable, "-c", CLICKER, str(path)], cwd=root, text=True, stdout=subprocess.PIPE)
    assert clicker.stdout is not None
    read = [clicker.stdout.readline() for _ in range(lines)]
    # it goes on clicking meanwhile, so that the kill falls anywhere within a call
    clicker.kill()
    read += clicker.communicate()[0].splitlines(keepends=True)
    return [[int(word) for word in line.split()] for line in read if line.endswith("\n")]
