"""Jobs in a process of their own: the same generator, but its work cannot hold up, or take down, the process that asked for it."""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
from contextlib import closing, suppress
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from core.errors import PickerError
from core.io.volumes import open_tomogram
from core.messages import Progress
from core.tomogram import Tomogram

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess
    from pathlib import Path
    from types import FrameType

    from core.messages import Message
    from core.types import Angstrom

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

PULSE = 0.1  # seconds of silence after which the last progress is told again, so that cancelling never waits for a long step
GRACE = 0.75  # seconds that a process has to tidy up, and to write down how far it came, before it is killed


class _Stopped(BaseException):
    """Closes a job wherever it is, as Ctrl-C would; not an error, so that nothing on the way takes it for one."""


class ChildError(RuntimeError):
    """A defect in the work of another process.

    Attributes
    ----------
    details : str
        The traceback there.
    """

    def __init__(self, message: str, details: str) -> None:
        super().__init__(message)
        self.details = details


def hosted(
    job: Callable[Parameters, Generator[Message, None, Result]], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Generator[Message, None, Result]:
    """Run a job in a child process; closing the generator closes the job there, and ends that process within a second.

    Tomograms that have a file are opened again there, not copied. While the child is silent, its last progress is repeated.

    Parameters
    ----------
    job : Callable
        A job function that can be imported, such as `core.picking.pick`.
    *args, **kwargs
        Its arguments: plain data, configurations, tables, tomograms.

    Yields
    ------
    Message
        What the job says.

    Returns
    -------
    Result
        What the job returns.

    Raises
    ------
    PickerError
        What the job raised for the user, or that the system ended its process.
    ChildError
        Any other exception of the job, with its traceback.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_serve, args=(sender, packed((job, args, kwargs))), daemon=True)
    try:
        child.start()
        sender.close()  # the child holds the only other end: its death is the end of the file here
        result: Result = yield from _followed(receiver, child)
        return result
    finally:
        _end(child)
        receiver.close()  # not before: what the job still says must not fail


def _followed(receiver: Connection, child: SpawnProcess) -> Generator[Message, None, Any]:
    last = Progress(stage="Starting", done=0, total=1)
    while True:
        if not receiver.poll(PULSE):
            yield last
            continue
        try:
            kind, content = pickle.loads(receiver.recv_bytes())
        except (EOFError, ConnectionError):
            raise _sudden_end(child) from None
        if kind == "returned":
            return content
        if kind == "refused":
            raise content
        if kind == "crashed":
            raise ChildError(*content)
        last = content if isinstance(content, Progress) else last
        yield content


def _sudden_end(child: SpawnProcess) -> PickerError:
    child.join(GRACE)
    code = child.exitcode
    if code == -signal.SIGKILL:
        return PickerError(
            "The system stopped the computation, most often because the memory ran out: "
            "close other programs, or choose smaller or fewer crops, or a smaller tile; everything you did before is kept."
        )
    how = f"by signal {-code}" if code is not None and code < 0 else f"with code {code}"
    return PickerError(f"The computation ended without a result ({how}): try again; everything you did before is kept.")


def _end(child: SpawnProcess) -> None:
    if child.pid is None:
        return
    if child.is_alive():
        # one that has said its last word may still be tidying up
        child.terminate()
        child.join(GRACE)
    if child.is_alive():
        child.kill()
        child.join()
    child.close()


# ---- arguments ----


class _Packer(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, Tomogram) and value.path is not None:
            data = value.data
            signed = data.dtype.kind == "i" if data.dtype.itemsize == 1 else None
            return _opened_again, (value.path, value.voxel_size, signed, value.id)
        return NotImplemented


def _opened_again(path: Path, voxel_size: Angstrom, signed: bool | None, name: str) -> Tomogram:
    return open_tomogram(path, voxel_size=voxel_size or None, signed=signed, id=name)


def packed(value: Any) -> bytes:
    """Pickle what a child process of ours gets; tomograms that have a file are opened again there.

    Parameters
    ----------
    value : Any
        Plain data, configurations, tables, tomograms.

    Returns
    -------
    bytes
        For `pickle.loads` in the child.
    """
    buffer = io.BytesIO()
    _Packer(buffer, pickle.HIGHEST_PROTOCOL).dump(value)
    return buffer.getvalue()


# ---- in the child ----


def _serve(sender: Connection, order: bytes) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is for the parent to answer
    signal.signal(signal.SIGTERM, _stop)
    leave_with_parent()

    with suppress(_Stopped):
        _work(sender, order)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # nothing is left to tidy up


def _work(sender: Connection, order: bytes) -> None:
    def tell(kind: str, content: Any) -> None:
        # plain pickling: that of multiprocessing would share tensors by memory that ends with this process
        sender.send_bytes(pickle.dumps((kind, content), pickle.HIGHEST_PROTOCOL))

    try:
        job, args, kwargs = pickle.loads(order)
        with closing(job(*args, **kwargs)) as steps:
            while True:
                tell("message", next(steps))
    except StopIteration as stop:
        tell("returned", stop.value)
    except PickerError as exc:
        tell("refused", exc)
    except MemoryError:
        tell("refused", PickerError("There is not enough memory for this: choose smaller or fewer crops, or a smaller tile."))
    except Exception as exc:  # noqa: BLE001 - whatever it was, the parent must hear of it
        tell("crashed", (f"{type(exc).__name__}: {exc}", traceback.format_exc()))


def _stop(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: a second one would interrupt the tidying
    raise _Stopped


def leave_with_parent() -> None:
    """End this process when its parent is gone."""
    threading.Thread(target=_watch_parent, daemon=True).start()


def _watch_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os._exit(1)
