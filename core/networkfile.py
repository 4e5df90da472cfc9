"""What a trained network finds, and from which score on: a small file beside it that is read without torch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from core.io.atomic import atomic_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from core.particles import ClassSpec

VERSION = 1


def note_thresholds(model: Path, classes: Sequence[ClassSpec], thresholds: Mapping[int, float]) -> None:
    """Write the thresholds of a network beside it.

    Parameters
    ----------
    model : Path
        The network; the file is named after it.
    classes : Sequence[ClassSpec]
        What it finds.
    thresholds : Mapping[int, float]
        Score from which a candidate counts, 0..1, by class id.

    Raises
    ------
    PickerError
        If the file cannot be written.
    """
    content = {"version": VERSION, "thresholds": {spec.name: thresholds[spec.id] for spec in classes if spec.id in thresholds}}
    with atomic_path(model.with_suffix(".json")) as path:
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def thresholds_of(model: Path) -> dict[str, float]:
    """Read the thresholds of a network.

    Parameters
    ----------
    model : Path
        The network.

    Returns
    -------
    dict[str, float]
        Score from which a candidate counts, 0..1, by the name of the class; empty where nothing readable lies beside the
        network, which still holds them itself.
    """
    try:
        content = json.loads(model.with_suffix(".json").read_text(encoding="utf-8"))
        found = {str(name): float(value) for name, value in content["thresholds"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}
    return {name: value for name, value in found.items() if 0 <= value <= 1}
