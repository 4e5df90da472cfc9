from __future__ import annotations

import pytest

from core.errors import TrainingError
from core.messages import Notice, Progress, drain


def job(closed, error=None):
    try:
        yield Progress(stage="Counting", done=1, total=2)
        if error is not None:
            raise error
        yield Notice(text="half way")
    finally:
        closed.append(True)
    return 42


def test_a_job_is_run_to_its_result_and_every_message_is_heard_in_order():
    heard, closed = [], []
    assert drain(job(closed), heard.append) == 42
    assert heard == [Progress(stage="Counting", done=1, total=2), Notice(text="half way")]
    assert closed == [True]


def test_nobody_needs_to_listen():
    assert drain(job([])) == 42


def test_an_error_of_the_job_comes_through():
    with pytest.raises(TrainingError, match="too small"):
        drain(job([], TrainingError("too small")))


def test_a_listener_that_fails_ends_the_job():
    closed = []

    def interrupted(message):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drain(job(closed), interrupted)
    assert closed == [True]
