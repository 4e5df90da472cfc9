from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import mrcfile
import numpy as np
import pytest

from core.errors import PickerError
from core.scoremap import CERTAIN, open_score_map, room_for, score_map_writer
from core.tomogram import Box, Tomogram

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (20, 12, 14)


def tomogram(shape: tuple[int, int, int] = SHAPE) -> Tomogram:
    return Tomogram(id="t", path=None, voxel_size=7.84, data=np.zeros(shape, np.float32))


def written(path: Path, parts: list[tuple[Box, np.ndarray]]) -> np.ndarray:
    with score_map_writer(path, SHAPE, 7.84) as keep:
        for part, scores in parts:
            keep.write(part, scores)
    return np.asarray(open_score_map(path, tomogram()).data)


def test_the_largest_probability_of_all_classes_is_kept_in_per_cent(tmp_path: Path) -> None:
    scores = np.random.default_rng(0).random((3, *SHAPE)).astype(np.float16)
    found = written(tmp_path / "a.mrc", [(Box((0, 0, 0), SHAPE), scores)])
    assert found.dtype == np.int8
    assert np.abs(found - CERTAIN * scores.max(axis=0).astype(float)).max() <= 0.5


def test_parts_lie_where_they_lie_in_the_tomogram_and_all_else_is_nothing(tmp_path: Path) -> None:
    parts = [(Box((4, 2, 3), (9, 8, 13)), np.full((1, 5, 6, 10), 0.5)), (Box((9, 2, 3), (12, 8, 13)), np.full((1, 3, 6, 10), 0.25))]
    found = written(tmp_path / "a.mrc", parts)
    wanted = np.zeros(SHAPE)
    wanted[4:9, 2:8, 3:13], wanted[9:12, 2:8, 3:13] = 50, 25
    assert np.array_equal(found, wanted)


def test_other_programs_read_it_on_the_grid_of_the_tomogram(tmp_path: Path) -> None:
    scores = np.zeros((1, *SHAPE), np.float16)
    scores[0, 11, 5, 9] = 1
    written(tmp_path / "maps" / "a.mrc", [(Box((0, 0, 0), SHAPE), scores)])
    with mrcfile.open(tmp_path / "maps" / "a.mrc") as file:
        assert int(file.header.mode) == 0
        assert float(file.voxel_size.x) == pytest.approx(7.84)
        assert np.unravel_index(file.data.argmax(), SHAPE) == (11, 5, 9)
        assert (file.header.nxstart, file.header.origin.x) == (0, 0)


def given_up(path: Path) -> None:
    with score_map_writer(path, SHAPE, 1.0) as keep:
        keep.write(Box((0, 0, 0), (5, 12, 14)), np.ones((1, 5, 12, 14)))
        raise KeyboardInterrupt


def test_nothing_appears_when_picking_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        given_up(tmp_path / "a.mrc")
    assert not list(tmp_path.iterdir())


def test_a_map_of_another_tomogram_is_none_of_ours(tmp_path: Path) -> None:
    written(tmp_path / "a.mrc", [(Box((0, 0, 0), SHAPE), np.zeros((1, *SHAPE)))])
    assert open_score_map(tmp_path / "a.mrc", tomogram((20, 12, 15))) is None
    assert open_score_map(tmp_path / "b.mrc", tomogram()) is None
    (tmp_path / "c.mrc").write_text("no map")
    assert open_score_map(tmp_path / "c.mrc", tomogram()) is None


def test_a_nearly_full_disk_has_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = SHAPE[0] * SHAPE[1] * SHAPE[2]
    for free, wanted in ((2 * size, False), (2 * size + 1, True)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _place, free=free: shutil._ntuple_diskusage(0, 0, free))
        assert room_for(tmp_path / "not" / "yet" / "a.mrc", SHAPE) is wanted


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "maps").write_text("in the way")
    with pytest.raises(PickerError, match="maps"), score_map_writer(tmp_path / "maps" / "a.mrc", SHAPE, 1.0):
        pass


def test_a_map_has_the_scale_of_its_tomogram_also_where_that_is_unknown(tmp_path: Path) -> None:
    written(tmp_path / "a.mrc", [(Box((0, 0, 0), SHAPE), np.zeros((1, *SHAPE)))])
    found = open_score_map(tmp_path / "a.mrc", replace(tomogram(), voxel_size=0.0))
    assert found is not None
    assert found.voxel_size == 0
