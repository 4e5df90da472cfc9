"""Menus and keys of the window, and the buttons that stand for some of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtGui import QAction, QKeySequence
from qtpy.QtWidgets import QMainWindow

from app.notify import about
from app.panels.closer import Closer
from app.panels.helping import show_keys
from app.panels.parts import allow

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtWidgets import QMenu


class MenuWindow(QMainWindow):
    """A window whose actions are known by name; what they do is the business of whoever connects them."""

    def __init__(self) -> None:
        super().__init__()
        self.closer = Closer()
        self._make_menus()  # looks at picks follow here, each a line: self.name = self.offer("Name…")
        self.gallery = self.offer("Gallery…", "G")
        self.average = self.offer("Average…")
        self.extract = self.offer("Extract…")

    def _make_menus(self) -> None:
        file, edit, view, self._picks, settings = (
            self.menuBar().addMenu(name) for name in ("&File", "&Edit", "&View", "&Picks", "&Settings")
        )
        self.open_tomogram = self._action(file, "Open tomograms…", "Ctrl+O")
        self.open_folder = self._action(file, "Open OME-Zarr folder…", "")
        self.open_project = self._action(file, "Open project…", "Ctrl+Shift+O")
        self.open_sample = self._action(file, "Open sample", "")
        self.import_particles = self._action(file, "Import particles…", "Ctrl+I")
        self.convert_particles = self._action(file, "Convert particles of a file…", "")
        file.addSeparator()
        self._action(file, "Quit", "Ctrl+Q", self.close)
        edit.setToolTipsVisible(True)
        self._picks.setToolTipsVisible(True)
        self.undo = self._action(edit, "Undo", "Ctrl+Z")
        self.redo = self._action(edit, "Redo", "Ctrl+Shift+Z")
        self.remove = self._action(edit, "Remove or reject selected", "Del")
        self.snap = self._action(edit, "Snap clicks on or off", "S")
        edit.addSeparator()
        self.accept = self._action(edit, "Accept pick", "A")
        self.reject = self._action(edit, "Reject pick", "R")
        self.forward = self._action(edit, "Next pick", "N")
        self.backward = self._action(edit, "Previous pick", "P")
        self.pages = {
            (axis, by): self._action(view, f"{word} section along {name}", keys + ("PgUp" if by > 0 else "PgDown"))
            for axis, (name, keys) in enumerate((("z", ""), ("y", "Shift+"), ("x", "Ctrl+")))
            for word, by in (("Next", 1), ("Previous", -1))
        }
        view.addSeparator()
        self.fit = self._action(view, "Fit", "F")
        self.single = self._action(view, "XY only", "X", checkable=True)
        self.solid = self._action(view, "3D view", "V", checkable=True)
        self.y_up = self._action(view, "y upwards, as in IMOD", "", checkable=True)
        self.light = self._action(view, "Light theme", "", checkable=True)
        view.addSeparator()
        self.movie = self._action(view, "Movie of sections…", "")
        view.addSeparator()
        self.thicker = self._action(view, "Thicker rings", "+")
        self.thinner = self._action(view, "Thinner rings", "-")
        self.save_settings = self._action(settings, "Save settings as…", "")
        self.load_settings = self._action(settings, "Load settings…", "")
        settings.addSeparator()
        self.reset_step = self._action(settings, "Reset this step", "")
        self.reset_all = self._action(settings, "Reset all", "")
        help_menu = self.menuBar().addMenu("&Help")
        self._action(help_menu, "Mouse and keys", "F1", lambda: show_keys(self))
        self._action(help_menu, "About", "", lambda: about(self))
        self.class_keys = self._number_keys("Mark class {}", "")
        self.set_history("Open a tomogram first.", "Open a tomogram first.")
        self.reclass_keys = self._number_keys("Selected is of class {}", "Ctrl+")

    def offer(self, text: str, keys: str = "") -> QAction:
        """Add a look at picks to the menu and to step 4.

        Parameters
        ----------
        text : str
            What it is called.
        keys : str
            Its key, if it has one.

        Returns
        -------
        QAction
            Disabled until a controller allows it; while it is not, its tooltip says why, in both places.
        """
        action = self._action(self._picks, text, keys)
        allow(action, "Open a tomogram first.")
        self.closer.add(action)
        return action

    def _number_keys(self, text: str, modifier: str) -> list[QAction]:
        """Make actions without a menu for the keys 1 to 9."""
        actions = []
        for number in range(1, 10):
            action = QAction(text.format(number), self)
            action.setShortcut(QKeySequence(f"{modifier}{number}"))
            action.setData(number)
            self.addAction(action)
            actions.append(action)
        return actions

    def _action(
        self, menu: QMenu, text: str, keys: str, slot: Callable[[], object] | None = None, *, checkable: bool = False
    ) -> QAction:
        action = QAction(text, self)
        action.setShortcut(QKeySequence(keys))
        action.setCheckable(checkable)
        if slot is not None:
            action.triggered.connect(lambda _checked=False: slot())
        menu.addAction(action)
        return action

    def set_history(self, no_undo: str, no_redo: str) -> None:
        """Say why nothing can be taken back, or done again; empty where it can."""
        for action, reason in ((self.undo, no_undo), (self.redo, no_redo)):
            action.setEnabled(not reason)
            action.setToolTip(reason or action.text())
