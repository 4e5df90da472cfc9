from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.image import imread

from core.errors import PickerError
from core.figures import _judge, picks_figure, training_figure
from core.messages import EpochDone
from core.particles import ClassSpec, ParticleTable, Status
from core.tomogram import Box, Tomogram

if TYPE_CHECKING:
    from pathlib import Path

    from core.types import Shape

SPEC = ClassSpec(id=1, name="ribosome", diameter=80.0)
GREEN, RED, YELLOW = (0, 230, 118), (255, 82, 82), (255, 215, 64)


def tomogram(shape: Shape = (24, 40, 32), voxel_size: float = 10.0) -> Tomogram:
    data = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return Tomogram(id="t", path=None, voxel_size=voxel_size, data=data)


def table(positions: list[tuple[float, float, float]], status: Status = Status.ACCEPTED) -> ParticleTable:
    scores = np.linspace(0.9, 0.5, len(positions)).astype(np.float32)
    return ParticleTable.build("t", positions, scores=scores, status=status)


def count(path: Path, color: tuple[int, int, int]) -> int:
    """Pixels of very nearly this colour."""
    pixels = imread(path)[..., :3] * 255
    return int((np.abs(pixels - color).max(axis=-1) < 3).sum())


def test_hits_false_picks_and_missed_references_are_told_apart() -> None:
    truth = table([(12, 10, 10), (12, 30, 10), (12, 20, 25)])
    picks = table([(12, 11, 10), (5, 5, 28), (12, 31, 11)])
    found, wrong, missed = _judge(picks, truth, 1, reach=2.0)
    assert found.tolist() == [[12, 11, 10], [12, 31, 11]]
    assert wrong.tolist() == [[5, 5, 28]]
    assert missed.tolist() == [[12, 20, 25]]


def test_a_second_pick_on_one_reference_is_false_and_frees_no_other() -> None:
    truth = table([(12, 10, 10), (12, 13, 10)])
    found, wrong, missed = _judge(table([(12, 10, 10), (12, 9, 10)]), truth, 1, reach=2.0)
    assert (found.tolist(), wrong.tolist(), missed.tolist()) == ([[12, 10, 10]], [[12, 9, 10]], [[12, 13, 10]])


def test_neutral_references_excuse_a_pick_and_are_not_missed() -> None:
    truth = table([(12, 10, 10), (12, 30, 10)], status=Status.CANDIDATE)
    found, wrong, missed = _judge(table([(12, 10, 10)]), truth, 1, reach=2.0)
    assert len(found) == len(wrong) == len(missed) == 0


@pytest.mark.parametrize(("shape", "voxel_size"), [((24, 40, 32), 10.0), ((8, 64, 48), 3.3), ((40, 40, 40), 20.0)])
def test_outcomes_are_drawn_in_their_colours(tmp_path: Path, shape: Shape, voxel_size: float) -> None:
    z, y, x = (n // 2 for n in shape)
    truth, picks = table([(z, y, x), (z, y - 8, x)]), table([(z, y, x), (z, y + 8, x - 8)])
    path = tmp_path / "picks.png"
    picks_figure(tomogram(shape, voxel_size), picks, truth, [SPEC], path, trained=Box((0, 0, 0), (shape[0], 4, shape[2])))
    assert min(count(path, color) for color in (GREEN, RED, YELLOW)) > 50


def test_without_references_picks_bear_the_colour_of_their_class(tmp_path: Path) -> None:
    path = tmp_path / "picks.png"
    picks_figure(tomogram(), table([(12, 20, 16)]), None, [ClassSpec(id=1, name="a", diameter=80.0, color="#ff00ff")], path)
    assert count(path, (255, 0, 255)) > 50
    assert count(path, GREEN) == 0


def test_picks_outside_the_slab_are_not_drawn(tmp_path: Path) -> None:
    one, none = tmp_path / "one.png", tmp_path / "none.png"
    picks_figure(tomogram(), table([(12, 3, 3)]), table([(12, 3, 3)]), [SPEC], one)
    picks_figure(tomogram(), table([(3, 3, 3)]), table([(3, 3, 3)]), [SPEC], none)
    assert count(one, GREEN) > count(none, GREEN) > 0  # the key shows the colour in both


def test_no_picks_make_a_picture_too(tmp_path: Path) -> None:
    path = tmp_path / "picks.png"
    picks_figure(tomogram(), table([]), table([]), [SPEC], path)
    assert imread(path).shape[2] == 4


def epoch(step: int, f1: float | None, best: bool, held: bool = True) -> EpochDone:
    lost = 1.2 / step if held else None
    return EpochDone(
        step=step, seconds=step, loss=1 / step, validation_loss=lost, f1=f1, threshold=0.4, learning_rate=1e-3, best=best
    )


@pytest.mark.parametrize(
    "history", [[], [epoch(10, 0.5, True)], [epoch(10, 0.5, True), epoch(20, 0.8, True), epoch(30, 0.7, False)]]
)
def test_the_course_of_training_is_drawn(tmp_path: Path, history: list[EpochDone]) -> None:
    path = tmp_path / "training.png"
    training_figure(history, path)
    assert (count(path, (198, 40, 40)) > 20) == bool(history)


def test_where_nothing_was_held_back_only_the_end_has_an_f1(tmp_path: Path) -> None:
    path = tmp_path / "training.png"
    training_figure([epoch(10, None, True, held=False), epoch(20, 0.8, True, held=False)], path)
    assert count(path, (198, 40, 40)) > 20
    training_figure([epoch(10, None, True, held=False)], path)
    assert count(path, (198, 40, 40)) == 0


def test_a_figure_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(PickerError, match="Cannot write"):
        training_figure([], tmp_path / "absent" / "training.png")
    assert list(tmp_path.iterdir()) == []
