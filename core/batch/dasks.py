"""Dask's own ways, kept from the user: its logs, and its thread."""

from __future__ import annotations

import logging
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_DASHBOARD = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}  # None would open port 8787 to everybody
QUIET = {
    "logging": {"distributed": "critical", "distributed.client": "critical", "tornado": "critical", "asyncio": "critical"},
    "distributed.comm.offload": False,
    "distributed.scheduler.allowed-failures": 3,  # a task that ended so many workers is not given to another
    "distributed.worker.profile.enabled": False,
    "distributed.scheduler.http.routes": [],  # nothing is shown on any port
    "distributed.worker.http.routes": [],
}


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Dask's logs off the user's terminal."""
    import dask

    with dask.config.set(QUIET):
        import distributed  # noqa: F401 - what it logs is set when it is first imported

        loggers = [logging.getLogger(name) for name in QUIET["logging"]]  # type: ignore[attr-defined]
        levels = [logger.level for logger in loggers]
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Let threads and processes that the block starts never hear Ctrl-C."""
    masked = hasattr(signal, "pthread_sigmask")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if masked else set()
    try:
        yield
    finally:
        if masked:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def own_loop() -> Iterator[Any]:
    """Run Dask's loop in a thread that, with all processes it starts, leaves Ctrl-C to whoever runs the job."""
    from distributed.utils import LoopRunner

    runner = LoopRunner(asynchronous=False)
    with deaf_to_interrupts():
        runner.start()
    try:
        yield runner.loop
    finally:
        runner.stop()
