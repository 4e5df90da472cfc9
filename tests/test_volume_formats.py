"""Volumes written by other people's libraries, read by ours, and the other way round."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import pickle

import emfile
import h5py
import mrcfile
import nrrd
import numpy as np
import pytest
import tifffile
import zarr

from core.errors import FileFormatError, PickerError
from core.host import hosted
from core.io.volumes import fingerprint, format_of, is_tomogram_folder, name_of, open_tomogram, suffixes, write_mrc, write_zarr
from core.io.volumes.lazy import LazyVolume
from core.messages import Progress, drain

SHAPE = (5, 20, 30)
REALS = np.random.default_rng(0).normal(0, 20, SHAPE).astype("f4")
TYPES = ["i1", "u1", "i2", "u2", "i4", "f4", "f8"]


def _typed(dtype):
    return (np.abs(REALS) if dtype[0] == "u" else REALS).astype(dtype)


def _same(path, data, voxel_size, *words, **options):
    tomogram = open_tomogram(path, **options)
    assert tomogram.shape == data.shape
    assert tomogram.data.dtype.newbyteorder("=") == data.dtype.newbyteorder("=")
    np.testing.assert_array_equal(np.asarray(tomogram.data), data)
    np.testing.assert_array_equal(tomogram.data[2, 3:7, ::-3], data[2, 3:7, ::-3])
    np.testing.assert_array_equal(
        tomogram.block((-1, 4, 25), (3, 5, 9))[1], np.pad(data[0, 4:9, 25:], ((0, 0), (0, 4)), "symmetric")
    )
    assert tomogram.voxel_size == pytest.approx(voxel_size, rel=1e-5)
    for word in words:
        assert word in " ".join(tomogram.notices)
    assert words or not tomogram.notices
    return tomogram


UNKNOWN = "does not tell its voxel size"


def _refused(path):
    with pytest.raises(PickerError) as error:
        np.asarray(open_tomogram(path).data)
    assert str(error.value).endswith(".")
    return str(error.value)


# ---- arrays on disk ----

SLICES = [
    np.s_[:],
    np.s_[3],
    np.s_[-1, 2],
    np.s_[1, 2, 3],
    np.s_[..., 4],
    np.s_[1:4, ::2, ::-1],
    np.s_[4:1:-2, 19:3:-5],
    np.s_[3:3],
    np.s_[np.int64(2), :, np.uint8(7)],
    np.s_[:, 25:99],
]


@pytest.mark.parametrize("key", SLICES, ids=str)
@pytest.mark.parametrize("chunks", [(1, 20, 30), (2, 7, 8), (64, 64, 64)])
def test_a_volume_on_disk_is_sliced_like_an_array(chunks, key):
    volume = LazyVolume(SHAPE, "f4", chunks, lambda box: REALS[box])
    np.testing.assert_array_equal(volume[key], REALS[key])
    assert (volume.ndim, len(volume), volume.size, volume.nbytes) == (3, 5, 3000, 12000)


@pytest.mark.parametrize("key", [5, -6, (0, 20), (0, 0, 0, 0), [1, 2], True, None, (..., ...)], ids=str)
def test_what_it_cannot_do_is_an_error_of_the_index(key):
    with pytest.raises(IndexError):
        LazyVolume(SHAPE, "f4", (2, 7, 8), lambda box: REALS[box])[key]


def test_going_through_sections_fetches_each_chunk_once():
    fetched = []
    volume = LazyVolume(SHAPE, "f4", (2, 8, 8), lambda box: fetched.append(str(box)) or REALS[box])
    for axis, n in enumerate(SHAPE):
        for i in range(n):
            np.testing.assert_array_equal(volume[(slice(None),) * axis + (i,)], REALS.take(i, axis))
    assert len(fetched) == len(set(fetched)) == 3 * 3 * 4


def test_the_file_is_closed_with_the_last_reference():
    closed = []
    volume = LazyVolume(SHAPE, "f4", (1, 1, 1), lambda box: REALS[box], lambda: closed.append(1))
    del volume
    assert closed == [1]


# ---- compressed MRC ----


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress)])
def test_a_compressed_file_is_mapped_from_a_copy_that_is_made_once(tmp_path, own_temporary_folder, suffix, pack):
    write_mrc(tmp_path / "a.mrc", REALS, 13.48)
    path = tmp_path / f"TS_01.mrc{suffix}"
    path.write_bytes(pack((tmp_path / "a.mrc").read_bytes()))
    for _ in range(2):
        tomogram = _same(path, REALS, 13.48)
        assert (tomogram.id, tomogram.path) == ("TS_01", path)
        assert isinstance(tomogram.data, np.memmap)
    assert len(list(own_temporary_folder.rglob("*.unpacked"))) == 1
    with mrcfile.open(path) as oracle:
        np.testing.assert_array_equal(oracle.data, REALS)


@pytest.mark.parametrize(("pack", "word"), [(gzip.compress, "truncated"), (bz2.compress, "truncated")])
def test_a_compressed_file_that_ends_too_early(tmp_path, own_temporary_folder, pack, word):
    write_mrc(tmp_path / "a.mrc", REALS, 10)
    whole = (tmp_path / "a.mrc").read_bytes()
    for content in (pack(whole)[:-2000], pack(whole[:-8])):
        (tmp_path / "a.mrc.gz").write_bytes(content)
        assert word in _refused(tmp_path / "a.mrc.gz")
    assert not list(own_temporary_folder.rglob("*.*"))


def test_a_small_file_that_announces_terabytes_is_not_decompressed(tmp_path):
    write_mrc(tmp_path / "a.mrc", REALS, 10)
    content = bytearray((tmp_path / "a.mrc").read_bytes())
    content[0:12] = np.array([100_000, 100_000, 100_000], "<i4").tobytes()
    (tmp_path / "a.mrc.gz").write_bytes(gzip.compress(content))
    assert "cannot hold the 40000000" in _refused(tmp_path / "a.mrc.gz")


def test_another_user_s_folder_is_not_trusted(tmp_path, own_temporary_folder):
    (own_temporary_folder / f"deepetpicker-{os.getuid()}").mkdir(mode=0o777)
    os.chmod(own_temporary_folder / f"deepetpicker-{os.getuid()}", 0o777)
    write_mrc(tmp_path / "a.mrc", REALS, 10)
    (tmp_path / "a.mrc.gz").write_bytes(gzip.compress((tmp_path / "a.mrc").read_bytes()))
    assert "open to others" in _refused(tmp_path / "a.mrc.gz")


# ---- OME-Zarr ----


def _group(path, data, axes, scale, version=2, shift=None, name="0", **options):
    group = zarr.create_group(path, zarr_format=version)
    group.create_array(name, data=data, **options)
    transform = [{"type": "scale", "scale": scale}] if scale else []
    transform += [{"type": "translation", "translation": shift}] if shift else []
    said = [{"axes": axes, "datasets": [{"path": name, "coordinateTransformations": transform}]}]
    group.attrs.update({"multiscales": said} if version == 2 else {"ome": {"version": "0.5", "multiscales": said}})
    return path


def _axes(unit="angstrom", names="zyx"):
    kinds = {"t": "time", "c": "channel"}
    return [{"name": n, "type": kinds.get(n, "space")} | ({"unit": unit} if unit and n in "zyx" else {}) for n in names]


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(("unit", "size"), [("angstrom", 13.48), ("nanometer", 1.348), ("micrometer", 1.348e-3)])
def test_ome_zarr_of_both_versions_in_all_units(tmp_path, version, unit, size):
    path = _group(tmp_path / "TS_1.ome.zarr", REALS, _axes(unit), [size] * 3, version, chunks=(2, 8, 8))
    assert _same(path, REALS, 13.48).id == "TS_1"
    assert format_of(path) == "OME-Zarr folder"


@pytest.mark.parametrize("dtype", [*TYPES, ">i2", ">f4"])
@pytest.mark.parametrize("version", [2, 3])
def test_ome_zarr_of_all_types(tmp_path, dtype, version):
    data = _typed(dtype.lstrip(">")).astype(dtype)
    _same(_group(tmp_path / "a.zarr", data, _axes(), [10.0] * 3, version), data, 10)


def test_sharded_arrays(tmp_path):
    path = _group(tmp_path / "a.zarr", REALS, _axes(), [10.0] * 3, 3, chunks=(1, 5, 5), shards=(5, 10, 10))
    _same(path, REALS, 10)


@pytest.mark.parametrize("names", ["tczyx", "czyx"])
def test_axes_of_one_entry_are_dropped_and_longer_ones_refused(tmp_path, names):
    whole = (1,) * (len(names) - 3)
    _same(_group(tmp_path / "a.zarr", REALS.reshape(whole + SHAPE), _axes(names=names), [1.0] * len(whole) + [10.0] * 3), REALS, 10)
    many = np.stack([REALS] * 2).reshape((2, *whole[1:], *SHAPE))
    path = _group(tmp_path / "b.zarr", many, _axes(names=names), [1.0] * len(whole) + [10.0] * 3)
    assert "more than one volume" in _refused(path)


def test_axes_in_another_order_are_turned(tmp_path):
    _same(_group(tmp_path / "a.zarr", REALS.T, _axes(names="xyz"), [10.0, 10.0, 10.0]), REALS, 10)


@pytest.mark.parametrize(("unit", "word"), [("", "not in which unit"), ("parsec", "no known unit")])
def test_a_size_without_a_known_unit_is_told(tmp_path, unit, word):
    _same(_group(tmp_path / "a.zarr", REALS, _axes(unit), [13.48] * 3), REALS, 0, word, UNKNOWN)


def test_a_translation_is_the_origin_not_a_shift_of_positions(tmp_path):
    path = _group(tmp_path / "a.zarr", REALS, _axes("nanometer"), [1.0] * 3, shift=[1.0, 2.0, 3.0])
    assert _same(path, REALS, 10).origin == (10, 20, 30)


@pytest.mark.parametrize("version", [2, 3])
def test_a_plain_array_is_a_volume_of_unknown_voxel_size(tmp_path, version):
    zarr.create_array(tmp_path / "a.zarr", data=REALS[np.newaxis], zarr_format=version)
    _same(tmp_path / "a.zarr", REALS, 0, UNKNOWN)


def test_a_file_inside_stands_for_the_folder(tmp_path):
    path = _group(tmp_path / "a.zarr", REALS, _axes(), [10.0] * 3)
    tomogram = open_tomogram(path / ".zattrs")
    assert (tomogram.id, tomogram.path) == ("a", path)


def test_codecs_that_run_code_are_refused(tmp_path):
    path = _group(tmp_path / "a.zarr", REALS, _axes(), [10.0] * 3)
    said = json.loads((path / "0/.zarray").read_text())
    for change in ({"filters": [{"id": "pickle"}]}, {"compressor": {"id": "pickle"}}, {"dtype": "|O"}):
        (path / "0/.zarray").write_text(json.dumps(said | change))
        _refused(path)
    assert "'pickle'" in _refused_codec(path, said)


def _refused_codec(path, said):
    (path / "0/.zarray").write_text(json.dumps(said | {"filters": [{"id": "pickle"}]}))
    return _refused(path)


@pytest.mark.parametrize("outside", ["../b.zarr/0", "/etc", ""])
def test_arrays_outside_the_folder_are_refused(tmp_path, outside):
    _group(tmp_path / "b.zarr", REALS, _axes(), [10.0] * 3)
    path = _group(tmp_path / "a.zarr", REALS, _axes(), [10.0] * 3)
    (path / ".zattrs").write_text((path / ".zattrs").read_text().replace('"path": "0"', f'"path": "{outside}"'))
    assert "not inside it" in _refused(path)


BLOSC = {"version": 3, "compressors": zarr.codecs.BloscCodec()}


@pytest.mark.parametrize("options", [{"chunks": SHAPE}, BLOSC, BLOSC | {"chunks": (5, 10, 10), "shards": SHAPE}])
def test_a_damaged_chunk_is_told_when_it_is_read(tmp_path, options):
    path = _same(_group(tmp_path / "a.zarr", REALS, _axes(), [10.0] * 3, **options), REALS, 10).path
    chunk = next(one for one in (path / "0").rglob("*") if one.is_file() and one.name not in (".zarray", ".zattrs", "zarr.json"))
    content = bytearray(chunk.read_bytes())
    content[12:16] = b"\xff\xff\xff\x7f"  # the length that the decoder would believe
    chunk.write_bytes(content)
    assert "is damaged" in _refused(path)


def test_huge_chunks_that_are_not_there_are_refused(tmp_path):
    path = _group(tmp_path / "a.zarr", REALS, _axes(), [10.0] * 3)
    said = json.loads((path / "0/.zarray").read_text())
    (path / "0/.zarray").write_text(json.dumps(said | {"shape": [99_999] * 3, "chunks": [99_999] * 3}))
    assert "more than it can hold" in _refused(path)


@pytest.mark.parametrize("dtype", TYPES)
def test_a_written_folder_is_read_by_zarr_itself_and_by_us(tmp_path, dtype):
    data = np.random.default_rng(1).integers(0, 100, (9, 130, 515)).astype(dtype)
    path = tmp_path / "a.ome.zarr"
    write_zarr(path, data, 13.48)
    tomogram = _big(open_tomogram(path), data)
    group = zarr.open_group(path, mode="r")
    assert group.metadata.zarr_format == 2
    np.testing.assert_array_equal(group["0"][:], data)
    assert [one["path"] for one in group.attrs["multiscales"][0]["datasets"]] == ["0", "1", "2"]
    assert [level.data.shape for level in tomogram.levels] == [(5, 65, 258), (3, 33, 129)]
    assert [level.factor for level in tomogram.levels] == [(2, 2, 2), (4, 4, 4)]
    assert [level.offset for level in tomogram.levels] == [pytest.approx((f, f, f)) for f in (0.5, 1.5)]


def _big(tomogram, data):
    np.testing.assert_array_equal(np.asarray(tomogram.data), data)
    assert tomogram.voxel_size == 13.48
    assert tomogram.notices == ()
    return tomogram


def test_levels_are_means_of_blocks(tmp_path):
    data = np.random.default_rng(1).normal(size=(9, 14, 515)).astype("f4")
    write_zarr(tmp_path / "a.zarr", data, 10)
    one = np.asarray(open_tomogram(tmp_path / "a.zarr").levels[0].data)
    np.testing.assert_allclose(one[:4, :, :257], data[:8, :, :514].reshape(4, 2, 7, 2, 257, 2).mean(axis=(1, 3, 5)), atol=1e-6)
    np.testing.assert_allclose(one[4, :, 257], data[8, :, 514].reshape(7, 2).mean(axis=1), atol=1e-6)


def test_writing_replaces_a_zarr_folder_and_nothing_else(tmp_path):
    write_zarr(tmp_path / "a.zarr", REALS, 10)
    write_zarr(tmp_path / "a.zarr", REALS + 1, 10)
    np.testing.assert_array_equal(np.asarray(open_tomogram(tmp_path / "a.zarr").data), REALS + 1)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "a.tex").write_text("words")
    with pytest.raises(PickerError, match="in the way"):
        write_zarr(tmp_path / "thesis", REALS, 10)
    assert sorted(os.listdir(tmp_path)) == ["a.zarr", "thesis"]


def test_a_failure_leaves_the_old_folder(tmp_path):
    write_zarr(tmp_path / "a.zarr", REALS, 10)

    def broken(_box):
        raise OSError(28, "No space left on device")

    with pytest.raises(PickerError, match="disk is full"):
        write_zarr(tmp_path / "a.zarr", LazyVolume(SHAPE, "f4", SHAPE, broken), 10)
    np.testing.assert_array_equal(np.asarray(open_tomogram(tmp_path / "a.zarr").data), REALS)
    assert os.listdir(tmp_path) == ["a.zarr"]


# ---- EMAN2 ----


def _eman(path, data, images=1, attrs=None, **options):
    with h5py.File(path, "w") as file:
        group = file.create_group("MDF/images")
        group.attrs["imageid_max"] = np.int32(images - 1)
        for number in range(images):
            one = group.create_group(str(number))
            one.create_dataset("image", data=data, **options)
            for name, value in ({f"EMAN.apix_{axis}": np.float32(13.48) for axis in "xyz"} | (attrs or {})).items():
                one.attrs[name] = value
    return path


@pytest.mark.parametrize("options", [{}, {"chunks": (1, 8, 8), "compression": "gzip", "shuffle": True}], ids=["plain", "packed"])
@pytest.mark.parametrize("dtype", TYPES)
def test_eman_volumes_of_all_types(tmp_path, dtype, options):
    tomogram = _same(_eman(tmp_path / "a.hdf", _typed(dtype), **options), _typed(dtype), 13.48)
    assert isinstance(tomogram.data, np.memmap) == (not options)


@pytest.mark.parametrize(("bits", "dtype"), [(5, "u1"), (8, "u1"), (12, "u2"), (16, "u2")])
@pytest.mark.parametrize("options", [{}, {"chunks": (1, 8, 8), "compression": "gzip"}], ids=["plain", "packed"])
def test_few_bits_become_the_grey_values_they_stand_for(tmp_path, bits, dtype, options):
    stored = np.random.default_rng(0).integers(0, 2**bits, SHAPE).astype(dtype)
    stored[0, 0, :2] = 0, 2**bits - 1
    attrs = {"EMAN.stored_renderbits": np.int32(bits), "EMAN.stored_rendermin": -1.5, "EMAN.stored_rendermax": 2.5}
    tomogram = open_tomogram(_eman(tmp_path / "a.hdf", stored, attrs=attrs, **options))
    assert tomogram.data[0, 0, :2].tolist() == [-1.5, 2.5]
    np.testing.assert_allclose(np.asarray(tomogram.data), stored / (2**bits - 1) * 4 - 1.5, atol=1e-6)
    assert tomogram.data.dtype == np.float32


def test_other_hdf_files_are_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["volume"] = REALS
    assert "not one of EMAN2" in _refused(tmp_path / "a.h5")
    assert "2 images or volumes" in _refused(_eman(tmp_path / "b.hdf", REALS, images=2))
    assert "single image" in _refused(_eman(tmp_path / "c.hdf", REALS[0]))


def test_links_out_of_the_file_are_not_followed(tmp_path):
    _eman(tmp_path / "a.hdf", REALS)
    with h5py.File(tmp_path / "b.hdf", "w") as file:
        file["MDF"] = h5py.ExternalLink("a.hdf", "MDF")
    assert "not one of EMAN2" in _refused(tmp_path / "b.hdf")
    (tmp_path / "raw").write_bytes(REALS.tobytes())
    with h5py.File(tmp_path / "c.hdf", "w") as file:
        file.create_dataset("MDF/images/0/image", SHAPE, "f4", external=[(str(tmp_path / "raw"), 0, REALS.nbytes)])
    assert "in other files" in _refused(tmp_path / "c.hdf")


# ---- TIFF ----


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "zstd"])
@pytest.mark.parametrize("dtype", TYPES)
def test_tiff_of_all_types(tmp_path, dtype, compression, byte_order):
    data = _typed(dtype)
    tifffile.imwrite(tmp_path / "a.tif", data, compression=compression, byteorder=byte_order, photometric="minisblack")
    tomogram = _same(tmp_path / "a.tif", data, 0, UNKNOWN)
    assert isinstance(tomogram.data, np.memmap) == (compression is None)


@pytest.mark.parametrize(("unit", "size"), [("nm", 1.348), ("\\u00B5m", 1.348e-3), ("micron", 1.348e-3), ("angstrom", 13.48)])
def test_imagej(tmp_path, unit, size):
    said = {"axes": "ZYX", "spacing": size, "unit": unit}
    tifffile.imwrite(tmp_path / "a.tif", REALS, imagej=True, resolution=(1 / size, 1 / size), metadata=said)
    _same(tmp_path / "a.tif", REALS, 13.48)


def test_ome_tiff(tmp_path):
    said = {"axes": "ZYX"} | {f"PhysicalSize{axis}{what}": value for axis in "XYZ" for what, value in (("", 1.348), ("Unit", "nm"))}
    tifffile.imwrite(tmp_path / "TS.ome.tif", REALS, metadata=said)
    assert _same(tmp_path / "TS.ome.tif", REALS, 13.48).id == "TS"
    del said["PhysicalSizeXUnit"]  # then it is in micrometres
    tifffile.imwrite(tmp_path / "b.ome.tif", REALS, metadata=said | {"PhysicalSizeX": 1.348e-3})
    _same(tmp_path / "b.ome.tif", REALS, 13.48)


def test_sections_that_are_called_something_else(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", REALS, imagej=True, metadata={"axes": "TYX"})
    _same(tmp_path / "a.tif", REALS, 0, "5 sections time points", UNKNOWN)


@pytest.mark.parametrize(("data", "predictor"), [(REALS, 3), (np.round(REALS).astype("i2"), 2)])
@pytest.mark.parametrize("compression", ["lzw", "zlib"])
def test_tiff_packed_as_differences(tmp_path, data, predictor, compression):
    tifffile.imwrite(tmp_path / "a.tif", data, compression=compression, predictor=predictor, photometric="minisblack")
    _same(tmp_path / "a.tif", data, 0, UNKNOWN)


def test_tiff_packed_for_pictures_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 16, 16), "u1"), compression="jpeg", photometric="minisblack")
    assert "compressed with JPEG" in _refused(tmp_path / "a.tif")


def test_tiffs_that_are_no_volume(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", REALS[0])
    assert "single image" in _refused(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((8, 9, 3), "u1"), photometric="rgb")
    assert "colour" in _refused(tmp_path / "b.tif")
    tifffile.imwrite(tmp_path / "c.tif", np.stack([REALS] * 2), imagej=True, metadata={"axes": "TZYX"})
    assert "more than one volume" in _refused(tmp_path / "c.tif")


# ---- EM ----


@pytest.mark.parametrize("dtype", ["i2", "i4", "f4", "f8"])
def test_em_of_all_types(tmp_path, dtype):
    emfile.write(tmp_path / "a.em", _typed(dtype))
    _same(tmp_path / "a.em", _typed(dtype), 0, UNKNOWN)


def test_em_bytes_and_byte_order(tmp_path):
    data = _typed("i1")
    emfile.write(tmp_path / "a.em", data)
    _same(tmp_path / "a.em", data, 0, "read as signed", UNKNOWN)
    _same(tmp_path / "a.em", data.view("u1"), 0, UNKNOWN, signed=False)
    head = bytes((5, 0, 0, 5)) + np.array(SHAPE[::-1], ">i4").tobytes()
    (tmp_path / "b.em").write_bytes(head.ljust(512, b"\0") + REALS.astype(">f4").tobytes())
    _same(tmp_path / "b.em", REALS, 0, UNKNOWN)


@pytest.mark.parametrize("missing", [1, 3000])
def test_a_truncated_em_file(tmp_path, missing):
    emfile.write(tmp_path / "a.em", REALS)
    os.truncate(tmp_path / "a.em", 512 + REALS.nbytes - missing)
    assert f"truncated: {missing} of" in _refused(tmp_path / "a.em")


# ---- NRRD ----


@pytest.mark.parametrize("detached", [False, True])
@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2"])
@pytest.mark.parametrize("dtype", [*TYPES, ">i2", ">f4"])
def test_nrrd_of_all_types_and_encodings(tmp_path, dtype, encoding, detached):
    data = _typed(dtype.lstrip(">")).astype(dtype)
    path = tmp_path / ("a.nhdr" if detached else "a.nrrd")
    header = {"encoding": encoding, "spacings": [1.348] * 3, "units": ["nm"] * 3}
    nrrd.write(str(path), data, header, detached_header=detached, index_order="C")
    assert isinstance(_same(path, data, 13.48).data, np.memmap)


@pytest.mark.parametrize(
    ("header", "size", "words"),
    [
        ({"space directions": np.eye(3) * 13.48, "space units": ["angstrom"] * 3}, 13.48, ()),
        ({"spacings": [13.48] * 3}, 0, ("not in which unit", UNKNOWN)),
        ({"spacings": [13.48] * 3, "units": ["ell"] * 3}, 0, ("no known unit", UNKNOWN)),
        ({"spacings": [1.0, 1.0, 1.5], "units": ["nm"] * 3}, 10, ("not cubes",)),
        ({}, 0, (UNKNOWN,)),
    ],
)
def test_nrrd_voxel_sizes(tmp_path, header, size, words):
    nrrd.write(str(tmp_path / "a.nrrd"), REALS, {"encoding": "raw"} | header, index_order="C")
    _same(tmp_path / "a.nrrd", REALS, size, *words)


@pytest.mark.parametrize("detached", [False, True])
@pytest.mark.parametrize("dtype", TYPES)
def test_nrrd_as_text(tmp_path, dtype, detached):
    data = _typed(dtype)
    data[0, 0, 0], path = 3, tmp_path / ("a.nhdr" if detached else "a.nrrd")
    header = {"encoding": "ascii", "spacings": [1.348] * 3, "units": ["nm"] * 3}
    nrrd.write(str(path), data, header, detached_header=detached, index_order="C")
    told = nrrd.read(str(path), index_order="C")[0]
    np.testing.assert_allclose(told, data, rtol=1e-6)
    assert _same(path, told, 13.48).data.dtype == data.dtype


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("7 8", "78", "fewer than 8 numbers"),
        ("7 8", "", "cannot hold 8 numbers"),
        ("7 8", "7 300", "does not fit its type"),
        ("7 8", "7 here", "cannot be read as NRRD"),
        ("1 2", "1 2.5", "cannot be read as NRRD"),
        ("sizes: 2 2 2", "sizes: 2 2 9999", "cannot hold"),
        ("ascii", "hex", "as hex"),
    ],
)
def test_nrrd_as_text_that_is_wrong(tmp_path, old, new, word):
    text = "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 2 2\nencoding: ascii\n\n1 2 3 4\n5 6 7 8\n"
    (tmp_path / "a.nrrd").write_text(text)
    np.testing.assert_array_equal(np.asarray(open_tomogram(tmp_path / "a.nrrd").data).ravel(), np.arange(1, 9))
    (tmp_path / "a.nrrd").write_text(text.replace(old, new))
    assert word in _refused(tmp_path / "a.nrrd")


def test_nrrds_that_are_refused(tmp_path):
    nrrd.write(str(tmp_path / "b.nhdr"), REALS, {"encoding": "raw"}, detached_header=True, index_order="C")
    (tmp_path / "b.raw").unlink()
    assert "b.raw" in _refused(tmp_path / "b.nhdr")


# ---- the registry, and other processes ----


def _one_of_each(folder):
    write_mrc(folder / "a.mrc", REALS, 10)
    (folder / "b.mrc.gz").write_bytes(gzip.compress((folder / "a.mrc").read_bytes()))
    write_zarr(folder / "c.zarr", REALS, 10)
    tifffile.imwrite(folder / "d.tif", REALS, compression="zlib", photometric="minisblack")
    _eman(folder / "e.hdf", REALS, chunks=(1, 8, 8))
    emfile.write(folder / "f.em", REALS)
    nrrd.write(str(folder / "g.nrrd"), REALS, {"encoding": "raw"}, index_order="C")
    return sorted(folder.iterdir())


def _sums(tomograms):
    yield Progress(stage="Adding", done=0, total=1)
    return [float(np.asarray(one.data, np.float64).sum()) for one in tomograms]


def test_every_format_is_opened_again_in_another_process(tmp_path):
    tomograms = [open_tomogram(path) for path in _one_of_each(tmp_path)]
    assert drain(hosted(_sums, tomograms)) == pytest.approx([float(REALS.sum(dtype=np.float64))] * 7)


def test_content_decides_whatever_the_name(tmp_path):
    for path in _one_of_each(tmp_path):
        path.rename(path.with_name("nameless"))
        assert open_tomogram(tmp_path / "nameless").shape == SHAPE
        (tmp_path / "nameless").rename(path)


def test_a_fingerprint_changes_with_the_voxels(tmp_path):
    write_zarr(tmp_path / "a.zarr", REALS, 10)
    before = fingerprint(tmp_path / "a.zarr")
    assert pickle.loads(pickle.dumps(before)) == fingerprint(tmp_path / "a.zarr")
    write_zarr(tmp_path / "a.zarr", REALS, 10)
    assert fingerprint(tmp_path / "a.zarr") != before


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("TS_1.mrc", "TS_1"),
        ("TS.1.rec", "TS.1"),
        ("a.mrc.gz", "a"),
        ("a.ome.tif", "a"),
        ("a.ome.zarr", "a"),
        ("a.b", "a"),
        (".mrc", ".mrc"),
    ],
)
def test_names(tmp_path, file, name):
    assert name_of(tmp_path / file) == name


def test_what_dialogs_offer(tmp_path):
    assert {".mrc", ".rec", ".gz", ".tif", ".hdf", ".em", ".nrrd"} <= set(suffixes())
    assert ".zarr" not in suffixes()
    assert not is_tomogram_folder(tmp_path)
    with pytest.raises(FileFormatError, match="is a folder"):
        open_tomogram(tmp_path)
