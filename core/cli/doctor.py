"""The command that says what there is to work with."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

from core import __version__
from core.cli.options import Json
from core.cli.report import Report, table

PACKAGES = ("numpy", "torch", "napari", "vispy", "PyQt5", "PyQt6", "pyqtgraph", "mrcfile", "starfile")
PATIENCE = 60  # seconds for the screen to answer


def doctor(as_json: Json = False) -> None:
    """Say what there is to work with: versions, memory, graphics card, screen.

    [bold]Example:[/]  deepetpicker doctor
    """
    found = {"DeepETPicker": __version__, "Python": platform.python_version(), "system": platform.platform()}
    found |= {name: _version(name) for name in PACKAGES}
    found |= _computing() | {"screen": _screen()}
    Report(as_json).result(found, table("", ("what", "found"), list(found.items())))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _computing() -> dict[str, str]:
    import psutil
    import torch

    from core.device import choose

    memory = psutil.virtual_memory()
    compute = choose()
    cards = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return {
        "processor": f"{psutil.cpu_count()} cores",
        "memory": f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free",
        "graphics cards": ", ".join(cards) or "none that computes",
        "computes on": f"{compute.device} in {str(compute.dtype).removeprefix('torch.')}",
    }


def _screen() -> str:
    # in a process of its own: a broken OpenGL driver may take down whoever asks it
    try:
        probe = subprocess.run([sys.executable, "-m", "app.screen"], capture_output=True, text=True, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "does not answer"
    return probe.stdout.strip() or f"cannot be used (the probe ended with code {probe.returncode})"
