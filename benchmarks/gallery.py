"""How quick the gallery is: from the menu to the first full screen, and rows a second at the wheel, every picture drawn."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
from window import big_file

if TYPE_CHECKING:
    from app.launch import Application


def opened(folder: Path, shape: tuple[int, int, int], count: int) -> Application:
    """Open a tomogram with many candidates in the real window."""
    from qtpy.QtCore import QSettings

    from app.launch import Application
    from core.particles import ClassSpec, ParticleTable, Source, Status

    desk = Application(QSettings(str(folder / "settings.ini"), QSettings.Format.IniFormat))
    desk.window.ask_before_closing = False
    desk.window.show()
    big_file(folder / "big.mrc", shape)
    desk.project.open_path(folder / "big.mrc")
    rng, store = np.random.default_rng(0), desk.session.project.store
    store.update_class(ClassSpec(id=1, name="ribosome", diameter=250.0))
    at, scores = rng.uniform(0, 1, (count, 3)) * (np.array(shape) - 1), rng.uniform(0, 1, count)
    store.add_many(ParticleTable.build("big", at, 1, scores=scores, source=Source.PICKED, status=Status.CANDIDATE))
    desk.session.set_threshold(1, 0.0)
    desk.window.go_to_step(3)
    return desk


def wait_for_pictures(desk: Application) -> None:
    """Let the program run until every pick on the screen has its picture, and they are drawn."""
    from qtpy.QtWidgets import QApplication

    view = desk.window.gallery_window.view
    inside = view.viewport().rect()
    while True:
        QApplication.processEvents()
        time.sleep(0.001)
        first = max(0, view.indexAt(inside.topLeft()).row())
        rows = []
        for row in range(first, len(view.cells.ids)):
            if view.visualRect(view.cells.index(row)).top() > inside.bottom():
                break
            rows.append(row)
        if rows and all(int(view.cells.ids[row]) in view.cells._pictures for row in rows):
            QApplication.processEvents()  # what came last is drawn
            return


def turn(desk: Application, notches: int = 1) -> None:
    """Turn the wheel over the gallery."""
    from qtpy.QtCore import QPoint, QPointF, Qt
    from qtpy.QtGui import QWheelEvent
    from qtpy.QtWidgets import QApplication

    port = desk.window.gallery_window.view.viewport()
    centre = QPointF(port.rect().center())
    event = QWheelEvent(
        centre,
        QPointF(port.mapToGlobal(centre.toPoint())),
        QPoint(0, 0),
        QPoint(0, -120 * notches),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(port, event)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=int, nargs=3, default=(300, 1000, 1000))
    parser.add_argument("--candidates", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=60)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["DEEPETPICKER_HOME"] = home
        from app.launch import start_toolkit

        start_toolkit()
        desk = opened(Path(home), tuple(arguments.shape), arguments.candidates)
        began, worked = time.perf_counter(), time.process_time()
        desk.window.gallery.trigger()
        wait_for_pictures(desk)
        first, busy = time.perf_counter() - began, time.process_time() - worked
        view = desk.window.gallery_window.view
        height, start = view.drawing.size.height(), view.verticalScrollBar().value()
        began, worked, slowest = time.perf_counter(), time.process_time(), 0.0
        for _ in range(arguments.turns):
            last = time.perf_counter()
            turn(desk)
            wait_for_pictures(desk)
            slowest = max(slowest, time.perf_counter() - last)
        taken, working = time.perf_counter() - began, time.process_time() - worked
        rows = (view.verticalScrollBar().value() - start) / height
        load = os.getloadavg()[0]
        told = f"{first:.2f} s ({busy:.2f} s of processor time)"
        print(f"| {arguments.candidates} candidates, from the menu to a screen full of pictures | {told} |")
        told = (
            f"{rows / taken:.0f} rows/s, {slowest * 1000:.0f} ms at most ({1000 * working / rows:.0f} ms of processor time a row)"
        )
        print(f"| wheel, every picture drawn before it goes on | {told} |")
        print(f"| load of the machine meanwhile | {load:.1f} |")
        desk.window.close()


if __name__ == "__main__":
    main()
