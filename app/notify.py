"""From an exception to what a person understands, with everything a maintainer needs one button away."""

from __future__ import annotations

import logging
import platform
import sys
import threading
import traceback
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from qtpy.QtCore import QCoreApplication, QObject, QThread, Signal
from qtpy.QtWidgets import QApplication, QMessageBox, QWidget

from core import __version__
from core.errors import PickerError, os_reason

if TYPE_CHECKING:
    from types import TracebackType

log = logging.getLogger("deepetpicker")
ABOUT = (
    f"DeepETPicker {__version__}: finds particles in cryo-electron tomograms. Everything stays on this computer; nothing is sent. "
    "The command deepetpicker doctor tells about memory, graphics card and screen."
)
PACKAGES = ("numpy", "torch", "napari", "vispy", "qtpy", "PyQt5", "PyQt6", "pyqtgraph", "mrcfile", "starfile")


def sentence(exc: BaseException) -> str:
    """Say what happened in words for the user.

    Parameters
    ----------
    exc : BaseException
        What was raised.

    Returns
    -------
    str
        One or two sentences.
    """
    if isinstance(exc, PickerError):
        return str(exc)
    if isinstance(exc, OSError):
        return f"Cannot use {exc.filename or 'a file'}: {os_reason(exc)}."
    if isinstance(exc, MemoryError):
        return "There is not enough memory for this: close other programs or take a smaller tomogram."
    return (
        "Something went wrong inside the program. Your clicks are safe. You can go on; please send the diagnostics to the authors."
    )


def diagnostics(exc: BaseException | None = None) -> str:
    """Collect what helps to find a fault.

    Parameters
    ----------
    exc : BaseException | None
        What was raised, if anything.

    Returns
    -------
    str
        Versions, system and traceback.
    """
    lines = [f"DeepETPicker {__version__}", f"Python {platform.python_version()} on {platform.platform()}"]
    for name in PACKAGES:
        try:
            lines.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    if exc is not None:
        lines += ["", *traceback.format_exception(exc), str(getattr(exc, "details", ""))]
    return "\n".join(lines).rstrip() + "\n"


def show(exc: BaseException, parent: QWidget | None = None) -> None:
    """Tell the user, without holding up anything.

    Parameters
    ----------
    exc : BaseException
        What was raised.
    parent : QWidget | None
        Over which window.
    """
    log.error("%s", sentence(exc), exc_info=exc if not isinstance(exc, PickerError) else None)
    _open_box(sentence(exc), parent, "" if isinstance(exc, PickerError) else diagnostics(exc))


def about(parent: QWidget | None = None) -> None:
    """Say what this program is, with the diagnostics one button away.

    Parameters
    ----------
    parent : QWidget | None
        Over which window.
    """
    _open_box(ABOUT, parent, diagnostics(), QMessageBox.Icon.Information)


def _open_box(said: str, parent: QWidget | None, copied: str, icon: QMessageBox.Icon = QMessageBox.Icon.Warning) -> None:
    if (said, copied) in _open.values():
        return  # told already, and nobody has read it yet
    box = QMessageBox(parent if parent is not None else QApplication.activeWindow())
    box.setObjectName("problem")
    box.setIcon(icon)
    box.setWindowTitle("DeepETPicker")
    box.setText(said)
    copy = box.addButton("Copy diagnostics", QMessageBox.ButtonRole.ActionRole) if copied else None
    box.setEscapeButton(box.addButton(QMessageBox.StandardButton.Ok))  # with two buttons, Qt would let Esc close nothing
    if copy is not None:
        copy.clicked.disconnect()  # copying does not close the box
        copy.clicked.connect(lambda: QApplication.clipboard().setText(copied))
    box.setAttribute(box_delete_on_close())
    # where no window is active there is no parent, and a box that nobody holds would vanish at once
    _open[box] = said, copied
    box.finished.connect(lambda _result: _open.pop(box))
    box.open()


_open: dict[QMessageBox, tuple[str, str]] = {}


def close_all() -> None:
    """Close what was told: it must not outlive the window."""
    for box in list(_open):
        box.close()


def ask(question: str) -> bool:
    """Let the user decide before something is done.

    Parameters
    ----------
    question : str
        What is about to happen, as a question.

    Returns
    -------
    bool
        Whether to go on; closing the question means no.
    """
    yes, no = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No
    return QMessageBox.question(QApplication.activeWindow(), "DeepETPicker", question, yes | no, no) == yes


def box_delete_on_close() -> object:
    """Return Qt's flag for windows that are deleted when they are closed."""
    from qtpy.QtCore import Qt

    return Qt.WidgetAttribute.WA_DeleteOnClose


class _Hooks(QObject):
    """Brings exceptions of any thread to the GUI thread."""

    raised = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.raised.connect(self._on_raised)

    def _on_raised(self, exc: BaseException) -> None:
        if QApplication.instance() is not None and not QCoreApplication.closingDown():
            show(exc)

    def on_exception(self, _kind: type[BaseException], exc: BaseException, _trace: TracebackType | None) -> None:
        if isinstance(exc, KeyboardInterrupt):
            QApplication.quit()
            return
        log.error("unexpected", exc_info=exc)
        application = QApplication.instance()
        if application is None:
            sys.__excepthook__(type(exc), exc, exc.__traceback__)
        elif application.thread() is QThread.currentThread():
            self._on_raised(exc)
        else:
            self.raised.emit(exc)

    def on_thread_exception(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            self.on_exception(args.exc_type, args.exc_value, args.exc_traceback)


_hooks: list[_Hooks] = []


def install_hooks() -> None:
    """Let no exception close the window: PyQt aborts the process on one that nobody catches."""
    if not _hooks:
        _hooks.append(_Hooks())
    sys.excepthook = _hooks[0].on_exception
    threading.excepthook = _hooks[0].on_thread_exception
