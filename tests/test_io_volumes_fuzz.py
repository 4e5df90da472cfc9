"""Damaged files of every format: a sentence for the user or voxels, never a crash, a hang or a full memory.

``make fuzz`` runs the long version.
"""

from __future__ import annotations

import bz2
import gzip
import os
import shutil
import warnings

import emfile
import h5py
import nrrd
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import PickerError
from core.io.volumes import open_tomogram, write_mrc, write_zarr

CASES = int(os.environ.get("FUZZ_CASES", "25"))
VOXELS = np.random.default_rng(0).normal(0, 20, (6, 20, 24)).astype("f4")


def _hdf(path, bits=0):
    with h5py.File(path, "w") as file:
        group = file.create_group("MDF/images/0")
        group.create_dataset("image", data=np.clip(VOXELS + 100, 0, 255).astype("u1"), chunks=(2, 8, 8), compression="gzip")
        group.attrs["EMAN.apix_x"] = 10.0
        group.attrs["EMAN.stored_renderbits"] = bits
        group.attrs["EMAN.stored_rendermax"] = 3.0


def _plain_hdf(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("MDF/images/0/image", data=VOXELS)


def _mrc(path, pack=bytes):
    write_mrc(path, VOXELS.astype("i1"), 10)
    path.write_bytes(pack(path.read_bytes()))


def _old_zarr(path):
    write_zarr(path, VOXELS, 10)


def _new_zarr(path):
    import zarr

    group = zarr.create_group(path, zarr_format=3)
    group.create_array("s0", data=VOXELS, chunks=(4, 8, 8))
    axes = [{"name": name, "type": "space", "unit": "nanometer"} for name in "zyx"]
    scale = [{"type": "scale", "scale": [1.0, 1.0, 1.0]}]
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [{"axes": axes, "datasets": [{"path": "s0", "coordinateTransformations": scale}]}],
    }


WRITERS = {
    "a.mrc": _mrc,
    "a.mrc.gz": lambda path: _mrc(path, gzip.compress),
    "a.mrc.bz2": lambda path: _mrc(path, bz2.compress),
    "a.hdf": lambda path: _hdf(path, 8),
    "b.hdf": _plain_hdf,
    "a.tif": lambda path: tifffile.imwrite(path, VOXELS, photometric="minisblack"),
    "b.tif": lambda path: tifffile.imwrite(path, VOXELS, compression="zlib", predictor=False, photometric="minisblack"),
    "d.tif": lambda path: tifffile.imwrite(path, VOXELS, compression="lzw", predictor=True, photometric="minisblack"),
    "e.tif": lambda path: tifffile.imwrite(path, VOXELS, compression="zstd", photometric="minisblack"),
    "c.tif": lambda path: tifffile.imwrite(path, VOXELS, imagej=True, metadata={"axes": "ZYX", "unit": "nm", "spacing": 1}),
    "a.ome.tif": lambda path: tifffile.imwrite(path, VOXELS, ome=True, metadata={"axes": "ZYX", "PhysicalSizeX": 1.0}),
    "a.em": lambda path: emfile.write(path, VOXELS),
    "a.nrrd": lambda path: nrrd.write(str(path), VOXELS, {"encoding": "raw", "spacings": [1.0] * 3}, index_order="C"),
    "b.nrrd": lambda path: nrrd.write(str(path), VOXELS, {"encoding": "gzip"}, index_order="C"),
    "c.nrrd": lambda path: nrrd.write(str(path), VOXELS, {"encoding": "ascii"}, index_order="C"),
    "a.zarr": _old_zarr,
    "b.zarr": _new_zarr,
}


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    for name, write in WRITERS.items():
        write(folder / name)
        _look(open_tomogram(folder / name))  # libraries are loaded, and the sound files are sound
    return folder


def _look(tomogram):
    z, y, x = (n // 2 for n in tomogram.shape)
    assert np.asarray(tomogram.data[z, y, x]).dtype.kind in "iuf"


FIRST = st.integers(0, 600)
PLACE = st.one_of(FIRST, FIRST, st.integers(0, 2**14))
NUMBERS = st.sampled_from(
    [
        b"\xff\xff\xff\x7f",
        b"\x7f\xff\xff\xff",
        b"\xff" * 8,
        b"\0" * 8,
        b"\0\0\1\0",
        b"\0\x40\0\0",
        b"99999999",
        b"-1",
        b"\xc3\x28\xfe",
    ]
)
DAMAGE = st.one_of(
    st.tuples(st.just("cut"), PLACE, st.just(b"")),
    st.tuples(st.just("flip"), PLACE, st.integers(0, 7).map(lambda bit: bytes([1 << bit]))),
    st.tuples(st.just("put"), PLACE, NUMBERS),
    st.tuples(st.just("put"), PLACE, st.binary(min_size=1, max_size=12)),
    st.tuples(st.just("insert"), PLACE, st.one_of(NUMBERS, st.binary(min_size=1, max_size=40))),
)


def _damaged(content, hurts):
    content = bytearray(content)
    for kind, place, what in hurts:
        place %= max(1, len(content))
        if kind == "cut":
            del content[place:]
        elif kind == "insert":
            content[place:place] = what
        elif kind == "put":
            content[place : place + len(what)] = what
        elif content:
            content[place] ^= what[0]
    return bytes(content)


def _size(path):
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file()) if path.is_dir() else path.stat().st_size


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=CASES, derandomize=CASES < 100, suppress_health_check=list(HealthCheck), database=None)
@given(hurts=st.lists(DAMAGE, min_size=1, max_size=4), which=st.integers(0, 10))
def test_damage_is_told_in_a_sentence(sound, tmp_path_factory, monkeypatch_session, watched, name, hurts, which):
    place = tmp_path_factory.getbasetemp() / "damaged"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    monkeypatch_session.setattr("tempfile.tempdir", str(place))
    path = place / name
    if (sound / name).is_dir():
        shutil.copytree(sound / name, path)
        files = sorted(one for one in path.rglob("*") if one.is_file())
        file = files[which % len(files)]
    else:
        file = path
    original = sound / file.relative_to(place)
    file.write_bytes(_damaged(original.read_bytes(), hurts))
    with watched(_size(path)), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        told = _told(path)
    assert "\n" not in told
    assert told.endswith(".")


def _told(path):
    try:
        _look(open_tomogram(path))
    except PickerError as exc:
        return str(exc)
    return "Readable."


@pytest.fixture(scope="session")
def monkeypatch_session():
    with pytest.MonkeyPatch.context() as patch:
        yield patch
