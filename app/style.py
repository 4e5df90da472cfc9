"""The look: napari's theme with our few additions."""

from __future__ import annotations

from importlib.resources import files
from string import Template

from napari.qt import get_stylesheet
from qtpy.QtGui import QIcon, QPixmap
from qtpy.QtWidgets import QApplication

RESOURCES = files("resources")
COLORS = {
    "dark": {
        "accent": "#2f7fb8",
        "accent_text": "#ffffff",
        "quiet": "#a8adb5",
        "line": "#4a4f58",
        "bar": "#1f2227",
        "text": "#f0f1f2",
    },
    "light": {
        "accent": "#2f7fb8",
        "accent_text": "#ffffff",
        "quiet": "#5b616b",
        "line": "#c9ccd1",
        "bar": "#dfe2e6",
        "text": "#22252a",
    },
}


def apply(theme: str) -> None:
    """Dress the application.

    Parameters
    ----------
    theme : str
        ``dark`` or ``light``.
    """
    application = QApplication.instance()
    own = Template((RESOURCES / "style.qss").read_text(encoding="utf-8")).substitute(COLORS[theme])
    application.setStyleSheet(get_stylesheet(theme) + own)


def icon() -> QIcon:
    """Return the program's icon.

    Returns
    -------
    QIcon
        Sharp up to 256 pixels.
    """
    drawn = QPixmap()
    drawn.loadFromData((RESOURCES / "icon.svg").read_bytes())
    return QIcon(drawn)
