"""A rest for Python's garbage collector while a file becomes many small values."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def uncollected() -> Iterator[None]:
    """Do not look for garbage that refers to itself.

    A reader makes no such garbage, but so many lists that the collector goes through them again and again, for a third of the
    time. What is no longer used is freed as ever.

    Yields
    ------
    None
        While the collector rests, if it did not before.
    """
    working = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if working:
            gc.enable()
