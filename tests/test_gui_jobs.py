from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from core.errors import PickerError
from core.messages import Notice

pytest.importorskip("qtpy")

from app.jobs import Job, Runner
from app.panels.jobbar import JobBar

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytestqt.qtbot import QtBot

    from core.messages import Message


def short() -> Generator[Message, None, int]:
    yield Notice(text="one")
    yield Notice(text="two")
    return 7


def failing() -> Generator[Message, None, int]:
    yield Notice(text="one")
    # a RuntimeError, such as a graphics card that is out of memory raises, must arrive like any other
    raise RuntimeError("out of memory")


class Endless:
    """A job that notes that it was closed."""

    def __init__(self) -> None:
        self.closed_in: threading.Thread | None = None

    def steps(self) -> Generator[Message, None, int]:
        try:
            while True:
                time.sleep(0.01)
                yield Notice(text="still")
        finally:
            self.closed_in = threading.current_thread()


def test_success_tells_messages_then_result_then_end(qtbot: QtBot) -> None:
    job = Job(short(), "short")
    expected = [job.message, job.message, job.succeeded, job.finished]
    checks = [lambda m: m.text == "one", lambda m: m.text == "two", lambda result: result == 7, None]
    with qtbot.waitSignals(expected, check_params_cbs=checks, order="strict", timeout=5000):
        job.start()
    job.wait()


@pytest.mark.parametrize("name", ["cancelled", "failed"])
def test_success_is_the_only_verdict(qtbot: QtBot, name: str) -> None:
    job = Job(short(), "short")
    with qtbot.assertNotEmitted(getattr(job, name)), qtbot.waitSignal(job.finished, timeout=5000):
        job.start()
    job.wait()


def test_failure_brings_the_exception(qtbot: QtBot) -> None:
    job = Job(failing(), "failing")
    checks = [None, lambda exc: str(exc) == "out of memory", None]
    with qtbot.waitSignals([job.message, job.failed, job.finished], check_params_cbs=checks, order="strict", timeout=5000):
        job.start()
    job.wait()


def test_cancel_closes_the_generator_in_its_thread(qtbot: QtBot) -> None:
    endless = Endless()
    job = Job(endless.steps(), "endless")
    with qtbot.waitSignal(job.message, timeout=5000):
        job.start()
    with qtbot.waitSignals([job.cancelled, job.finished], order="strict", timeout=1000):
        job.cancel()
    job.wait()
    assert endless.closed_in not in (None, threading.main_thread())


class Listener:
    def __init__(self) -> None:
        self.heard: list[object] = []

    def hear(self, value: object = None) -> None:
        self.heard.append(value)

    def end(self) -> None:
        self.heard.append(self.runner.closing)


def test_runner_takes_one_job_at_a_time(qtbot: QtBot) -> None:
    runner, listener = Runner(), Listener()
    runner.start("first", Endless().steps(), succeeded=listener.hear, failed=listener.hear)
    with pytest.raises(RuntimeError, match="'first' runs already"):
        runner.start("second", short(), succeeded=listener.hear, failed=listener.hear)
    assert runner.close()
    qtbot.waitUntil(lambda: not runner.busy, timeout=2000)


def test_closing_tells_of_the_end_while_there_is_still_a_window_to_tell(qtbot: QtBot) -> None:
    runner, listener = Runner(), Listener()
    with qtbot.waitSignal(runner.message, timeout=5000):
        runner.start("endless", Endless().steps(), succeeded=listener.hear, failed=listener.hear, cancelled=listener.end)
    listener.runner = runner
    assert runner.close()
    assert listener.heard == [True]  # whoever would start something then is told not to
    assert not runner.busy
    assert not runner.closing


def test_runner_is_free_again_and_says_so(qtbot: QtBot) -> None:
    runner, listener = Runner(), Listener()
    with qtbot.waitSignals([runner.busy_changed, runner.busy_changed], timeout=5000) as told:
        runner.start("short", short(), succeeded=listener.hear, failed=listener.hear)
    assert [signal.args for signal in told.all_signals_and_args] == [(True, "short"), (False, "")]
    assert listener.heard == [7]
    assert not runner.busy


def test_errors_for_the_user_arrive_as_they_are(qtbot: QtBot) -> None:
    def refused() -> Generator[Message, None, None]:
        yield from ()
        raise PickerError("Not like this.")

    job = Job(refused(), "refused")
    with qtbot.waitSignal(job.failed, timeout=5000, check_params_cb=lambda exc: isinstance(exc, PickerError)):
        job.start()
    job.wait()


def test_a_long_sentence_does_not_widen_the_window(qtbot: QtBot) -> None:
    bar = JobBar()
    qtbot.addWidget(bar)
    narrow = bar.minimumSizeHint().width()
    bar.say("The file cannot be read. " * 40)
    assert bar.minimumSizeHint().width() <= narrow + 5
    assert bar.text.text().startswith("The file")
    assert bar.text.toolTip() == "The file cannot be read. " * 40
