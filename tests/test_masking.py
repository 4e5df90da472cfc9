"""Masks on the command line, and as words of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from core.cli import run
from core.errors import ConfigError
from core.io.volumes import open_tomogram, write_mrc
from core.masks import GoldMask, MaskConfig, SlabMask, VolumeMaskFile
from core.masks.words import mask_words, masks_said
from core.particles import ClassSpec, ParticleTable, Source, Status
from core.project import Project


@pytest.fixture
def project(tmp_path):
    rng = np.random.default_rng(1)
    write_mrc(tmp_path / "t.mrc", rng.normal(0, 20, (40, 64, 64)).clip(-127, 127).astype(np.int8), 10.0)
    half = np.zeros((20, 32, 32), np.int8)
    half[:, :, :16] = 1
    write_mrc(tmp_path / "half.mrc", half, 20.0)
    with Project.create(tmp_path / "p") as made:
        made.add_tomogram(tmp_path / "t.mrc")
        made.store.add_class(ClassSpec(id=1, name="r", diameter=100))
        places = [[5, 10, 10], [20, 10, 10], [20, 10, 50], [35, 50, 50]]
        scores = np.array([0.9, 0.8, 0.7, 0.95])
        made.store.add_many(ParticleTable.build("t", places, scores=scores, source=Source.PICKED, status=Status.CANDIDATE))
    return tmp_path / "p"


def told(capsys, *words):
    code = run([*map(str, words), "--json"])
    out = capsys.readouterr().out
    assert code == 0
    return json.loads(out)


def test_masks_are_set_shown_and_written(project, capsys):
    half = project.parent / "half.mrc"
    found = told(capsys, "mask", project, "--set", f"volume.path={half}", "--set", "slab.surfaces=given", "--set", "slab.low=10")
    one = found["tomograms"]["t"]
    assert (one["candidates"], one["hidden"]) == (4, 3)
    assert {name: mask["hidden"] for name, mask in one["masks"].items()} == {"slab": 1, "volume": 2}
    found = told(capsys, "mask", project, "--set", "volume.on=false", "--out", project.parent / "masks")
    assert found["tomograms"]["t"]["hidden"] == 1
    written = open_tomogram(project.parent / "masks" / "t_mask.mrc")
    assert written.shape == (40, 64, 64)
    assert not written.data[:10].any()
    assert written.data[10:].all()


def test_masked_picks_are_rejected_as_one_change(project, capsys):
    found = told(capsys, "mask", project, "--set", f"volume.path={project.parent / 'half.mrc'}", "--reject")
    assert found["tomograms"]["t"]["rejected"] == 2
    with Project.open(project) as work:
        assert (work.store.table("t").statuses == Status.REJECTED).tolist() == [False, False, True, True]
        work.store.undo()
        assert not (work.store.table("t").statuses == Status.REJECTED).any()


def test_export_leaves_out_what_masks_hide(project, capsys):
    out, half = project.parent / "out.csv", project.parent / "half.mrc"
    words = ("export", project, "--out", out, "--status", "shown", "--mask", f"volume.path={half}")
    assert told(capsys, *words)["exported"] == 2
    told(capsys, "mask", project, "--set", f"t:volume.path={half}", "--set", "t:volume.keep=outside")
    assert told(capsys, *words[:-1], "project")["exported"] == 2
    assert told(capsys, *words[:-1], "project", "--mask", "t:none")["exported"] == 4
    assert run(["export", str(project), "--out", str(out), "--mask", "gold"]) == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["mask", "p", "--set", "s:gold"], "no tomogram 's'"),
        (["mask", "p", "--set", "volume.path=absent.mrc"], "no mask"),
        (["export", "p", "--out", "o.csv", "--status", "shown", "--mask", "s:gold"], "no tomogram 's'"),
        (["pick", "p", "--mask", "s:gold"], "no tomogram 's'"),
    ],
)
def test_masks_of_what_is_not_there_are_refused_and_not_kept(project, capsys, monkeypatch, words, says):
    from core.checkpoint import save_checkpoint
    from core.pretrained import pretrained

    monkeypatch.chdir(project.parent)
    save_checkpoint(pretrained(), project / "models" / "m.pt")
    assert run(words) == 1
    assert says in capsys.readouterr().err
    assert not (project / "settings.toml").exists()
    assert not any((project / "runs").iterdir())


def test_paths_are_kept_whole_and_settings_that_cannot_be_read_are_left_alone(project, capsys, monkeypatch):
    monkeypatch.chdir(project.parent)
    told(capsys, "mask", "p", "--set", "volume.path=half.mrc")
    monkeypatch.chdir(project)
    assert told(capsys, "mask", project)["tomograms"]["t"]["hidden"] == 2
    broken = (project / "settings.toml").read_text() + "\nwhat is this"
    (project / "settings.toml").write_text(broken)
    assert run(["mask", str(project), "--set", "gold"]) == 1
    assert "cannot be read" in capsys.readouterr().err
    assert (project / "settings.toml").read_text() == broken


def test_figures_within_masks(project, capsys):
    with Project.open(project) as work:
        work.store.add_many(ParticleTable.build("t", [[5, 10, 10], [20, 10, 50], [20, 12, 30], [35, 50, 50]]))
    mask = ("--mask", f"volume.path={project.parent / 'half.mrc'}")  # lets x below 32 count
    figures = told(capsys, "evaluate", project)["all"]["pooled"]
    assert (figures["truth"], figures["picks"], figures["hits"]) == (4, 4, 3)
    found = told(capsys, "evaluate", project, *mask)
    figures = found["all"]["pooled"]
    assert (figures["truth"], figures["picks"], figures["hits"]) == (2, 2, 1)
    assert found["notices"][0] == "Within the masks only: 2 references and 2 picks lie outside."
    both = told(capsys, "evaluate", project, "--compare", "accepted", "candidates", *mask)["tomograms"]["t"]
    assert (both["same"], both["only_a"], both["only_b"]) == (1, 1, 1)
    told(capsys, "mask", project, "--set", mask[1])
    told(capsys, "report", project, "--out", project.parent / "kept.html")
    assert "2 references and 2 picks lie outside" in (project.parent / "kept.html").read_text()
    assert told(capsys, "evaluate", project) == found  # with what is kept, as the report
    assert told(capsys, "evaluate", project, "--compare", "accepted", "candidates")["notices"] == [
        "Within the masks only: t: volume."
    ]
    settings = project / "settings.toml"
    settings.write_text(settings.read_text().replace("[pick]", "[pick]\nunheard_of = 1"))
    assert told(capsys, "evaluate", project) == found
    settings.write_text(settings.read_text() + "\nwhat is this")
    assert run(["evaluate", str(project)]) == 1
    assert told(capsys, "evaluate", project, "--mask", "none")["all"]["pooled"]["truth"] == 4
    page = project.parent / "page.html"
    told(capsys, "report", project, "--out", page, *mask)
    text = page.read_text()
    assert "Masks: t: volume." in text
    assert "<td>all tomograms</td>" in text
    assert "2 references and 2 picks lie outside" in text
    assert text.count("--mask volume.path=") == 2  # the export and the report that do it again


def test_words_and_back():
    configs = {
        "": MaskConfig(gold=GoldMask(on=True)),
        "a:b": MaskConfig(slab=SlabMask(on=True, margin=-30.5), volume=VolumeMaskFile(on=True, path="/x y/{tomogram}=1.mrc")),
        "c": MaskConfig(),
    }
    assert masks_said(mask_words(configs, ["a:b", "c"])) == configs


@pytest.mark.parametrize("word", ["gald", "gold.diameter", "gold=3", "gold.size=3", "gold.diameter=big", "gold.diameter=-1"])
def test_words_that_are_none(word):
    with pytest.raises(ConfigError):
        masks_said([word])
