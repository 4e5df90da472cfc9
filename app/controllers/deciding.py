"""A decision about picks, made and told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app import notify
from core.errors import PickerError

if TYPE_CHECKING:
    from collections.abc import Callable


def decided(verb: str, count: int, change: Callable[[], int | None]) -> str:
    """Change the store, and say what was done.

    Parameters
    ----------
    verb : str
        Such as ``Accepted``.
    count : int
        How many picks it is about.
    change : Callable[[], int | None]
        Makes the change; returns how many picks went because they lay on another particle.

    Returns
    -------
    str
        A line for the user; empty where nothing was changed, which was told already.
    """
    try:
        double = change()
    except PickerError as exc:
        notify.show(exc)
        return ""
    gone = f"; {double} of them lay on a particle that you have and went" if double else ""
    return f"{verb} {count} {'pick' if count == 1 else 'picks'}{gone}. Ctrl+Z takes it back."
