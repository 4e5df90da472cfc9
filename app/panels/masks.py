"""Where picks count: a box for each mask, with what it found and how many picks it hides."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QDialog, QFileDialog, QGridLayout, QGroupBox, QHBoxLayout, QPushButton, QWidget
from superqt.utils import signals_blocked

from app.panels.form import Form
from app.panels.parts import allow, column, heading, hint
from core.configfile import config_from_dict
from core.masks import GoldMask, MaskConfig, MembraneMask, SlabMask, VolumeMaskFile
from core.masks.settings import NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

TITLES = {
    "slab": ("Lamella or ice", "Only picks between its two surfaces count", SlabMask),
    "gold": ("Gold beads", "No pick on a gold bead counts; beads are found by their contrast and size", GoldMask),
    "volume": ("Mask volume", "Only picks inside, or outside, of a mask that another program has made count", VolumeMaskFile),
    "membrane": ("Membrane", "Only picks near to, or far from, what a segmentation marks count", MembraneMask),
}
EVERY, THIS = range(2)


class MaskBox(QGroupBox):
    """One mask: whether it is on, its settings, and what came of it."""

    edited = Signal()

    def __init__(self, name: str) -> None:
        title, explained, kind = TITLES[name]
        super().__init__(title)
        self.setCheckable(True)
        self.setChecked(False)
        self.setToolTip(explained)
        layout = column(self, margin=10)
        self.form = Form(kind, tuple(one.name for one in fields(kind) if one.name != "on"))
        layout.addWidget(self.form)
        if "path" in self.form.values():
            choose = QPushButton("Choose a file…")
            choose.clicked.connect(self._on_choose)
            layout.addWidget(choose)
        self.state = hint()
        layout.addWidget(self.state)
        layout.addStretch(1)
        self.toggled.connect(self.edited)
        self.form.edited.connect(self.edited)

    def values(self) -> dict[str, Any]:
        """Return what stands in the box."""
        return self.form.values() | {"on": self.isChecked()}

    def fill(self, values: dict[str, Any]) -> None:
        """Show settings."""
        with signals_blocked(self):
            self.setChecked(values["on"])
        now = self.form.values()
        self.form.set_values({name: value for name, value in values.items() if now.get(name) != value})  # a cursor stays

    def _on_choose(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, self.title())
        if path:
            self.form.set_values({"path": path})
            self.edited.emit()


class MaskDialog(QDialog):
    """All masks, beside the canvases; nothing is computed again when one is switched."""

    edited = Signal()
    scope_requested = Signal(bool)  # whether the tomogram gets masks of its own
    veil_requested = Signal(bool)
    skip_requested = Signal(bool)
    reject_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Masks")
        self.setMinimumSize(680, 700)
        layout = column(self, margin=14, spacing=10)
        layout.addWidget(hint("Masked picks are hidden and are not exported; what you accepted stays. Nothing is picked again."))
        self.scope = QComboBox()
        self.scope.addItems(["The same for all tomograms", "Of this tomogram only"])
        self.scope.setToolTip(f"In the path of a volume, {NAME} stands for the tomogram's name")
        self.scope.currentIndexChanged.connect(lambda index: self.scope_requested.emit(index == THIS))
        layout.addWidget(self.scope)
        self.boxes = {name: MaskBox(name) for name in TITLES}
        grid = QGridLayout()
        for place, box in enumerate(self.boxes.values()):
            box.edited.connect(self.edited)
            grid.addWidget(box, *divmod(place, 2))
        layout.addLayout(grid)
        self.veil, self.skip = QCheckBox("Show over the sections"), QCheckBox("Leave masked regions out when picking")
        self.veil.setToolTip("A translucent colour lies where no pick counts")
        self.skip.setToolTip("Picking is faster, but nothing is found there: without the mask, pick again")
        self.veil.setChecked(True)
        self.veil.toggled.connect(self.veil_requested)
        self.skip.toggled.connect(self.skip_requested)
        row = QHBoxLayout()
        row.addWidget(self.veil)
        row.addWidget(self.skip)
        row.addStretch(1)
        layout.addLayout(row)
        self.total = heading("")
        self.total.setWordWrap(True)
        layout.addWidget(self.total)
        self.reject_masked, close = QPushButton("Reject masked picks"), QPushButton("Close")
        self.reject_masked.setAutoDefault(False)
        close.setAutoDefault(False)
        self.reject_masked.clicked.connect(self.reject_requested)
        close.clicked.connect(self.close)
        row = QHBoxLayout()
        row.addWidget(self.reject_masked)
        row.addStretch(1)
        row.addWidget(close)
        layout.addLayout(row)

    def config(self) -> MaskConfig:
        """Return what stands in the boxes; raises `ConfigError` where a value is out of range."""
        config: MaskConfig = config_from_dict(MaskConfig, {name: box.values() for name, box in self.boxes.items()})
        return config

    def fill(self, config: MaskConfig, own: bool) -> None:
        """Show settings, and whether they are the tomogram's own."""
        for name, values in asdict(config).items():
            self.boxes[name].fill(values)
        with signals_blocked(self.scope):
            self.scope.setCurrentIndex(THIS if own else EVERY)

    def set_states(self, states: Mapping[str, str], total: str, reason_not: str) -> None:
        """Say what each mask found, what all of them hide, and why nothing can be rejected."""
        for name, box in self.boxes.items():
            box.state.setText(states.get(name, ""))
        self.total.setText(total)
        usual = "Every masked pick is kept as a counter-example: the next training learns that it is background; undo takes it back"
        allow(self.reject_masked, reason_not, usual)
