"""What all tests share: one thread for each numeric library, fixed seeds for generated examples, and a desk to work at."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small arrays: threads cost more than they give, and shared machines suffer

import app  # noqa: F401 - chooses the Qt to run on

os.environ["PYTEST_QT_API"] = os.environ["QT_API"]  # pytest-qt would take the newest that is installed

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from app.launch import Application

settings.register_profile("house", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("house")


FLOOR = 48 * 2**20  # bytes that the interpreter and its libraries may take besides
SECONDS = 10


class TookTooLongError(BaseException):
    """No library may swallow this."""


def _peak() -> int:
    line = next(one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


@pytest.fixture(scope="session")
def watched() -> Callable[[int], AbstractContextManager[None]]:
    """A watch over reading a file of so many bytes: it fails what takes ten seconds or more than twice the file in memory."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("needs the peak memory that Linux tells")

    @contextmanager
    def watch(size: int) -> Iterator[None]:
        def too_long(*_: object) -> None:
            raise TookTooLongError

        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
        before = _peak()
        former = signal.signal(signal.SIGALRM, too_long)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, former)
        assert _peak() - before <= 2 * size + FLOOR

    return watch


@pytest.fixture(scope="session")
def toolkit(qapp: object) -> None:
    """Napari and what it is made of, whose own warnings at import are not ours to heed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from app import launch, window  # noqa: F401

        launch.start_toolkit()


@pytest.fixture(scope="module")
def desk(toolkit: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """The whole program with its window on the screen, one for each file of tests; afterwards nothing of it may be left."""
    if not os.environ.get("DISPLAY") and os.name == "posix":
        pytest.skip("needs a screen: run the tests with xvfb-run")
    from qtpy.QtCore import QEvent, QSettings
    from qtpy.QtWidgets import QApplication

    from app.launch import Application

    home = tmp_path_factory.mktemp("home")
    before, threads = set(QApplication.topLevelWidgets()), set(threading.enumerate())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPETPICKER_HOME", str(home))
        made = Application(QSettings(str(home / "settings.ini"), QSettings.Format.IniFormat))
        made.window.ask_before_closing = False
        made.window.resize(1100, 700)
        made.window.show()
        QApplication.processEvents()
        yield made
    made.window.close()
    made.window.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    QApplication.processEvents()
    assert not [w for w in QApplication.topLevelWidgets() if w not in before and w.isVisible()]
    assert not made.runner.busy
    assert not multiprocessing.active_children()
    assert {t for t in threading.enumerate() if not t.daemon} <= threads
