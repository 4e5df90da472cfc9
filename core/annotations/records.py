"""What the store keeps of a tomogram, and what it says when something changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite
from typing import TYPE_CHECKING

from core.errors import ConfigError
from core.grids import Alignment

if TYPE_CHECKING:
    from pathlib import Path

    from core.tomogram import Box
    from core.types import Angstrom, IntArray


class Role(StrEnum):
    """What a tomogram is used for in training."""

    BOTH = "both"
    TRAIN = "train"
    VALIDATION = "validation"
    NONE = "none"


class Kind(StrEnum):
    """What happened to the store; ``SEVERAL`` means that anything may have changed."""

    ADDED = "added"
    REMOVED = "removed"
    MOVED = "moved"
    RECLASSIFIED = "reclassified"
    JUDGED = "judged"
    FLAGGED = "flagged"
    CLASSES = "classes"
    TOMOGRAMS = "tomograms"
    SEVERAL = "several"

    @property
    def inverse(self) -> Kind:
        """What a listener sees when this is undone."""
        return {Kind.ADDED: Kind.REMOVED, Kind.REMOVED: Kind.ADDED}.get(self, self)


@dataclass(frozen=True, slots=True)
class Link:
    """That a tomogram shows the same specimen as another one of the project.

    Attributes
    ----------
    to : str
        Name of the other.
    alignment : Alignment
        What their grids have in common.
    """

    to: str
    alignment: Alignment = Alignment.FACES

    def __post_init__(self) -> None:
        object.__setattr__(self, "alignment", Alignment(self.alignment))


@dataclass(frozen=True, slots=True, kw_only=True)
class TomogramRecord:
    """A tomogram as the project knows it; the voxels are elsewhere.

    Attributes
    ----------
    id : str
        Name within the project, never empty.
    path : Path
        The file; kept relative to the project folder where it lies inside.
    voxel_size : Angstrom | None
        Å per voxel that the user gave; None trusts the file.
    signed : bool | None
        Whether bytes are signed, where the user decided; None trusts the file.
    region : Box | None
        The part that may be used, in voxels; None for all of it.
    complete : bool
        Every particle within the region is annotated.
    role : Role
        What the tomogram is used for in training.
    link : Link | None
        The tomogram of the same tilt series that it goes with.
    """

    id: str
    path: Path
    voxel_size: Angstrom | None = None
    signed: bool | None = None
    region: Box | None = None
    complete: bool = False
    role: Role = Role.BOTH
    link: Link | None = None

    def __post_init__(self) -> None:
        if not self.id.strip():
            raise ConfigError("A tomogram needs a name.")
        if self.voxel_size is not None and not (isfinite(self.voxel_size) and self.voxel_size > 0):
            raise ConfigError(f"The voxel size of tomogram {self.id!r} must be above 0 Å, not {self.voxel_size}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one call changed; the store holds it already when this arrives.

    Attributes
    ----------
    kind : Kind
        What happened; undoing an addition arrives as a removal, and the other way round.
    tomogram_id : str | None
        The tomogram it happened in; None for classes and where there are several.
    ids : IntArray
        (n,) the particles concerned, ascending.
    """

    kind: Kind
    tomogram_id: str | None
    ids: IntArray = field(repr=False)
