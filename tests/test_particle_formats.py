"""Every format that is known, by one table: a new one is tested as soon as it stands in FORMATS."""

from __future__ import annotations

import csv
import importlib
import json
import os
import pkgutil
import random
import tempfile
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ConfigError, PickerError
from core.io import particles
from core.io.particles import TiltSeriesGeometry, TomogramPicks, read_particles, write_parts
from core.io.particles.formats import Format, Layout, ReadOrder
from core.io.particles.registry import FORMATS, READABLE, WRITABLE
from core.io.particles.values import Frame, ReadPicks
from core.particles import ClassSpec, ParticleTable

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    Watch = Callable[[int], AbstractContextManager[None]]

CLASSES = (
    ClassSpec(id=1, name="ribosome", diameter=250.0, color="#ff0000"),
    ClassSpec(id=2, name="proteasome", diameter=150.0, color="#00ff00"),
    ClassSpec(id=7, name="ATP synthase", diameter=220.0, color="#3366cc"),
)
BOTH = [known for known in FORMATS if known.read is not None and known.write is not None]
FUZZ = int(os.environ.get("PARTICLE_FUZZ", "60"))
"""Damaged files for each format; ``make fuzz`` takes 10 000."""
PARTICLES = 200_000


def choices(known: Format) -> list[dict[str, Any]]:
    """The usual options, and each other word and truth that an option can have."""
    hints, usual = get_type_hints(known.options), known.options()
    found: list[dict[str, Any]] = [{}]
    for entry in fields(known.options):
        others = get_args(hints[entry.name]) or ((not getattr(usual, entry.name),) if hints[entry.name] is bool else ())
        found += [{entry.name: value} for value in others if value != getattr(usual, entry.name)]
    return found


CASES = [pytest.param(known, chosen, id=f"{known.name} {chosen or ''}".strip()) for known in BOTH for chosen in choices(known)]
names = pytest.mark.parametrize("known", BOTH, ids=lambda known: known.name)


def make_part(name: str, n: int, seed: int, *, class_ids: tuple[int, ...] = (1, 2, 7), voxel_size: float = 13.48) -> TomogramPicks:
    rng = np.random.default_rng(seed)
    frame = Frame(
        voxel_size=voxel_size,
        shape=(201, 960, 927),
        tilt_series=TiltSeriesGeometry(pixel_size=voxel_size / 4, size=(801, 3840, 3711)),
    )
    positions = rng.random((n, 3)) * (np.asarray(frame.shape) - 1)
    scores = rng.random(n).astype(np.float32)
    return TomogramPicks(
        name=name, table=ParticleTable.build(name, positions, rng.choice(class_ids, n), scores=scores), frame=frame
    )


def path_of(folder: Path, known: Format) -> Path:
    return folder / f"picks{known.suffixes[0]}"


def back(known: Format, written: Any, parts: list[TomogramPicks], chosen: dict[str, Any]) -> dict[str, list[tuple[float, ...]]]:
    """Rows of z, y, x, class and score of each tomogram, as the files say."""
    options = known.chosen(chosen)
    file_names = dict(zip(written.names or [part.name for part in parts], parts, strict=True))
    specs = {spec.name: spec.id for spec in CLASSES} | {name: number for number, name in written.classes.items()}
    rows: dict[str, list[tuple[float, ...]]] = {part.name: [] for part in parts}
    for piece in written.pieces:
        assert known.read is not None
        picks = known.read(piece.path, ReadOrder(named=True, options=options))
        owners = picks.tomograms or (piece.tomogram or parts[0].name,) * len(picks)
        for owner in dict.fromkeys(owners):
            part = file_names.get(owner) or next(part for part in parts if part.name == owner)
            mine = picks.select(np.array([name == owner for name in owners]))
            rows[part.name] += list(rows_of(mine, part.frame, specs, piece.class_id))
    return rows


def rows_of(picks: ReadPicks, frame: Frame, specs: dict[str, int], class_id: int | None) -> Any:
    positions = picks.voxels(frame)
    numbers = [class_id or 0] * len(picks)
    if picks.class_names is not None:
        numbers = [specs[name] for name in picks.class_names]
    if picks.class_ids is not None:
        numbers = picks.class_ids.tolist()
    scores = np.full(len(picks), np.nan) if picks.scores is None else picks.scores
    return zip(*positions.T, numbers, scores, strict=True)


parts_of = st.lists(
    st.tuples(
        st.integers(1, 6),
        st.integers(0, 999),
        st.sampled_from([(1,), (2, 7), (1, 2, 7)]),
        st.sampled_from([1.0, 7.84, 13.48]),
    ),
    min_size=1,
    max_size=3,
).map(
    lambda told: [
        make_part(f"TS_{place:02d}", n, seed, class_ids=class_ids, voxel_size=told[0][3])
        for place, (n, seed, class_ids, _) in enumerate(told, 1)
    ]
)


@pytest.mark.parametrize(("known", "chosen"), CASES)
@given(parts=parts_of)
@settings(max_examples=8)
def test_particles_come_back(known: Format, chosen: dict[str, Any], parts: list[TomogramPicks]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        written = write_parts(path_of(Path(folder), known), parts, CLASSES, format=known.name, options=chosen)
        assert len(set(written.files)) == len(written.files)
        assert all(file.is_file() for file in written.files)
        found = back(known, written, parts, chosen)
    kept = known.fidelity(known.chosen(chosen))
    for part in parts:
        table = part.table.select(np.argsort(part.table.class_ids, kind="stable")) if known.by_class else part.table
        rows = np.array(found[part.name])
        np.testing.assert_allclose(rows[:, :3], table.positions, atol=0.01 + kept.rounding)
        if kept.classes:
            np.testing.assert_array_equal(rows[:, 3], table.class_ids)
        if kept.scores:
            np.testing.assert_allclose(rows[:, 4], table.scores, atol=1e-5)


def test_every_format_of_every_module_is_among_those_that_come_back() -> None:
    modules = [importlib.import_module(f"core.io.particles.{found.name}") for found in pkgutil.iter_modules(particles.__path__)]
    made = {one.name for module in modules for one in vars(module).values() if isinstance(one, Format)}
    assert made == {known.name for known in FORMATS}
    assert {case.values[0].name for case in CASES} == {known.name for known in WRITABLE}
    assert {known.name for known in READABLE} - {known.name for known in WRITABLE} == set(ONLY_READ)


def test_only_formats_that_have_no_place_for_them_lose_scores() -> None:
    lost = {known.name for known in BOTH if all(not known.fidelity(known.chosen(chosen)).scores for chosen in choices(known))}
    assert lost == {"portal", "cmm", "cryolo", "imod-text"}
    assert [known.name for known in BOTH if not known.fidelity(known.options()).classes] == []


@names
def test_what_lacks_something_is_refused(known: Format, tmp_path: Path) -> None:
    part = replace(make_part("TS_01", 3, 0), frame=Frame(voxel_size=0.0, shape=(201, 960, 927)))
    if known.needs:
        with pytest.raises(PickerError, match="must be known, and for 'TS_01' it is not"):
            write_parts(path_of(tmp_path, known), [part], CLASSES, format=known.name)
        assert not any(tmp_path.rglob("*"))
    else:
        write_parts(path_of(tmp_path, known), [part], CLASSES, format=known.name)


@names
def test_no_particles_are_refused(known: Format, tmp_path: Path) -> None:
    with pytest.raises(PickerError, match="no particles to export"):
        write_parts(path_of(tmp_path, known), [make_part("TS_01", 0, 0)], CLASSES, format=known.name)


@names
def test_a_file_is_recognised_or_its_format_is_asked_for(known: Format, tmp_path: Path) -> None:
    written = write_parts(path_of(tmp_path, known), [make_part("TS_01", 9, 0)], CLASSES, format=known.name)
    path = written.pieces[0].path
    try:
        found = read_particles(path)
    except PickerError as exc:
        assert known.name in getattr(exc, "formats", ())  # noqa: PT017
    else:
        frame, told = make_part("TS_01", 9, 0).frame, read_particles(path, format=known.name)
        np.testing.assert_allclose(found.voxels(frame), told.voxels(frame))


@names
def test_several_tomograms_become_the_files_that_the_layout_says(known: Format, tmp_path: Path) -> None:
    parts = [make_part(f"TS_{place:02d}", 5, place, class_ids=(1,)) for place in (1, 2, 3)]
    written = write_parts(path_of(tmp_path, known), parts, CLASSES, format=known.name)
    count = {Layout.ONE: 1, Layout.LIST: 1, Layout.EACH: 3, Layout.MERGED: 3}[known.layout]
    assert len(written.pieces) == count
    assert {file.is_relative_to(tmp_path) for file in written.files} == {True}


@names
def test_a_failed_export_leaves_all_files_as_they_were(known: Format, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def contents() -> dict[Path, bytes]:
        return {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}

    write_parts(path_of(tmp_path, known), [make_part("TS_01", 9, 0)], CLASSES, format=known.name)
    before = contents()
    with monkeypatch.context() as patch:
        patch.setattr("core.io.particles.comparing.TOLERANCE", -10.0)
        with pytest.raises(PickerError, match="does not read back"):
            write_parts(path_of(tmp_path, known), [make_part(f"TS_{n:02d}", 5, n) for n in (1, 2)], CLASSES, format=known.name)
    assert contents() == before
    write_parts(path_of(tmp_path, known), [make_part("TS_01", 5, 1)], CLASSES, format=known.name)
    assert contents() != before
    assert not [file for file in contents() if file.name.startswith(".")]


@pytest.fixture(scope="module")
def unit(tmp_path_factory: pytest.TempPathFactory) -> float:
    """Seconds that the standard library takes for as many rows as CSV and as JSON, on this machine and at this time."""
    folder, rows = tmp_path_factory.mktemp("rows"), np.random.default_rng(0).random((PARTICLES, 8)).tolist()
    start = time.process_time()
    with (folder / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    with (folder / "rows.csv").open(newline="") as file:
        read = [[float(word) for word in row] for row in csv.reader(file)]
    assert json.loads(json.dumps(rows)) == read == rows
    return time.process_time() - start


@names
def test_200_000_particles_take_no_longer_than_plain_tables(known: Format, unit: float, tmp_path: Path) -> None:
    # in units of what the machine can do: a slow one fails nothing
    parts = [make_part(f"TS_{place:02d}", PARTICLES // 4, place) for place in range(1, 5)]
    start = time.process_time()
    written = write_parts(path_of(tmp_path, known), parts, CLASSES, format=known.name)
    middle = time.process_time()
    found = sum(len(read_particles(piece.path, format=known.name)) for piece in written.pieces)
    end = time.process_time()
    assert found == PARTICLES
    assert (middle - start < 2 * unit, end - middle < unit) == (True, True), (middle - start, end - middle, unit)


ONLY_READ = {
    "box": ("a.box", 3, "10 20 30\n11.5 21.25 31\n\n400 500 60\n"),
    "shrec": ("particle_locations.txt", 3, "1bxn 177 221 90 1.5 0.25 2.125\nvesicle 12 20 31 0 0 0\nfiducial 400 5 60 0 0 0\n"),
    "m": (
        "a_particles.star",
        2,
        "data_particles\n\nloop_\n_wrpCoordinateX1 #1\n_wrpCoordinateY1 #2\n_wrpCoordinateZ1 #3\n_wrpSourceName #4\n"
        "100.5 200.25 300 TS_01.tomostar\n1010 20.5 31 TS_02.tomostar\n",
    ),
}
"""Files of the formats that are read and not written, and how many particles they hold."""


def damaged(content: bytes, rng: random.Random) -> bytes:
    kind = rng.randrange(5)
    place = rng.randrange(len(content) + 1)
    if kind == 0:
        return content[:place]
    if kind == 1:
        wrong = bytearray(content)
        for _ in range(rng.randrange(1, 9)):
            wrong[rng.randrange(len(wrong))] ^= 1 << rng.randrange(8)
        return bytes(wrong)
    if kind == 2:
        huge = rng.choice(
            [b"99999999999999999999", b"\x7f\xff\xff\xff", b"1e999", b"-1", b"nan", b'"', b"\n", b"\t\t", b"{", b"[[["]
        )
        return content[:place] + huge + content[place + len(huge) :]
    if kind == 3:
        return content[:place] + bytes(rng.randrange(256) for _ in range(20)) + content[place:]
    return content[:place] + content[place + rng.randrange(60) :]


@pytest.mark.parametrize("named", [True, False], ids=["named", "found out"])
@names
def test_damaged_files_are_read_or_refused_with_a_sentence(known: Format, named: bool, tmp_path: Path, watched: Watch) -> None:
    parts = [make_part(f"TS_{place:02d}", 6, place) for place in (1, 2)]
    path = write_parts(path_of(tmp_path, known), parts, CLASSES, format=known.name).pieces[-1].path
    read_damaged(path, known.name if named else None, watched)


@pytest.mark.parametrize("named", [True, False], ids=["named", "found out"])
@pytest.mark.parametrize("known", [known for known in READABLE if known.write is None], ids=lambda known: known.name)
def test_damaged_files_that_are_only_read_are_read_or_refused_with_a_sentence(
    known: Format, named: bool, tmp_path: Path, watched: Watch
) -> None:
    name, count, content = ONLY_READ[known.name]
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert len(read_particles(path, format=known.name)) == count
    read_damaged(path, known.name if named else None, watched)


def read_or_told(path: Path, format: str | None) -> tuple[ReadPicks | None, str]:
    try:
        return read_particles(path, format=format), ""
    except PickerError as exc:
        return None, str(exc)


def read_damaged(path: Path, format: str | None, watched: Watch) -> None:
    content, rng = path.read_bytes(), random.Random(0)
    for case in range(FUZZ):
        wrong = path.with_name(f"{case:x}_{path.name}")
        wrong.write_bytes(damaged(content, rng))
        with watched(wrong.stat().st_size):
            picks, told = read_or_told(wrong, format)
        wrong.unlink()
        assert "\n" not in told
        assert picks is None or np.isfinite(picks.positions).all()


def test_names_are_used_once_and_titles_differ() -> None:
    assert len({known.name for known in FORMATS}) == len(FORMATS)
    assert len({known.title for known in FORMATS}) == len(FORMATS)
    assert set(READABLE) | set(WRITABLE) == set(FORMATS)


@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
def test_options_have_defaults_types_and_meanings(known: Format) -> None:
    hints = get_type_hints(known.options)
    for entry in fields(known.options):
        assert hints[entry.name] in (bool, int, float, str) or all(isinstance(word, str) for word in get_args(hints[entry.name]))
        assert f"    {entry.name}" in (known.options.__doc__ or "")
        usual = getattr(known.options(), entry.name)
        word = str(usual).lower() if isinstance(usual, bool) else str(usual)
        assert known.chosen(known.parsed([f"{entry.name}={word}"])) == known.options()
        if get_args(hints[entry.name]):
            with pytest.raises(ConfigError, match=entry.name):
                known.chosen({entry.name: "nonsense"})
    with pytest.raises(ConfigError, match="its options are"):
        known.parsed(["nonsense=1"])
