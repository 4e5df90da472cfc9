"""The command that groups candidates by what the network sees in them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.options import Json, Names
from core.cli.report import Report, table
from core.errors import PickerError

if TYPE_CHECKING:
    from core.clusters import Clusters
    from core.particles import ParticleTable


def cluster(
    project: Annotated[Path, typer.Argument(help="Project folder.")],
    model: Annotated[Path | None, typer.Option(help="Trained network; the newest when left out.", show_default=False)] = None,
    tomogram: Names = None,
    smallest: Annotated[int, typer.Option(min=0, help="Members of the smallest cluster; 0 for a fiftieth of the candidates.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="CSV to write; clusters.csv in the project when left out.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Group the candidates of a project by the network's own features, and write their clusters as CSV.

    Gold beads, membranes and edges gather in clusters of their own. The coordinates are principal components.

    [bold]Example:[/]  deepetpicker cluster ribosomes --out clusters.csv
    """
    from core.checkpoint import load_checkpoint
    from core.cli.picks import newest_model
    from core.gathering import chosen_tomograms
    from core.grouping import cluster_with
    from core.io.atomic import make_folder
    from core.particles import Status
    from core.project import Project

    report, rows, values = Report(as_json), [], {}
    with Project.open(project) as work:
        path, network = out or work.folder / "clusters.csv", model or newest_model(work)
        make_folder(path.absolute().parent)
        load_checkpoint(network)  # a bad one is one error, not one for each tomogram
        classes = {spec.id: spec for spec in work.store.classes()}
        for name in chosen_tomograms(work, tomogram):
            particles = work.store.table(name)
            particles = particles.select(particles.statuses == Status.CANDIDATE)
            diameter = max((classes[number].diameter for number in set(particles.class_ids.tolist())), default=0.0)
            job = cluster_with(
                work.tomogram(name), particles, network, diameter, work.clusters(name), smallest, work.folder / "cache"
            )
            try:
                found = report.follow(job)
            except PickerError as exc:
                report.note(f"{name}: {exc}")
                continue
            rows += _rows(name, particles, found)
            values[name] = {"candidates": len(found), "clusters": found.count}
    if not values:
        raise PickerError("No tomogram was grouped, for the reasons above: it takes one with ten candidates or more.")
    _write(path, rows)
    shown = [(name, one["candidates"], one["clusters"]) for name, one in values.items()]
    told = table("", ("tomogram", "candidates", "clusters"), shown)
    report.result({"tomograms": values, "file": str(path)}, told, f"Clusters: {path}")


def _rows(name: str, particles: ParticleTable, found: Clusters) -> list[list[object]]:
    places = zip(found.ids.tolist(), particles.positions.tolist(), particles.scores.tolist(), strict=True)
    return [
        [name, number, x, y, z, score, label + 1 if label >= 0 else "", *components[:2]]
        for (number, (z, y, x), score), label, components in zip(
            places, found.labels.tolist(), found.components.tolist(), strict=True
        )
    ]


def _write(path: Path, rows: list[list[object]]) -> None:
    from core.io.atomic import atomic_path

    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["tomogram", "id", "x", "y", "z", "score", "cluster", "component_1", "component_2"])
        writer.writerows(rows)
