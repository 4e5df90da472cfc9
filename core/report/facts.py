"""What a report says of a project: its data, its network, its counts, and what it takes to repeat the work."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.checkpoint import load_checkpoint
from core.config import ReviewConfig
from core.errors import PickerError
from core.masks import config_for, masks_of
from core.messages import EpochDone
from core.particles import Status
from core.review import shown
from core.runs import INPUTS, PICKING, sha256

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

    from core.checkpoint import Checkpoint
    from core.masks import MaskConfig, Masks
    from core.messages import Message
    from core.particles import ClassSpec, ParticleTable
    from core.project import Project
    from core.settings import Settings
    from core.tomogram import Tomogram

WHOLE = 256 * 2**20  # bytes of a file up to which all of it is hashed
PART = 32 * 2**20  # of a larger one, the first and the last so many


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A tomogram of the report.

    Attributes
    ----------
    tomogram : Tomogram
        Its voxels, on disk.
    table : ParticleTable
        All particles and picks.
    counted : ParticleTable
        The accepted ones and the candidates that count.
    complete : bool
        Whether every particle in the annotated part is marked.
    mask : Masks | None
        Where picks count; None for everywhere.
    """

    tomogram: Tomogram
    table: ParticleTable = field(repr=False)
    counted: ParticleTable = field(repr=False)
    complete: bool
    mask: Masks | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The network that the picks are of.

    Attributes
    ----------
    path : Path
        Its file.
    checkpoint : Checkpoint
        What it holds.
    history : tuple[EpochDone, ...]
        The course of its training, where the run is still there.
    digest : str
        SHA-256 of the file.
    inputs : Mapping[str, Any]
        What its training was started on, where that is known.
    picking : Path | None
        Folder of the latest run that picked with it.
    asked : Mapping[str, Any]
        What that run was asked for.
    """

    path: Path
    checkpoint: Checkpoint = field(repr=False)
    history: tuple[EpochDone, ...] = field(repr=False)
    digest: str
    inputs: Mapping[str, Any]
    picking: Path | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tomograms(self) -> tuple[str, ...]:
        """What it was trained on, where that is known."""
        return tuple(self.inputs.get("tomograms", ()))


def look(
    project: Project, names: Sequence[str], reviews: Mapping[int, ReviewConfig], masks: Mapping[str, MaskConfig]
) -> Generator[Message, None, list[Looked]]:
    """Open tomograms with what is known of them.

    Parameters
    ----------
    project : Project
        An open project.
    names : Sequence[str]
        Which tomograms.
    reviews : Mapping[int, ReviewConfig]
        What is asked of the candidates of each class id.
    masks : Mapping[str, MaskConfig]
        Masks by tomogram, as `Settings` has them.

    Yields
    ------
    Message
        Progress.

    Returns
    -------
    list[Looked]
        In the order of the names.

    Raises
    ------
    PickerError
        If a file is missing or cannot be read.
    """
    classes, found = {spec.id: spec for spec in project.store.classes()}, []
    for name in names:
        tomogram, table = project.tomogram(name), project.store.table(name)
        config = config_for(masks, name)
        mask = (yield from masks_of(tomogram, config, project.folder / "cache")) if config.active else None
        rows = shown(table, reviews, classes, tomogram.shape, tomogram.voxel_size, mask) & (table.statuses != Status.REJECTED)
        complete = project.store.tomogram(name).complete
        found.append(Looked(tomogram=tomogram, table=table, counted=table.select(rows), complete=complete, mask=mask))
    return found


def reviews_of(settings: Settings, classes: Sequence[ClassSpec]) -> dict[int, ReviewConfig]:
    """Return what is asked of candidates, by class id."""
    return {spec.id: settings.review.get(spec.name, ReviewConfig()) for spec in classes}


def network_of(project: Project) -> Network | None:
    """Find the network of the latest picking, or the latest network where nothing was picked.

    Parameters
    ----------
    project : Project
        An open project.

    Returns
    -------
    Network | None
        None where there is none that can be read.
    """
    models, picking, asked = sorted(project.models.glob("*.pt"), key=lambda path: path.stat().st_mtime), None, dict[str, Any]()
    for noted in sorted(project.runs.glob(f"*/{PICKING}"), reverse=True):
        asked = _told(noted)
        named = [path for path in models if path.name == asked.get("model")]
        if named:
            models, picking = named, noted.parent
            break
    if not models:
        return None
    path = models[-1]
    try:
        checkpoint = load_checkpoint(path)
    except PickerError:
        return None
    run = project.runs / path.stem
    history = tuple(EpochDone(**one) for one in _told(run / "history.json", []))
    return Network(
        path=path,
        checkpoint=checkpoint,
        history=history,
        digest=sha256(path),
        inputs=_told(run / INPUTS),
        picking=picking,
        asked=asked if picking else {},
    )


def _told(path: Path, nothing: Any = None) -> Any:
    """Read what a run noted; where it did not, nothing is known."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {} if nothing is None else nothing


def worth(network: Network) -> str:
    """Say how good a network is, and whether that was measured."""
    metrics = network.checkpoint.metrics
    if "f1" in metrics:
        area = metrics.get("average_precision")
        also = "" if area is None else f", average precision {area:.2f}"
        return f"F1 {metrics['f1']:.2f}{also}, measured on a part that was held back from training"
    if "expected_f1" in metrics:
        return f"F1 about {metrics['expected_f1']:.2f}, estimated from the scores: nothing was held back to measure on"
    return "not known: the training was stopped before it was looked at"


def fingerprint(path: Path | None) -> str:
    """Return what tells a file from all others, in words that say of what it is the hash.

    Parameters
    ----------
    path : Path | None
        A file or a folder; None for a volume in memory.

    Returns
    -------
    str
        SHA-256 of a file; of a large one, of its ends; of a folder, of the names and sizes in it.
    """
    if path is None:
        return "in memory only"
    if path.is_dir():
        digest = hashlib.sha256()
        for one in sorted(path.rglob("*")):
            digest.update(f"{one.relative_to(path)} {one.stat().st_size if one.is_file() else 0}\n".encode())
        return f"{digest.hexdigest()} (names and sizes)"
    size = path.stat().st_size
    if size <= WHOLE:
        return sha256(path)
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(PART))
        file.seek(-PART, 2)
        digest.update(file.read(PART))
    return f"{digest.hexdigest()} (size, first and last 32 MiB)"


def counts(looked: Sequence[Looked], classes: Sequence[ClassSpec]) -> list[dict[str, Any]]:
    """Count particles of each tomogram and class.

    Parameters
    ----------
    looked : Sequence[Looked]
        The tomograms.
    classes : Sequence[ClassSpec]
        The classes.

    Returns
    -------
    list[dict]
        A row for each tomogram: its name, and for each class accepted, counted candidates, all candidates and rejected ones.
    """
    rows = []
    for one in looked:
        cells = []
        for spec in classes:
            mine, kept = one.table.class_ids == spec.id, one.counted.class_ids == spec.id
            accepted, candidates, rejected = (int((mine & (one.table.statuses == s)).sum()) for s in Status)
            above = int((kept & (one.counted.statuses == Status.CANDIDATE)).sum())
            cells.append({"accepted": accepted, "above": above, "candidates": candidates, "rejected": rejected})
        rows.append({"name": one.tomogram.id, "cells": cells, "total": len(one.counted)})
    return rows
