"""What there is to say about a project, a tomogram, a trained network or a file of particles."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

from core.cli.report import table
from core.particles import Status

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rich.table import Table

    from core.cli.report import Report
    from core.particles import ClassSpec
    from core.project import Project
    from core.tomogram import Box, Tomogram

Description: TypeAlias = "tuple[dict[str, Any], list[Table]]"

_MODES = {"int8": 0, "uint8": 0, "int16": 1, "float32": 2, "uint16": 6, "float16": 12}


def describe_project(project: Project) -> Description:
    """Describe tomograms, classes and particles.

    Parameters
    ----------
    project : Project
        An open project.

    Returns
    -------
    Description
        Plain data, and tables.
    """
    records, classes, counts = project.store.tomograms(), project.store.classes(), project.store.counts()
    per_tomogram: Counter[tuple[str, Status]] = Counter()
    for (name, _, status), n in counts.items():
        per_tomogram[name, status] += n
    values = {
        "project": str(project.folder),
        "tomograms": [
            {
                "name": record.id,
                "path": str(record.path),
                "voxel_size": record.voxel_size,
                "region": None if record.region is None else box_text(record.region),
                "complete": record.complete,
                "role": str(record.role),
                **{status.name.lower(): per_tomogram[record.id, status] for status in Status},
            }
            for record in records
        ],
        "classes": _class_values(classes),
    }
    header = ("tomogram", "complete part", "accepted", "candidates", "rejected", "file")
    rows = [
        (
            record.id,
            (box_text(record.region) if record.region else "everywhere") if record.complete else None,
            *(per_tomogram[record.id, status] for status in Status),
            record.path,
        )
        for record in records
    ]
    return values, [table(f"Project {project.folder}", header, rows), _class_table(classes)]


def describe_tomogram(tomogram: Tomogram, report: Report) -> Description:
    """Measure a tomogram and describe it.

    Parameters
    ----------
    tomogram : Tomogram
        Read slab by slab.
    report : Report
        Shows progress and what the reader found odd.

    Returns
    -------
    Description
        Plain data, and a table.
    """
    from core.filters import measure
    from core.io.volumes import format_of

    for notice in tomogram.notices:
        report.note(notice)
    found = report.follow(measure(tomogram.data))
    if found.not_finite:
        report.note(f"{found.not_finite} voxels are NaN or infinite: mend or reconstruct the tomogram before using it.")
    nz, ny, nx = tomogram.shape
    kind, layout = tomogram.data.dtype.name, format_of(tomogram.path) if tomogram.path else ""
    mode = _MODES.get(kind) if layout.endswith("MRC") else None
    values = {
        "kind": "tomogram",
        "format": layout or None,
        "shape_zyx": list(tomogram.shape),
        "voxel_size": tomogram.voxel_size or None,
        "voxels": kind,
        "mode": mode,
        **{name: getattr(found, name) for name in ("mean", "std", "minimum", "maximum", "not_finite")},
    }
    size = tomogram.voxel_size / 10
    rows = [
        ("size (x, y, z)", f"{nx} x {ny} x {nz} voxels"),
        ("voxel size", f"{tomogram.voxel_size:.4g} Å" if size else "unknown"),
        ("extent (x, y, z)", f"{nx * size:.0f} x {ny * size:.0f} x {nz * size:.0f} nm" if size else None),
        ("format", layout or None),
        ("voxels", kind if mode is None else f"{kind} (MRC mode {mode})"),
        ("mean and deviation", f"{found.mean:.4g} ± {found.std:.4g}"),
        ("least and most", f"{found.minimum:.4g} to {found.maximum:.4g}"),
    ]
    return values, [table(f"Tomogram {tomogram.path}", ("what", "value"), rows)]


def describe_checkpoint(path: Path) -> Description:
    """Describe a trained network.

    Parameters
    ----------
    path : Path
        A checkpoint.

    Returns
    -------
    Description
        Plain data, and tables.
    """
    from core.checkpoint import load_checkpoint

    found = load_checkpoint(path)
    count = sum(weights.numel() for weights in found.weights.values())
    thresholds = {spec.name: found.thresholds[spec.id] for spec in found.classes}
    values = {
        "kind": "trained network",
        "preset": found.config.network.preset,
        "weights": count,
        "voxel_size": found.voxel_size,
        "classes": _class_values(found.classes),
        "thresholds": thresholds,
        "metrics": found.metrics,
    }
    rows = [
        ("network", f"{found.config.network.preset}, {count} weights"),
        ("voxel size", f"{found.voxel_size:.4g} Å"),
        *((f"held-back part: {name}", value) for name, value in found.metrics.items()),
        *((f"threshold of {name}", value) for name, value in thresholds.items()),
    ]
    return values, [table(f"Trained network {path}", ("what", "value"), rows), _class_table(found.classes)]


def describe_particles(path: Path) -> Description:
    """Describe a file of particles.

    Parameters
    ----------
    path : Path
        Of a format that can be read.

    Returns
    -------
    Description
        Plain data, and a table.
    """
    from core.io.particles import read_particles

    found = read_particles(path)
    low, high = found.positions.min(axis=0), found.positions.max(axis=0)
    numbers = [] if found.class_ids is None else found.class_ids.tolist()
    classes = Counter(found.class_names or map(str, numbers))
    tomograms = Counter(found.tomograms or ())
    values = {
        "kind": "particles",
        "particles": len(found),
        "unit": str(found.unit),
        "classes": dict(classes),
        "tomograms": dict(tomograms),
        "lowest_zyx": low.tolist(),
        "highest_zyx": high.tolist(),
        "scores": found.scores is not None,
    }
    rows = [
        ("particles", len(found)),
        *((f"{axis}", f"{low[i]:.1f} to {high[i]:.1f} ({found.unit})") for i, axis in ((2, "x"), (1, "y"), (0, "z"))),
        *((f"class {name}", n) for name, n in classes.items()),
        *((f"tomogram {name}", n) for name, n in tomograms.items()),
    ]
    return values, [table(f"Particles in {path}", ("what", "value"), rows)]


def box_text(box: Box) -> str:
    """Write a part of a tomogram as it is given on the command line.

    Parameters
    ----------
    box : Box
        The part.

    Returns
    -------
    str
        ``z0:z1,y0:y1,x0:x1``.
    """
    return ",".join(f"{low}:{high}" for low, high in zip(box.low, box.high, strict=True))


def _class_values(classes: Iterable[ClassSpec]) -> list[dict[str, Any]]:
    return [{"id": spec.id, "name": spec.name, "diameter": spec.diameter} for spec in classes]


def _class_table(classes: Iterable[ClassSpec]) -> Table:
    return table("", ("class", "diameter (Å)"), [(spec.name, f"{spec.diameter:g}") for spec in classes])
