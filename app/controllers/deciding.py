"""A decision about picks, made and told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from app import notify
from core.curation import accept
from core.errors import PickerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.session import Session


class Decider(QObject):
    """A controller in which picks of the tomogram that is shown are judged."""

    said = Signal(str)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    def accept(self, ids: list[int]) -> None:
        """Accept picks, as one change."""
        project, tomogram = self._session.project, self._session.tomogram
        if project is not None and tomogram is not None:
            self._decide("Accepted", ids, lambda: accept(project.store, tomogram, ids))

    def reject(self, ids: list[int]) -> None:
        """Reject picks, as one change."""
        project = self._session.project
        if project is not None:
            self._decide("Rejected", ids, lambda: project.store.reject(ids))

    def _decide(self, verb: str, ids: list[int], change: Callable[[], int | None]) -> bool:
        """Change the store and say so; False where nothing was changed."""
        told = decided(verb, len(ids), change)
        if told:
            self.said.emit(told)
        return bool(told)


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
