"""Worker processes of this machine: started, replaced when they die, and ended at once."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from core.batch.dasks import NO_DASHBOARD, deaf_to_interrupts, quiet
from core.host import leave_with_parent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.context import SpawnProcess


class Hands:
    """Workers for a scheduler.

    Parameters
    ----------
    address : str
        Of the scheduler.
    environments : Sequence[dict[str, str]]
        For each worker, what its environment holds besides.
    scratch : str
        Folder for what Dask puts down.
    """

    def __init__(self, address: str, environments: Sequence[dict[str, str]], scratch: str) -> None:
        self._address, self._environments, self._scratch = address, environments, scratch
        self._processes: list[SpawnProcess] = [self._begun(number) for number in range(len(environments))]

    def _begun(self, number: int) -> SpawnProcess:
        order = (self._address, self._environments[number], self._scratch)
        process = multiprocessing.get_context("spawn").Process(target=_work, args=order, daemon=True)
        with deaf_to_interrupts():  # Ctrl-C in the terminal is for us to answer
            process.start()
        return process

    def tend(self) -> None:
        """Put others in the place of those that died."""
        for number, process in enumerate(self._processes):
            if not process.is_alive():
                process.close()
                self._processes[number] = self._begun(number)

    def end(self) -> None:
        """End all of them, whatever they are doing."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.join()
            process.close()
        self._processes.clear()


def _work(address: str, environment: dict[str, str], scratch: str) -> None:
    os.environ.update(environment)
    leave_with_parent()
    with quiet(), suppress(OSError):  # of a scheduler that is gone
        asyncio.run(_served(address, scratch))


async def _served(address: str, scratch: str) -> None:
    from distributed import Worker

    here = {"host": "127.0.0.1", "local_directory": scratch, **NO_DASHBOARD}
    async with Worker(address, nthreads=1, memory_limit=0, **here) as worker:  # type: ignore[arg-type]
        await worker.finished()
