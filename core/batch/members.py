"""Orders for the tomograms of a project."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from core.batch.orders import Order, Outcome, mask_of
from core.batch.records import content_hash
from core.errors import PickerError
from core.io.atomic import safe_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from core.config import PickConfig
    from core.masks import MaskConfig
    from core.project import Project


def members(
    project: Project,
    names: Sequence[str],
    model: Path,
    run: Path,
    config: PickConfig,
    *,
    threshold: float | None = None,
    region: str | None = None,
    masks: Mapping[str, MaskConfig] | None = None,
) -> tuple[list[Order], list[Outcome]]:
    """Make orders for tomograms of a project; all candidates come back, for whoever writes to it.

    Parameters
    ----------
    project : Project
        An open project.
    names : Sequence[str]
        Which tomograms.
    model : Path
        The network.
    run : Path
        Folder for tables of all candidates.
    config : PickConfig
        How to scan.
    threshold : float | None
        Least score for counting, in place of what training found.
    region : str | None
        Part of each tomogram.
    masks : Mapping[str, MaskConfig] | None
        Masks by name of the tomogram.

    Returns
    -------
    list[Order]
        One for each tomogram that can be opened.
    list[Outcome]
        Why the others cannot.
    """
    orders, refused, model_hash = [], [], content_hash(model)
    for number, name in enumerate(names, 1):
        try:
            tomogram = project.tomogram(name)
            if tomogram.path is None:
                raise PickerError("It has no file of its own, so no worker can open it.")
        except PickerError as exc:
            refused.append(Outcome(name=name, refused=str(exc)))
            continue
        kind = tomogram.data.dtype
        called = safe_name(name) if safe_name(name) == name else f"{safe_name(name)}-{number}"
        orders.append(
            Order(
                name=name,
                tomogram=str(tomogram.path.absolute()),
                model=str(model.absolute()),
                model_hash=model_hash,
                settings=asdict(config),
                picks=str((run / f"{called}.csv").absolute()),
                threshold=threshold,
                region=region,
                masks=mask_of(masks or {}, name),
                voxel_size=tomogram.voxel_size or None,
                signed=kind.kind == "i" if kind.itemsize == 1 else None,
                cache=str((project.folder / "cache").absolute()),
                score_map=str(project.score_map(name).absolute()),
                bring=True,
            )
        )
    return orders, refused
