"""Jobs of SLURM, by dask-jobqueue, with settings from a YAML file."""

from __future__ import annotations

import shutil
import signal
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, get_type_hints

from core.batch.dasks import NO_DASHBOARD, own_loop, quiet
from core.batch.sites import nothing
from core.errors import ConfigError, os_reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from distributed import Client

    from core.batch.sites import Tend


@dataclass(frozen=True, kw_only=True)
class Slurm:
    """Jobs of SLURM, one worker each; the fields are the settings of the YAML file.

    Attributes
    ----------
    jobs : int
        How many jobs at most.
    queue, account : str
        Partition and account; empty for those that SLURM chooses.
    walltime : str
        Longest time of a job, as ``hours:minutes:seconds``.
    cores : int
        Cores of a job.
    memory : str
        Memory of a job, such as ``16GB``.
    gpus : int
        GPUs of a job, 0 or 1: a worker uses one.
    directives : list
        Further lines of the job script after ``#SBATCH``, such as ``--constraint=a100``.
    prologue : list
        Lines of shell before the worker starts, such as ``module load cuda``.
    python : str
        The Python of the compute nodes; empty for the one that runs this.
    interface : str
        Network interface on which the nodes reach this machine, such as ``ib0``; empty for the usual one.
    logs : str
        Folder for what the jobs print.
    """

    jobs: int = 4
    queue: str = ""
    account: str = ""
    walltime: str = "02:00:00"
    cores: int = 4
    memory: str = "16GB"
    gpus: int = 0
    directives: tuple[str, ...] = ()
    prologue: tuple[str, ...] = ()
    python: str = ""
    interface: str = ""
    logs: str = "slurm-logs"

    patience: ClassVar[float] = float("inf")
    shared: ClassVar[bool] = True

    @contextmanager
    def offered(self, host: str | None = None) -> Iterator[Any]:
        """Make the cluster of dask-jobqueue, without jobs yet; afterwards its jobs are taken back.

        Parameters
        ----------
        host : str | None
            Address of this machine; None for that of the interface.

        Yields
        ------
        dask_jobqueue.SLURMCluster
            Its `job_script` is what SLURM gets.

        Raises
        ------
        ConfigError
            If dask-jobqueue is not installed.
        """
        gpus = [f"--gres=gpu:{self.gpus}"] if self.gpus else []
        threads = [f"export {name}={self.cores}" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")]
        with quiet(), own_loop() as loop:
            cluster = _slurm_cluster()(
                job_name="deepetpicker",
                queue=self.queue or None,
                account=self.account or None,
                walltime=self.walltime,
                cores=1,  # tomograms at a time; SLURM is asked for job_cpu
                processes=1,
                job_cpu=self.cores,
                memory=self.memory,
                job_extra_directives=[*gpus, *self.directives],
                job_script_prologue=[*threads, *self.prologue],
                worker_extra_args=[
                    "--no-dashboard",
                    "--dashboard-address",
                    "127.0.0.1:0",
                    "--memory-limit",
                    "0",
                ],  # SLURM itself watches over the memory
                python=self.python or None,
                interface=self.interface or None,
                log_directory=self.logs,
                scheduler_options={**NO_DASHBOARD, **({"host": host} if host else {})},
                silence_logs="critical",
                loop=loop,
            )
            try:
                yield cluster
            finally:
                cluster.close(timeout=10)

    @contextmanager
    def connected(self) -> Iterator[tuple[Client, Tend]]:
        """Hand the jobs in, and take them back afterwards."""
        from distributed import Client

        if shutil.which("sbatch") is None:
            raise ConfigError("--cluster slurm needs a machine where SLURM's sbatch is; log in to one that hands jobs in.")
        with self.offered() as cluster:
            # a job that ends, as at its walltime, is replaced by another
            cluster.adapt(minimum_jobs=self.jobs, maximum_jobs=self.jobs, interval="2s")
            with Client(cluster.scheduler_address, loop=cluster.loop, set_as_default=False) as client:
                yield client, nothing


def _slurm_cluster() -> Any:
    """Import dask-jobqueue, which takes Ctrl-C for itself when it is imported, and give Ctrl-C back."""
    before = signal.getsignal(signal.SIGINT)
    try:
        from dask_jobqueue.slurm import SLURMCluster
    except ImportError as exc:
        raise ConfigError("--cluster slurm needs dask-jobqueue: pip install 'deepetpicker[slurm]'.") from exc
    finally:
        signal.signal(signal.SIGINT, before)
    return SLURMCluster


def slurm(path: Path | None, workers: int | None = None) -> Slurm:
    """Read the settings of jobs on SLURM.

    Parameters
    ----------
    path : Path | None
        A YAML file with fields of `Slurm`; None for what is usual.
    workers : int | None
        How many jobs, in place of what the file says.

    Returns
    -------
    Slurm
        For `pick_all`.

    Raises
    ------
    ConfigError
        If the file cannot be read, or holds unknown or wrong settings.
    """
    values = {} if path is None else _yaml(path)
    if workers is not None:
        values["jobs"] = workers
    known, hints = {field.name for field in fields(Slurm)}, get_type_hints(Slurm)
    for name, value in values.items():
        if name not in known:
            raise ConfigError(f"Unknown setting {name!r} in {path}; known are {', '.join(sorted(known))}.")
        if hints[name] not in (int, str):
            if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
                raise ConfigError(f"{name} in {path} must be a list of lines of text, not {value!r}.")
            values[name] = tuple(value)
        elif not isinstance(value, hints[name]) or isinstance(value, bool):
            quoted = ", in quotes" if hints[name] is str else ""
            raise ConfigError(f"{name} in {path} must be of type {hints[name].__name__}{quoted}, not {value!r}.")
    found = Slurm(**values)
    for name, least, most in (("jobs", 1, 10_000), ("cores", 1, 1024), ("gpus", 0, 1)):
        if not least <= getattr(found, name) <= most:
            raise ConfigError(f"{name} must be {least} to {most}, not {getattr(found, name)}.")
    return found


def _yaml(path: Path) -> dict[str, Any]:
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(f"Expected the settings of the cluster in {path}, but it cannot be read: {os_reason(exc)}.") from exc
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        raise ConfigError(f"Expected a YAML file at {path}, but it is none: {' '.join(str(exc).split())}.") from exc
    if not isinstance(values, dict | None) or not all(isinstance(name, str) for name in values or {}):
        raise ConfigError(f"Expected lines such as queue: gpu in {path}, not {type(values).__name__}.")
    return dict(values or {})
