from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest

from core.errors import ConfigError, PickerError
from core.host import ChildError, hosted
from core.io.volumes import open_tomogram, write_mrc
from core.messages import Notice, Progress, drain
from core.tomogram import Tomogram

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from core.messages import Message


def counting(n: int) -> Generator[Message, None, int]:
    for i in range(n):
        yield Notice(text=str(i))
    return os.getpid()


def stubborn() -> Generator[Message, None, None]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    yield Notice(text=str(os.getpid()))
    time.sleep(60)


def tidying(path: Path) -> Generator[Message, None, None]:
    try:
        yield Notice(text="before")
        time.sleep(60)
    finally:
        path.write_text("tidy")


def talking(path: Path) -> Generator[Message, None, None]:
    try:
        while True:
            yield Notice(text="so much that nobody can listen to all of it" * 1000)
    finally:
        path.write_text("tidy")


def refusing() -> Generator[Message, None, None]:
    yield Notice(text="before")
    raise ConfigError("It must be blue.")


def broken() -> Generator[Message, None, None]:
    yield Notice(text="before")
    [].pop()


def greedy() -> Generator[Message, None, None]:
    yield Notice(text="before")
    os.kill(os.getpid(), signal.SIGKILL)


def exhausted() -> Generator[Message, None, None]:
    yield Notice(text="before")
    raise MemoryError


def adding(tomogram: Tomogram, values: np.ndarray) -> Generator[Message, None, tuple[str, str, float]]:
    yield Progress(stage="Adding", done=1, total=1)
    return tomogram.id, type(tomogram.data).__name__, float(tomogram.block((0, 0, 0), tomogram.shape).sum() + values.sum())


@pytest.fixture(autouse=True)
def _no_process_is_left() -> Iterator[None]:
    yield
    assert not multiprocessing.active_children()


def test_messages_come_in_order_and_the_result_from_another_process() -> None:
    heard: list[Message] = []
    pid = drain(hosted(counting, 5), heard.append)
    assert pid != os.getpid()
    assert not psutil.pid_exists(pid)
    assert [m.text for m in heard if isinstance(m, Notice)] == list("01234")


def test_errors_for_the_user_come_as_they_are() -> None:
    with pytest.raises(ConfigError, match=r"^It must be blue\.$"):
        drain(hosted(refusing))


def test_defects_come_with_their_traceback() -> None:
    with pytest.raises(ChildError, match="IndexError: pop from empty list") as caught:
        drain(hosted(broken))
    assert "in broken" in caught.value.details


@pytest.mark.parametrize("job", [greedy, exhausted])
def test_running_out_of_memory_is_a_sentence(job: type) -> None:
    with pytest.raises(PickerError, match=r"memory.*smaller"):
        drain(hosted(job))


def test_closing_ends_even_a_deaf_process_within_a_second() -> None:
    job = hosted(stubborn)
    pid = next(int(m.text) for m in job if isinstance(m, Notice))
    started = time.monotonic()
    job.close()
    assert time.monotonic() - started < 1
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize("job", [tidying, talking])
def test_closing_lets_the_job_tidy_up_wherever_it_is(tmp_path: Path, job: Any, capfd: pytest.CaptureFixture[str]) -> None:
    steps = hosted(job, tmp_path / "done")
    next(m for m in steps if isinstance(m, Notice))
    started = time.monotonic()
    steps.close()
    assert time.monotonic() - started < 1
    assert (tmp_path / "done").read_text() == "tidy"
    assert capfd.readouterr().err == ""


def test_silence_is_filled_so_that_cancelling_can_be_honoured() -> None:
    job = hosted(stubborn)
    next(m for m in job if isinstance(m, Notice))
    started = time.monotonic()
    assert isinstance(next(job), Progress)
    assert time.monotonic() - started < 0.5
    job.close()


def test_a_job_that_is_never_started_starts_nothing() -> None:
    hosted(counting, 5).close()


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.float32])
def test_tomograms_with_a_file_are_opened_again_not_copied(tmp_path: Path, dtype: type) -> None:
    data = np.full((4, 5, 6), 3, dtype)
    write_mrc(tmp_path / "a.mrc", data, 10.0)
    tomogram = open_tomogram(tmp_path / "a.mrc", id="other name", signed=dtype is np.int8 if dtype != np.float32 else None)
    name, kind, total = drain(hosted(adding, tomogram, np.ones(2)))
    assert (name, total) == ("other name", 3 * 120 + 2)
    assert kind == type(tomogram.data).__name__


def test_tomograms_in_memory_are_sent() -> None:
    tomogram = Tomogram(id="m", path=None, voxel_size=1.0, data=np.ones((2, 2, 2), np.float32))
    assert drain(hosted(adding, tomogram, np.ones(2)))[2] == 10


ORPHAN = """
import sys
from core.host import hosted
from core.messages import Notice
from tests_host_job import stubborn
if __name__ == "__main__":
    job = hosted(stubborn)
    print(next(m.text for m in job if isinstance(m, Notice)), flush=True)
    sys.stdin.read()
"""


def test_no_process_outlives_a_killed_parent(tmp_path: Path) -> None:
    (tmp_path / "orphan.py").write_text(ORPHAN)
    (tmp_path / "tests_host_job.py").write_text(
        "import os, time\nfrom core.messages import Notice\n"
        "def stubborn():\n    yield Notice(text=str(os.getpid()))\n    time.sleep(60)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.getcwd()])}
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "orphan.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    with parent:
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    child.wait(timeout=5)
