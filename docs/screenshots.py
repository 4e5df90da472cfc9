"""Make docs/images from the real program: open the sample, mark, train, pick; a picture of each step."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtWidgets import QWidget

    from app.launch import Application

IMAGES = Path(__file__).parent / "images"
PATIENCE = 1800


class Photographer:
    """Works the program and takes pictures."""

    def __init__(self, desk: Application) -> None:
        self.desk = desk

    def wait(self, until: Callable[[], bool]) -> None:
        """Let the program run until something is so."""
        from qtpy.QtWidgets import QApplication

        end = time.monotonic() + PATIENCE
        while not until():
            if time.monotonic() > end:
                raise TimeoutError("the program took too long")
            QApplication.processEvents()
            time.sleep(0.01)

    def shoot(self, name: str, widget: QWidget | None = None) -> None:
        """Take a picture of the window, or of a dialog."""
        end = time.monotonic() + 1.0
        self.wait(lambda: time.monotonic() > end)
        (widget or self.desk.window).grab().save(str(IMAGES / f"{name}.png"))


def tour(minutes: float) -> None:
    """Go through all steps.

    Parameters
    ----------
    minutes : float
        How long to train.
    """
    from app.launch import Application, start_toolkit
    from core.errands import SAMPLE_CENTRES, SAMPLE_CLASS
    from core.io.particles import read_particles

    start_toolkit()
    from qtpy.QtCore import QSettings

    desk = Application(QSettings(str(Path(os.environ["DEEPETPICKER_HOME"]) / "settings.ini"), QSettings.Format.IniFormat))
    window, session, camera = desk.window, desk.session, Photographer(desk)
    window.ask_before_closing = False
    window.show()
    camera.shoot("start")
    desk.project.open_sample()
    camera.wait(lambda: session.tomogram is not None and not desk.runner.busy)
    window.go_to_step(0)
    camera.shoot("tomogram")
    window.go_to_step(1)
    known = read_particles(session.project.folder / SAMPLE_CENTRES)
    ribosomes = known.positions[[name == SAMPLE_CLASS for name in known.class_names]]
    for position in ribosomes[: len(ribosomes) // 2]:
        desk.annotate.add(position)
    desk.annotate.fly_to(int(session.table.ids[0]))
    camera.shoot("mark")
    window.go_to_step(2)
    window.train.minutes.setValue(minutes)
    desk.train.train()
    camera.wait(lambda: len(window.train.curves.points) > 3 or not desk.runner.busy)
    camera.shoot("train")
    camera.wait(lambda: not desk.runner.busy)
    window.go_to_step(3)
    desk.pick.pick()
    camera.wait(lambda: not desk.runner.busy)
    desk.pick.walk(1)
    camera.shoot("pick")
    desk.gallery.open()
    camera.wait(lambda: desk.gallery._job is None and len(window.gallery_window.view.cells._pictures) > 0)
    camera.shoot("gallery", window.gallery_window)
    window.gallery_window.close()
    desk.evaluation.open()
    camera.wait(lambda: bool(window.evaluation.evaluate.summary.text()))
    camera.shoot("evaluate", window.evaluation)
    window.evaluation.hide()
    desk.pick.accept_all(1)
    window.go_to_step(4)
    window.export.pixel_size.setValue(session.tomogram.voxel_size)  # the sample is not binned
    camera.shoot("export")
    window.close()


def clusters(project: Path) -> None:
    """Take the picture of clusters; the sample has too few picks for any.

    Parameters
    ----------
    project : Path
        A project whose candidates were grouped.
    """
    from app.launch import Application, start_toolkit

    start_toolkit()
    from qtpy.QtCore import QSettings

    desk = Application(QSettings(str(Path(os.environ["DEEPETPICKER_HOME"]) / "settings.ini"), QSettings.Format.IniFormat))
    camera, dialog = Photographer(desk), desk.window.grouping
    desk.window.ask_before_closing = False
    desk.window.show()
    desk.project.open_path(project)
    for number in desk.session.classes:
        desk.session.set_threshold(number, 0.0)
    desk.clusters.open()
    camera.wait(lambda: not desk.runner.busy)
    dialog.table.selectRow(1)
    camera.shoot("clusters", dialog)
    desk.window.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0, help="how long to train")
    parser.add_argument("--clusters", type=Path, help="only the picture of clusters, of this project")
    asked = parser.parse_args()
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ["DEEPETPICKER_HOME"] = home
        clusters(asked.clusters) if asked.clusters else tour(asked.minutes)
