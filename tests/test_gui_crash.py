"""A kill of the process that holds the window loses no click: `CRASH_ROUNDS=20 pytest tests/test_gui_crash.py` for more of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("napari")

from core.annotations import AnnotationStore
from core.io.volumes import write_mrc
from core.project.folder import DATABASE

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "2"))
CLICKS, SHAPE, VOXEL_SIZE = 200, (48, 96, 96), 10.0

# clicks into one canvas after the other and says each time, after Qt has returned from the click, which particle came of it
CLICKER = f"""
import sys
from pathlib import Path
import numpy as np
from app.launch import start_toolkit
toolkit = start_toolkit()
from qtpy.QtCore import QPoint, QSettings, Qt
from qtpy.QtTest import QTest
from app.launch import Application
from core.particles import ClassSpec
home = Path(sys.argv[1])
desk = Application(QSettings(str(home / "settings.ini"), QSettings.Format.IniFormat))
desk.window.resize(1100, 700)
desk.window.show()
desk.project.open_path(home / "one.mrc")
desk.session.project.store.update_class(ClassSpec(id=1, name="dot", diameter={VOXEL_SIZE}))
toolkit.processEvents()
grid = np.stack(np.meshgrid(*(np.arange(4, n - 4, 8) for n in {SHAPE}), indexing="ij"), -1).reshape(-1, 3).astype(float)
for n, place in enumerate(np.random.default_rng(0).permutation(grid)[:{CLICKS}]):
    desk.window.views.go_to(place)
    canvas = desk.window.views.canvases[n % 3]
    pixel = QPoint(*canvas.to_pixels(place, {VOXEL_SIZE}))
    QTest.mouseMove(canvas.native, pixel)
    QTest.mouseClick(canvas.native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, pixel)
    table = desk.session.table
    print(len(table), table.ids[-1], *table.positions[-1].tolist(), *place.tolist(), flush=True)
"""


@pytest.mark.skipif(os.name == "posix" and not os.environ.get("DISPLAY"), reason="needs a screen: run the tests with xvfb-run")
@pytest.mark.parametrize("seed", [pytest.param(n, marks=[pytest.mark.engine] * bool(n)) for n in range(ROUNDS)])
def test_every_click_that_was_drawn_survives_a_kill(tmp_path: Path, seed: int) -> None:
    write_mrc(tmp_path / "one.mrc", np.random.default_rng(0).normal(size=SHAPE).astype(np.float32), VOXEL_SIZE)
    said = _said_until_killed(tmp_path, int(np.random.default_rng(seed).integers(1, CLICKS)))
    assert [int(row[0]) for row in said] == list(range(1, len(said) + 1))  # no click went astray
    with AnnotationStore.open(tmp_path / "one-picks" / DATABASE) as store:
        assert not store.read_only
        table = store.table("one")
        kept = dict(zip(table.ids.tolist(), table.positions.tolist(), strict=True))
    lost = [row for row in said if kept.get(int(row[1])) != row[2:5]]
    assert not lost
    assert len(said) <= len(kept) <= len(said) + 1
    assert np.abs(np.array(said)[:, 2:5] - np.array(said)[:, 5:]).max() < 0.5


def _said_until_killed(home: Path, lines: int) -> list[list[float]]:
    root = Path(__file__).parents[1]
    environment = os.environ | {"DEEPETPICKER_HOME": str(home / "home"), "PYTHONPATH": str(root)}
    command = [sys.executable, "-W", "ignore", "-c", CLICKER, str(home)]
    clicker = subprocess.Popen(command, cwd=root, env=environment, text=True, stdout=subprocess.PIPE)
    assert clicker.stdout is not None
    read = [clicker.stdout.readline() for _ in range(lines)]
    # it goes on clicking meanwhile, so that the kill falls anywhere within a click
    clicker.kill()
    read += clicker.communicate()[0].splitlines(keepends=True)
    return [[float(word) for word in line.split()] for line in read if line.endswith("\n")]
