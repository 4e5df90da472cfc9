"""The look: napari's theme with our few additions."""

from __future__ import annotations

from importlib.resources import files
from string import Template

from napari.qt import get_stylesheet
from qtpy.QtWidgets import QApplication

RESOURCES = files("resources")
ICON = RESOURCES / "icon.svg"
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
