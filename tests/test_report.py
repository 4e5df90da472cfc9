"""The report: one page that holds all it shows, and says only what is so."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import shlex
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from core.checkpoint import Checkpoint, save_checkpoint
from core.cli import run
from core.config import NetworkConfig, ReviewConfig, RunConfig
from core.io.particles import write_particles
from core.io.volumes import write_mrc
from core.network import build
from core.particles import ClassSpec, ParticleTable, Source, Status
from core.project import Project
from core.report.facts import fingerprint
from core.runs import note_inputs, note_picking
from core.settings import SETTINGS, Settings, save_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHAPE, VOXEL = (24, 48, 48), 10.0
EVIL = "<script>alert(1)</script>"
PLACES = [(12, 12, 12), (12, 12, 36), (12, 36, 12), (12, 36, 36), (8, 24, 24), (16, 24, 10)]
SCORES = np.array([0.95, 0.9, 0.8, 0.55, 0.3, 0.7], np.float32)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """Two tomograms, one with marks; candidates, a rejected pick, a run and a network; a class with a wicked name."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    spec = ClassSpec(id=1, name=EVIL, diameter=100.0)
    with Project.create(tmp_path / "p") as made:
        made.store.add_class(spec)
        folder = made.new_run("pick")
        for name in ("one", "two"):
            write_mrc(tmp_path / f"{name}.mrc", rng.normal(0, 1, SHAPE).astype(np.float32), VOXEL)
            made.add_tomogram(tmp_path / f"{name}.mrc")
            picks = ParticleTable.build(name, PLACES, 1, scores=SCORES, source=Source.PICKED, status=Status.CANDIDATE)
            write_particles(folder / f"{name}.csv", picks, [spec], made.tomogram(name))
            picks.statuses[-1] = Status.REJECTED
            made.store.add_many(picks)
        made.store.add_many(ParticleTable.build("one", PLACES[:3], 1, source=Source.MANUAL))
        save_settings(Settings(review={EVIL: ReviewConfig(threshold=0.5)}), made.folder / SETTINGS)
        network = build(NetworkConfig(), 1).state_dict()
        checkpoint = Checkpoint(
            config=RunConfig(),
            classes=(spec,),
            voxel_size=VOXEL,
            weights=network,
            calibration={1: (1.0, 0.0)},
            thresholds={1: 0.42},
            metrics={"expected_f1": 0.71},
        )
        save_checkpoint(checkpoint, made.models / "20260101-000000-train.pt")
        yield made


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.images: list[str] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("img", "meta", "br"):
            self.open.append(tag)
        if tag == "img":
            self.images.append(dict(attrs)["src"] or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += " ".join(data.split()) + " " if data.strip() else ""


def reported(*words: str) -> Page:
    assert run(["report", "p", "--out", "report.html", *words]) == 0
    from pathlib import Path

    text = Path("report.html").read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=.(https?:|//|file:)", text)
    page = Page(text)
    assert not page.open
    return page


def test_the_page_holds_all_and_trusts_no_name(project: Project, tmp_path: Path) -> None:
    page = reported("--figures", "figures")
    assert "script" not in page.tags
    assert EVIL in page.words
    sizes = []
    for address in page.images:
        head, _, data = address.partition(",")
        assert head == "data:image/png;base64"
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            image.load()
            sizes.append(image.size)
    strips = [size for size in sizes if size == (3 * 20 + 4, 20)]
    assert len(strips) == 8 + 8 + 2  # best, about the threshold, rejected; ten candidates, eight of which count
    assert "a third of a diameter thick" in page.words
    files = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"precision-recall.svg", "score-threshold.png", "average-1.svg", "picks.png", "scores.svg"} <= files


def test_counts_network_data_and_settings_are_those_of_the_project(project: Project, tmp_path: Path) -> None:
    words = reported().words
    assert "one 3 1 of 5 1 4 two 0 4 of 5 1 4 All 3 5 of 10 2 8" in words
    assert "F1 about 0.71, estimated from the scores" in words
    assert hashlib.sha256((project.models / "20260101-000000-train.pt").read_bytes()).hexdigest() in words
    assert hashlib.sha256((tmp_path / "two.mrc").read_bytes()).hexdigest() in words
    assert re.search("48 . 48 . 24", words)
    assert "deepetpicker pick" in words
    assert "--model" in words
    assert "numpy" in words
    assert "learning_rate" in words


def test_the_commands_say_what_was_asked_for(project: Project) -> None:
    model, picking = project.models / "20260101-000000-train.pt", project.new_run("pick")
    note_picking(picking, model, threshold=0.1, region="0:20,0:48,0:48", masks=["gold", "one:slab.low=5"])
    (project.runs / model.stem).mkdir()
    note_inputs(project.runs / model.stem, [], [], model.with_name("first.pt"))
    words = reported("--tomogram", "one").words
    asked = "--threshold 0.1 --region 0:20,0:48,0:48 --mask gold --mask one:slab.low=5 --tomogram one"
    assert f"deepetpicker pick p --model p/models/{model.name} {asked} " in words
    assert f"--start {model.with_name('first.pt')} " in words
    export = re.search(r"deepetpicker (export .*?) deepetpicker", words)
    assert export is not None
    assert run(shlex.split(export[1])) == 0
    assert (
        len((project.folder.parent / "picks.csv").read_text().splitlines()) == 1 + 3 + 1
    )  # marks, and the one pick apart from them


def test_without_references_the_page_says_that_it_estimates(project: Project) -> None:
    project.store.remove(project.store.table("one").ids[project.store.table("one").sources == Source.MANUAL])
    words = reported().words
    assert "An estimate, not a measurement" in words
    assert "Measured:" not in words


def test_a_project_with_nothing_in_it_yet_can_be_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_mrc(tmp_path / "one.mrc", np.zeros(SHAPE, np.float32), VOXEL)
    with Project.create(tmp_path / "p") as made:
        made.add_tomogram(tmp_path / "one.mrc")
    words = reported().words
    assert "Nothing was picked yet" in words
    assert "This project has no trained network" in words


def test_what_is_no_project_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["report", "absent", "--figures", "figures"]) == 1
    assert "There is no folder absent" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_large_file_is_known_by_its_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.report.facts.WHOLE", 100)
    monkeypatch.setattr("core.report.facts.PART", 10)
    path = tmp_path / "large.mrc"
    path.write_bytes(bytes(200))
    before = fingerprint(path)
    assert before.endswith("(size, first and last 32 MiB)")
    path.write_bytes(bytes(199) + b"x")
    assert fingerprint(path) != before
    assert fingerprint(tmp_path).endswith("(names and sizes)")
