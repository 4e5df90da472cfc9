"""Cutting particles out for other programs: which, how large, as which files, and where to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QWidget,
)
from superqt.utils import signals_blocked

from app.panels.export import WHAT
from app.panels.parts import Exact, allow, column, hint, primary
from core.extraction import COARSEST, LARGEST, ExtractConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.particles import ClassSpec
    from core.types import Angstrom

ABOUT = (
    "A small volume around each particle, and particles.star, RELION's list of them with the same coordinates as an export. Voxels"
    " keep their values unless something here changes them; nothing is turned or interpolated."
)
KINDS = {
    "mrc": "an MRC file for each particle",
    "stack": "an MRC stack for each tomogram",
    "zarr": "a Zarr array for each tomogram",
}
FACES = {"pad": "filled up with the mean", "leave": "left out"}
SHOWN, EVERY = "the tomogram that is shown", "all tomograms"


class ExtractDialog(QDialog):
    """Stays open beside the window."""

    edited = Signal()
    extract_requested = Signal()
    cancel_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Extract sub-volumes")
        self.setMinimumWidth(560)
        self._diameter, self._voxel_size = 0.0, 0.0
        self._own_box = False  # whether somebody chose an edge
        layout = column(self, margin=14, spacing=10)
        layout.addWidget(hint(ABOUT))
        form = QFormLayout()
        self._add_choices(form)
        self._add_box(form)
        self._add_files(form)
        layout.addLayout(form)
        self.said = QLabel("")
        self.said.setWordWrap(True)
        layout.addWidget(self.said)
        self.make, self.cancel = primary("Extract"), QPushButton("Cancel")
        self.make.clicked.connect(self.extract_requested)
        self.cancel.clicked.connect(self.cancel_requested)
        row = QHBoxLayout()
        row.addWidget(self.make, stretch=1)
        row.addWidget(self.cancel)
        layout.addLayout(row)
        for button in (self.make, self.cancel):
            button.setAutoDefault(False)
        self.set_running(False)

    def _add_choices(self, form: QFormLayout) -> None:
        self.classes, self.which, self.scope, self.top = QComboBox(), QComboBox(), QComboBox(), QSpinBox()
        for name, said in WHAT.items():
            self.which.addItem(said, name)
        self.scope.addItems([EVERY, SHOWN])
        self.top.setRange(0, 1_000_000)
        self.top.setSpecialValueText("all")
        self.top.setToolTip("Only so many of the highest score; the threshold is that of step 4")
        self.classes.currentIndexChanged.connect(self._on_class_changed)
        for combo in (self.which, self.scope):
            combo.currentIndexChanged.connect(lambda _row: self.edited.emit())
        self.top.valueChanged.connect(lambda _value: self.edited.emit())
        for name, field in (("Class", self.classes), ("Picks", self.which), ("From", self.scope), ("Best", self.top)):
            form.addRow(name, field)

    def _add_box(self, form: QFormLayout) -> None:
        self.binning, self.box, self.width_ = QSpinBox(), QSpinBox(), Exact(0, 1e5, " Å")
        self.binning.setRange(1, COARSEST)
        self.binning.setSpecialValueText("none")
        self.binning.setToolTip("Cubes of so many voxels on an edge become one, their mean")
        self.box.setRange(2, LARGEST)
        self.box.setSingleStep(2)
        self.box.setSuffix(" voxels")
        self.box.setToolTip("Edge of the written box, even; the voxel at half of it is the one that the particle lies in")
        self.width_.setToolTip("The same in Å")
        self.width_.setKeyboardTracking(False)
        self.binning.valueChanged.connect(self._on_binning_changed)
        self.box.valueChanged.connect(self._on_box_changed)
        self.width_.valueChanged.connect(self._on_width_changed)
        row = QHBoxLayout()
        row.addWidget(self.box, stretch=1)
        row.addWidget(QLabel("="))
        row.addWidget(self.width_, stretch=1)
        self.faces = QComboBox()
        for name, said in FACES.items():
            self.faces.addItem(said, name)
        self.faces.currentIndexChanged.connect(lambda _row: self.edited.emit())
        for name, field in (("Binning", self.binning), ("Box", row), ("Boxes past a face", self.faces)):
            form.addRow(name, field)

    def _add_files(self, form: QFormLayout) -> None:
        self.invert, self.normalise = QCheckBox("Invert: particles bright, as RELION wants them"), QCheckBox("Normalise")
        self.normalise.setToolTip(
            "Voxels outside the particle's sphere get zero mean and unit standard deviation, as RELION does it"
        )
        self.kind, self.folder = QComboBox(), QLineEdit()
        for name, said in KINDS.items():
            self.kind.addItem(said, name)
        self.kind.currentIndexChanged.connect(lambda _row: self.edited.emit())
        for box in (self.invert, self.normalise):
            box.toggled.connect(lambda _on: self.edited.emit())
        self.folder.textChanged.connect(lambda _text: self.edited.emit())
        browse = QPushButton("…")
        browse.setFixedWidth(36)
        browse.setAutoDefault(False)
        browse.clicked.connect(self._on_browse_clicked)
        row = QHBoxLayout()
        row.addWidget(self.folder, stretch=1)
        row.addWidget(browse)
        for name, field in (("Grey values", self.invert), ("", self.normalise), ("Files", self.kind), ("Folder", row)):
            form.addRow(name, field)

    # ---- what is chosen ----

    @property
    def class_id(self) -> int:
        """The class that is cut out; 0 where there is none."""
        return int(self.classes.currentData() or 0)

    @property
    def only_shown(self) -> bool:
        """Whether only the tomogram that is shown counts."""
        return self.scope.currentText() == SHOWN

    @property
    def config(self) -> ExtractConfig:
        """How, as it stands here; an odd box is a `ConfigError`."""
        return ExtractConfig(
            kind=self.kind.currentData(),
            box=self.box.value(),
            binning=self.binning.value(),
            invert=self.invert.isChecked(),
            normalise=self.normalise.isChecked(),
            faces=self.faces.currentData(),
        )

    # ---- setters ----

    def set_classes(self, classes: Sequence[ClassSpec], current: int | None) -> None:
        """List the classes."""
        current = self.class_id or current
        with signals_blocked(self.classes):
            self.classes.clear()
            for spec in classes:
                self.classes.addItem(spec.name, spec.id)
            self.classes.setCurrentIndex(max(0, self.classes.findData(current)))

    def set_particle(self, diameter: Angstrom, voxel_size: Angstrom) -> None:
        """Take the size of the class and of a voxel; unless somebody chose an edge, it is twice the diameter."""
        self._diameter, self._voxel_size = diameter, voxel_size
        self.width_.setEnabled(voxel_size > 0)
        if not self._own_box and voxel_size > 0:
            with signals_blocked(self.box):
                self.box.setValue(ExtractConfig(binning=self.binning.value()).edge(diameter, voxel_size))
        self._show_width()

    def forget_box(self) -> None:
        """Follow the diameter again: it is another project."""
        self._own_box = False

    def set_said(self, text: str, reason_not: str) -> None:
        """Say what would be written or was, and why not now."""
        self.said.setText(text)
        allow(self.make, reason_not, "Cut them out; the folder appears whole or not at all")

    def set_running(self, running: bool) -> None:
        """Offer to stop while something is cut out."""
        allow(self.cancel, "" if running else "Nothing is being cut out.", "Stop; nothing is left behind")

    def _show_width(self) -> None:
        with signals_blocked(self.width_):
            self.width_.setSingleStep(2 * self.binning.value() * (self._voxel_size or 1.0))
            self.width_.setValue(self.box.value() * self.binning.value() * self._voxel_size)

    # ---- callbacks ----

    def _on_class_changed(self, _row: int) -> None:
        self.forget_box()
        self.edited.emit()

    def _on_binning_changed(self, _value: int) -> None:
        self.set_particle(self._diameter, self._voxel_size)
        self.edited.emit()

    def _on_box_changed(self, value: int) -> None:
        if value % 2:
            self.box.setValue(value + 1)
            return
        self._own_box = True
        self._show_width()
        self.edited.emit()

    def _on_width_changed(self, value: float) -> None:
        voxel = self.binning.value() * self._voxel_size
        if voxel:
            self.box.setValue(2 * max(1, round(value / voxel / 2)))
        self._show_width()

    def _on_browse_clicked(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Folder in which to make the new one")
        if path:
            self.folder.setText(str(Path(path) / (Path(self.folder.text()).name or "subvolumes")))
