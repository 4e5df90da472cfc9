"""Two sets of picks side by side on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.cli.masking import masks_told, project_masks
from core.cli.report import Report, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.metrics import Comparison, Rule
    from core.particles import ClassSpec
    from core.project import Project

SHOWN = 20  # disagreements in the terminal


def compare_sets(
    report: Report,
    project: Project,
    both: tuple[str, str],
    rule: Rule,
    wanted: Sequence[str] | None,
    names: Sequence[str] | None,
    mask: Sequence[str] | None,
) -> None:
    """Pair the particles of two origins, and list where they differ.

    Parameters
    ----------
    report : Report
        Where to.
    project : Project
        An open project.
    both : tuple[str, str]
        What is compared, as `core.origins.origin_named` understands it.
    rule : Rule
        Whose reach counts.
    wanted, names : Sequence[str] | None
        Classes and tomograms; None for all.
    mask : Sequence[str] | None
        As for `core.cli.masking.mask_configs`.
    """
    from core.assessment import side_by_side
    from core.gathering import chosen_classes, chosen_tomograms
    from core.metrics import Kind
    from core.origins import origin_named

    specs = chosen_classes(project, wanted) if wanted else list(project.store.classes())
    a, b = (origin_named(project, text) for text in both)
    masks = project_masks(report, project, chosen_tomograms(project, names), mask)
    if masks:
        report.note(f"Within the masks only: {masks_told(masks)}.")
    found = side_by_side(project, a, b, specs, rule.reach, names, masks)
    rows, values = [], dict[str, dict[str, Any]]()
    for name, one in found.items():
        counts = {kind.name.lower(): one.count(kind) for kind in Kind}
        rows.append((name, len(one.a), len(one.b), *counts.values(), one.agreement))
        values[name] = {**counts, "agreement": one.agreement, "disagreements": _disagreements(one, specs)}
    header = ("tomogram", "in A", "in B", "same", "other class", "only A", "only B", "agreement")
    listed = [(name, *row.values()) for name, one in values.items() for row in one["disagreements"]]
    shown = table("Where they differ (voxels)", ("tomogram", "what", "x", "y", "z", "A", "B"), listed[:SHOWN])
    more = f"{len(listed) - SHOWN} more; --json lists all." if len(listed) > SHOWN else ""
    report.result(
        {"a": a.title, "b": b.title, "tomograms": values}, table(f"A: {a.title}, B: {b.title}", header, rows), shown, more
    )


def _disagreements(found: Comparison, specs: Sequence[ClassSpec]) -> list[dict[str, Any]]:
    from core.metrics import Kind

    names = {spec.id: spec.name for spec in specs}
    said = {Kind.OTHER_CLASS: "other class", Kind.ONLY_A: "only in A", Kind.ONLY_B: "only in B"}
    rows = []
    for kind, (z, y, x), a, b in zip(found.kinds, found.positions, found.rows_a, found.rows_b, strict=True):
        if kind != Kind.SAME:
            classes = [names[int(one.class_ids[row])] if row >= 0 else None for one, row in ((found.a, a), (found.b, b))]
            place = {"x": round(float(x), 1), "y": round(float(y), 1), "z": round(float(z), 1)}
            rows.append({"what": said[Kind(kind)], **place, "a": classes[0], "b": classes[1]})
    return rows
