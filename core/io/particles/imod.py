"""Models of IMOD: an object for each class, with its name, its colour and spheres of its size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.errors import FileFormatError, PickerError
from core.io.atomic import atomic_path, make_folder
from core.io.particles.files import file_for_each
from core.io.particles.formats import Fidelity, Format, Layout, Need, Options
from core.io.particles.imodfile import (
    FLIPPED,
    MAGIC,
    NANOMETRE,
    PIXEL,
    Model,
    ModelObject,
    ModelOptions,
    first_voxel,
    model_bytes,
    parse_model,
    short_name,
)
from core.io.particles.text import read_bytes
from core.io.particles.values import ReadPicks, Unit, Written
from core.particles import ClassSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from core.io.particles.formats import Head, ReadOrder, WriteOrder
    from core.io.particles.values import TomogramPicks
    from core.types import IntArray, Positions

_USUAL_RADIUS = 5


@dataclass(frozen=True, kw_only=True)
class ImodOptions(ModelOptions):
    """What else a model says.

    Attributes
    ----------
    values : bool
        Write scores as values of the points, which 3dmod lists and colours by.
    full_image : bool
        Read positions in the image that the tomogram was cut out of, where the model tells from where.
    first_voxel : Literal["0.5 0.5 0", "0.5 0.5 0.5", "0 0 0"]
        The centre of the first voxel, x y z: as IMOD's sources have it, half a section higher, or at 0 throughout. Change it where
        3dmod shows the points beside the particles.
    """

    values: bool = True
    full_image: bool = False


def _chosen(options: Options) -> ImodOptions:
    return options if isinstance(options, ImodOptions) else ImodOptions()


def is_model(head: Head) -> bool:
    """Tell whether a file is a model of IMOD.

    Parameters
    ----------
    head : Head
        The beginning of the file.

    Returns
    -------
    bool
        By its first bytes.
    """
    return head.raw.startswith(MAGIC)


def read_imod(path: Path, order: ReadOrder) -> ReadPicks:
    """Read the points of all objects.

    Parameters
    ----------
    path : Path
        The model.
    order : ReadOrder
        With `ImodOptions`.

    Returns
    -------
    ReadPicks
        In voxels. Classes are the names of objects; objects without one are numbered where there are several.

    Raises
    ------
    FileFormatError
        If the file is no model, is damaged, has no points, or a position or value that is not finite.
    """
    model = parse_model(path, read_bytes(path))
    places, notices = placed(path, model, order.options, full=_chosen(order.options).full_image)
    filled = [(number, one) for number, one in enumerate(model.objects, start=1) if len(one.points)]
    sizes = [len(one.points) for _, one in filled]
    values = np.concatenate([one.values for _, one in filled])
    if np.isinf(values).any():
        raise FileFormatError(f"{path} has a point whose value is infinite; correct it.")
    names: tuple[str, ...] | None = None
    class_ids: IntArray | None = None
    if any(one.name for _, one in filled):
        names = tuple(word for number, one in filled for word in (one.name or f"object {number}",) * len(one.points))
    elif len(filled) > 1:
        class_ids = np.repeat([number for number, _ in filled], sizes)
    return ReadPicks(
        positions=places[:, ::-1],
        unit=order.unit or Unit.VOXEL,
        class_ids=class_ids,
        class_names=names,
        scores=values if np.isfinite(values).any() else None,
        extras={"contour": np.concatenate([one.contours for _, one in filled])},
        notices=notices,
    )


def placed(path: Path, model: Model, options: Options, *, full: bool = False) -> tuple[Positions, tuple[str, ...]]:
    """Say where the points of a model lie.

    Parameters
    ----------
    path : Path
        The file, for messages.
    model : Model
        With at least one point.
    options : Options
        `ModelOptions`.
    full : bool
        Whether in the image that the one of the model was cut out of.

    Returns
    -------
    tuple[Positions, tuple[str, ...]]
        (n, 3) x, y, z in voxels from the centre of the first, and what was odd.

    Raises
    ------
    FileFormatError
        If there are no points, or one is not finite.
    """
    points = np.concatenate([np.zeros((0, 3)), *(one.points for one in model.objects)])
    if not len(points):
        raise FileFormatError(f"{path} is a model without points.")
    wrong = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(wrong):
        raise FileFormatError(f"{path}, point {wrong[0] + 1}: a position must be three finite numbers; correct or remove it.")
    points = points - first_voxel(options)
    if full:
        points = points + model.origin
    notices = []
    if model.flags & FLIPPED:
        points = points[:, [0, 2, 1]]
        notices.append("The model was drawn with y and z exchanged, and they were exchanged back.")
    if not full and np.abs(model.origin).max() > 1e-3:
        notices.append(
            "The model was drawn in a part of a larger image; give the option full_image=true if your tomogram is that image."
        )
    return points, tuple(notices)


def _fidelity(options: Options) -> Fidelity:
    return Fidelity(scores=_chosen(options).values)


def write_imod(path: Path, order: WriteOrder) -> Written:
    """Write a model for each tomogram.

    Parameters
    ----------
    path : Path
        The file for a single tomogram; with several, a folder named like it without suffix gets one file each.
    order : WriteOrder
        With `ImodOptions`.

    Returns
    -------
    Written
        The files.

    Raises
    ------
    PickerError
        If two classes would have the same name, or a file cannot be written.
    """
    pieces = file_for_each(path, order.parts)
    specs = {spec.id: spec for spec in order.classes}
    used = np.unique(np.concatenate([part.table.class_ids for part in order.parts])).tolist()
    names = {number: short_name(specs[number].name if number in specs else str(number)) for number in used}
    if len(set(names.values())) < len(names):
        raise PickerError("Two classes have the same first 63 letters, and a model of IMOD holds no more; give one another name.")
    for piece, part in zip(pieces, order.parts, strict=True):
        objects = tuple(_objects(part, names, specs, _chosen(order.options)))
        make_folder(piece.path.parent)
        with atomic_path(piece.path) as temporary:
            temporary.write_bytes(model_bytes(model_of(part, objects)))
    files = tuple(piece.path for piece in pieces)
    return Written(files=files, pieces=tuple(pieces), classes=names, notices=_notices(order.parts))


def _notices(parts: Sequence[TomogramPicks]) -> tuple[str, ...]:
    if all(part.frame.voxel_size > 0 for part in parts):
        return ()
    return ("The voxel size is not known everywhere; models without it have no unit, and spheres of 5 pixels.",)


def model_of(part: TomogramPicks, objects: tuple[ModelObject, ...]) -> Model:
    """Say what image objects belong to.

    Parameters
    ----------
    part : TomogramPicks
        The particles of the tomogram.
    objects : tuple[ModelObject, ...]
        The objects.

    Returns
    -------
    Model
        Ready to be written.
    """
    z, y, x = part.frame.shape
    size = part.frame.voxel_size
    return Model(objects=objects, extents=(x, y, z), pixel_size=size / 10 or 1.0, unit=NANOMETRE if size > 0 else PIXEL)


def object_of(part: TomogramPicks, name: str, spec: ClassSpec | None, options: Options, *, values: bool) -> ModelObject:
    """Make an object of all particles.

    Parameters
    ----------
    part : TomogramPicks
        The particles.
    name : str
        Of the object.
    spec : ClassSpec | None
        For colour and size.
    options : Options
        `ModelOptions`.
    values : bool
        Whether scores become values.

    Returns
    -------
    ModelObject
        One contour.
    """
    size = part.frame.voxel_size
    color = spec.color if spec is not None else ClassSpec(id=1, name=name or "particle", diameter=1.0).color
    return ModelObject(
        name=name,
        points=part.table.positions[:, ::-1] + first_voxel(options),
        contours=np.ones(len(part), np.int64),
        values=part.table.scores if values else np.full(len(part), np.nan, np.float32),
        color=(int(color[1:3], 16) / 255, int(color[3:5], 16) / 255, int(color[5:7], 16) / 255),
        radius=max(1, round(spec.diameter / 2 / size)) if spec is not None and size > 0 else _USUAL_RADIUS,
    )


def _objects(
    part: TomogramPicks, names: dict[int, str], specs: dict[int, ClassSpec], options: ImodOptions
) -> Iterator[ModelObject]:
    for number, name in names.items():
        mine = part.select(part.table.class_ids == number)
        if len(mine):
            yield object_of(mine, name, specs.get(number), options, values=options.values)


IMOD = Format(
    name="imod",
    title="IMOD model",
    suffixes=(".mod",),
    recognises=is_model,
    read=read_imod,
    write=write_imod,
    options=ImodOptions,
    reading=("full_image", "first_voxel"),
    layout=Layout.EACH,
    wants=frozenset({Need.VOXEL_SIZE}),
    by_class=True,
    fidelity=_fidelity,
    hint="Open each model with its tomogram: 3dmod TOMOGRAM MODEL.",
)
