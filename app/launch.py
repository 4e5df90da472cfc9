"""Starting the program: hooks first, then a check of the display, then window and controllers."""

from __future__ import annotations

import os
import sys
import warnings
from functools import partial
from importlib.resources import as_file
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("NAPARI_ASYNC", "0")

if TYPE_CHECKING:
    from qtpy.QtCore import QSettings
    from qtpy.QtWidgets import QApplication

    from app.jobs import Runner
    from app.session import Session
    from app.window import MainWindow
    from core.types import Positions


class Application:
    """The window with all that drives it; keeps them alive."""

    def __init__(self, settings: QSettings | None = None) -> None:
        from qtpy.QtCore import QSettings

        from app import style
        from app.controllers.annotate import AnnotateController
        from app.controllers.export import ExportController
        from app.controllers.importing import ImportController
        from app.controllers.linking import LinkController
        from app.controllers.masking import MaskController
        from app.controllers.movie import MovieController
        from app.controllers.pick import PickController
        from app.controllers.pickall import PickAllController
        from app.controllers.project import ProjectController
        from app.controllers.rounds import RoundController
        from app.controllers.settings import SettingsController
        from app.controllers.tomograms import TomogramsController
        from app.controllers.train import TrainController
        from app.controllers.viewing import ViewController
        from app.jobs import Runner
        from app.session import Session
        from app.window import MainWindow
        from core.io.particles.registry import WRITABLE

        self.settings = settings or QSettings("DeepETPicker", "DeepETPicker")
        self.session: Session = Session()
        self.runner: Runner = Runner()
        self.window: MainWindow = MainWindow([(known.name, known.title, known.suffixes[0]) for known in WRITABLE])
        theme = str(self.settings.value("theme") or "dark")
        self.window.light.setChecked(theme == "light")
        style.apply(theme)
        window, session, runner = self.window, self.session, self.runner
        self.project = ProjectController(session, runner, window.start, window.tomograms, window.views, self.settings)
        self.annotate = AnnotateController(session, window.marks, window.views)
        self.tomograms = TomogramsController(session, runner, window.tomograms, window.views)
        self.train = TrainController(session, runner, window.train, window.tomograms.preparing)
        self.pick = PickController(session, runner, window.pick, window.views)
        self.pick_all = PickAllController(session, runner, window.pick)
        self.export = ExportController(session, window.export)
        self.importing = ImportController(session, window.importing)
        self.linking = LinkController(session, window.tomograms, window.linking, window.carrying)
        self.movies = MovieController(session, runner, window.movies, window.views)
        self.masking = MaskController(session, window.masking, window.masks, window.views)
        self.viewing = ViewController(session, window.tomograms.rings, window.pick.score_map, window.views, self.settings)
        self.keeper = SettingsController(session, window.tomograms, window.marks, window.train, window.pick, window.export)
        self.rounds = RoundController(runner, self.train, self.pick)
        self._make_looks(window)
        self._connect()

    def _make_looks(self, window: MainWindow) -> None:
        """Let closer looks at picks follow what is open."""
        from app.controllers.average import AverageController
        from app.controllers.clusters import ClusterController
        from app.controllers.evaluation import EvaluationController
        from app.controllers.extract import ExtractController
        from app.controllers.gallery import GalleryController
        from app.controllers.report import ReportController

        self.gallery = GalleryController(self.session, window.gallery_window, window.gallery)
        self.average = AverageController(self.session, self.runner, window.averages, window.average)
        self.extracting = ExtractController(self.session, self.runner, window.extracting, window.extract)
        self.clusters = ClusterController(self.session, self.runner, window.grouping, window.clusters)
        self.evaluation = EvaluationController(self.session, window.evaluation, window.evaluate)
        self.report = ReportController(self.session, self.runner, window.report)
        self.clusters.numbers_changed.connect(self.gallery.sort_by)
        self.clusters.gallery_requested.connect(self.gallery.show_sorted)
        for look in (self.gallery, self.clusters):
            look.fly_requested.connect(self.annotate.fly_to)
        for picks in (window.gallery_window, window.grouping):
            picks.undo_requested.connect(self.annotate.undo)
            picks.redo_requested.connect(self.annotate.redo)
        self.gallery.tomogram_requested.connect(self.project.show_tomogram)
        self.evaluation.fly_requested.connect(self._on_fly)
        window.report_requested.connect(self.report.write)
        for controller in (self.gallery, self.average, self.extracting, self.clusters, self.evaluation, self.report):
            controller.said.connect(window.jobs.say)
        for controller in (self.gallery, self.average, self.extracting, self.clusters, self.evaluation):
            window.closing.connect(controller.close)

    def _connect(self) -> None:
        from app.window import MARK, PICK

        window, runner = self.window, self.runner
        runner.busy_changed.connect(window.jobs.set_busy)
        runner.message.connect(window.jobs.on_message)
        window.jobs.cancel_requested.connect(runner.cancel)
        window.paths_requested.connect(self.project.open_paths)
        window.settings_saved.connect(self.keeper.save_as)
        window.settings_loaded.connect(self.keeper.load)
        self.tomograms.show_requested.connect(self.project.show_tomogram)
        window.busy_with = lambda: runner.name
        self.project.ask_moved = window.ask_moved
        window.closing.connect(self.close)
        window.step_changed.connect(self._on_step)
        window.step_changed.connect(lambda _step: self.export.refresh())
        self.project.opened.connect(lambda: window.go_to_step(MARK))
        self.pick.picked.connect(self.viewing.show_score_map)
        self.rounds.trained.connect(partial(window.go_to_step, PICK))
        window.pick.train_again_requested.connect(self.rounds.again)
        window.train.train_requested.connect(self.rounds.forget)
        window.jobs.cancel_requested.connect(self.rounds.forget)
        window.marks.import_requested.connect(self.importing.open)
        self.importing.converted.connect(self._on_converted)
        window.marks.reclassify_requested.connect(self.pick.reclassify)
        self.pick.fly_requested.connect(self.annotate.fly_to)
        self.annotate.history_changed.connect(window.set_history)
        self.annotate.history_changed.connect(window.marks.set_history)
        for controller in (
            self.project,
            self.tomograms,
            self.annotate,
            self.train,
            self.pick,
            self.pick_all,
            self.importing,
            self.linking,
            self.movies,
            self.masking,
            self.keeper,
        ):
            controller.said.connect(window.jobs.say)
        self._connect_actions()

    def _connect_actions(self) -> None:
        window, views = self.window, self.window.views
        for action, slot in (
            (window.undo, self.annotate.undo),
            (window.redo, self.annotate.redo),
            (window.remove, self.annotate.remove_selected),
            (window.accept, self.pick.accept),
            (window.reject, self.pick.reject),
            (window.import_particles, self.importing.open),
            (window.convert_particles, self._convert),
            (window.snap, window.marks.snap.toggle),
            (window.forward, lambda: self.pick.walk(1)),
            (window.backward, lambda: self.pick.walk(-1)),
            *((action, partial(views.step, *page)) for page, action in window.pages.items()),
            (window.fit, lambda: views.canvases[0].fit()),
            (window.single, lambda: views.set_single(window.single.isChecked())),
            (window.solid, lambda: self.viewing.set_solid(window.solid.isChecked())),
            (window.movie, self.movies.ask),
            (window.y_up, lambda: views.set_y_up(window.y_up.isChecked())),
            (window.light, self._on_theme),
            (window.thicker, lambda: self.viewing.change_line(0.5)),
            (window.thinner, lambda: self.viewing.change_line(-0.5)),
            (window.reset_step, lambda: self._reset(window.step)),
            (window.reset_all, lambda: self._reset(None)),
        ):
            action.triggered.connect(lambda _checked=False, slot=slot: slot())
        for action in window.class_keys:
            action.triggered.connect(lambda _checked=False, action=action: self.annotate.choose_class(action.data()))
        for action in window.reclass_keys:
            action.triggered.connect(lambda _checked=False, action=action: self.pick.reclassify_to_nth(action.data()))

    def _convert(self) -> None:
        if self.session.tomogram is None:  # its size and voxel size are what formats differ in
            self.window.ask_tomogram("The tomogram that the particles lie in")
        if self.session.tomogram is not None:
            self.importing.convert()

    def _on_converted(self, class_id: int | None, everywhere: bool) -> None:
        from app.window import EXPORT

        self.window.export.choose(class_id, everywhere=everywhere)
        self.window.go_to_step(EXPORT)

    def _reset(self, step: int | None) -> None:
        from app.window import TOMOGRAM

        self.keeper.reset(step)
        self.pick.follow_network()
        if step in (None, TOMOGRAM):
            self.viewing.reset()

    def _on_theme(self) -> None:
        from app import style

        theme = "light" if self.window.light.isChecked() else "dark"
        self.settings.setValue("theme", theme)
        style.apply(theme)

    def _on_step(self, step: int) -> None:
        from app.window import MARK

        self.annotate.marking = step == MARK

    def _on_fly(self, tomogram: str, position: Positions) -> None:
        shown = self.session.tomogram
        if shown is None or shown.id != tomogram:
            self.project.show_tomogram(tomogram)
        self.window.views.go_to(position)

    def close(self) -> None:
        """Stop what runs and let go of the project."""
        from app import notify

        self.viewing.close()
        self.masking.close()
        self.runner.close()
        self.project.close()
        notify.close_all()


def _quiet() -> None:
    # napari tells developers of PyQt5's end; users can do nothing about it
    for message in (".*System theme detection.*", ".*PyQt5.*"):
        warnings.filterwarnings("ignore", message=message)


def start_toolkit() -> QApplication:
    """Start Qt, with what napari needs of it.

    Returns
    -------
    QApplication
        The one of this process.
    """
    _quiet()
    from napari.qt import get_qapp
    from qtpy.QtWidgets import QApplication

    from app import style

    if QApplication.instance() is not None:
        return get_qapp()
    with as_file(style.ICON) as icon:
        return get_qapp(app_name="DeepETPicker", app_id="deepetpicker", icon=str(icon))


def _refuse(sentence: str) -> int:
    sys.stderr.write(sentence + "\n")
    return 2


def main(arguments: list[str]) -> int:
    """Open the window and run until it is closed.

    Parameters
    ----------
    arguments : list[str]
        Tomograms or a project folder to open.

    Returns
    -------
    int
        0, or 2 if no window can be shown.
    """
    from app import notify, screen

    if problem := screen.missing_display():
        return _refuse(problem)
    notify.install_hooks()
    application = start_toolkit()
    if problem := screen.missing_gl():
        return _refuse(problem)
    desk = Application()
    desk.window.show()
    for path in arguments:
        desk.project.open_path(Path(path))
    return int(application.exec())
