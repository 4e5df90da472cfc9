from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from core.errors import PickerError
from core.io.particles import TiltSeriesGeometry, TomogramPicks, write_parts
from core.io.particles.previewing import Preview, preview_parts
from core.io.particles.registry import WRITABLE, format_named
from core.io.particles.values import Frame
from core.io.volumes import write_mrc
from core.particles import ClassSpec, ParticleTable
from core.previews import preview_delivery
from core.project import Project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.io.particles.formats import Format

SPECS = (ClassSpec(id=1, name="ribosome", diameter=250.0), ClassSpec(id=2, name="barrel", diameter=150.0))
FRAME = Frame(voxel_size=10.0, shape=(200, 900, 900), tilt_series=TiltSeriesGeometry(pixel_size=2.5, size=(800, 3600, 3600)))
every = pytest.mark.parametrize("known", WRITABLE, ids=lambda known: known.name)


def part(name: str, n: int, class_ids: tuple[int, ...] = (1, 2), scored: bool = True) -> TomogramPicks:
    rng = np.random.default_rng(n)
    scores = rng.random(n).astype(np.float32) if scored else None
    table = ParticleTable.build(name, rng.random((n, 3)) * 199, np.resize(class_ids, n), scores=scores)
    return TomogramPicks(name=name, table=table, frame=FRAME)


def relative(files: Any, folder: Path) -> set[Path]:
    return {Path(file).relative_to(folder) for file in files}


def words_of(shown: Preview) -> list[str]:
    """The last line of the first file that says something."""
    return [line for line in shown.files[0].head if line][-1].split()


@every
@pytest.mark.parametrize("count", [1, 3])
def test_a_preview_names_the_files_of_the_export_and_touches_nothing(known: Format, count: int, tmp_path: Path) -> None:
    parts = [part(f"TS_{place}", 40) for place in range(1, count + 1)]
    shown = preview_parts(tmp_path / f"a{known.suffixes[0]}", parts, SPECS, format=known.name)
    assert not any(tmp_path.rglob("*"))
    assert not any(file.exists for file in shown.files)
    written = write_parts(tmp_path / f"a{known.suffixes[0]}", parts, SPECS, format=known.name)
    assert relative([file.path for file in shown.files], tmp_path) == relative(written.files, tmp_path)
    assert shown.notices == written.notices
    assert len([line for line in shown.tree() if not line.endswith("/")]) == len(written.files)
    for file in shown.files:
        assert not any("preview-" in line for line in file.head)


@every
def test_lines_of_a_preview_are_those_of_the_export(known: Format, tmp_path: Path) -> None:
    parts = [part("TS_1", 3, (1,))]
    shown = preview_parts(tmp_path / f"a{known.suffixes[0]}", parts, SPECS, format=known.name)
    write_parts(tmp_path / f"a{known.suffixes[0]}", parts, SPECS, format=known.name)
    for file in shown.files:
        if file.head:
            lines = file.path.read_text(encoding="utf-8").splitlines()[: len(file.head)]
            pairs = [(one.rstrip()[:200], other) for one, other in zip(lines, file.head, strict=True)]
            assert all(one == other or "Created by the starfile" in one for one, other in pairs)  # with the time of day


@every
def test_a_preview_of_50_000_particles_is_quick(known: Format, tmp_path: Path) -> None:
    parts = [part("TS_1", 50_000)]
    taken = []
    for _ in range(3):  # the first one may load libraries
        start = time.perf_counter()
        preview_parts(tmp_path / f"a{known.suffixes[0]}", parts, SPECS, format=known.name)
        taken.append(time.perf_counter() - start)
    assert min(taken) < 0.3


@pytest.mark.parametrize(
    ("format", "sentences"),
    [
        ("csv", ["These are there already and will be replaced: a.csv."]),
        ("eman2", ["a.json is there already: its boxes of the same classes are replaced, all else in it stays."]),
        (
            "copick",
            ["These are there already and will be replaced: deepetpicker_0_ribosome.json.", "a.json is there already and stays"],
        ),
    ],
)
def test_what_becomes_of_files_that_are_there_is_told(tmp_path: Path, format: str, sentences: list[str]) -> None:
    path = tmp_path / f"a{format_named(format).suffixes[0]}"
    parts = [part("TS_1", 4, class_ids=(1,))]
    assert not [told for told in preview_parts(path, parts, SPECS, format=format).notices if "there already" in told]
    write_parts(path, parts, SPECS, format=format)
    told = [notice for notice in preview_parts(path, parts, SPECS, format=format).notices if "there already" in notice]
    assert [notice.startswith(sentence) for notice, sentence in zip(told, sentences, strict=True)] == [True] * len(sentences), told


def test_a_file_that_is_there_and_tomograms_left_out_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.coords").write_text("1 2 3\n")
    assert preview_parts(tmp_path / "a.coords", [part("TS_1", 4)], SPECS, format="coords").files[0].exists
    many = preview_parts(tmp_path / "b.coords", [part(f"TS_{n}", 4) for n in range(1, 10)], SPECS, format="coords")
    assert (len(many.files), many.more) == (6, 3)
    assert many.tree()[-1] == "… and the same for 3 more tomograms"


def test_a_particle_without_score_is_not_overlooked(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    scores = np.append(rng.random(30), np.nan).astype(np.float32)
    mixed = TomogramPicks(name="TS_1", table=ParticleTable.build("TS_1", rng.random((31, 3)), scores=scores), frame=FRAME)
    shown = preview_parts(tmp_path / "a.star", [mixed], SPECS, format="warp")
    assert not any("rlnAutopickFigureOfMerit" in line for line in shown.files[0].head)


def test_the_list_of_relion_is_shown_as_it_would_name_its_files(tmp_path: Path) -> None:
    options = {"relion_folder": str(tmp_path)}
    (tmp_path / "picks").mkdir()
    shown = preview_parts(tmp_path / "picks" / "a.star", [part("TS_1", 4, (1,))], SPECS, format="relion5", options=options)
    assert words_of(shown) == ["TS_1", "picks/a/TS_1.star"]
    assert shown.tree() == ("a.star", "a/", "  TS_1.star")
    full = preview_parts(tmp_path / "picks" / "a.star", [part("TS_1", 4, (1,))], SPECS, format="relion5")
    assert words_of(full) == ["TS_1", (tmp_path / "picks" / "a" / "TS_1.star").as_posix()]


def test_a_tree_says_every_folder_once() -> None:
    from core.io.particles.previewing import PreviewedFile

    names = ["z.json", "a/b/1.txt", "a/b/2.txt", "a/c/1.txt", "d/1.txt"]
    shown = Preview(files=tuple(PreviewedFile(path=Path("/x") / name, exists=False, head=()) for name in names))
    assert shown.tree() == ("z.json", "a/", "  b/", "    1.txt", "    2.txt", "  c/", "    1.txt", "d/", "  1.txt")


# ---- of a project ----


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "project") as made:
        for spec in SPECS:
            made.store.add_class(spec)
        write_mrc(tmp_path / "one.mrc", np.zeros((20, 30, 40), np.int8), 10.0)
        made.add_tomogram(tmp_path / "one.mrc")
        made.store.add_many(ParticleTable.build("one", [[1, 2, 3], [4, 5, 6]], [1, 2]))
        yield made


def test_a_delivery_is_previewed(project: Project, tmp_path: Path) -> None:
    shown = preview_delivery(project, tmp_path / "out.coords", "coords", tomogram_ids=["one"], class_id=2)
    assert shown.files[0].head == ("2\t6.000\t5.000\t4.000",)
    with pytest.raises(PickerError, match="pixel size of its tilt series"):
        preview_delivery(project, tmp_path / "out.star", "relion5", tomogram_ids=["one"])
    assert not (tmp_path / "out.coords").exists()
