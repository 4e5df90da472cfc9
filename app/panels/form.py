"""Forms made from configuration dataclasses: a field for each attribute, its meaning and unit from the docstring."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from typing import Any, get_args, get_type_hints

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFormLayout, QLabel, QLineEdit, QSpinBox, QWidget

from app.panels.parts import Exact
from core.configfile import config_from_dict

UNITS = {"minutes": " min", "low_pass": " Å", "high_pass": " Å", "rotation": "°"}
UNITS |= dict.fromkeys(("patch", "tile", "overlap", "edge"), " voxels") | dict.fromkeys(("shell", "min_distance"), " diameters")
UNITS |= {"margin": " Å", "distance": " Å", "diameter": " nm", "tilt_y": "°", "tilt_x": "°", "low": " voxels", "high": " voxels"}

LABELS = {
    "low_pass": "Low-pass",
    "high_pass": "High-pass",
    "nms": "Peaks (MP-NMS)",
    "floor": "Lowest score",
    "min_distance": "Search apart by",
    "edge": "Search margin",
    "half_turn": "With half turn",
    "patch": "Crop size",
    "batch": "Crops a step",
    "relion_folder": "RELION folder",
    "tilt_y": "Rising along y",
    "tilt_x": "Rising along x",
    "low": "Lower z",
    "high": "Upper z",
}
OFF = ("low_pass", "high_pass")  # where 0 means that nothing is done
FOLLOWS = {
    "steps": "as time allows",
    "patch": "from the diameters",
    "tile": "from the memory",
    "overlap": "from the network",
}  # what a 0 stands for
EXACT = ("coords_angpix",)  # a thousandth of which matters far from the first voxel
SIGNED = ("origin_x", "origin_y", "origin_z", "margin", "tilt_y", "tilt_x")  # which may lie below 0


def meanings(kind: type[Any]) -> dict[str, str]:
    """Read what each attribute means from a numpydoc docstring.

    Parameters
    ----------
    kind : type
        A configuration class.

    Returns
    -------
    dict[str, str]
        A paragraph for each attribute that is described.
    """
    text = (kind.__doc__ or "").partition("Attributes")[2]
    found: dict[str, list[str]] = {}
    names: list[str] = []
    for line in text.splitlines()[2:]:
        heading = re.match(r"    (\w[\w, ]*) : ", line)
        if heading:
            names = [name.strip() for name in heading[1].split(",")]
        elif line.startswith("        "):
            for name in names:
                found.setdefault(name, []).append(line.strip())
    return {name: " ".join(lines).replace("``", "").replace("`", "") for name, lines in found.items()}


class Form(QWidget):
    """Edits the fields of one configuration class; values are checked by that class."""

    edited = Signal()

    def __init__(self, kind: type[Any], names: tuple[str, ...] | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kind = kind
        self._editors: dict[str, QWidget] = {}
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        hints, told = get_type_hints(kind), meanings(kind)
        for entry in fields(kind):
            if (names is not None and entry.name not in names) or entry.default is MISSING:
                continue
            editor = self._editor(entry.name, hints[entry.name], entry.default)
            label = QLabel(LABELS.get(entry.name) or entry.name.replace("_", " ").capitalize())
            for widget in (editor, label):
                widget.setToolTip(told.get(entry.name, ""))
            layout.addRow(label, editor)
            self._editors[entry.name] = editor

    def _editor(self, name: str, hint: Any, default: Any) -> QWidget:
        choices = get_args(hint)
        if choices:
            combo = QComboBox()
            combo.addItems([str(choice) for choice in choices])
            combo.setCurrentText(default)
            combo.currentTextChanged.connect(self._on_editor_changed)
            return combo
        if isinstance(default, bool):
            box = QCheckBox()
            box.setChecked(default)
            box.toggled.connect(self._on_editor_changed)
            return box
        if isinstance(default, str):
            line = QLineEdit(default)
            line.textChanged.connect(self._on_editor_changed)
            return line
        spin = QSpinBox() if isinstance(default, int) else Exact() if name in EXACT else QDoubleSpinBox()
        spin.setRange(0, 10_000_000)
        if isinstance(spin, QDoubleSpinBox):
            if name not in EXACT:
                spin.setDecimals(4 if 0 < default < 0.01 else 3)
            spin.setSingleStep(0.05 if default < 2 else 1.0)
            spin.setRange(-1e6 if name in SIGNED or default < 0 else 0, 1e6)
        spin.setSuffix(UNITS.get(name, ""))
        spin.setSpecialValueText(FOLLOWS.get(name, ""))
        if name in OFF:
            spin.setSpecialValueText("off")
            spin.setDecimals(1)
            spin.setSingleStep(10)
        spin.setValue(default)
        spin.valueChanged.connect(self._on_editor_changed)
        return spin

    def _on_editor_changed(self, _value: object) -> None:
        self.edited.emit()

    def values(self) -> dict[str, Any]:
        """Return what stands in the form as plain data.

        Returns
        -------
        dict[str, Any]
            By field name.
        """
        return {name: _value(editor) for name, editor in self._editors.items()}

    def set_values(self, values: dict[str, Any]) -> None:
        """Fill in values; unknown names are left out.

        Parameters
        ----------
        values : dict[str, Any]
            By field name.
        """
        for name, value in values.items():
            if name in self._editors:
                editor = self._editors[name]
                editor.blockSignals(True)
                _set_value(editor, value)
                editor.blockSignals(False)

    def config(self) -> Any:
        """Return the configuration.

        Returns
        -------
        object
            Of the class that the form was made for; other fields have their defaults.

        Raises
        ------
        ConfigError
            If a value is out of range.
        """
        return config_from_dict(self._kind, self.values())


def _value(editor: QWidget) -> Any:
    if isinstance(editor, QComboBox):
        return editor.currentText()
    if isinstance(editor, QLineEdit):
        return editor.text().strip()
    return editor.isChecked() if isinstance(editor, QCheckBox) else editor.value()


def _set_value(editor: QWidget, value: Any) -> None:
    if isinstance(editor, QComboBox):
        editor.setCurrentText(value)
    elif isinstance(editor, QLineEdit):
        editor.setText(value)
    elif isinstance(editor, QCheckBox):
        editor.setChecked(value)
    else:
        editor.setValue(value)
