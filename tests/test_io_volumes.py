from __future__ import annotations

import gzip
import os
import time
import tracemalloc

import mrcfile
import numpy as np
import pytest

from core.errors import ConfigError, FileFormatError, PickerError
from core.io.volumes import mrc_writer, open_tomogram, write_mrc

SHAPE = (4, 5, 6)
RAMP = np.arange(120).reshape(SHAPE) - 60
REALS = RAMP.astype(np.float32)


def _write(path, data=REALS, voxel_size=10.0, byte_order="<", **fields):
    """Write with the reference library, then set header fields and byte order as odd writers do."""
    with mrcfile.new(path, overwrite=True) as file:
        file.set_data(data)
        if data.ndim == 3:
            file.set_volume()
        file.voxel_size = voxel_size
    header = np.frombuffer(path.read_bytes()[:1024], mrcfile.dtypes.HEADER_DTYPE.newbyteorder("<"))
    header = header.astype(header.dtype.newbyteorder(byte_order))
    for name, value in ({"machst": (17, 17, 0, 0)} if byte_order == ">" else {}).items() | fields.items():
        header[name] = value
    path.write_bytes(header.tobytes() + data.astype(data.dtype.newbyteorder(byte_order)).tobytes())
    return path


def _stamp(path, flags, order="little"):
    with path.open("rb+") as file:
        file.seek(152)
        file.write((1146047817).to_bytes(4, order) + flags.to_bytes(4, order))
    return path


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.float32, np.uint16, np.float16])
def test_every_mode_is_read_in_both_byte_orders(tmp_path, dtype, byte_order):
    data = (RAMP + (60 if dtype == np.uint16 else 0)).astype(dtype)
    tomogram = open_tomogram(_write(tmp_path / "a.mrc", data, byte_order=byte_order))
    assert tomogram.shape == SHAPE
    assert np.array_equal(tomogram.data, data)
    block = tomogram.block((1, 2, 3), (2, 3, 3))
    assert block.dtype == np.float32
    assert block.dtype.isnative
    assert np.array_equal(block, data[1:3, 2:5, 3:6])
    assert tomogram.notices == ()


@pytest.mark.parametrize("suffix", [".mrc", ".rec", ".map", ".st", ".ali", ".MRC", ".weird", ""])
def test_content_decides_whatever_the_suffix(tmp_path, suffix):
    tomogram = open_tomogram(_write(tmp_path / f"ts_01{suffix}"))
    assert (tomogram.id, tomogram.path, tomogram.voxel_size) == ("ts_01", tmp_path / f"ts_01{suffix}", 10)


def test_the_caller_may_name_it(tmp_path):
    assert open_tomogram(_write(tmp_path / "a.mrc"), id="cell 3").id == "cell 3"


def _sparse(path, nz):
    write_mrc(path, np.zeros((1, 1024, 1024), np.int16), 10)
    with path.open("rb+") as file:
        file.seek(8)
        file.write(nz.to_bytes(4, "little"))
        file.seek(36)
        file.write(nz.to_bytes(4, "little"))
        file.truncate(1024 + nz * 2**21)
    return path


def _resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs the resident size that Linux tells")
def test_two_gigabytes_are_opened_without_being_read(tmp_path):
    path = _sparse(tmp_path / "large.mrc", 1000)
    before, start = _resident(), time.perf_counter()
    tomogram = open_tomogram(path)
    block = tomogram.block((990, 0, 0), (2, 8, 8))
    assert time.perf_counter() - start < 1
    assert _resident() - before < 2**26
    assert tomogram.shape == (1000, 1024, 1024)
    assert not block.any()


# ---- signed bytes

BYTES = np.arange(120, dtype=np.uint8).reshape(SHAPE) + np.uint8(100)


@pytest.mark.parametrize(
    ("low", "high", "signed", "doubt"),
    [
        (-5, 127, True, False),
        (0, 200, False, False),
        (-100, 130, True, True),
        (-1, 200, False, True),
        (0, 0, False, True),
        (0, -1, True, True),
    ],
)
def test_bytes_without_a_stamp_go_by_the_range_in_the_header(tmp_path, low, high, signed, doubt):
    path = _write(tmp_path / "a.mrc", BYTES.view(np.int8), dmin=low, dmax=high)
    tomogram = open_tomogram(path)
    assert tomogram.data.dtype == (np.int8 if signed else np.uint8)
    assert np.array_equal(tomogram.data, BYTES.view(np.int8) if signed else BYTES)
    assert any("bytes are signed" in notice for notice in tomogram.notices) == doubt


@pytest.mark.parametrize(("flags", "signed"), [(0, False), (1, True), (3, True), (2, False)])
@pytest.mark.parametrize("byte_order", ["<", ">"])
def test_the_stamp_outweighs_the_range(tmp_path, flags, signed, byte_order):
    low, high = (0, 250) if signed else (-5, 100)
    path = _write(tmp_path / "a.mrc", BYTES.view(np.int8), byte_order=byte_order, dmin=low, dmax=high)
    tomogram = open_tomogram(_stamp(path, flags, "little" if byte_order == "<" else "big"))
    assert tomogram.data.dtype == (np.int8 if signed else np.uint8)
    assert tomogram.notices == ()


@pytest.mark.parametrize("signed", [True, False])
def test_the_caller_outweighs_the_file_and_the_view_stays_a_memory_map(tmp_path, signed):
    path = _stamp(_write(tmp_path / "a.mrc", BYTES.view(np.int8)), 0 if signed else 1)
    tomogram = open_tomogram(path, signed=signed)
    assert isinstance(tomogram.data, np.memmap)
    assert tomogram.data.dtype == (np.int8 if signed else np.uint8)
    assert tomogram.notices == ()


# ---- voxel size


@pytest.mark.parametrize("voxel_size", [0.834, 1.35, 10.0, 13.48])
def test_the_voxel_size_is_read_without_the_noise_of_four_bytes(tmp_path, voxel_size):
    assert open_tomogram(_write(tmp_path / "a.mrc", voxel_size=voxel_size)).voxel_size == voxel_size


UNKNOWN = {
    "zero cell": {"cella": (0, 0, 0)},
    "zero grid": {"mx": 0, "my": 0, "mz": 0},
    "infinite cell": {"cella": (np.inf, np.inf, np.inf)},
    "NaN cell": {"cella": (np.nan, np.nan, np.nan)},
    "negative cell": {"cella": (-60, -50, -40)},
}


@pytest.mark.parametrize("fields", UNKNOWN.values(), ids=UNKNOWN)
def test_a_voxel_size_that_is_missing_is_reported_and_can_be_given(tmp_path, fields):
    path = _write(tmp_path / "a.mrc", **fields)
    tomogram = open_tomogram(path)
    assert tomogram.voxel_size == 0
    assert "does not tell its voxel size" in " ".join(tomogram.notices)
    given = open_tomogram(path, voxel_size=7.5)
    assert (given.voxel_size, given.notices) == (7.5, ())


def test_one_angstrom_is_kept_and_doubted(tmp_path):
    tomogram = open_tomogram(_write(tmp_path / "a.mrc", voxel_size=1.0))
    assert tomogram.voxel_size == 1
    assert "nobody has set it" in tomogram.notices[0]


def test_voxels_that_are_no_cubes_are_reported(tmp_path):
    tomogram = open_tomogram(_write(tmp_path / "a.mrc", voxel_size=(10.0, 10.0, 10.05)))
    assert tomogram.voxel_size == 10
    assert "not cubes" in tomogram.notices[0]
    assert open_tomogram(_write(tmp_path / "b.mrc", voxel_size=(10.0, 10.0, 10.005))).notices == ()


@pytest.mark.parametrize("voxel_size", [0.0, -3.0, np.nan, np.inf])
def test_a_given_voxel_size_must_make_sense(tmp_path, voxel_size):
    with pytest.raises(ConfigError, match="above 0"):
        open_tomogram(_write(tmp_path / "a.mrc"), voxel_size=voxel_size)


# ---- odd but readable


def test_a_longer_file_is_reported(tmp_path):
    path = _write(tmp_path / "a.mrc")
    with path.open("ab") as file:
        file.write(bytes(13))
    assert "13 bytes larger" in open_tomogram(path).notices[0]


def test_axes_in_another_order_are_reported(tmp_path):
    assert "orders the axes [2, 1, 3]" in open_tomogram(_write(tmp_path / "a.mrc", mapc=2, mapr=1)).notices[0]


def test_a_volume_that_calls_itself_a_stack_is_read(tmp_path):
    path = _write(tmp_path / "a.mrc", ispg=0, mz=1, cella=(60, 50, 40))
    tomogram = open_tomogram(path)
    assert tomogram.voxel_size == 10
    assert tomogram.shape == SHAPE
    assert "stack of images" in tomogram.notices[0]


def test_an_old_header_without_the_mark_is_read(tmp_path):
    tomogram = open_tomogram(_write(tmp_path / "a.mrc", map=b"\0\0\0\0"))
    assert np.array_equal(tomogram.data, RAMP)
    assert "Map ID" in tomogram.notices[0]


def test_an_extended_header_is_skipped(tmp_path):
    path = tmp_path / "a.mrc"
    with mrcfile.new(path) as file:
        file.set_data(RAMP.astype(np.int16))
        file.set_extended_header(np.zeros(256, "V1"))
        file.voxel_size = 10
    assert np.array_equal(open_tomogram(path).data, RAMP)


# ---- refused, with one sentence each


def _refused(path):
    with pytest.raises(FileFormatError) as error:
        open_tomogram(path)
    text = str(error.value)
    assert str(path) in text
    assert text.endswith(".")
    assert "\n" not in text
    return text


@pytest.mark.parametrize("missing", [1, 100, 480])
def test_a_truncated_file_tells_how_much_is_missing(tmp_path, missing):
    path = _write(tmp_path / "a.mrc")
    os.truncate(path, path.stat().st_size - missing)
    assert f"truncated: {missing} of the 1504 bytes" in _refused(path)


@pytest.mark.parametrize("byte_order", ["<", ">"])
def test_an_extended_header_that_is_not_there_takes_no_memory(tmp_path, byte_order):
    path = _write(tmp_path / "a.mrc")
    content = bytearray(path.read_bytes())
    header = np.frombuffer(content, mrcfile.dtypes.HEADER_DTYPE, 1)
    if byte_order == ">":
        content[:1024] = header.astype(header.dtype.newbyteorder(">")).tobytes()
        content[212:214] = b"\x11\x11"
    content[92:96] = np.array(2**30, f"{byte_order}i4").tobytes()
    path.write_bytes(content)
    tracemalloc.start()
    try:
        assert "truncated: 1073741824 of the" in _refused(path)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("mode", "word"), [(3, "Fourier"), (4, "Fourier"), (16, "colour"), (101, "4-bit"), (5, "unknown"), (99, "unknown")]
)
def test_modes_that_are_no_tomogram_are_named(tmp_path, mode, word):
    text = _refused(_write(tmp_path / "a.mrc", mode=mode))
    assert word in text
    assert f"(mode {mode})" in text


def test_a_fourier_transform_without_the_mark_is_named_too(tmp_path):
    assert "Fourier" in _refused(_write(tmp_path / "a.mrc", mode=4, map=b"\0\0\0\0"))


@pytest.mark.parametrize("suffix", [".mrc", ".st"])
def test_a_single_image_is_no_volume(tmp_path, suffix):
    assert "single image of 6 x 5 pixels" in _refused(_write(tmp_path / f"a{suffix}", RAMP[0].astype(np.float32)))
    assert "single image" in _refused(_write(tmp_path / f"b{suffix}", RAMP[:1].astype(np.float32)))


@pytest.mark.parametrize("suffix", [".st", ".ali", ".mrcs"])
def test_a_tilt_series_is_no_volume(tmp_path, suffix):
    assert "stack of 4 images" in _refused(_write(tmp_path / f"a{suffix}", ispg=0, mz=1))


def test_a_stack_of_volumes_is_refused(tmp_path):
    assert "several volumes" in _refused(_write(tmp_path / "a.mrc", ispg=401, mz=2))
    assert "several volumes" in _refused(_write(tmp_path / "a.mrc", ispg=401, mz=0))


@pytest.mark.parametrize(("fields", "word"), [({"nx": 0}, "no sense"), ({"ny": -5}, "no sense"), ({"nsymbt": -80}, "no sense")])
def test_a_header_without_sense_is_refused(tmp_path, fields, word):
    assert word in _refused(_write(tmp_path / "a.mrc", **fields))


def test_a_missing_file(tmp_path):
    assert "no such file" in _refused(tmp_path / "none.mrc")


def test_a_folder(tmp_path):
    assert "is a folder" in _refused(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path):
    path = _write(tmp_path / "a.mrc")
    path.chmod(0)
    assert "no permission" in _refused(path)


def test_no_permission_as_the_system_tells_it(tmp_path, monkeypatch):
    path = _write(tmp_path / "a.mrc")

    def deny(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", deny)
    assert "no permission" in _refused(path)


@pytest.mark.parametrize(
    ("content", "word"),
    [(b"", "empty"), (b"x" * 40, "only 40 bytes"), (b"1 2 3\n" * 400, "not an MRC file"), (bytes(4096), "not an MRC file")],
    ids=["empty", "short", "text", "zeros"],
)
def test_a_file_that_only_has_the_name(tmp_path, content, word):
    path = tmp_path / "a.mrc"
    path.write_bytes(content)
    assert word in _refused(path)


@pytest.mark.parametrize(
    ("content", "word"), [(gzip.compress(bytes(3000)), "not an MRC file inside"), (b"BZh91AY" + bytes(3000), "damaged")]
)
def test_a_compressed_file_must_hold_an_mrc_file(tmp_path, content, word):
    path = tmp_path / "a.mrc.gz"
    path.write_bytes(content)
    assert word in _refused(path)


def test_an_unknown_format_lists_what_is_read(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(2000))
    text = _refused(path)
    assert "MRC (.mrc, .rec, .map, .st, .ali)" in text


# ---- writing


@pytest.mark.parametrize("voxel_size", [0.0, 1.35, 13.48])
@pytest.mark.parametrize(
    ("dtype", "stored"),
    [
        ("bool", "i1"),
        ("i1", "i1"),
        ("u1", "i2"),
        ("i2", "i2"),
        ("u2", "u2"),
        ("f2", "f2"),
        (">f4", "f4"),
        ("f8", "f4"),
        ("i8", "f4"),
    ],
)
def test_what_is_written_is_read_back(tmp_path, dtype, stored, voxel_size):
    data = (RAMP > 0) if dtype == "bool" else (np.abs(RAMP) if "u" in dtype else RAMP).astype(dtype)
    write_mrc(tmp_path / "a.mrc", data, voxel_size)
    tomogram = open_tomogram(tmp_path / "a.mrc")
    if dtype != "bool":  # 0 and 1 are the same signed and unsigned
        assert tomogram.data.dtype == np.dtype(stored)
    assert np.array_equal(tomogram.data, data)
    assert tomogram.voxel_size == voxel_size


def test_the_reference_library_finds_the_written_file_valid(tmp_path):
    path = tmp_path / "a.mrc"
    write_mrc(path, RAMP.astype(np.int8), 10)
    assert mrcfile.validate(path)
    with mrcfile.open(path) as file:
        assert file.is_volume()
        assert (int(file.header.ispg), int(file.header.mz)) == (1, 4)
        assert (file.header.dmin, file.header.dmax) == (-60, 59)
        assert file.header.rms == pytest.approx(RAMP.std())


def test_slabs_make_the_same_file_as_the_whole(tmp_path):
    data = RAMP.astype(np.float32)
    write_mrc(tmp_path / "whole.mrc", data, 10)
    with mrc_writer(tmp_path / "slabs.mrc", SHAPE, np.float32, 10) as writer:
        for z in range(0, 4, 3):
            writer.write(data[z : z + 3])
    assert (tmp_path / "slabs.mrc").read_bytes() == (tmp_path / "whole.mrc").read_bytes()


@pytest.mark.parametrize("sections", [0, 3, 5])
def test_a_wrong_number_of_sections_leaves_no_file(tmp_path, sections):
    with pytest.raises(ValueError, match="sections"), mrc_writer(tmp_path / "a.mrc", SHAPE, np.float32, 10) as writer:
        writer.write(np.zeros((sections, 5, 6), np.float32))
    assert os.listdir(tmp_path) == []


def test_a_failure_keeps_the_old_file(tmp_path):
    path = _write(tmp_path / "a.mrc")
    old = path.read_bytes()
    with pytest.raises(PickerError, match="disk is full"), mrc_writer(path, SHAPE, np.float32, 10):
        raise OSError(28, "No space left on device")
    assert path.read_bytes() == old
    assert os.listdir(tmp_path) == ["a.mrc"]
