"""Evaluation on the command line, and where picks and references come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from core.assessment import confront, side_by_side
from core.batch.members import members
from core.calibration import estimated_curve, expected_f1
from core.cli import run
from core.config import PickConfig
from core.errors import ConfigError, ProjectError
from core.examples import Example
from core.folds import folds
from core.io.particles import write_particles
from core.io.volumes import write_mrc
from core.metrics import RULES, assess
from core.origins import ACCEPTED, CANDIDATES, Origin, gather, origin_named, pick_runs
from core.particles import ClassSpec, ParticleTable, Source, Status
from core.project import Project
from core.tomogram import Box

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Call = Callable[..., tuple[int, Any, str]]

SHAPE, VOXEL = (20, 60, 60), 10.0
RIBOSOME = ClassSpec(id=1, name="ribosome", diameter=100.0)
PROTEASOME = ClassSpec(id=2, name="proteasome", diameter=60.0)
TRUTH = [(10, 10, 10), (10, 10, 40), (10, 40, 10), (10, 40, 40)]
KINDS = [1, 1, 2, 2]


def picks_of(name: str) -> ParticleTable:
    """Two hits, one of the wrong class, one on nothing."""
    places = [(10, 10, 11), (10, 11, 40), (10, 40, 11), (10, 55, 55)]
    scores = np.array([0.9, 0.8, 0.7, 0.6], np.float32)
    return ParticleTable.build(name, places, [1, 1, 1, 2], scores=scores, source=Source.PICKED, status=Status.CANDIDATE)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """Two tomograms of which one is annotated completely, with picks as candidates and as a run."""
    monkeypatch.chdir(tmp_path)
    with Project.create(tmp_path / "p") as made:
        made.store.add_class(RIBOSOME)
        made.store.add_class(PROTEASOME)
        for name in ("one", "two"):
            write_mrc(tmp_path / f"{name}.mrc", np.zeros(SHAPE, np.float32), VOXEL)
            made.add_tomogram(
                tmp_path / f"{name}.mrc", region=Box((0, 0, 0), SHAPE) if name == "one" else None, complete=name == "one"
            )
        made.store.add_many(ParticleTable.build("one", TRUTH, KINDS, source=Source.MANUAL))
        made.store.add_many(picks_of("one"))
        run_folder = made.new_run("pick")
        for name in ("one", "two"):
            write_particles(run_folder / f"{name}.csv", picks_of(name), made.store.classes(), made.tomogram(name))
        yield made


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.setenv("COLUMNS", "200")

    def called(*words: object) -> tuple[int, Any, str]:
        capsys.readouterr()
        code = run([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, json.loads(out) if "--json" in words and out else out, err

    return called


def test_a_project_is_scored_by_class_and_tomogram_with_confusion_and_plots(project: Project, call: Call, tmp_path: Path) -> None:
    code, found, _ = call("evaluate", "p", "--plots", "figures", "--json")
    assert code == 0
    ribosome = found["tomograms"]["one"]["classes"]["ribosome"]
    assert (ribosome["truth"], ribosome["picks"], ribosome["hits"]) == (2, 3, 2)
    assert ribosome["error_angstrom"] == pytest.approx(10 * ribosome["error_voxels"])
    assert found["confusion"]["ribosome"] == {"ribosome": 2, "proteasome": 1, "nothing": 0}
    assert found["confusion"]["no pick"]["proteasome"] == 1
    assert found["best_thresholds"]["ribosome"]["threshold"] == pytest.approx(0.75)
    names = ("precision-recall", "score-threshold", "localisation-error", "confusion")
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        f"{name}.{kind}" for name in names for kind in ("png", "svg")
    }
    assert (tmp_path / "figures" / "confusion.png").read_bytes()[:4] == b"\x89PNG"
    code, text, _ = call("evaluate", "p", "--rule", "czii")
    assert "F4" in text
    assert "hard classes count twice" in text


@pytest.mark.parametrize(("rule", "hits"), [("half", 2), ("radius", 2), ("shrec", 2), ("czii", 2)])
def test_every_rule_can_be_asked_for(project: Project, call: Call, rule: str, hits: int) -> None:
    code, found, _ = call("evaluate", "p", "--rule", rule, "--json")
    assert (code, found["rule"]) == (0, rule)
    assert found["tomograms"]["one"]["classes"]["ribosome"]["hits"] == hits


def test_a_run_is_scored_against_a_file_where_both_are_known(project: Project, call: Call, tmp_path: Path) -> None:
    truth = ParticleTable.build("two", TRUTH, KINDS)
    write_particles(tmp_path / "expert.tsv", truth, project.store.classes(), project.tomogram("two"))
    name = pick_runs(project)[0].name
    code, found, _ = call("evaluate", "p", name, "--reference", "expert.tsv", "--tomogram", "two", "--json")
    assert code == 0
    assert found["tomograms"]["two"]["classes"]["ribosome"]["hits"] == 2


def test_a_table_of_references_keeps_its_neutral_ones(project: Project, call: Call, tmp_path: Path) -> None:
    rows = [f"ribosome,{x},{y},{z},10,{'ambiguous' if x == 40 else ''}" for z, y, x in TRUTH[:2]]
    (tmp_path / "truth.csv").write_text("\n".join(["class,x,y,z,diameter_voxels,tier", *rows]))
    found = call("evaluate", "p", "--reference", "truth.csv", "--tomogram", "one", "--json")[1]["tomograms"]["one"]["classes"][
        "ribosome"
    ]
    assert (found["truth"], found["picks"], found["hits"]) == (1, 2, 1)
    code, _, err = call("evaluate", "p", pick_runs(project)[0].name, "--reference", "truth.csv")
    assert code == 1
    assert "choose one tomogram" in err


def test_two_files_are_scored_by_shrec_with_an_occupancy_volume(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "truth.csv").write_text("class,x,y,z,diameter_voxels\nribosome,5,5,5,4\nribosome,15,5,5,4\n")
    (tmp_path / "picks.csv").write_text("class,x,y,z,score\nribosome,9,5,5,0.9\nribosome,15,5,5,0.8\nribosome,2,2,2,0.7\n")
    volume = np.zeros((10, 10, 20), np.int16)
    volume[5, 5, 3:10], volume[5, 5, 13:17] = 1, 2
    write_mrc(tmp_path / "occupancy.mrc", volume, 10.0)
    plain = call("evaluate", "truth.csv", "picks.csv", "--rule", "shrec", "--json")[1]
    assert (plain["pooled"]["hits"], plain["pooled"]["error_voxels"]) == (1, 0.0)
    assert (plain["voxel_size"], plain["pooled"]["error_angstrom"]) == (None, None)  # files do not tell it
    found = call("evaluate", "truth.csv", "picks.csv", "--rule", "shrec", "--occupancy", "occupancy.mrc", "--json")[1]
    assert found["pooled"]["hits"] == 2


def test_an_occupancy_volume_numbers_references_outside_the_tomogram_too(project: Project, tmp_path: Path) -> None:
    rows = ["ribosome,500,5,5,10", *(f"ribosome,{x},{y},{z},10" for z, y, x in TRUTH[:2])]
    (tmp_path / "truth.csv").write_text("\n".join(["class,x,y,z,diameter_voxels", *rows]))
    volume = np.zeros(SHAPE, np.int16)
    volume[10, 10, 11], volume[10, 11, 40] = 2, 3
    both = confront(project, CANDIDATES, Origin("file", tmp_path / "truth.csv"), ["one"], occupancy={"one": volume})
    found = assess(both.cases, [RIBOSOME], RULES["shrec"]).figures()
    assert (found.truth, found.hits) == (2, 2)


@pytest.mark.parametrize(
    "words",
    [
        ["one.mrc", "two.mrc", "--tomogram", "one"],
        ["p", "--compare", "accepted", "candidates", "--plots", "f"],
        ["p", "candidates", "--folds", "2"],
        ["p", "--steps", "5"],
    ],
)
def test_options_without_effect_are_refused(project: Project, call: Call, words: list[str]) -> None:
    code, _, err = call("evaluate", *words)
    assert code == 2
    assert "cannot go with" in err


def test_two_people_are_set_side_by_side_with_their_disagreements(project: Project, call: Call, tmp_path: Path) -> None:
    with Project.create(tmp_path / "q") as other:
        other.store.add_class(ClassSpec(id=1, name="proteasome", diameter=60.0))
        other.store.add_class(ClassSpec(id=2, name="ribosome", diameter=100.0))
        other.add_tomogram(tmp_path / "one.mrc")
        other.store.add_many(ParticleTable.build("one", [*TRUTH[:3], (5, 5, 55)], [2, 2, 2, 1]))
    code, found, _ = call("evaluate", "p", "--compare", "accepted", "q", "--json")
    assert code == 0
    one = found["tomograms"]["one"]
    assert (one["same"], one["other_class"], one["only_a"], one["only_b"]) == (2, 1, 1, 1)
    assert {"what": "only in B", "x": 55.0, "y": 5.0, "z": 5.0, "a": None, "b": "proteasome"} in one["disagreements"]
    assert "two" not in found["tomograms"]
    assert "only in B" in call("evaluate", "p", "--compare", "accepted", "q")[1]


def test_what_makes_figures_look_better_or_worse_is_said(project: Project) -> None:
    assert not confront(project, CANDIDATES, ACCEPTED).notices
    project.store.add_many(ParticleTable.build("two", TRUTH[:2], 1, source=Source.PICKED))
    run_folder = pick_runs(project)[0]
    said = confront(project, Origin("run", run_folder), ACCEPTED).notices
    assert said[0].startswith("two is not annotated completely")
    assert said[1].startswith("2 of the 6 references are picks that were accepted")
    project.store.remove(project.store.table("one").ids[4:7])
    alone = confront(project, CANDIDATES, ACCEPTED, ["one"]).notices
    assert alone[0].startswith("No candidate lies on an accepted particle")


def test_the_reference_counts_within_its_region_only(project: Project) -> None:
    from dataclasses import replace

    project.store.update_tomogram(replace(project.store.tomogram("one"), region=Box((0, 0, 0), (20, 30, 60))))
    case = confront(project, CANDIDATES, ACCEPTED).cases[0]
    assert (len(case.truth), len(case.picks)) == (2, 2)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["absent"], "Expected accepted, candidates, a run"),
        (["candidates", "--reference", "one.mrc"], "one.mrc"),
        (["candidates", "--tomogram", "two"], "There is nothing to score"),
        (["--compare", "accepted", "absent"], "there is no such file or run"),
        (["--folds", "9", "--steps", "1"], "at least 9 accepted particles"),
    ],
)
def test_what_cannot_be_scored_is_said_in_one_sentence(project: Project, call: Call, words: list[str], says: str) -> None:
    code, out, err = call("evaluate", "p", *words)
    assert (code, out) == (1, "")
    assert says in err
    assert "Traceback" not in err


def test_picks_of_tomograms_with_odd_names_are_found_in_a_run_of_workers(project: Project, tmp_path: Path) -> None:
    for name in ("odd name", "odd_name"):
        project.add_tomogram(tmp_path / "one.mrc", id=name)
    (tmp_path / "m.pt").touch()
    what = members(project, ["odd name", "odd_name"], tmp_path / "m.pt", PickConfig())
    for order, position in zip(what.orders.values(), (4.0, 9.0), strict=True):
        table = ParticleTable.build(order.name, [[5, 5, position]], 1, scores=np.array([0.5]))
        write_particles(Path(order.picks), table, project.store.classes(), project.tomogram(order.name))
    found = gather(project, Origin("run", what.run), ["odd name", "odd_name"]).tables
    assert [found[name].positions[0, 2] for name in ("odd name", "odd_name")] == [4.0, 9.0]


def test_a_missing_origin_and_a_foreign_tomogram_are_refused(project: Project, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        origin_named(project, "nowhere")
    with Project.create(tmp_path / "empty"):
        pass
    with pytest.raises(ProjectError, match="no tomogram that this one has"):
        side_by_side(project, ACCEPTED, origin_named(project, str(tmp_path / "empty")), project.store.classes(), 0.5)


# ---- without a reference ----


def test_the_estimate_is_what_the_scores_promise() -> None:
    scores = np.array([0.9, 0.9, 0.6, 0.2])
    curve = estimated_curve(scores)
    assert curve.thresholds.tolist() == [0.9, 0.6, 0.2]
    for threshold, f1 in zip(curve.thresholds, curve.f1, strict=True):
        assert f1 == pytest.approx(expected_f1(scores, threshold))
    assert curve.precision[1] == pytest.approx(2.4 / 3)
    assert not len(estimated_curve(np.zeros(0)).thresholds)


def test_folds_hold_every_particle_back_once_and_never_train_on_it(project: Project) -> None:
    rng = np.random.default_rng(0)
    table = ParticleTable.build("one", rng.uniform(1, 19, (11, 3)) * (1, 3, 3), 1)
    example = Example(tomogram=project.tomogram("one"), particles=table)
    held = []
    for training, tested in folds([example], 3):
        kept = [tuple(p) for one in training for p in one.accepted.positions]
        left = [tuple(p) for one in tested for p in one.accepted.positions]
        assert not set(kept) & set(left)
        assert len(kept) + len(left) == 11
        held += left
    assert sorted(held) == sorted(map(tuple, table.positions))
