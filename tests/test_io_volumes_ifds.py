"""Pages of TIFF files that lead in circles, nowhere, or to lists without end; and sound ones of every kind."""

from __future__ import annotations

import logging
import struct
import time

import numpy as np
import pytest
import tifffile

from core.errors import FileFormatError
from core.io.volumes import open_tomogram
from core.io.volumes.ifds import require_sound_pages

SECTIONS = 130


def _pages(path, **kind):
    """Write one page for each section, as cameras do."""
    with tifffile.TiffWriter(path, **kind) as file:
        for number in range(SECTIONS):
            file.write(np.full((4, 5), number, "u2"), contiguous=False, metadata=None)


def _places_of_links(content, big=False):
    """Return where each page of a little-endian file names the next one."""
    word, count = ("<Q", "<Q") if big else ("<I", "<H")
    places, (offset,) = [], struct.unpack_from(word, content, 8 if big else 4)
    while offset:
        (tags,) = struct.unpack_from(count, content, offset)
        places.append(offset + struct.calcsize(count) + tags * (20 if big else 12))
        (offset,) = struct.unpack_from(word, content, places[-1])
    return places


def _patch(path, place, what):
    content = bytearray(path.read_bytes())
    content[place : place + len(what)] = what
    path.write_bytes(content)


def _tag(path, code):
    content = path.read_bytes()
    (offset,) = struct.unpack_from("<I", content, 4)
    return next(at for at in range(offset + 2, len(content), 12) if struct.unpack_from("<H", content, at)[0] == code)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("back", [0, 60, 120, SECTIONS - 1])
def test_pages_in_a_circle_are_refused(tmp_path, big, back):
    path = tmp_path / "circle.tif"
    _pages(path, bigtiff=big)
    content = path.read_bytes()
    links = _places_of_links(content, big)
    first = struct.unpack_from("<Q" if big else "<I", content, 8 if big else 4)[0]
    target = first if back == 0 else struct.unpack_from("<Q" if big else "<I", content, links[back - 1])[0]
    _patch(path, links[-1], struct.pack("<Q" if big else "<I", target))
    with pytest.raises(FileFormatError, match="no end"):
        open_tomogram(path)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_many_pages_are_read(tmp_path, big, byteorder):
    path = tmp_path / "many.tif"
    _pages(path, bigtiff=big, byteorder=byteorder)
    tomogram = open_tomogram(path)
    assert tomogram.shape == (SECTIONS, 4, 5)
    assert np.asarray(tomogram.data[77])[1, 2] == 77


def test_pages_that_are_cut_off_are_left_to_the_library(tmp_path):
    path = tmp_path / "cut.tif"
    _pages(path)
    _patch(path, _places_of_links(path.read_bytes())[99], struct.pack("<I", path.stat().st_size - 3))
    require_sound_pages(path)
    assert open_tomogram(path).shape == (100, 4, 5)


def test_a_first_page_of_noise_is_refused_however_often_it_is_asked_for(tmp_path):
    """Each wrong tag is told to the library's log: handlers that gathered there took seconds after thousands of files."""
    path = tmp_path / "noise.tif"
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, 1028) + b"\x07\xa1\xff\x7f" * 3 * 1028 + bytes(4))
    log = logging.getLogger("tifffile")
    before, began = list(log.handlers), time.process_time()
    for _ in range(20):
        with pytest.raises(FileFormatError, match="names no page"):
            open_tomogram(path)
    assert log.handlers == before
    assert (time.process_time() - began) / 20 < 0.1


@pytest.mark.parametrize(("offset", "word"), [(8, "names no page"), (10**6, "no image|cannot be read")])
def test_a_page_that_is_not_there_is_refused(tmp_path, offset, word):
    path = tmp_path / "nowhere.tif"
    path.write_bytes(b"II*\0" + struct.pack("<IH", offset, 5000) + bytes(200))
    with pytest.raises(FileFormatError, match=word):
        open_tomogram(path)


@pytest.mark.parametrize("code", [273, 279, 258])
def test_a_list_longer_than_any_image_is_refused_unread(tmp_path, code):
    path = tmp_path / "list.tif"
    tifffile.imwrite(path, np.ones((2, 3, 4), "f4"), photometric="minisblack")
    place = _tag(path, code) + 4
    path.write_bytes(path.read_bytes() + bytes(2**23))
    _patch(path, place, struct.pack("<I", 2**21))
    with pytest.raises(FileFormatError, match="list of 2097152 values"):
        open_tomogram(path)


def test_an_edge_without_sense_is_refused(tmp_path):
    path = tmp_path / "high.tif"
    tifffile.imwrite(path, np.ones((2, 3, 4), "f4"), photometric="minisblack")
    _patch(path, _tag(path, 257) + 8, struct.pack("<I", 2**30))
    with pytest.raises(FileFormatError, match="1073741824 pixels"):
        open_tomogram(path)


def test_an_imagej_stack_of_more_than_four_gigabytes_is_read(tmp_path):
    """ImageJ writes one page and all sections behind it."""
    path, shape = tmp_path / "large.tif", (520, 1500, 1500)
    with pytest.warns(UserWarning, match="truncating ImageJ file"):  # where ImageJ looks for nothing
        tifffile.imwrite(path, shape=shape, dtype="f4", imagej=True, metadata={"axes": "ZYX", "unit": "nm", "spacing": 1})
    assert path.stat().st_size > 2**32
    tomogram = open_tomogram(path)
    assert tomogram.shape == shape
    assert float(tomogram.data[519, 700, 700]) == 0
