"""Picking of many tomograms, on workers."""

from __future__ import annotations

import signal
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from core.cli.masking import mask_configs
from core.cli.report import table
from core.errors import ConfigError, PickerError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from rich.table import Table

    from core.batch import BatchResult, Order, Site
    from core.cli.report import Report
    from core.config import PickConfig
    from core.masks import MaskConfig
    from core.messages import Message
    from core.project import Project


@dataclass(frozen=True)
class Spread:
    """Over which workers, as asked for on the command line."""

    workers: int | None
    scheduler: str | None
    cluster: str | None
    settings: Path | None
    device: str

    @property
    def asked(self) -> bool:
        """Whether workers were asked for at all."""
        return any(one is not None for one in (self.workers, self.scheduler, self.cluster, self.settings))

    def site(self) -> Site:
        """Return where the workers are."""
        from core.batch import Remote, local, slurm

        if self.settings is not None and self.cluster is None:
            raise typer.BadParameter("--cluster-config goes with --cluster slurm")
        if self.scheduler is not None and (self.workers is not None or self.cluster is not None):
            raise typer.BadParameter("--scheduler has its own workers; leave --workers and --cluster out")
        if self.scheduler is not None:
            return Remote(self.scheduler)
        return local(self.workers, self.device) if self.cluster is None else slurm(self.settings, self.workers)


@dataclass(frozen=True)
class Scan:
    """How tomogram files are picked, and where the picks go."""

    model: Path
    out: Path
    format: str | None
    threshold: float | None
    region: str | None
    masks: tuple[str, ...]
    voxel_size: float | None
    pixel_size: float | None


def is_project(folder: Path) -> bool:
    """Tell whether a folder is a project."""
    from core.project.folder import DATABASE

    return (folder / DATABASE).is_file() or folder.name == DATABASE


def holds_tomograms(folder: Path) -> bool:
    """Tell whether there are tomograms in a folder."""
    from core.batch import tomogram_files

    try:
        return bool(tomogram_files([str(folder)]))
    except PickerError:
        return False


def pick_files(report: Report, scan: Scan, config: PickConfig, targets: Sequence[str], spread: Spread) -> None:
    """Pick tomogram files into a folder.

    Parameters
    ----------
    report : Report
        Where to show what comes.
    scan : Scan
        How, and where to.
    config : PickConfig
        Settings.
    targets : Sequence[str]
        Files, folders and patterns.
    spread : Spread
        Workers.

    Raises
    ------
    PickerError
        If no tomogram is meant, or the format is unknown.
    """
    from core.batch import Order, mask_of, pick_all, tomogram_files, unique_names
    from core.batch.records import content_hash
    from core.checkpoint import load_checkpoint
    from core.io.atomic import make_folder
    from core.io.particles.known import WRITABLE

    if not scan.out.is_dir() and scan.out.suffix.lower() in {suffix for known in WRITABLE for suffix in known.suffixes}:
        raise ConfigError(f"Expected a folder for the picks of many tomograms, not {scan.out}; --format says which files are made.")
    ending, files = _ending(scan.format), tomogram_files(targets)
    names = unique_names(files)
    masks = mask_configs(scan.masks, names)
    load_checkpoint(scan.model)  # a bad one is one error, not one for each tomogram
    make_folder(scan.out)
    model_hash = content_hash(scan.model)
    orders = [
        Order(
            name=name,
            tomogram=str(path.absolute()),
            model=str(scan.model.absolute()),
            model_hash=model_hash,
            settings=asdict(config),
            picks=str((scan.out / f"{name}{ending}").absolute()),
            format=scan.format,
            threshold=scan.threshold,
            region=scan.region,
            masks=mask_of(masks, name),
            voxel_size=scan.voxel_size,
            pixel_size=scan.pixel_size,
        )
        for path, name in zip(files, names, strict=True)
    ]
    _shown_batch(report, _followed(report, pick_all(orders, spread.site())), f"Picks in {scan.out}", {"out": str(scan.out)})


def _ending(format: str | None) -> str:
    from core.io.particles.known import WRITABLE
    from core.io.particles.registry import format_named

    return ".csv" if format is None else format_named(format, WRITABLE).suffixes[0]


def pick_members(
    report: Report,
    project: Project,
    names: Sequence[str],
    model: Path,
    config: PickConfig,
    threshold: float | None,
    region: str | None,
    masks: Mapping[str, MaskConfig],
    spread: Spread,
) -> None:
    """Pick tomograms of a project on workers; only this process writes to the project. What is finished is not done again.

    Parameters
    ----------
    report : Report
        Where to show what comes.
    project : Project
        Open for writing.
    names : Sequence[str]
        Which tomograms.
    model : Path
        The network.
    config : PickConfig
        Settings.
    threshold, region, masks : float | None, str | None, Mapping[str, MaskConfig]
        Least score, part of each tomogram, and masks by name of the tomogram.
    spread : Spread
        Workers.
    """
    from core.batch import pick_all
    from core.batch.members import members

    what = members(project, names, model, config, threshold=threshold, region=region, masks=masks)
    job = pick_all(list(what.orders.values()), spread.site())
    found = _followed(report, _kept(project, job, what.orders, threshold, config.edge, region))
    for outcome in what.refused:
        found.add(outcome)
    _shown_batch(report, found, f"All that scored above the floor: {what.run}", {"model": str(model), "run": str(what.run)})


def _kept(
    project: Project,
    job: Generator[Message, None, BatchResult],
    orders: Mapping[str, Order],
    threshold: float | None,
    edge: float,
    region: str | None,
) -> Generator[Message, None, BatchResult]:
    """Put what is picked into the project, as it comes."""
    from core.batch.records import note_kept
    from core.gathering import keep_picks
    from core.messages import TomogramPicked
    from core.tomogram import parsed_box

    try:
        while True:
            message = next(job)
            if isinstance(message, TomogramPicked) and message.result is not None:
                result = message.result
                part = None if region is None else parsed_box(region, result.shape)
                ids = keep_picks(project, result.picks(threshold, edge), result.classes, part)
                note_kept(orders[message.name], ids.tolist(), everything=False)
            yield message
    except StopIteration as stop:
        found: BatchResult = stop.value
        return found
    finally:
        job.close()


def _followed(report: Report, job: Generator[Message, None, BatchResult]) -> BatchResult:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as SLURM ends what runs too long: in good order
    try:
        return report.follow(job)
    except KeyboardInterrupt:
        report.note("Stopped; what is finished is kept. The same command goes on from there.")
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _shown_batch(report: Report, found: BatchResult, where: str, values: dict[str, Any]) -> None:
    done = found.before | found.picked
    counts = {name: done[name].counts for name in sorted(done)}
    failed = {name: outcome.refused for name, outcome in sorted(found.failed.items())}
    said = [f"{len(found.picked)} picked", *([f"{len(found.before)} finished before"] if found.before else [])]
    for name, reason in failed.items():
        report.note(f"{name} was not picked: {reason}")
    files = [file for name in counts for file in done[name].files]
    values = {**values, "tomograms": counts, "files": files, "before": sorted(found.before), "failed": failed}
    report.result(values, *([shown(counts)] if counts else []), f"{', '.join(said)}, {len(failed)} failed. {where}")
    if failed:
        raise typer.Exit(1)


def shown(counts: dict[str, dict[str, dict[str, float]]]) -> Table:
    """Lay out what was found.

    Parameters
    ----------
    counts : dict
        By tomogram and class: threshold, picks, and candidates above the floor.

    Returns
    -------
    Table
        For the terminal.
    """
    rows = [(name, kind, *found.values()) for name, classes in counts.items() for kind, found in classes.items()]
    return table("", ("tomogram", "class", "threshold", "picks", "above the floor"), rows)
