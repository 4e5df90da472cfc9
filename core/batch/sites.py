"""Where the tasks of a batch run: processes of this machine, or the workers of a scheduler."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from core.batch.dasks import NO_DASHBOARD, own_loop, quiet
from core.batch.hands import Hands
from core.errors import ConfigError, PickerError
from core.memory import available

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distributed import Client

    Tend = Callable[[], None]

CORES = 4  # of a worker on the CPU, unless a number of workers is asked for
ROOM = 4 * 2**30  # bytes of memory that a worker should find free
TOLD = 10.0  # seconds to wait for an answer of a scheduler


class Site(Protocol):
    """Somewhere with workers."""

    patience: ClassVar[float]  # seconds within which a first worker must be there; infinite where it waits in a queue
    shared: ClassVar[bool]  # whether workers may go on when we are gone

    def connected(self) -> Any:
        """Return a context with a client, and what replaces dead workers when it is called; nothing of ours runs afterwards."""


@dataclass(frozen=True, slots=True)
class Local:
    """Processes of this machine, on its loopback address.

    Attributes
    ----------
    threads : int
        Of each worker.
    devices : tuple[str, ...]
        For each worker, what ``CUDA_VISIBLE_DEVICES`` is to be; empty for as it is.
    """

    threads: int
    devices: tuple[str, ...]

    patience: ClassVar[float] = 120.0
    shared: ClassVar[bool] = False

    @contextmanager
    def connected(self) -> Iterator[tuple[Client, Tend]]:
        """Start the workers, and end them afterwards, whatever they are doing."""
        from distributed import Client, Scheduler, SpecCluster

        with quiet(), own_loop() as loop, tempfile.TemporaryDirectory(prefix="picks-", ignore_cleanup_errors=True) as scratch:
            here = {"host": "127.0.0.1", "port": 0, **NO_DASHBOARD}
            with SpecCluster(
                workers={}, scheduler={"cls": Scheduler, "options": here}, loop=loop, silence_logs=logging.CRITICAL
            ) as cluster:
                environments = [self._environment(number) for number in range(len(self.devices))]
                hands = Hands(cluster.scheduler_address, environments, scratch)
                try:
                    with Client(cluster.scheduler_address, loop=loop, set_as_default=False) as client:
                        yield client, hands.tend
                        hands.end()  # first, so that there is nobody to wait for
                finally:
                    hands.end()

    def _environment(self, number: int) -> dict[str, str]:
        threads = {name: str(self.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        return {**threads, **({"CUDA_VISIBLE_DEVICES": self.devices[number]} if self.devices[number] else {})}


@dataclass(frozen=True, slots=True)
class Remote:
    """The workers of a Dask scheduler that somebody else started; they stay.

    Attributes
    ----------
    address : str
        Such as ``tcp://node:8786``.
    """

    address: str

    patience: ClassVar[float] = float("inf")
    shared: ClassVar[bool] = True

    @contextmanager
    def connected(self) -> Iterator[tuple[Client, Tend]]:
        """Connect to the scheduler."""
        from distributed import Client

        with quiet():
            try:
                asyncio.run(_greeted(self.address))  # a client that nobody answers is not rid of in good order
                client = Client(self.address, timeout=TOLD, set_as_default=False)
            except (OSError, ValueError, ImportError) as exc:
                raise PickerError(
                    f"Expected a Dask scheduler at {self.address}, but none answered within {TOLD:.0f} s: "
                    "check the address, and that dask scheduler runs there."
                ) from exc
            with client:
                yield client, nothing


async def _greeted(address: str) -> None:
    from distributed.comm.core import connect

    comm = await connect(address, timeout=TOLD)
    await comm.close()


def local(workers: int | None = None, device: str = "auto") -> Local:
    """Divide this machine among workers: one for each GPU, or for each few cores; workers × threads = cores.

    Parameters
    ----------
    workers : int | None
        How many; None to choose.
    device : str
        As in `PickConfig`.

    Returns
    -------
    Local
        For `pick_all`.

    Raises
    ------
    ConfigError
        If there is to be none.
    """
    from dask.system import CPU_COUNT

    if workers is not None and workers < 1:
        raise ConfigError(f"workers must be at least 1, not {workers}.")
    found = gpus() if device in ("auto", "cuda") else []
    if workers is None:
        room = available() // ROOM
        workers = len(found) or max(1, min(CPU_COUNT // CORES, room))
    devices = tuple(found[number % len(found)] if found else "" for number in range(workers))
    return Local(max(1, CPU_COUNT // workers), devices)


def nothing() -> None:
    """Leave workers to whoever started them."""


def gpus() -> list[str]:
    """List the NVIDIA GPUs that may be used, without torch.

    Returns
    -------
    list[str]
        As ``CUDA_VISIBLE_DEVICES`` names them.
    """
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return [one.strip() for one in allowed.split(",") if one.strip() and one.strip() != "-1"]
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        listed = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [str(number) for number, _ in enumerate(line for line in listed.splitlines() if line.startswith("GPU "))]
