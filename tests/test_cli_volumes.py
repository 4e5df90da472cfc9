from __future__ import annotations

import json

import mrcfile
import numpy as np
import pytest
import zarr

from core.cli import run
from core.filters import binned
from core.io.volumes import open_tomogram, write_mrc
from core.particles import ClassSpec, ParticleTable
from core.project import Project

DATA = np.random.default_rng(0).normal(0, 20, (16, 24, 32)).astype("f4")


@pytest.fixture
def folder(tmp_path):
    write_mrc(tmp_path / "a.mrc", DATA, 13.48)
    return tmp_path


def test_to_zarr_and_back_nothing_is_lost(folder, capsys):
    assert run(["convert", str(folder / "a.mrc"), str(folder / "b.ome.zarr")]) == 0
    np.testing.assert_array_equal(zarr.open_array(folder / "b.ome.zarr/0", mode="r")[:], DATA)
    assert run(["convert", str(folder / "b.ome.zarr"), str(folder / "c.mrc")]) == 0
    with mrcfile.open(folder / "c.mrc") as oracle:
        np.testing.assert_array_equal(oracle.data, DATA)
        assert oracle.voxel_size.x == pytest.approx(13.48)
    assert "Written" in capsys.readouterr().out


@pytest.mark.parametrize(("out", "word"), [("a.mrc", "the tomogram itself"), ("a.png", "should end in")])
def test_what_cannot_be_written_is_said(folder, capsys, out, word):
    assert run(["convert", str(folder / "a.mrc"), str(folder / out)]) == 1
    assert word in capsys.readouterr().err
    assert open_tomogram(folder / "a.mrc").shape == DATA.shape


def test_info_tells_about_a_zarr_folder(folder, capsys):
    run(["convert", str(folder / "a.mrc"), str(folder / "b.zarr")])
    capsys.readouterr()
    assert run(["info", str(folder / "b.zarr"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["format"], told["shape_zyx"], told["voxel_size"], told["mode"]) == ("OME-Zarr folder", [16, 24, 32], 13.48, None)


def test_link_and_carry(folder, capsys):
    write_mrc(folder / "half.mrc", binned(DATA, 2), 26.96)
    with Project.create(folder / "project") as work:
        work.store.add_class(ClassSpec(id=1, name="ribosome", diameter=250.0))
        work.add_tomogram(folder / "a.mrc")
        work.add_tomogram(folder / "half.mrc")
        work.store.add_many(ParticleTable.build("half", [[1.0, 2, 3]]))
    for carried in (1, 0):
        assert run(["link", str(folder / "project"), "half", "a", "--carry", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told == {"scale_zyx": [2, 2, 2], "offset_zyx": [0.5, 0.5, 0.5], "carried": carried, "notices": []}
    with Project.open(folder / "project") as work:
        assert work.store.table("a").positions.tolist() == [[2.5, 4.5, 6.5]]
