"""What a wheel carries, and on which Qt the program runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PARTS = ("core", "app", "resources", "main.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")


def python(*words: str, place: Path, **environment: str) -> str:
    """What an interpreter says that sees nothing of this checkout but what its path tells."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("QT_API", "PYQTGRAPH", "PYTEST_QT"))}
    done = subprocess.run([sys.executable, *words], cwd=place, env=clean | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program as a wheel leaves it, far from the checkout."""
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"
    source.mkdir()
    for name in PARTS:  # a copy, because building leaves its traces
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    pip = ("-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input")
    python(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", ".", str(source), place=place)
    wheel = next(place.glob("*.whl"))
    python(*pip, "install", "--no-deps", "--no-index", "--target", "target", str(wheel), place=place)
    return place / "target"


def test_a_wheel_brings_all_resources(installed: Path) -> None:
    wanted = {path.name for path in (ROOT / "resources").iterdir() if path.is_file()}
    assert {"icon.svg", "style.qss", "published.toml"} < wanted
    assert {path.name for path in (installed / "resources").iterdir() if path.is_file()} == wanted


@pytest.mark.parametrize("api", ["pyqt5", "pyqt6"])
def test_the_installed_program_finds_its_icon_and_style(installed: Path, tmp_path: Path, api: str) -> None:
    pytest.importorskip({"pyqt5": "PyQt5", "pyqt6": "PyQt6"}[api])
    code = (
        "from app import launch, style; import qtpy, pyqtgraph; one = launch.start_toolkit();"
        "style.apply('light'); print(style.__file__, one.windowIcon().isNull(), 'primary' in one.styleSheet(),"
        " qtpy.API, pyqtgraph.Qt.QT_LIB)"
    )
    told = python("-c", code, place=tmp_path, PYTHONPATH=str(installed), QT_API=api, QT_QPA_PLATFORM="offscreen")
    assert told.split() == [str(installed / "app" / "style.py"), "False", "True", api, api.replace("pyqt", "PyQt")]


@pytest.mark.parametrize(("hidden", "expected"), [("", "pyqt5"), ("PyQt5", "pyqt6")])
def test_without_a_word_it_takes_pyqt5_where_there_is_one(tmp_path: Path, hidden: str, expected: str) -> None:
    code = (
        "import importlib.util as u; find = u.find_spec\n"
        f"u.find_spec = lambda name, *rest: None if name == {hidden!r} else find(name, *rest)\n"
        "import app, os; print(os.environ['QT_API'], os.environ['PYQTGRAPH_QT_LIB'].lower())"
    )
    assert python("-c", code, place=tmp_path, PYTHONPATH=str(ROOT)) == f"{expected} {expected}"
