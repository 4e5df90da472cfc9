"""What runs, how far it is, and how to stop it."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QWidget
from superqt import QElidingLabel

from core.messages import Message, Notice, Progress

STEPS = 1000


class JobBar(QWidget):
    """One line at the foot of the window."""

    cancel_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("jobbar")
        self.text = QElidingLabel("Ready")  # a long sentence must not widen the window; its tooltip has all of it
        self.bar, self.eta, self.cancel = QProgressBar(), QLabel(), QPushButton("Cancel")
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(10)
        self.cancel.clicked.connect(self._on_cancel_clicked)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 4, 10, 4)
        layout.addWidget(self.text, stretch=2)
        layout.addWidget(self.bar, stretch=3)
        layout.addWidget(self.eta)
        layout.addWidget(self.cancel)
        self._passing = True  # whether the line only tells of a job that is over when it ends
        self.set_busy(False, "")

    def set_busy(self, busy: bool, name: str) -> None:
        """Show that something runs, or nothing."""
        for widget in (self.bar, self.eta, self.cancel):
            widget.setVisible(busy)
        self.cancel.setEnabled(True)
        self.cancel.setText("Cancel")
        self.bar.setRange(0, 0)
        self.eta.setText("")
        if busy or self._passing:
            self._write(name if busy else "Ready", passing=True)

    def say(self, text: str) -> None:
        """Show a line."""
        self._write(text, passing=False)

    def _write(self, text: str, *, passing: bool) -> None:
        self._passing = passing
        self.text.setText(text)
        self.text.setToolTip(text)

    def on_message(self, message: Message) -> None:
        """Show what a job says."""
        if isinstance(message, Progress):
            self.bar.setRange(0, STEPS if message.total > 0 and message.done > 0 else 0)
            self.bar.setValue(round(STEPS * message.done / message.total) if message.total > 0 else 0)
            self._write(" · ".join(part for part in (message.stage, message.detail) if part), passing=True)
            self.eta.setText(_duration(message.eta))
        elif isinstance(message, Notice):
            self.text.setToolTip(message.text)

    def _on_cancel_clicked(self) -> None:
        self.cancel.setEnabled(False)
        self.cancel.setText("Stopping…")
        self.cancel_requested.emit()


def _duration(seconds: float | None) -> str:
    if seconds is None or seconds != seconds or seconds == float("inf"):
        return ""
    if seconds < 60:
        return f"{seconds:.0f} s left"
    return f"{seconds / 60:.0f} min left" if seconds < 5400 else f"{seconds / 3600:.1f} h left"
