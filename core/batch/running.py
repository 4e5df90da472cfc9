"""Job: all tomograms of a batch, each as one task."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from core.batch.orders import TOPIC, Outcome, pick_order
from core.batch.records import finished, sweep
from core.errors import PickerError
from core.messages import Notice, Progress, TomogramPicked

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from distributed import Client, Future

    from core.batch.orders import Order
    from core.batch.sites import Site, Tend
    from core.messages import Message

PULSE = 0.1  # seconds after which the progress is told again


@dataclass(slots=True)
class BatchResult:
    """What became of a batch.

    Attributes
    ----------
    picked, before, failed : dict[str, Outcome]
        By name of the tomogram: picked now, finished before, and not picked for a reason.
    """

    picked: dict[str, Outcome] = field(default_factory=dict)
    before: dict[str, Outcome] = field(default_factory=dict)
    failed: dict[str, Outcome] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Count one more.

        Parameters
        ----------
        outcome : Outcome
            Of one order.
        """
        place = self.failed if outcome.refused else self.before if outcome.before else self.picked
        place[outcome.name] = outcome

    @property
    def count(self) -> int:
        """How many have been dealt with."""
        return len(self.picked) + len(self.before) + len(self.failed)


def pick_all(orders: Sequence[Order], site: Site) -> Generator[Message, None, BatchResult]:
    """Pick many tomograms; what was finished before is not done again.

    A worker that dies is replaced, and its tomogram given to another. Closing the generator ends the workers; what is finished
    stays, and the same orders go on from there.

    Parameters
    ----------
    orders : Sequence[Order]
        One for each tomogram; no name twice.
    site : Site
        Where the workers are.

    Yields
    ------
    Message
        One progress for all, `TomogramPicked` for each that is picked, and notices, which name their tomogram.

    Returns
    -------
    BatchResult
        Also those that failed: one bad tomogram does not stop the others.

    Raises
    ------
    PickerError
        If no worker can be had.
    """
    total, waiting = BatchResult(), dict[str, "Order"]()
    for number, order in enumerate(orders):
        yield Progress(stage="Looking what is finished", done=number, total=len(orders))
        before = None if order.anew else finished(order)
        if before is None:
            waiting[order.name] = order
        else:
            total.add(before)
    if waiting:
        try:
            with site.connected() as (client, tend):
                yield from _followed(client, tend, waiting, total, site.patience)
        finally:
            if not site.shared:
                sweep(waiting.values())
    return total


def _followed(
    client: Client, tend: Tend, waiting: dict[str, Order], total: BatchResult, patience: float
) -> Generator[Message, None, None]:
    inbox: SimpleQueue[Any] = SimpleQueue()
    futures = _submitted(client, waiting, inbox)
    course, places = _Course(len(waiting), total), {order.picks for order in waiting.values()}
    while course.left:
        with suppress(Empty):
            item = inbox.get(timeout=PULSE)
            if isinstance(item, tuple):
                if item[1]["picks"] in places:  # others may use the same scheduler
                    course.heard(item[1])
            else:
                future, order = futures.pop(item.key)
                outcome = _outcome(future, order)
                course.ended(outcome)
                yield from (Notice(text=f"{outcome.name}: {text}") for text in outcome.notices)
                yield TomogramPicked(name=outcome.name, refused=outcome.refused, result=outcome.result)
        tend()
        if client.status in ("closing", "closed"):
            raise PickerError("The connection to the scheduler was lost; start again: what is finished is not done twice.")
        if course.silent > patience and not client.scheduler_info(n_workers=-1)["workers"]:
            raise PickerError(f"No worker process could be started within {patience:.0f} s; close other programs and try again.")
        yield course.progress()


def _submitted(client: Client, waiting: dict[str, Order], inbox: SimpleQueue[Any]) -> dict[Any, tuple[Future[Outcome], Order]]:
    client.subscribe_topic(TOPIC, inbox.put)
    batch, futures = secrets.token_hex(8), {}  # a scheduler takes two tasks of the same key for one, whoever hands them in
    for name, order in waiting.items():
        future = client.submit(pick_order, asdict(order), key=f"{name}-{batch}", pure=False)
        futures[future.key] = future, order
        future.add_done_callback(inbox.put)
    return futures


def _outcome(future: Future[Outcome], order: Order) -> Outcome:
    from distributed import KilledWorker

    try:
        outcome: Outcome = future.result()
    except KilledWorker:
        return Outcome(name=order.name, refused="The workers that picked it were ended, most often because the memory ran out.")
    except ModuleNotFoundError as exc:
        return Outcome(name=order.name, refused=f"The worker lacks {exc.name}: install the same deepetpicker where it runs.")
    except Exception as exc:  # noqa: BLE001 - of Dask, about one task; the others go on
        return Outcome(name=order.name, refused=f"Its task failed with {type(exc).__name__}: {exc}.")
    finally:
        future.release()
    return outcome


class _Course:
    """How far a batch has come."""

    def __init__(self, orders: int, total: BatchResult) -> None:
        self.left = orders
        self._orders, self._total = orders, total
        self._parts: dict[str, float] = {}
        self._began = self._heard = time.monotonic()
        self._first: float | None = None

    @property
    def silent(self) -> float:
        """Seconds since a worker was heard of."""
        return time.monotonic() - self._heard

    def heard(self, event: dict[str, Any]) -> None:
        self._heard = time.monotonic()
        self._first = self._first or self._heard
        self._parts[event["name"]] = float(event["part"])

    def ended(self, outcome: Outcome) -> None:
        self._heard = time.monotonic()
        self._first = self._first or self._began
        self._parts.pop(outcome.name, None)
        self._total.add(outcome)
        self.left -= 1

    def progress(self) -> Progress:
        if self._first is None:
            return Progress(stage="Waiting for workers", done=0, total=self._orders)
        done = self._orders - self.left + min(self.left, sum(self._parts.values()))
        eta = (time.monotonic() - self._first) * (self._orders / done - 1) if done >= 1 else None
        failed = f", {len(self._total.failed)} failed" if self._total.failed else ""
        detail = f"{self._orders - self.left} of {self._orders} tomograms{failed}"
        return Progress(stage="Picking", done=done, total=self._orders, eta=eta, detail=detail)
