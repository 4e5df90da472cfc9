"""The window: five steps along the top, the panel of the current one at the left, the canvases, and what runs at the foot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QFileDialog,
    QHBoxLayout,
    QMessageBox,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.menus import MenuWindow
from app.notify import ask
from app.panels.average import AverageDialog
from app.panels.clusters import ClusterDialog
from app.panels.evaluation import EvaluationDialog
from app.panels.export import ExportPanel
from app.panels.extract import ExtractDialog
from app.panels.gallery import GalleryWindow
from app.panels.importing import ImportDialog
from app.panels.jobbar import JobBar
from app.panels.linking import CarryDialog, LinkDialog
from app.panels.marks import MarkPanel
from app.panels.masks import MaskDialog
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


class MainWindow(MenuWindow):
    """Arranges; what anything does is the controllers' business."""

    paths_requested = Signal(list)
    settings_saved = Signal(str)  # to this file
    settings_loaded = Signal(str)
    report_requested = Signal(str)  # to this file
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
        self.masking, self.masks = MaskDialog(self), self.offer("Masks…", "M")
        self.evaluation, self.evaluate = EvaluationDialog(self), self.offer("Evaluate…", "E")
        self.report = self.offer("Report…")
        self.gallery_window, self.averages = GalleryWindow(self), AverageDialog(self)
        self.extracting = ExtractDialog(self)
        self.grouping, self.clusters = ClusterDialog(self), self.offer("Clusters…", "C")
        self._arrange()
        self.pick.place_closer(self.closer)
        for action, slot in (
            (self.open_tomogram, self.ask_tomogram),
            (self.open_folder, self.ask_folder),
            (self.open_project, self.ask_project),
            (self.open_sample, self.start.sample_requested.emit),
            (self.save_settings, self._ask_settings_to_save),
            (self.load_settings, self._ask_settings_to_load),
            (self.report, self._ask_report),
        ):
            action.triggered.connect(lambda _checked=False, slot=slot: slot())
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

    # ---- asking ----

    def ask_tomogram(self, title: str = "Open tomograms") -> None:
        """Let the user choose tomograms."""
        paths, _ = QFileDialog.getOpenFileNames(self, title, "", FILES)
        if paths:
            self.paths_requested.emit(paths)

    def ask_moved(self, question: str, name: str) -> str:
        """Let the user find a file that is missing; empty where nobody wants to."""
        return QFileDialog.getOpenFileName(self, f"Where is {name} now?", "", FILES)[0] if ask(question) else ""

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

    def _ask_report(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Report", "report.html", "Web page (*.html)")
        if path:
            self.report_requested.emit(path)

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
