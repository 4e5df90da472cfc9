"""The command that picks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.formats import FileFormat
from core.cli.masking import Masking, mask_configs
from core.cli.options import (
    Assignments,
    Cluster,
    ClusterConfig,
    ConfigFile,
    Device,
    Json,
    Names,
    PixelSize,
    Scheduler,
    VoxelSize,
    Workers,
)
from core.cli.report import Report
from core.cli.settings import run_config
from core.errors import PickerError, ProjectError
from core.tomogram import parsed_box

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.checkpoint import Checkpoint
    from core.cli.batches import Spread
    from core.config import RunConfig
    from core.masks import MaskConfig
    from core.particles import ParticleTable, PickResult
    from core.project import Project
    from core.tomogram import Box, Tomogram

OF_FILES = "--out, --format, --voxel-size and --pixel-size go with a tomogram file; of a project, use export"


def pick(
    targets: Annotated[
        list[str],
        typer.Argument(help="Project folder; or tomograms: files, OME-Zarr folders, a folder of them, or a pattern in quotes."),
    ],
    model: Annotated[
        Path | None, typer.Option(help="Trained network; of a project, the newest when left out.", show_default=False)
    ] = None,
    tomogram: Names = None,
    out: Annotated[
        Path | None, typer.Option(help="File for the picks of a tomogram; folder for those of many.", show_default=False)
    ] = None,
    format: FileFormat = None,
    threshold: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Least score, in place of what training found.", show_default=False)
    ] = None,
    region: Annotated[
        str | None, typer.Option(metavar="z0:z1,y0:y1,x0:x1", help="Only this part, in voxels.", show_default=False)
    ] = None,
    mask: Masking = None,
    voxel_size: VoxelSize = None,
    pixel_size: PixelSize = None,
    config: ConfigFile = None,
    assign: Assignments = None,
    device: Device = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    cluster: Cluster = None,
    cluster_config: ClusterConfig = None,
    as_json: Json = False,
) -> None:
    """Find particles in the tomograms of a project, in a tomogram file, or in many.

    In a project, picks become candidates in place of those of an earlier run, and all that scored above a low floor are kept in a
    table in the run's folder. Where --mask lets no pick count, nothing is computed.

    [bold]Example:[/]  deepetpicker pick ribosomes

    [bold]Example:[/]  deepetpicker pick TS_03.mrc --model ribosomes/models/best.pt --out picks.csv

    [bold]Example:[/]  deepetpicker pick 'data/*.mrc' --model ribosomes/models/best.pt --out picks --workers 4

    Of many tomograms, and of a project with --workers, what is finished is not done again when the same command is given once
    more; those that cannot be picked are named at the end.
    """
    from core.cli import batches
    from core.io.volumes import is_tomogram_folder, name_of

    report = Report(as_json)
    order = _Order(run_config(config, assign or (), device=device), threshold, region, tuple(mask or ()))
    spread = batches.Spread(workers, scheduler, cluster, cluster_config, order.settings.pick.device)
    target = Path(targets[0])
    if len(targets) == 1 and (batches.is_project(target) or (target.is_dir() and not batches.holds_tomograms(target))):
        if out or voxel_size or pixel_size or format:
            raise typer.BadParameter(OF_FILES)
        _pick_project(report, order, target, model, tomogram, spread)
        return
    if model is None or tomogram:
        raise typer.BadParameter("tomogram files need --model and go without --tomogram")
    if spread.asked or len(targets) > 1 or not (target.is_file() or is_tomogram_folder(target)):
        scan = batches.Scan(model, out or Path("picks"), format, threshold, region, order.masks, voxel_size, pixel_size)
        batches.pick_files(report, scan, order.settings.pick, targets, spread)
        return
    _pick_file(report, order, target, model, out or Path(f"{name_of(target)}_picks.csv"), format, voxel_size, pixel_size)


@dataclass(frozen=True)
class _Order:
    """How to look, whatever is looked at."""

    settings: RunConfig
    threshold: float | None
    region: str | None
    masks: tuple[str, ...] = ()

    def part(self, tomogram: Tomogram) -> Box | None:
        return None if self.region is None else parsed_box(self.region, tomogram.shape)

    def picks(self, result: PickResult) -> ParticleTable:
        return result.picks(self.threshold, self.settings.pick.edge)


def _pick_file(
    report: Report,
    order: _Order,
    target: Path,
    model: Path,
    out: Path,
    format: str | None,
    voxel_size: float | None,
    pixel_size: float | None,
) -> None:
    from core.batch.work import counted
    from core.checkpoint import load_checkpoint
    from core.cli.batches import shown
    from core.io.atomic import make_folder
    from core.io.particles import TiltSeriesGeometry, write_particles
    from core.io.particles.registry import format_to_write
    from core.io.volumes import open_tomogram

    format_to_write(out, format)  # before the work, not after it
    make_folder(out.absolute().parent)
    checkpoint = load_checkpoint(model)
    tomogram = open_tomogram(target, voxel_size=voxel_size)
    result = _found(report, order, tomogram, checkpoint, mask_configs(order.masks, [tomogram.id]))
    if not len(order.picks(result)):
        raise PickerError(f"Nothing was found in {tomogram.id} that counts, so no file was written; try a lower --threshold.")
    series = None if pixel_size is None else TiltSeriesGeometry(pixel_size=pixel_size)
    written = write_particles(out, order.picks(result), result.classes, tomogram, format=format, tilt_series=series)
    for notice in written.notices:
        report.note(notice)
    files = [str(path) for path in written.files]
    counts = {tomogram.id: counted(result, order.threshold, order.settings.pick.edge)}
    report.result({"tomograms": counts, "files": files}, shown(counts), f"Picks: {', '.join(files)}")


def _pick_project(
    report: Report, order: _Order, folder: Path, model: Path | None, names: Sequence[str] | None, spread: Spread
) -> None:
    from core.batch.work import counted
    from core.checkpoint import load_checkpoint
    from core.cli.batches import pick_members, shown
    from core.configfile import config_to_toml
    from core.gathering import chosen_tomograms, keep_picks
    from core.io.atomic import atomic_path
    from core.io.particles import write_particles
    from core.masks.words import mask_words
    from core.project import Project
    from core.project.folder import file_name
    from core.runs import note_picking

    with Project.open(folder) as project:
        if project.notice:
            raise ProjectError(f"Picks cannot be kept. {project.notice}")
        chosen = model or newest_model(project)
        checkpoint = load_checkpoint(chosen)  # looked at before a run is begun
        wanted, cache = chosen_tomograms(project, names), project.folder / "cache"
        masks = mask_configs(order.masks, [one.id for one in project.store.tomograms()], project.folder)
        if spread.asked:
            pick_members(report, project, wanted, chosen, order.settings.pick, order.threshold, order.region, masks, spread)
            return
        order.part(project.tomogram(wanted[0]))
        run = project.new_run("pick")
        with atomic_path(run / "config.toml") as path:
            path.write_text(config_to_toml(order.settings), encoding="utf-8")
        asked = mask_words(masks, wanted)
        note_picking(run, chosen, threshold=order.threshold, region=order.region, masks=asked)
        counts = {}
        for name in wanted:
            tomogram = project.tomogram(name)
            result = _found(report, order, tomogram, checkpoint, masks, cache, project.score_map(name))
            if len(result.table):
                write_particles(run / f"{file_name(name)}.csv", result.table, result.classes, tomogram)
            keep_picks(project, order.picks(result), result.classes, order.part(tomogram))
            counts[name] = counted(result, order.threshold, order.settings.pick.edge)
    values = {"model": str(chosen), "run": str(run), "tomograms": counts}
    report.result(values, shown(counts), f"All that scored above the floor: {run}")


def newest_model(project: Project) -> Path:
    """Return the network that was trained last.

    Parameters
    ----------
    project : Project
        An open project.

    Returns
    -------
    Path
        Its file.

    Raises
    ------
    ProjectError
        If there is none.
    """
    models = sorted(project.models.glob("*.pt"), key=lambda path: path.stat().st_mtime)
    if not models:
        raise ProjectError(f"The project {project.folder} has no trained network yet; train one, or give one with --model.")
    return models[-1]


def _found(
    report: Report,
    order: _Order,
    tomogram: Tomogram,
    checkpoint: Checkpoint,
    masks: Mapping[str, MaskConfig],
    cache: Path | None = None,
    score_map: Path | None = None,
) -> PickResult:
    from core.masks import config_for, masks_of
    from core.picking import pick

    for notice in tomogram.notices:
        report.note(f"{tomogram.id}: {notice}")
    part, config = order.part(tomogram), config_for(masks, tomogram.id)
    mask = report.follow(masks_of(tomogram, config, cache)) if config.active else None
    return report.follow(pick(tomogram, checkpoint, order.settings.pick, region=part, cache=cache, score_map=score_map, mask=mask))
