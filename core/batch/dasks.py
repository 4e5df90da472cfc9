"""Dask's own ways, kept from the user: its logs, and its thread."""

from __future__ import annotations

import logging
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

QUIET = {
    "logging": {"distributed": "critical", "distributed.client": "critical", "tornado": "critical", "asyncio": "critical"},
    "distributed.comm.offload": False,
    "distributed.scheduler.allowed-failures": 3,  # a task that ended so many workers is not given to another
    "distributed.scheduler.work-stealing": True,
    "distributed.worker.daemon": True,
    "distributed.worker.profile.enabled": False,
    "distributed.nanny.pre-spawn-environ": {"DASK_LOGGING__DISTRIBUTED": "critical", "MALLOC_TRIM_THRESHOLD_": "65536"},
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
def own_loop() -> Iterator[Any]:
    """Run Dask's loop in a thread that, with all processes it starts, leaves Ctrl-C to whoever runs the job."""
    from distributed.utils import LoopRunner

    masked = hasattr(signal, "pthread_sigmask")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if masked else set()
    runner = LoopRunner(asynchronous=False)
    try:
        runner.start()
    finally:
        if masked:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        yield runner.loop
    finally:
        runner.stop()
