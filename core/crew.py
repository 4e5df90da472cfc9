"""Processes beside one that trains: each draws its share of every step and computes it on a device of its own."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from core import device as devices
from core.errors import ConfigError, TrainingError
from core.host import leave_with_parent, packed
from core.learner import Learner
from core.peers import Peers
from core.sampling import Sampler, clicks_each
from core.supply import Supply

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from core.config import RunConfig, TrainConfig
    from core.sampling import Ground


def shared_by(train: TrainConfig, asked: int | None) -> int:
    """Say among how many processes the crops of a step are divided.

    Parameters
    ----------
    train : TrainConfig
        Batch and device.
    asked : int | None
        How many; None for one for each CUDA device, as far as the batch can be divided.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    ConfigError
        If there are not so many CUDA devices, or the batch cannot be divided among them.
    """
    there = torch.cuda.device_count() if train.device in ("auto", "cuda") else 0
    if asked is None:
        return max(number for number in range(1, max(there, 1) + 1) if train.batch % number == 0)
    if there and asked > there:
        raise ConfigError(f"Expected at most {there} devices, as many as CUDA finds here, not {asked}.")
    if train.batch % asked:
        raise ConfigError(
            f"train.batch = {train.batch} crops cannot be divided among {asked} devices; choose a multiple of {asked}."
        )
    return asked


@contextmanager
def crewed(size: int, grounds: Sequence[Ground], config: RunConfig, classes: int, learner: Learner) -> Iterator[None]:
    """Have a learner share its steps with other processes, which follow it from its present state.

    Parameters
    ----------
    size : int
        How many processes, the learner's own included; with 1 it stays alone.
    grounds : Sequence[Ground]
        Where crops are drawn from.
    config : RunConfig
        All settings.
    classes : int
        Particle classes.
    learner : Learner
        Takes the first share.

    Yields
    ------
    None
        While the others are there.

    Raises
    ------
    TrainingError
        If one of them was ended.
    """
    if size == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="crew-") as folder:
        place, context = Path(folder) / "meeting", multiprocessing.get_context("spawn")
        orders = (packed((rank, size, place, list(grounds), config, classes)) for rank in range(1, size))
        others = [context.Process(target=_follow, args=(order,), daemon=True) for order in orders]
        for other in others:
            other.start()
        with Peers(0, size, place, learner.compute.device) as peers:
            try:
                learner.join(peers)
                peers.told(learner.state())
                yield
            except RuntimeError as exc:
                if not wait([other.sentinel for other in others], timeout=2):
                    raise
                raise TrainingError("A process that trained beside was ended by the system; resume the run.") from exc
            finally:
                for other in others:
                    other.kill()
                    other.join()
                    other.close()


def step_together(learner: Learner, supply: Supply, step: int, seed: int, rate: float) -> float:
    """Take one step, with the others if there are any.

    Parameters
    ----------
    learner : Learner
        Of the first process.
    supply : Supply
        Of crops.
    step, seed : int
        Number of the step, and seed of its noise.
    rate : float
        Learning rate.

    Returns
    -------
    float
        The loss over the crops of all.
    """
    if learner.peers is not None:
        learner.peers.told((step, seed, rate))
    return learner.step(supply.crops(step, learner.rows), seed, rate)


def _follow(order: bytes) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is for the first process to answer
    leave_with_parent()
    rank, size, place, grounds, config, classes = pickle.loads(order)
    compute = devices.choose(config.train.device, config.train.precision)
    if compute.device.type == "cuda":
        compute = replace(compute, device=torch.device("cuda", rank))
    learner, peers = Learner(config, classes, compute, clicks_each(grounds, classes)), Peers(rank, size, place, compute.device)
    learner.join(peers)
    learner.load_state(peers.told())
    with Supply(Sampler(grounds, config.train, config.label), compute.device) as supply:
        while True:
            step, seed, rate = peers.told()
            learner.step(supply.crops(step, learner.rows), seed, rate)
