"""Small pieces that panels are made of."""

from __future__ import annotations

from datetime import datetime

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QDoubleSpinBox, QFormLayout, QFrame, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget


def heading(text: str) -> QLabel:
    """Return a line that names what follows."""
    label = QLabel(text)
    label.setObjectName("heading")
    return label


def hint(text: str = "") -> QLabel:
    """Return a quiet line that explains."""
    label = QLabel(text)
    label.setObjectName("hint")
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


def primary(text: str) -> QPushButton:
    """Return the one button of a step that matters most."""
    button = QPushButton(text)
    button.setObjectName("primary")
    button.setMinimumHeight(34)
    return button


def rule() -> QFrame:
    """Return a thin line between groups."""
    line = QFrame()
    line.setObjectName("rule")
    line.setFixedHeight(1)
    return line


def column(widget: QWidget, *, margin: int = 0, spacing: int = 6) -> QVBoxLayout:
    """Give a widget a vertical layout."""
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(margin, margin, margin, margin)
    layout.setSpacing(spacing)
    return layout


def swatch(color: str) -> QIcon:
    """Return a square of a colour.

    Parameters
    ----------
    color : str
        ``#rrggbb``.

    Returns
    -------
    QIcon
        For a table or a menu.
    """
    pixmap = QPixmap(14, 14)
    pixmap.fill(QColor(color))
    icon = QIcon(pixmap)
    icon.addPixmap(pixmap, QIcon.Mode.Selected)  # a tint would make another colour of it
    return icon


def scrolled(area: QScrollArea) -> QVBoxLayout:
    """Give a scroll area a vertical layout, for a panel that may be taller than the window.

    Parameters
    ----------
    area : QScrollArea
        The panel.

    Returns
    -------
    QVBoxLayout
        What it scrolls.
    """
    inside = QWidget()
    inside.setObjectName("inside")
    layout = column(inside)
    layout.setContentsMargins(12, 8, 8, 8)  # a scroll area heeds no margins of its own
    area.setWidget(inside)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return layout


class Exact(QDoubleSpinBox):
    """Takes a number with as many digits as it has, and shows no noughts behind it."""

    def __init__(self, least: float = 0.0, most: float = 1e6, unit: str = "") -> None:
        super().__init__()
        self.setDecimals(6)
        self.setRange(least, most)
        self.setSuffix(unit)

    def textFromValue(self, value: float) -> str:
        return self.locale().toString(value, "g", 9)


class Rows(QFormLayout):
    """A form with rows that come and go; a row that is only hidden would leave a gap."""

    def __init__(self) -> None:
        super().__init__()
        self._optional: list[tuple[int, str, QLabel, QWidget]] = []  # by their places when all are there
        self._absent: set[str] = set()

    def add_optional(self, text: str, field: QWidget, group: str = "") -> None:
        """Add a row that `show_rows` takes out and puts back."""
        label = QLabel(text)
        self._optional.append((self.rowCount(), group, label, field))
        self.addRow(label, field)

    def show_rows(self, shown: bool, group: str = "") -> None:
        """Show the rows of a group, or take them out; while rows are added, all are there."""
        if shown == (group not in self._absent):
            return
        gone = [place for place, one, _, _ in self._optional if one in self._absent and one != group]
        for place, one, label, field in self._optional:
            if one != group:
                continue
            if shown:
                self.insertRow(place - sum(other < place for other in gone), label, field)
            else:
                self.takeRow(field)
            label.setVisible(shown)
            field.setVisible(shown)
        self._absent ^= {group}


def allow(widget: QWidget, reason_not: str, usual: str = "") -> None:
    """Enable a control, or disable it and say why in its tooltip.

    Parameters
    ----------
    widget : QWidget
        The control.
    reason_not : str
        Why it is disabled; empty to enable it.
    usual : str
        Its tooltip when it is enabled.
    """
    widget.setEnabled(not reason_not)
    widget.setToolTip(reason_not or usual)


def spoken_time(name: str) -> str:
    """Say the time that the name of a run begins with.

    Parameters
    ----------
    name : str
        Such as ``20260131-174500-train``.

    Returns
    -------
    str
        Such as ``31 Jan 2026, 17:45:00``; the name itself where it begins otherwise.
    """
    try:
        return f"{datetime.strptime(name[:15], '%Y%m%d-%H%M%S'):%d %b %Y, %H:%M:%S}"
    except ValueError:
        return name
