"""The desktop program: it arranges, connects and displays; the engine computes.

Which Qt it runs on is settled here, before anything of it is loaded: what ``QT_API`` says (``pyqt5`` or ``pyqt6``); else PyQt5,
or PyQt6 where that is all there is.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

os.environ.setdefault("QT_API", "pyqt6" if find_spec("PyQt5") is None else "pyqt5")
# with both installed, pyqtgraph would take the newer one and mix the two in one process
os.environ["PYQTGRAPH_QT_LIB"] = {"pyqt5": "PyQt5", "pyqt6": "PyQt6"}.get(os.environ["QT_API"].lower(), "PyQt5")
