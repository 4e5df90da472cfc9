from __future__ import annotations

from typing import TYPE_CHECKING

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

from core.errors import ConfigError, PickerError
from core.messages import Progress, drain
from core.movie import Marks, MovieConfig, frame, movie
from core.tomogram import Tomogram

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (24, 40, 60)
YELLOW, BLUE = (1.0, 0.83, 0.0, 1.0), (0.31, 0.76, 0.97, 1.0)
CENTRES = np.array([(12.0, 20.0, 30.0), (5.0, 10.0, 12.0)])


def tomogram() -> Tomogram:
    data = np.zeros(SHAPE, np.float32) + np.linspace(0, 1, SHAPE[0], dtype=np.float32)[:, None, None]
    return Tomogram(id="t", path=None, voxel_size=10.0, data=data)


def marks(**changes: float) -> Marks:
    sizes = np.array([16, 10], np.float32)
    return Marks(positions=CENTRES, sizes=sizes, colors=np.array([YELLOW, BLUE]), crossed=np.zeros(2, bool), **changes)


def read(path: Path) -> np.ndarray:
    """(frames, height, width, 3), by another library."""
    return np.asarray(iio.imread(path, plugin="pillow", mode="RGB")).astype(int)


def made(path: Path, config: MovieConfig, shown: Marks | None = None) -> np.ndarray:
    assert drain(movie(tomogram(), path, config, bounds=(0.0, 1.0), marks=shown)) == path
    return read(path)


def test_a_movie_has_a_frame_for_each_section_in_its_greys(tmp_path: Path) -> None:
    frames = made(tmp_path / "a.gif", MovieConfig(first=2, last=20, step=3, edge=120))
    assert frames.shape == (7, 80, 120, 3)
    wanted = 255 * np.linspace(0, 1, SHAPE[0])[2:21:3]
    assert np.abs(frames - wanted[:, None, None, None]).max() <= 4
    with Image.open(tmp_path / "a.gif") as image:
        assert image.info["loop"] == 0


@pytest.mark.parametrize(("rate", "milliseconds"), [(10, 100), (25, 40), (50, 20)])
def test_the_rate_is_what_was_asked_for(tmp_path: Path, rate: float, milliseconds: int) -> None:
    made(tmp_path / "a.gif", MovieConfig(last=3, rate=rate, edge=60))
    with Image.open(tmp_path / "a.gif") as image:
        image.seek(2)
        assert image.info["duration"] == milliseconds


def test_a_run_may_go_backwards(tmp_path: Path) -> None:
    frames = made(tmp_path / "a.gif", MovieConfig(first=20, last=10, step=5, edge=60))
    assert (np.diff(frames.mean(axis=(1, 2, 3))) < 0).all()
    assert len(frames) == 3


def yellow(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of pixels in the colour of the first sphere."""
    down, right = np.nonzero((picture[..., 0] > 200) & (picture[..., 1] > 150) & (picture[..., 2] < 60))
    return down, right


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("away", [0, 4, -7])
@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_rings_in_the_file_are_the_cross_sections_of_the_spheres(tmp_path: Path, axis: int, away: int, factor: float) -> None:
    index = int(CENTRES[0, axis]) + away
    shown = marks(factor=factor, line=1.5)
    picture = made(tmp_path / "a.gif", MovieConfig(axis=axis, first=index, last=index, edge=240), shown)[0]
    zoom = min(240 / max(np.delete(SHAPE, axis)), 4.0)
    y, x = (np.delete(CENTRES[0], axis) + 0.5) * zoom - 0.5
    down, right = yellow(picture)
    wanted = (8**2 - away**2) ** 0.5 * zoom * factor
    assert np.hypot(down - y, right - x).mean() == pytest.approx(wanted, abs=0.4)
    assert len(down) > 3 * wanted


def test_y_upwards_mirrors_the_frame() -> None:
    config = {"first": 12, "last": 12, "edge": 120}
    plain, upwards = (
        frame(tomogram(), 12, MovieConfig(**config, upwards=up), bounds=(0.0, 1.0), marks=marks()) for up in (False, True)
    )
    assert np.array_equal(plain[::-1], upwards)
    assert not np.array_equal(plain, upwards)


def test_inverted_greys_and_untouched_colours() -> None:
    config = MovieConfig(first=3, last=3, edge=60)
    plain, inverted = (
        frame(tomogram(), 20, config, bounds=(0.0, 1.0), inverted=turned, marks=marks()).astype(int) for turned in (False, True)
    )
    assert plain[0, 0].tolist() == [221] * 3
    assert inverted[0, 0].tolist() == [33] * 3


def test_rejected_ones_are_crosses() -> None:
    shown = Marks(positions=CENTRES[:1], sizes=np.array([16], np.float32), colors=np.array([YELLOW]), crossed=np.ones(1, bool))
    picture = frame(tomogram(), 12, MovieConfig(edge=240), bounds=(0.0, 1.0), marks=shown).astype(int)
    y, x = (CENTRES[0, 1:] + 0.5) * 4 - 0.5
    down, right = yellow(picture)
    assert np.abs(np.abs(down - y) - np.abs(right - x)).max() <= 2
    assert np.hypot(down - y, right - x).min() < 1


def test_progress_and_giving_up_leaves_nothing(tmp_path: Path) -> None:
    job = movie(tomogram(), tmp_path / "a.gif", MovieConfig(last=9, edge=60), bounds=(0.0, 1.0))
    said = [next(job) for _ in range(4)]
    assert [(m.done, m.total) for m in said if isinstance(m, Progress)] == [(n, 10) for n in (1, 2, 3, 4)]
    job.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrong", [{"axis": 3}, {"first": -1}, {"step": 0}, {"rate": 0}, {"rate": 60}, {"edge": 8}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        MovieConfig(**wrong)


def test_sections_and_folders_that_are_not_there_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="23"):
        drain(movie(tomogram(), tmp_path / "a.gif", MovieConfig(last=24), bounds=(0.0, 1.0)))
    with pytest.raises(PickerError):
        drain(movie(tomogram(), tmp_path / "none" / "a.gif", MovieConfig(last=2), bounds=(0.0, 1.0)))
