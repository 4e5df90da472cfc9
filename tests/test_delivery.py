from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.cli import run
from core.config import ReviewConfig
from core.delivery import chosen, deliver
from core.errors import PickerError
from core.io.particles import read_particles
from core.io.particles.registry import format_named
from core.io.volumes import write_mrc
from core.particles import ClassSpec, ParticleTable, Source, Status
from core.project import Project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from core.io.particles.formats import ReadOrder
    from core.io.particles.values import ReadPicks

SPECS = (ClassSpec(id=1, name="ribosome", diameter=50.0), ClassSpec(id=2, name="barrel", diameter=30.0))


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "project") as made:
        for spec in SPECS:
            made.store.add_class(spec)
        rng = np.random.default_rng(0)
        for name in ("one", "two"):
            write_mrc(tmp_path / f"{name}.mrc", np.zeros((20, 30, 40), np.int8), 10.0)
            made.add_tomogram(tmp_path / f"{name}.mrc")
            positions = rng.uniform(0, 1, (12, 3)) * (19, 29, 39)
            for status, rows in (
                (Status.ACCEPTED, slice(0, 5)),
                (Status.CANDIDATE, slice(5, 10)),
                (Status.REJECTED, slice(10, 12)),
            ):
                part = positions[rows]
                scores = np.linspace(0.1, 0.9, len(part)).astype(np.float32)
                class_ids = 1 + np.arange(len(part)) % 2
                made.store.add_many(ParticleTable.build(name, part, class_ids, scores=scores, source=Source.PICKED, status=status))
        yield made


@pytest.mark.parametrize(
    ("class_id", "cuts", "count"),
    [(None, None, 5), (1, None, 3), (None, {1: 0.5, 2: 0.5}, 8), (1, {1: 0.5}, 5), (None, {1: 0.95, 2: 0.95}, 5)],
)
def test_chosen_are_accepted_ones_and_candidates_above_the_threshold(
    project: Project, class_id: int | None, cuts: dict[int, float] | None, count: int
) -> None:
    reviews = None if cuts is None else {number: ReviewConfig(threshold=cut) for number, cut in cuts.items()}
    found = chosen(project.store.table("one"), class_id, reviews, SPECS, project.tomogram("one"))
    assert len(found) == count
    assert Status.REJECTED not in found.statuses


@pytest.mark.parametrize("reviews", [None, {1: ReviewConfig(threshold=0), 2: ReviewConfig(threshold=0)}])
@pytest.mark.parametrize("status", [Status.CANDIDATE, None])
@pytest.mark.parametrize("judged", [Status.ACCEPTED, Status.REJECTED])
def test_a_candidate_on_a_judged_particle_is_never_handed_over(
    project: Project, tmp_path: Path, judged: Status, status: Status | None, reviews: dict[int, ReviewConfig] | None
) -> None:
    before = project.store.table("one")
    row = int(np.flatnonzero(before.statuses == judged)[0])
    double = project.store.add("one", before.positions[row], int(before.class_ids[row]), score=1.0, status=Status.CANDIDATE)
    table = project.store.table("one")
    found = chosen(table, None, reviews, SPECS, project.tomogram("one"), status)
    assert double in table.ids
    assert double not in found.ids
    by_command = project.to_export("one", None, status)
    if reviews is None:
        assert by_command.ids.tolist() == found.ids.tolist()
    assert double not in by_command.ids


@pytest.mark.parametrize(("format", "suffix"), [("csv", ".csv"), ("coords", ".coords"), ("relion5", ".star")])
def test_what_is_delivered_can_be_read_back(project: Project, tmp_path: Path, format: str, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    done = deliver(project, path, format, tomogram_ids=["one"], class_id=1, pixel_size=2.5)
    assert done.count == 3
    assert done.files[0] == path
    assert all(file.exists() for file in done.files)


@pytest.mark.parametrize(("format", "suffix"), [("csv", ".csv"), ("coords", ".coords")])
def test_several_tomograms_are_delivered(project: Project, tmp_path: Path, format: str, suffix: str) -> None:
    done = deliver(project, tmp_path / f"out{suffix}", format, tomogram_ids=["one", "two"])
    assert done.count == 10
    assert sum(len(read_particles(file, format=format)) for file in done.files) == 10


def test_a_file_that_says_something_else_is_refused(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = format_named("csv")
    assert known.read is not None
    read = known.read

    def shifted(path: Path, order: ReadOrder) -> ReadPicks:
        found = read(path, order)
        return replace(found, positions=found.positions + 0.02)

    wrong = replace(known, read=shifted)
    monkeypatch.setattr("core.io.particles.registry.format_named", lambda _name, _among: wrong)
    with pytest.raises(PickerError, match="does not read back"):
        deliver(project, tmp_path / "out.csv", "csv", tomogram_ids=["one"])
    assert not (tmp_path / "out.csv").exists()


def test_nothing_to_deliver_is_a_sentence(project: Project, tmp_path: Path) -> None:
    project.store.remove(project.store.table("one").ids)
    with pytest.raises(PickerError, match="no particles to export"):
        deliver(project, tmp_path / "out.csv", "csv", tomogram_ids=["one"])


@pytest.mark.parametrize("status", ["accepted", "shown"])
def test_numbers_and_sizes_by_hand_reach_the_files(project: Project, tmp_path: Path, status: str) -> None:
    folder, words = project.folder, ["--status", status, "--number", "one=41", "--number", "two=7"]
    project.close()
    assert run(["export", str(folder), "--out", str(tmp_path / "a.tbl"), "--format", "dynamo", *words]) == 0
    assert {int(line.split()[19]) for line in (tmp_path / "a.tbl").read_text().splitlines()} == {41, 7}
    found = {}
    for name, size in (("even", "160,120,80"), ("odd", "162,120,80")):
        star = ["--pixel-size", "2.5", "--unbinned-size", size, "--unbinned-size", "two=160,120,80", "--class", "ribosome"]
        file = tmp_path / f"{name}.star"
        assert run(["export", str(folder), "--out", str(file), "--format", "relion5", "--status", status, *star]) == 0
        for one in ("one", "two"):
            found[name, one] = read_particles(tmp_path / name / f"{one}.star", format="relion5").positions
    np.testing.assert_allclose(found["even", "one"] - found["odd", "one"], np.tile([0, 0, 2.5], (len(found["odd", "one"]), 1)))
    np.testing.assert_array_equal(found["even", "two"], found["odd", "two"])


@pytest.mark.parametrize(
    "words",
    [
        ["--number", "one=0"],
        ["--number", "ghost=1"],
        ["--number", "one"],
        ["--number", "one=1", "--number", "two=1"],
        ["--number", "one=1"],
        ["--unbinned-size", "160,120,80"],
        ["--unbinned-size", "160,120", "--pixel-size", "2.5"],
        ["--unbinned-size", "ghost=160,120,80", "--pixel-size", "2.5"],
    ],
)
def test_numbers_and_sizes_that_make_no_sense_are_refused(project: Project, tmp_path: Path, words: list[str]) -> None:
    folder = project.folder
    project.close()
    assert run(["export", str(folder), "--out", str(tmp_path / "a.tbl"), "--format", "dynamo", *words]) == 1
    assert not (tmp_path / "a.tbl").exists()


@pytest.mark.parametrize("size", ["80,120,160", "120,160,80", "1600,1200,800", "160,120,70"])
def test_a_size_by_hand_that_does_not_fit_the_tomogram_is_refused(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str], size: str
) -> None:
    folder, out = project.folder, tmp_path / "out.star"
    project.close()
    words = ["--pixel-size", "2.5", "--unbinned-size", size, "--class", "ribosome"]
    assert run(["export", str(folder), "--out", str(out), "--format", "relion5", *words]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "does not fit this tomogram" in said
    assert "160, 120, 80" in said
    assert not out.exists()
    assert not out.with_suffix("").exists()
