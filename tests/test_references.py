from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.errors import FileFormatError
from core.io.references import read_references, read_scored
from core.particles import Status

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "class,x,y,z,diameter_voxels,tier\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_references_bring_their_classes_diameters_and_neutral_ones(tmp_path: Path) -> None:
    text = HEADER + "b,1,2,3,20,confident\na,4.5,5,6,10,ambiguous\nb,7,8,9,22,\nb,7,8,9,30,\n"
    table, classes = read_references(written(tmp_path, text))
    assert [(spec.id, spec.name, spec.diameter) for spec in classes] == [(1, "a", 10.0), (2, "b", 22.0)]
    assert table.positions.tolist() == [[3, 2, 1], [6, 5, 4.5], [9, 8, 7], [9, 8, 7]]
    assert table.class_ids.tolist() == [2, 1, 2, 2]
    assert (table.statuses == Status.CANDIDATE).tolist() == [False, True, False, False]


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_picks_of_other_classes_are_left_out_and_scores_may_be_missing(tmp_path: Path, ends: str) -> None:
    _, classes = read_references(written(tmp_path, HEADER + "a,1,2,3,10,\n"))
    text = ends.join(["class,x,y,z,score", "a,1,2,3,0.5", "zz,1,2,3,0.9", "a,4,5,6,", ""])
    table = read_scored(written(tmp_path, text), classes)
    assert table.positions.tolist() == [[3, 2, 1], [6, 5, 4]]
    np.testing.assert_array_equal(table.scores, np.array([0.5, np.nan], np.float32))


def test_a_table_without_picks_is_valid(tmp_path: Path) -> None:
    _, classes = read_references(written(tmp_path, HEADER + "a,1,2,3,10,\n"))
    assert len(read_scored(written(tmp_path, "class,x,y,z,score\n"), classes)) == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("class,x,y,z\na,1,2,3\n", "lacks diameter_voxels"),
        ("1 2 3\n", "lacks class, x, y, z"),
        (HEADER + "a,one,2,3,10,\n", "line 2"),
        (HEADER + "a,1,nan,3,10,\n", "line 2"),
        ("", "empty"),
    ],
)
def test_what_is_no_table_of_references_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(FileFormatError, match=says):
        read_references(written(tmp_path, text))


def test_references_without_a_diameter_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="diameter"):
        read_references(written(tmp_path, HEADER + "a,1,2,3,,\n"))
