"""Buttons that open closer looks at picks: one for each that there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QGridLayout, QSizePolicy, QToolButton, QWidget

if TYPE_CHECKING:
    from qtpy.QtGui import QAction

ACROSS = 3


class Closer(QWidget):
    """A few rows of buttons, in the order in which they come."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)

    def add(self, action: QAction) -> QToolButton:
        """Add a button that is the action: its words, its tooltip, and whether it can be pressed.

        Parameters
        ----------
        action : QAction
            What it does.

        Returns
        -------
        QToolButton
            The button.
        """
        button = QToolButton()
        button.setObjectName("look")
        action.setIconText(action.text())  # Qt 6 would take the dots off
        button.setDefaultAction(action)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._grid.addWidget(button, *divmod(self._grid.count(), ACROSS))
        return button
