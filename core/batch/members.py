"""Orders for the tomograms of a project."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from core.batch.orders import Order, Outcome, mask_of
from core.batch.records import content_hash, kept_before
from core.config import RunConfig
from core.configfile import config_to_toml
from core.errors import PickerError
from core.gathering import still_kept
from core.io.atomic import atomic_path
from core.masks.words import mask_words
from core.project.folder import file_name
from core.runs import note_picking
from core.tomogram import parsed_box

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from core.config import PickConfig
    from core.masks import MaskConfig
    from core.project import Project
    from core.tomogram import Box, Tomogram


@dataclass(slots=True)
class Members:
    """What is to be done in a project.

    Attributes
    ----------
    run : Path
        Folder of the run, for tables of all candidates: a new one, or the one that began with the same and can go on.
    orders : dict[str, Order]
        By name of the tomogram, for each that can be opened.
    refused : list[Outcome]
        Why the others cannot.
    """

    run: Path
    orders: dict[str, Order] = field(default_factory=dict)
    refused: list[Outcome] = field(default_factory=list)


def members(
    project: Project,
    names: Sequence[str],
    model: Path,
    config: PickConfig,
    *,
    threshold: float | None = None,
    region: str | None = None,
    masks: Mapping[str, MaskConfig] | None = None,
    everything: bool = False,
) -> Members:
    """Make orders for tomograms of a project; all candidates come back, for whoever writes to it.

    A tomogram that was picked with the same network and settings, and whose picks the project still has, is not picked again:
    its order says so, and the run goes on.

    Parameters
    ----------
    project : Project
        Open for writing.
    names : Sequence[str]
        Which tomograms.
    model : Path
        The network.
    config : PickConfig
        How to scan.
    threshold : float | None
        Least score for counting, in place of what training found.
    region : str | None
        Part of each tomogram.
    masks : Mapping[str, MaskConfig] | None
        Masks by name of the tomogram; what they leave out is not computed.
    everything : bool
        Whether the project gets all candidates, or only those above the threshold.

    Returns
    -------
    Members
        The run and its orders.

    Raises
    ------
    PickerError
        If the folder of a new run cannot be made, or the network cannot be read.
    """
    found = Members(project.runs)
    boxes: dict[str, Box | None] = {}
    model_hash = content_hash(model)
    for name in names:
        try:
            tomogram = project.tomogram(name)
            boxes[name] = None if region is None else parsed_box(region, tomogram.shape)
            order = _order(project, tomogram, f"{file_name(name)}.csv")
        except PickerError as exc:
            found.refused.append(Outcome(name=name, refused=str(exc)))
            continue
        found.orders[name] = replace(
            order,
            model=str(model.absolute()),
            model_hash=model_hash,
            settings=asdict(config),
            threshold=threshold,
            region=region,
            masks=mask_of(masks or {}, name),
        )
    for run in sorted(project.runs.glob("*-pick*"), key=lambda one: one.name, reverse=True):
        placed = {name: _placed(project, order, run, boxes[name], everything) for name, order in found.orders.items()}
        if any(order.kept for order in placed.values()):
            return Members(run, placed, found.refused)
    run = _begun(project, config)
    least = 0.0 if everything else threshold
    note_picking(run, model, threshold=least, region=region, masks=mask_words(masks or {}, names))
    placed = {name: replace(order, picks=str((run / order.picks).absolute())) for name, order in found.orders.items()}
    return Members(run, placed, found.refused)


def _order(project: Project, tomogram: Tomogram, picks: str) -> Order:
    if tomogram.path is None:
        raise PickerError("It has no file of its own, so no worker can open it.")
    kind = tomogram.data.dtype
    return Order(
        name=tomogram.id,
        tomogram=str(tomogram.path.absolute()),
        model="",
        model_hash="",
        settings={},
        picks=picks,
        voxel_size=tomogram.voxel_size or None,
        signed=kind.kind == "i" if kind.itemsize == 1 else None,
        cache=str((project.folder / "cache").absolute()),
        score_map=str(project.score_map(tomogram.id).absolute()),
        bring=True,
    )


def _placed(project: Project, order: Order, run: Path, region: Box | None, everything: bool) -> Order:
    """Put an order into a run, and see whether what that run found is still in the project."""
    placed = replace(order, picks=str((run / order.picks).absolute()))
    before = kept_before(placed, everything=everything)
    return replace(placed, kept=before is not None and still_kept(project, order.name, *before, region))


def _begun(project: Project, config: PickConfig) -> Path:
    run = project.new_run("pick")
    with atomic_path(run / "config.toml") as path:
        path.write_text(config_to_toml(RunConfig(pick=config)), encoding="utf-8")
    return run
