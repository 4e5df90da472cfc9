"""What an export would write, before it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.delivery import parts_of
from core.io.particles.previewing import preview_parts
from core.particles import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from core.config import ReviewConfig
    from core.io.particles import TiltSeriesGeometry
    from core.io.particles.previewing import Preview
    from core.io.particles.registry import Choices
    from core.project import Project
    from core.tomogram import Mask
    from core.types import Angstrom


def preview_delivery(
    project: Project,
    path: Path,
    format: str,
    *,
    tomogram_ids: Sequence[str],
    class_id: int | None = None,
    reviews: Mapping[int, ReviewConfig] | None = None,
    status: Status | None = Status.ACCEPTED,
    pixel_size: Angstrom | None = None,
    tilt_series: Mapping[str, TiltSeriesGeometry] | None = None,
    names: Mapping[str, str] | None = None,
    numbers: Mapping[str, int] | None = None,
    masks: Mapping[str, Mask] | None = None,
    options: Choices = None,
) -> Preview:
    """Tell which files `core.delivery.deliver` would write, and how they begin.

    Parameters
    ----------
    project, path, format, tomogram_ids, class_id, reviews, status, pixel_size, tilt_series, names, numbers, masks, options
        As for `core.delivery.deliver`; `path` is not touched.

    Returns
    -------
    Preview
        Files and first lines.

    Raises
    ------
    PickerError
        As the export itself would.
    """
    parts = parts_of(
        project,
        tomogram_ids=tomogram_ids,
        class_id=class_id,
        reviews=reviews,
        status=status,
        pixel_size=pixel_size,
        tilt_series=tilt_series,
        names=names,
        numbers=numbers,
        masks=masks,
    )
    return preview_parts(path, parts, project.store.classes(), format=format, options=options)
