from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from core.networkfile import note_thresholds, thresholds_of
from core.particles import ClassSpec

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = [ClassSpec(id=3, name="ribosome", diameter=250.0), ClassSpec(id=5, name="\u03b2-barrel", diameter=90.0)]


def test_thresholds_are_read_back_by_name(tmp_path: Path) -> None:
    note_thresholds(tmp_path / "net.pt", CLASSES, {3: 0.31, 5: 0.72})
    assert thresholds_of(tmp_path / "net.pt") == {"ribosome": 0.31, "\u03b2-barrel": 0.72}


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "[]",
        "3",
        '{"thresholds": 4}',
        '{"thresholds": {"a": "x"}}',
        '{"thresholds": {"a": 2}}',
        '{"thresholds": {"a": NaN}}',
    ],
)
def test_a_network_without_a_readable_file_beside_it_has_none_to_tell(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "net.json").write_text(text)
    assert thresholds_of(tmp_path / "net.pt") == {}
