"""Whether there is a screen that can show the window; run as a module, it says so in one line."""

from __future__ import annotations

import os
import sys

NO_DISPLAY = (
    "There is no screen to show a window on. On a remote machine, use VNC or a similar remote desktop; "
    "everything also works without a window: deepetpicker --help"
)
NO_GL = (
    "This screen offers no OpenGL {wanted}, which the window needs (found: {found}). Over ssh -X, use VNC or a similar remote "
    "desktop instead; everything also works without a window: deepetpicker --help"
)
WANTED = (2, 1)


def missing_display() -> str:
    """Say in one sentence that there is no screen; empty if there is one."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return NO_DISPLAY
    return ""


def missing_gl() -> str:
    """Say in one sentence what the screen lacks; empty if it lacks nothing. Needs a QApplication."""
    version = gl_version()
    if version >= WANTED:
        return ""
    found = f"version {version[0]}.{version[1]}" if version != (0, 0) else "none"
    return NO_GL.format(wanted=".".join(map(str, WANTED)), found=found)


def gl_version() -> tuple[int, int]:
    """Return the version of OpenGL that Qt gets; (0, 0) for none."""
    from qtpy.QtGui import QOffscreenSurface, QOpenGLContext

    surface, context = QOffscreenSurface(), QOpenGLContext()
    surface.create()
    if not context.create() or not context.makeCurrent(surface):
        return 0, 0
    major, minor = context.format().version()
    context.doneCurrent()
    return int(major), int(minor)


def main() -> None:
    """Write one line about the screen."""
    problem = missing_display()
    if problem:
        sys.stdout.write(problem + "\n")
        return
    from qtpy import API_NAME, QT_VERSION
    from qtpy.QtGui import QGuiApplication

    application = QGuiApplication([])
    size = application.primaryScreen().size()
    major, minor = gl_version()
    sys.stdout.write(missing_gl() or f"{size.width()} x {size.height()}, OpenGL {major}.{minor}, {API_NAME} on Qt {QT_VERSION}")
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
