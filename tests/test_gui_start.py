"""Starting: without torch, and with one clear sentence where nothing can be shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("napari")

from app.screen import NO_DISPLAY
from core.io.volumes import write_mrc
from core.project import Project

ROOT = Path(__file__).parent.parent
OPENS = """
import sys
from qtpy.QtCore import QTimer
from app import launch, window

class Looked(window.MainWindow):
    def showEvent(self, event):
        super().showEvent(event)
        QTimer.singleShot(0, self.look)

    def look(self):
        print(self.isVisible(), "napari" in sys.modules, "torch" in sys.modules, self.tomograms.list.rowCount(), flush=True)
        self.close()

window.MainWindow = Looked
sys.exit(launch.main(sys.argv[1:]))
"""


def started(*words: str, **changed: str | None) -> subprocess.CompletedProcess[str]:
    """Run an interpreter in the root of the source, in another environment."""
    surroundings = {name: value for name, value in (os.environ | changed).items() if value is not None}
    done = [sys.executable, *words]
    return subprocess.run(done, cwd=ROOT, env=surroundings, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return dict.fromkeys(("XDG_CONFIG_HOME", "DEEPETPICKER_HOME", "XDG_RUNTIME_DIR"), str(tmp_path))


@pytest.mark.parametrize("opened", ["nothing", "tomogram", "project"])
def test_the_window_opens_what_is_named_without_torch(qapp: object, tmp_path: Path, home: dict[str, str], opened: str) -> None:
    write_mrc(tmp_path / "TS_1.mrc", np.zeros((8, 16, 16), np.float32), 10.0)
    with Project.create(tmp_path / "ribosomes") as project:
        project.add_tomogram(tmp_path / "TS_1.mrc")
    named = {"nothing": (), "tomogram": (str(tmp_path / "TS_1.mrc"),), "project": (str(tmp_path / "ribosomes"),)}[opened]
    done = started("-c", OPENS, *named, **home)
    assert done.stdout.split() == ["True", "True", "False", str(len(named))], done.stderr
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a screen")
def test_without_a_screen_there_is_one_sentence(home: dict[str, str]) -> None:
    done = started("main.py", DISPLAY=None, WAYLAND_DISPLAY=None, **home)
    assert (done.returncode, done.stderr) == (2, NO_DISPLAY + "\n")


def test_without_opengl_there_is_one_sentence(qapp: object, home: dict[str, str]) -> None:
    code = "import sys; from app import launch, screen; screen.gl_version = lambda: (1, 4); sys.exit(launch.main([]))"
    done = started("-c", code, **home)
    assert done.returncode == 2, done.stderr
    said = [line for line in done.stderr.splitlines() if "OpenGL" in line]
    assert len(said) == 1
    assert "OpenGL 2.1" in said[0]
    assert "found: version 1.4" in said[0]
    assert "Traceback" not in done.stderr


def test_doctor_tells_versions_screen_graphics_and_memory(qapp: object) -> None:
    done = started("main.py", "doctor", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {"DeepETPicker", "Python", "torch", "napari", "memory", "graphics cards", "computes on"} <= told.keys()
    assert "GiB free" in told["memory"]
    assert "OpenGL" in told["screen"]
    assert "Qt" in told["screen"]
