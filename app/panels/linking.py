"""What is asked before two tomograms are linked, and before particles go from one to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QFormLayout, QPushButton, QWidget
from superqt.utils import signals_blocked

from app.panels.parts import allow, column, heading, hint
from core.grids import Alignment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.grids import Mapping

ALIGNMENTS = {
    Alignment.FACES: (
        "their outer faces",
        "Blocks of voxels were averaged: IMOD's binvol, the levels of OME-Zarr, the CryoET Data Portal",
    ),
    Alignment.FIRST_VOXEL: (
        "the centre of their first voxel",
        "Every n-th voxel was taken, or the volume was cropped in Fourier space",
    ),
    Alignment.MIDDLE_VOXEL: ("the centre of their middle voxel", "Reconstructed around the middle: RELION, Warp, EMAN2"),
}


class _Dialog(QDialog):
    """Asks for another tomogram; answers come back as text."""

    edited = Signal()

    def __init__(self, title: str, explained: str, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setMinimumWidth(480)
        self._layout = column(self, margin=14, spacing=10)
        self.what = heading("")
        self._layout.addWidget(self.what)
        self._layout.addWidget(hint(explained))
        self.form = QFormLayout()
        self._layout.addLayout(self.form)
        self.other = QComboBox()
        self.other.currentIndexChanged.connect(self._on_edited)
        self.found, self.doubts = heading(""), hint()
        self.found.setWordWrap(True)
        self._layout.addWidget(self.found)
        self._layout.addWidget(self.doubts)
        self._layout.addStretch(1)

    def _add_buttons(self, text: str) -> QPushButton:
        self.buttons = QDialogButtonBox()
        main = self.buttons.addButton(text, QDialogButtonBox.ButtonRole.ActionRole)
        self.cancel = self.buttons.addButton("Cancel", QDialogButtonBox.ButtonRole.RejectRole)
        self.buttons.rejected.connect(self.reject)
        self._layout.addWidget(self.buttons)
        main.setDefault(True)
        return main

    def set_others(self, what: str, names: Sequence[str]) -> None:
        """Say in one line what is asked, and list the tomograms that can be chosen."""
        self.what.setText(what)
        with signals_blocked(self.other):
            self.other.clear()
            self.other.addItems(list(names))

    def _show(self, button: QPushButton, found: str, doubts: Sequence[str], reason_not: str) -> None:
        self.found.setText(found)
        self.found.setVisible(bool(found))
        self.doubts.setText("\n".join([*([reason_not] if reason_not else []), *doubts]))
        allow(button, reason_not, button.text())
        self.adjustSize()

    def _on_edited(self, _index: int) -> None:
        self.edited.emit()


class LinkDialog(_Dialog):
    """Links a tomogram with another one."""

    link_requested = Signal()
    unlink_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        explained = (
            "Of one tilt series: at another binning, filtered or denoised. Particles of one can then be carried over to the other."
        )
        super().__init__("Same specimen", explained, parent)
        self.alignment = QComboBox()
        for alignment, (text, tip) in ALIGNMENTS.items():
            self.alignment.addItem(text, str(alignment))
            self.alignment.setItemData(self.alignment.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.explained = hint()
        self.alignment.currentIndexChanged.connect(self._on_edited)
        self.form.addRow("Same specimen as", self.other)
        self.form.addRow("They share", self.alignment)
        self.form.addRow("", self.explained)
        self.link = self._add_buttons("Link")
        self.unlink = self.buttons.addButton("Unlink", QDialogButtonBox.ButtonRole.DestructiveRole)
        self.link.clicked.connect(self.link_requested)
        self.unlink.clicked.connect(self.unlink_requested)

    def set_found(self, shown: str, found: Mapping | None, doubts: Sequence[str], reason_not: str) -> None:
        """Show how voxels become those of the other, or why not.

        Parameters
        ----------
        shown : str
            The tomogram that is linked.
        found : Mapping | None
            From its voxels to those of the other one.
        doubts : Sequence[str]
            What speaks against it, a sentence each.
        reason_not : str
            Why it cannot be linked; empty if it can.
        """
        self.explained.setText(ALIGNMENTS[Alignment(self.alignment.currentData())][1] + ".")
        text = ""
        if found is not None:
            first = ", ".join(f"{one:g}" for one in reversed(found.offset))
            other = self.other.currentText()
            text = f"{shown} to {other}: positions times {found.scale[0]:g}; the first voxel lies at {first} there (x, y, z)."
        self._show(self.link, text, doubts, reason_not)

    def set_unlinkable(self, reason_not: str) -> None:
        """Say whether the tomogram can be unlinked."""
        allow(self.unlink, reason_not, "Forget what it goes with; nothing else changes")


class CarryDialog(_Dialog):
    """Carries particles over to a linked tomogram."""

    carry_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        explained = "Accepted particles are copied at the same place in the specimen; those that are there already are left out."
        super().__init__("Carry particles over", explained, parent)
        self.form.addRow("To", self.other)
        self.carry = self._add_buttons("Carry over")
        self.carry.clicked.connect(self.carry_requested)

    def set_count(self, count: int, notices: Sequence[str], reason_not: str) -> None:
        """Show how many particles would be added, and what is odd about them."""
        text = f"{count} particles will be added to {self.other.currentText()}." if count else ""
        self._show(self.carry, text, notices, reason_not)
