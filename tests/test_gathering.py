from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.annotations import Role
from core.errors import ProjectError
from core.gathering import chosen_classes, chosen_tomograms, examples, keep_picks
from core.io.volumes import write_mrc
from core.particles import ClassSpec, ParticleTable, Source, Status
from core.project import Project
from core.sampling import ground
from core.tomogram import Box

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APO, RIBOSOME = ClassSpec(id=1, name="apo", diameter=120.0), ClassSpec(id=2, name="ribosome", diameter=250.0)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Four tomograms: ``a`` with particles, ``b`` annotated without any, ``c`` untouched, ``d`` not in use."""
    opened = Project.create(tmp_path / "project")
    for name in "abcd":
        write_mrc(tmp_path / f"{name}.mrc", np.zeros((8, 8, 8), np.float32), 10.0)
        box = Box((0, 0, 0), (8, 4, 8)) if name == "b" else None
        role = {"a": Role.TRAIN, "d": Role.NONE}.get(name, Role.BOTH)
        opened.add_tomogram(tmp_path / f"{name}.mrc", region=box, complete=name == "b", role=role)
    opened.store.add_class(APO)
    opened.store.add_class(RIBOSOME)
    opened.store.add("a", (1, 2, 3), 2)
    opened.store.add("a", (1, 2, 3), 1, status=Status.CANDIDATE)
    yield opened
    opened.close()


def picks(*scores: float, class_id: int = 7) -> ParticleTable:
    positions = [[float(i), 1.0, 1.0] for i in range(len(scores))]
    return ParticleTable.build("a", positions, class_id, scores=np.array(scores, np.float32), source=Source.PICKED)


def test_tomograms_in_use_are_chosen_unless_named(project: Project) -> None:
    assert chosen_tomograms(project) == ["a", "b", "c"]
    assert chosen_tomograms(project, ["d", "a", "d"]) == ["d", "a"]
    with pytest.raises(ProjectError, match="'z'"):
        chosen_tomograms(project, ["z"])


def test_classes_with_accepted_particles_are_chosen_unless_named(project: Project) -> None:
    assert chosen_classes(project) == [RIBOSOME]
    assert chosen_classes(project, ["apo"]) == [APO]
    with pytest.raises(ProjectError, match="there is: apo, ribosome"):
        chosen_classes(project, ["virus"])


def test_what_is_annotated_becomes_an_example(project: Project) -> None:
    first, second = examples(project)
    assert (first.tomogram.id, first.region, first.complete, first.role, len(first.particles)) == ("a", None, False, "train", 2)
    assert (second.tomogram.id, second.complete, second.role, len(second.particles)) == ("b", True, "both", 0)
    assert second.region == Box((0, 0, 0), (8, 4, 8))
    assert [one.tomogram.id for one in examples(project, ["c"])] == ["c"]


def test_picks_become_candidates_of_the_class_of_the_same_name(project: Project) -> None:
    keep_picks(project, picks(0.9, 0.8), [ClassSpec(id=7, name="ribosome", diameter=240.0)])
    kept = project.store.table("a", class_id=2, status=Status.CANDIDATE)
    assert kept.scores.tolist() == pytest.approx([0.9, 0.8])
    assert project.store.classes() == (APO, RIBOSOME)


def test_picks_of_a_new_class_add_it(project: Project) -> None:
    keep_picks(project, picks(0.9), [ClassSpec(id=1, name="virus", diameter=300.0), ClassSpec(id=7, name="apo", diameter=120.0)])
    assert [spec.name for spec in project.store.classes()] == ["apo", "ribosome", "virus"]
    assert len(project.store.table("a", class_id=1)) == 2


def test_later_picks_replace_earlier_ones_but_nothing_else_and_are_undone_at_once(project: Project) -> None:
    spec = [ClassSpec(id=7, name="ribosome", diameter=250.0)]
    keep_picks(project, picks(0.9, 0.8), spec)
    before = project.store.table("a")
    keep_picks(project, picks(0.7), spec)
    assert project.store.counts() == {
        ("a", 2, Status.ACCEPTED): 1,
        ("a", 1, Status.CANDIDATE): 1,
        ("a", 2, Status.CANDIDATE): 1,
    }
    project.store.undo()
    assert project.store.table("a").ids.tolist() == before.ids.tolist()


def test_no_picks_clear_the_earlier_ones(project: Project) -> None:
    spec = [ClassSpec(id=7, name="ribosome", diameter=250.0)]
    keep_picks(project, picks(0.9), spec)
    keep_picks(project, picks(), spec)
    assert len(project.store.table("a", class_id=2, status=Status.CANDIDATE)) == 0


def test_picks_of_a_part_leave_earlier_ones_elsewhere(project: Project) -> None:
    spec = [ClassSpec(id=7, name="ribosome", diameter=250.0)]
    keep_picks(project, picks(0.9, 0.8, 0.7, 0.6), spec)
    keep_picks(project, picks(0.5), spec, Box((0, 0, 0), (2, 8, 8)))
    assert project.store.table("a", class_id=2, status=Status.CANDIDATE).scores.tolist() == pytest.approx([0.7, 0.6, 0.5])


@pytest.mark.parametrize("number", [1, 2, 7])
def test_picks_on_judged_particles_are_left_out_whatever_number_the_network_gives_their_class(
    project: Project, number: int
) -> None:
    # the project's ribosome lies at (1, 2, 3), and half a diameter is 1.25 voxels at 100 Å
    found = ParticleTable.build("a", [(1, 2, 3), (1, 2, 4), (1, 2, 6)], number, scores=np.ones(3), source=Source.PICKED)
    spec = [ClassSpec(id=number, name="ribosome", diameter=240.0)]
    keep_picks(project, found, spec, unjudged=100.0)
    assert project.store.table("a", class_id=2, status=Status.CANDIDATE).positions.tolist() == [[1, 2, 6]]
    keep_picks(project, found, [ClassSpec(id=number, name="virus", diameter=240.0)], unjudged=100.0)
    assert len(project.store.table("a", class_id=3, status=Status.CANDIDATE)) == 3


def test_a_tomogram_whose_picks_were_only_rejected_teaches_what_is_no_particle(tmp_path: Path) -> None:
    with Project.create(tmp_path / "p") as project:
        project.store.add_class(ClassSpec(id=1, name="ribosome", diameter=100.0))
        for name in ("marked", "rejected", "open"):
            write_mrc(tmp_path / f"{name}.mrc", np.zeros((8, 8, 8), np.float32), 10.0)
            project.add_tomogram(tmp_path / f"{name}.mrc")
        project.store.add_many(ParticleTable.build("marked", [(4, 4, 4)], 1))
        project.store.add_many(ParticleTable.build("rejected", [(4, 4, 4)], 1, source=Source.PICKED, status=Status.REJECTED))
        project.store.add_many(ParticleTable.build("open", [(4, 4, 4)], 1, source=Source.PICKED, status=Status.CANDIDATE))
        learnt = examples(project)
    assert [one.tomogram.id for one in learnt] == ["marked", "rejected"]
    taught = [ground(one, None, [ClassSpec(id=1, name="ribosome", diameter=100.0)]) for one in learnt]
    assert [(len(one.centres), len(one.rejected)) for one in taught] == [(1, 0), (0, 1)]
