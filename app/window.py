"""The window: five steps along the top, the panel of the current one at the left, the canvases, and what runs at the foot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QAction, QKeySequence
from qtpy.QtWidgets import (
    QButtonGroup,
    QFileDialog,
    QHBoxLayout,
    QMainWindow,
    QMenu,
    QMessageBox,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.notify import about
from app.panels.export import ExportPanel
from app.panels.helping import show_keys
from app.panels.importing import ImportDialog
from app.panels.jobbar import JobBar
from app.panels.linking import CarryDialog, LinkDialog
from app.panels.marks import MarkPanel
from app.panels.movie import MovieDialog
from app.panels.pick import PickPanel
from app.panels.start import StartPage
from app.panels.tomograms import TomogramPanel
from app.panels.train import TrainPanel
from app.views.triptych import Triptych
from core.io.particles.registry import READABLE
from core.io.volumes import suffixes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qtpy.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent

STEPS = ("Tomogram", "Mark", "Train", "Pick", "Export")
TOMOGRAM, MARK, TRAIN, PICK, EXPORT = range(5)
TOML = "Settings (*.toml);;All files (*)"
FILES = f"Tomograms ({' '.join('*' + suffix for suffix in suffixes())});;All files (*)"


class MainWindow(QMainWindow):
    """Arranges; what anything does is the controllers' business."""

    paths_requested = Signal(list)
    settings_saved = Signal(str)  # to this file
    settings_loaded = Signal(str)
    step_changed = Signal(int)
    closing = Signal()

    def __init__(self, formats: Sequence[tuple[str, str, str]]) -> None:
        super().__init__()
        self.setWindowTitle("DeepETPicker")
        self.setAcceptDrops(True)
        self.resize(1360, 860)
        self.busy_with: Callable[[], str] = lambda: ""
        self.ask_before_closing = True
        self.start, self.views, self.jobs = StartPage(), Triptych(), JobBar()
        self.tomograms, self.marks, self.train, self.pick = TomogramPanel(), MarkPanel(), TrainPanel(), PickPanel()
        self.export, self.movies = ExportPanel(formats), MovieDialog(self)
        self.linking, self.carrying = LinkDialog(self), CarryDialog(self)
        self.importing = ImportDialog([(known.name, known.title) for known in READABLE], self)
        self._arrange()
        self._make_menus()
        self.start.tomogram_requested.connect(self.ask_tomogram)
        self.start.project_requested.connect(self.ask_project)
        self.tomograms.add_requested.connect(self.ask_tomogram)
        self.export.browse_requested.connect(self._on_export_browse)
        self.export.geometry_requested.connect(self._on_export_geometry)

    # ---- arrangement ----

    def _arrange(self) -> None:
        self._panels = QStackedWidget()
        for panel in (self.tomograms, self.marks, self.train, self.pick, self.export):
            panel.setContentsMargins(12, 8, 12, 8)
            self._panels.addWidget(panel)
        self._panels.setMinimumWidth(350)
        work = QSplitter(Qt.Orientation.Horizontal)
        work.addWidget(self._panels)
        work.addWidget(self.views)
        work.setStretchFactor(1, 1)
        work.setSizes([390, 970])
        work.setChildrenCollapsible(False)
        self._work = QWidget()
        inside = QVBoxLayout(self._work)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(0)
        inside.addWidget(self._steps())
        inside.addWidget(work, stretch=1)
        self._pages = QStackedWidget()
        self._pages.addWidget(self.start)
        self._pages.addWidget(self._work)
        whole = QWidget()
        layout = QVBoxLayout(whole)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._pages, stretch=1)
        layout.addWidget(self.jobs)
        self.setCentralWidget(whole)

    def _steps(self) -> QWidget:
        bar = QWidget()
        bar.setObjectName("steps")
        row = QHBoxLayout(bar)
        row.setContentsMargins(8, 6, 8, 6)
        row.setSpacing(4)
        self.steps = QButtonGroup(self)
        for number, name in enumerate(STEPS):
            button = QPushButton(f"{number + 1}  {name}")
            button.setObjectName("step")
            button.setCheckable(True)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            self.steps.addButton(button, number)
            row.addWidget(button, stretch=1)
        self.steps.idClicked.connect(self.go_to_step)
        return bar

    def _make_menus(self) -> None:
        file, edit, view, settings = (self.menuBar().addMenu(name) for name in ("&File", "&Edit", "&View", "&Settings"))
        self.open_tomogram = self._action(file, "Open tomograms…", "Ctrl+O", self.ask_tomogram)
        self.open_folder = self._action(file, "Open OME-Zarr folder…", "", self.ask_folder)
        self.open_project = self._action(file, "Open project…", "Ctrl+Shift+O", self.ask_project)
        self.open_sample = self._action(file, "Open sample", "", self.start.sample_requested.emit)
        self.import_particles = self._action(file, "Import particles…", "Ctrl+I")
        file.addSeparator()
        self._action(file, "Quit", "Ctrl+Q", self.close)
        edit.setToolTipsVisible(True)
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
        self._action(settings, "Save settings as…", "", self._ask_settings_to_save)
        self._action(settings, "Load settings…", "", self._ask_settings_to_load)
        settings.addSeparator()
        self.reset_step = self._action(settings, "Reset this step", "")
        self.reset_all = self._action(settings, "Reset all", "")
        help_menu = self.menuBar().addMenu("&Help")
        self._action(help_menu, "Mouse and keys", "F1", lambda: show_keys(self))
        self._action(help_menu, "About", "", lambda: about(self))
        self.class_keys = self._number_keys("Mark class {}", "")
        self.set_history("Open a tomogram first.", "Open a tomogram first.")
        self.reclass_keys = self._number_keys("Selected is of class {}", "Ctrl+")

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

    # ---- what is shown ----

    @property
    def step(self) -> int:
        """Number of the current step."""
        return self._panels.currentIndex()

    def go_to_step(self, number: int) -> None:
        """Show the panel of a step."""
        self._pages.setCurrentWidget(self._work)
        self._panels.setCurrentIndex(number)
        self.steps.button(number).setChecked(True)
        self.step_changed.emit(number)

    def set_history(self, no_undo: str, no_redo: str) -> None:
        """Say why nothing can be taken back, or done again; empty where it can."""
        for action, reason in ((self.undo, no_undo), (self.redo, no_redo)):
            action.setEnabled(not reason)
            action.setToolTip(reason or action.text())

    # ---- asking ----

    def ask_tomogram(self) -> None:
        """Let the user choose tomograms."""
        paths, _ = QFileDialog.getOpenFileNames(self, "Open tomograms", "", FILES)
        if paths:
            self.paths_requested.emit(paths)

    def ask_folder(self) -> None:
        """Let the user choose a tomogram that is a folder."""
        path = QFileDialog.getExistingDirectory(self, "Open OME-Zarr folder")
        if path:
            self.paths_requested.emit([path])

    def ask_project(self) -> None:
        """Let the user choose a project folder."""
        path = QFileDialog.getExistingDirectory(self, "Open project")
        if path:
            self.paths_requested.emit([path])

    def _ask_settings_to_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save settings as", "deepetpicker.toml", TOML)
        if path:
            self.settings_saved.emit(path)

    def _ask_settings_to_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load settings", "", TOML)
        if path:
            self.settings_loaded.emit(path)

    def _on_export_browse(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Export to", self.export.path.text())
        if path:
            self.export.path.setText(path)

    def _on_export_geometry(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "RELION's tomograms.star", "", "STAR files (*.star)")
        if path:
            self.export.geometry.setText(path)

    # ---- Qt's own events ----

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            self.paths_requested.emit(paths)

    def closeEvent(self, event: QCloseEvent) -> None:
        job = self.busy_with()
        if job and self.ask_before_closing:
            question = f"{job} is still running. Stop it and close? Your marks are safe."
            answer = QMessageBox.question(self, "DeepETPicker", question)
            if answer != QMessageBox.StandardButton.Yes:
                event.ignore()
                return
        self.closing.emit()
        event.accept()
