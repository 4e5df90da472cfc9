"""IMOD's model files: objects with contours of points, in blocks of big-endian numbers.

Source: IMOD 8c592ce, html/binspec.html, include/istore.h and libimod. In a model the centre of a pixel is at 0.5 in x and y, and
at a whole number in z.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from core.errors import FileFormatError
from core.io.particles.formats import Options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from core.types import FloatArray, IntArray, Positions

MAGIC = b"IMODV1.2"
NANOMETRE, PIXEL = -9, 0
FLIPPED = 1 << 16
_ORIGIN_KNOWN = 1 << 14
_SCATTERED = 1 << 9
_HEADER = struct.Struct(">128s4iI4i6f5ifi i3f")
_OBJECT = struct.Struct(">64s16IiIii3fi8B2i")
_CONTOUR = struct.Struct(">iIii")
_MESH = struct.Struct(">2iI2h")
_STORE = np.dtype([("type", ">i2"), ("flags", ">i2"), ("index", ">i4"), ("value", ">f4")])
_VALUE = 10
_FLOAT_OF_ONE_POINT = (1 << 2) | (1 << 7)
_LONGEST_NAME = 63


@dataclass(frozen=True, kw_only=True)
class ModelOptions(Options):
    """Where the numbers of a model begin.

    Attributes
    ----------
    first_voxel : Literal["0.5 0.5 0", "0.5 0.5 0.5", "0 0 0"]
        The centre of the first voxel, x y z: as IMOD's sources have it, half a section higher, or at 0 throughout. Change it where
        3dmod or PEET shows the points beside the particles.
    """

    first_voxel: Literal["0.5 0.5 0", "0.5 0.5 0.5", "0 0 0"] = "0.5 0.5 0"


def first_voxel(options: Options) -> FloatArray:
    """Return where a model has the centre of the first voxel.

    Parameters
    ----------
    options : Options
        `ModelOptions`; of any others the usual is taken.

    Returns
    -------
    FloatArray
        (3,) x, y, z.
    """
    told = options if isinstance(options, ModelOptions) else ModelOptions()
    return np.array(told.first_voxel.split(), np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelObject:
    """An object of a model.

    Attributes
    ----------
    name : str
        Up to 63 bytes; may be empty.
    points : Positions
        (n, 3) x, y, z in pixels of the model, of all contours.
    contours : IntArray
        (n,) the number of the contour of each point, from 1.
    values : FloatArray
        (n,) a value for each point, NaN where there is none.
    color : tuple[float, float, float]
        Red, green and blue, 0..1.
    radius : int
        Of the spheres in pixels.
    """

    name: str
    points: Positions = field(repr=False)
    contours: IntArray = field(repr=False)
    values: FloatArray = field(repr=False)
    color: tuple[float, float, float] = (0.0, 1.0, 0.0)
    radius: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model.

    Attributes
    ----------
    objects : tuple[ModelObject, ...]
        All of them.
    extents : tuple[int, int, int]
        x, y and z extents of the image in pixels.
    pixel_size : float
        In `unit`.
    unit : int
        A power of ten of a metre, or ``PIXEL``.
    flags : int
        Such as ``FLIPPED``.
    zscale : float
        How much z is stretched on the screen.
    origin : tuple[float, float, float]
        x, y and z of the image in the one that it was cut out of, in pixels.
    """

    objects: tuple[ModelObject, ...]
    extents: tuple[int, int, int]
    pixel_size: float = 1.0
    unit: int = PIXEL
    flags: int = 0
    zscale: float = 1.0
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)


def short_name(name: str) -> str:
    """Return what is left of a name in a model.

    Parameters
    ----------
    name : str
        Of any length.

    Returns
    -------
    str
        At most 63 bytes of it.
    """
    return name.encode()[:_LONGEST_NAME].decode(errors="ignore")


def parse_model(path: Path, content: bytes) -> Model:
    """Read a model.

    Parameters
    ----------
    path : Path
        The file, for messages.
    content : bytes
        All of it.

    Returns
    -------
    Model
        With all points; meshes and views are left out.

    Raises
    ------
    FileFormatError
        If it is no model of IMOD, or is cut or damaged.
    """
    if not content.startswith(MAGIC):
        raise FileFormatError(f"{path} is not a model of IMOD; expected a file that begins with {MAGIC.decode()}.")
    try:
        head = _HEADER.unpack_from(content, len(MAGIC))
        found = _Found()
        for tag, at, size in _blocks(path, content):
            found.take(tag, content[at : at + size])
    except (struct.error, ValueError, IndexError) as exc:
        raise FileFormatError(f"{path} is a damaged model of IMOD ({exc}); get the file again.") from exc
    flags = head[5]
    return Model(
        objects=tuple(found.objects()),
        extents=(head[1], head[2], head[3]),
        pixel_size=head[21],
        unit=head[22],
        flags=flags,
        zscale=head[15],
        origin=found.origin if flags & _ORIGIN_KNOWN else (0.0, 0.0, 0.0),
    )


def _blocks(path: Path, content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Tag, place and size of each block, none of which reaches beyond the file."""
    at = len(MAGIC) + _HEADER.size
    while (tag := content[at : at + 4]) != b"IEOF":
        if len(tag) < 4:
            raise FileFormatError(f"{path} is cut short: the end of the model is missing; get the whole file.")
        at += 4
        size = _size(tag, content, at)
        start = at if tag in (b"OBJT", b"CONT", b"MESH") else at + 4
        if size < 0 or start + size > len(content):
            raise FileFormatError(f"{path} is a damaged model of IMOD: a block tells of {size} bytes; get the file again.")
        yield tag, start, size
        at = start + size


def _size(tag: bytes, content: bytes, at: int) -> int:
    if tag == b"OBJT":
        return _OBJECT.size
    if tag == b"CONT":
        count: int = _CONTOUR.unpack_from(content, at)[0]
        return _CONTOUR.size + 12 * count if count >= 0 else -1
    if tag == b"MESH":
        vertices, indices, *_ = _MESH.unpack_from(content, at)
        return _MESH.size + 12 * vertices + 4 * indices if vertices >= 0 and indices >= 0 else -1
    told: int = struct.unpack_from(">i", content, at)[0]
    return told


class _Found:
    """What the blocks have told so far."""

    def __init__(self) -> None:
        self._heads: list[tuple[object, ...]] = []
        self._points: list[list[Positions]] = []
        self._values: list[list[FloatArray]] = []
        self.origin = (0.0, 0.0, 0.0)

    def take(self, tag: bytes, block: bytes) -> None:
        if tag == b"OBJT":
            self._heads.append(_OBJECT.unpack(block))
            self._points.append([])
            self._values.append([])
        elif tag == b"CONT":
            points = np.frombuffer(block, ">f4", offset=_CONTOUR.size).reshape(-1, 3)
            self._points[-1].append(points)
            self._values[-1].append(np.full(len(points), np.nan, np.float32))
        elif tag == b"COST":
            self._take_values(block)
        elif tag == b"MINX" and len(block) >= 72:
            image = np.frombuffer(block, ">f4", 18).reshape(6, 3).astype(np.float64)
            with np.errstate(all="ignore"):
                moved = (image[1] - image[4]) / image[3]
            if np.isfinite(moved).all():
                self.origin = (float(moved[0]), float(moved[1]), float(moved[2]))

    def _take_values(self, block: bytes) -> None:
        values = self._values[-1][-1]
        items = np.frombuffer(block, _STORE, len(block) // _STORE.itemsize)
        known = (items["type"] == _VALUE) & (items["flags"] & 0b1111 == 0b0100) & (items["index"] >= 0)
        items = items[known & (items["index"] < len(values))]
        values[items["index"]] = items["value"]

    def objects(self) -> Iterator[ModelObject]:
        for head, points, values in zip(self._heads, self._points, self._values, strict=True):
            name, (red, green, blue), radius = head[0], head[21:24], head[24]
            yield ModelObject(
                name=bytes(name).split(b"\0")[0].decode(errors="replace").strip(),  # type: ignore[call-overload]
                points=np.concatenate([np.zeros((0, 3)), *points]).astype(np.float64),
                contours=np.repeat(np.arange(1, len(points) + 1), [len(one) for one in points]),
                values=np.concatenate([np.zeros(0, np.float32), *values]),
                color=(float(red), float(green), float(blue)),  # type: ignore[arg-type]
                radius=int(radius),  # type: ignore[call-overload]
            )


def model_bytes(model: Model) -> bytes:
    """Write a model, with the points of each object as one contour of scattered spheres.

    Parameters
    ----------
    model : Model
        What; contours are not told apart.

    Returns
    -------
    bytes
        The content of a file.
    """
    head = _HEADER.pack(
        b"deepetpicker", *model.extents, len(model.objects), model.flags, 1, 1, 0, 255, *(0.0,) * 3, 1.0, 1.0, model.zscale,
        0, 0, -1, 3, 128, model.pixel_size, model.unit, 0, *(0.0,) * 3,
    )  # fmt: skip
    return b"".join((MAGIC, head, *map(_object_bytes, model.objects), b"IEOF"))


def _object_bytes(one: ModelObject) -> bytes:
    name = short_name(one.name).encode()
    # symbol, its size, line widths of the views, line style and flags of symbols
    looks = (1, 3, 1, 1, 0, 0, 0, 0)
    head = _OBJECT.pack(name, *(0,) * 16, 1, _SCATTERED, 0, 1, *one.color, one.radius, *looks, 0, 0)
    contour = _CONTOUR.pack(len(one.points), 0, 0, 0) + one.points.astype(">f4").tobytes()
    known = np.flatnonzero(np.isfinite(one.values))
    store = np.zeros(len(known), _STORE)
    store["type"], store["flags"], store["index"], store["value"] = _VALUE, _FLOAT_OF_ONE_POINT, known, one.values[known]
    values = b"COST" + struct.pack(">i", store.nbytes) + store.tobytes() if len(known) else b""
    return b"OBJT" + head + b"CONT" + contour + values
