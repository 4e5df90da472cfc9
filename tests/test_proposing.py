from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.errors import PickerError
from core.io.volumes import write_mrc
from core.particles import ClassSpec
from core.project import Project
from core.project.proposing import ImportOrder, carry_out, propose

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = "x,y,z,class\n1,2,3,ribosome\n30,20,10,barrel\n60,5,5,barrel\n"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "project") as made:
        made.store.add_class(ClassSpec(id=1, name="ribosome", diameter=250.0))
        for name in ("one", "two"):
            write_mrc(tmp_path / f"{name}.mrc", np.zeros((20, 30, 40), np.int8), 10.0)
            made.add_tomogram(tmp_path / f"{name}.mrc")
        yield made


def order(tmp_path: Path, text: str = ROWS, **changes: object) -> ImportOrder:
    (tmp_path / "in.csv").write_text(text)
    return replace(ImportOrder(path=tmp_path / "in.csv", tomogram_ids=("one",)), **changes)


def test_a_proposal_changes_nothing_and_tells_all(project: Project, tmp_path: Path) -> None:
    found = propose(project, order(tmp_path))
    assert (found.count, found.outside, [spec.name for spec in found.new_classes]) == (3, 1, ["barrel"])
    assert found.tables[0].positions.tolist() == [[3, 2, 1], [10, 20, 30], [5, 5, 60]]
    assert "1 of 3 positions lie outside" in found.problem
    assert not project.store.counts()


@pytest.mark.parametrize(("outside", "count"), [("drop", 2), ("keep", 3)])
def test_an_import_is_one_step_with_its_new_classes(project: Project, tmp_path: Path, outside: str, count: int) -> None:
    before = project.store.classes()
    assert len(carry_out(project, order(tmp_path, outside=outside))) == count
    table = project.store.table("one")
    assert (len(table), table.class_ids.tolist()) == (count, [1, 2, 2][:count])
    project.store.undo()
    assert (project.store.classes(), project.store.counts()) == (before, {})


def test_what_lies_outside_is_refused_unless_told(project: Project, tmp_path: Path) -> None:
    with pytest.raises(PickerError, match="choose drop"):
        carry_out(project, order(tmp_path))
    assert not project.store.counts()


def test_one_class_for_all_and_a_scale(project: Project, tmp_path: Path) -> None:
    found = propose(project, order(tmp_path, class_id=1, scale=0.5))
    assert (found.new_classes, found.problem) == ((), "")
    assert found.tables[0].positions[1].tolist() == [5, 10, 15]
    assert found.tables[0].class_ids.tolist() == [1, 1, 1]


def test_rows_go_to_the_tomograms_that_they_name(project: Project, tmp_path: Path) -> None:
    text = "tomogram,x,y,z\none,1,2,3\ntwo,4,5,6\nthree,7,8,9\n"
    found = propose(project, order(tmp_path, text, tomogram_ids=("one", "two")))
    assert [(table.tomogram_id, table.positions.tolist()) for table in found.tables] == [("one", [[3, 2, 1]]), ("two", [[6, 5, 4]])]
    assert found.elsewhere == 1


def test_a_file_that_names_no_tomogram_needs_one(project: Project, tmp_path: Path) -> None:
    with pytest.raises(PickerError, match="choose one tomogram"):
        propose(project, order(tmp_path, tomogram_ids=("one", "two")))


def test_a_file_for_other_tomograms_is_refused(project: Project, tmp_path: Path) -> None:
    found = propose(project, order(tmp_path, "tomogram,x,y,z\nthree,7,8,9\n"))
    assert (found.tables, found.elsewhere, found.unclear) == ((), 1, True)
    with pytest.raises(PickerError, match="No row of the file"):
        carry_out(project, order(tmp_path, "tomogram,x,y,z\nthree,7,8,9\n"))


def test_rows_that_two_tomograms_could_claim_go_to_the_one_of_their_very_name(project: Project, tmp_path: Path) -> None:
    write_mrc(tmp_path / "one_bin2.mrc", np.zeros((10, 15, 20), np.int8), 20.0)
    project.add_tomogram(tmp_path / "one_bin2.mrc")
    both = order(tmp_path, "tomogram,x,y,z\none,1,2,3\n", tomogram_ids=("one", "one_bin2"))
    found = propose(project, both)
    assert ([table.tomogram_id for table in found.tables], found.elsewhere) == (["one"], 0)
    alone = propose(project, replace(both, tomogram_ids=("one_bin2",)))
    assert [table.tomogram_id for table in alone.tables] == ["one_bin2"]


def test_rows_that_two_tomograms_could_claim_alike_are_refused(project: Project, tmp_path: Path) -> None:
    for name in ("one_bin2", "one_bin4"):
        write_mrc(tmp_path / f"{name}.mrc", np.zeros((10, 15, 20), np.int8), 20.0)
        project.add_tomogram(tmp_path / f"{name}.mrc")
    both = order(tmp_path, "tomogram,x,y,z\none,1,2,3\n", tomogram_ids=("one_bin2", "one_bin4"))
    with pytest.raises(PickerError, match=r"one_bin2.*one_bin4.*choose one"):
        carry_out(project, both)
    assert len(carry_out(project, replace(both, assigned={"one": "one_bin4"}))) == 1
    assert len(project.store.table("one_bin4")) == 1


def test_no_tomogram_at_all_is_a_sentence(project: Project, tmp_path: Path) -> None:
    with pytest.raises(PickerError, match="choose"):
        carry_out(project, order(tmp_path, "tomogram,x,y,z\none,1,2,3\n", tomogram_ids=()))
