"""A button that asks for a class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QMenu, QPushButton

from app.panels.parts import allow, swatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtWidgets import QWidget

    from core.particles import ClassSpec


class ClassButton(QPushButton):
    """Opens a menu of classes."""

    chosen = Signal(int)

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self._menu = QMenu(self)
        self.setMenu(self._menu)

    def set_classes(self, classes: Sequence[ClassSpec], without: int | None = None) -> None:
        """List the classes.

        Parameters
        ----------
        classes : Sequence[ClassSpec]
            All of them.
        without : int | None
            The class that particles have already.
        """
        self._menu.clear()
        for number, spec in enumerate(classes, 1):
            action = self._menu.addAction(swatch(spec.color), spec.name)
            action.setEnabled(spec.id != without)
            if number < 10:
                action.setText(f"{spec.name}    (Ctrl+{number})")
            action.triggered.connect(lambda _checked=False, number=spec.id: self.chosen.emit(number))

    def set_reason(self, reason_not: str, usual: str) -> None:
        """Enable it, or say why not; with a single class there is nothing to choose."""
        alone = "" if len(self._menu.actions()) > 1 else "There is only one class; add another in step 2 first."
        allow(self, reason_not or alone, usual)
