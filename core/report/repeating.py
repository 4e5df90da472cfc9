"""What it takes to repeat what a report tells of: versions, settings and command lines."""

from __future__ import annotations

import platform
import shlex
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from core import __version__
from core.masks import EVERYWHERE
from core.masks.words import mask_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from core.config import ReviewConfig
    from core.masks import MaskConfig
    from core.project import Project
    from core.report.facts import Network
    from core.settings import Settings

PACKAGES = ("numpy", "scipy", "torch", "scikit-learn", "mrcfile", "zarr", "starfile", "matplotlib")


def versions() -> list[tuple[str, str]]:
    """Return what was at work: this program, Python, the packages that figures depend on, and the machine."""
    found = [("deepetpicker", __version__), ("Python", platform.python_version())]
    for name in PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return [*found, ("machine", f"{platform.system()} {platform.release()}, {platform.machine()}")]


def commands(
    project: Project,
    network: Network | None,
    reviews: Mapping[int, ReviewConfig],
    names: Sequence[str],
    out: Path,
    masks: Mapping[str, MaskConfig],
) -> list[str]:
    """Return the command lines that do the same again.

    Parameters
    ----------
    project : Project
        An open project.
    network : Network | None
        Its network.
    reviews : Mapping[int, ReviewConfig]
        What is asked of candidates.
    names : Sequence[str]
        The tomograms of the report.
    out : Path
        The report.
    masks : Mapping[str, MaskConfig]
        By tomogram, as `Settings` has them.

    Returns
    -------
    list[str]
        For a shell, in order.
    """
    folder = str(project.folder)
    listed = [word for name in names for word in ("--tomogram", name)] if len(names) < len(project.store.tomograms()) else []
    lines = [] if network is None else [_train(project, network), [*_pick(folder, network), *listed]]
    named = {spec.id: spec.name for spec in project.store.classes()}
    asked = [(named[number], review) for number, review in reviews.items()]
    export = ["export", folder, "--status", "shown", "--out", "picks.csv"]  # which needs to know nothing of the tilt series
    for option, attribute in (("--threshold", "threshold"), ("--min-distance", "min_distance"), ("--edge", "edge")):
        export += [word for name, review in asked for word in (option, f"{name}={getattr(review, attribute):g}")]
    masked = [word for mask in mask_words(masks, names) for word in ("--mask", mask)]
    lines += [export + masked + listed, ["report", folder, "--out", str(out), *masked, *listed]]
    return [shlex.join(["deepetpicker", *line]) for line in lines]


def _train(project: Project, network: Network) -> list[str]:
    words = ["train", str(project.folder), *_config(project.runs / network.path.stem)]
    words += [word for spec in network.checkpoint.classes for word in ("--class", spec.name)]
    words += [word for name in network.tomograms for word in ("--tomogram", name)]
    start = network.inputs.get("start")
    return [*words, "--start", start] if start else words


def _pick(folder: str, network: Network) -> list[str]:
    words = ["pick", folder, "--model", str(network.path), *(() if network.picking is None else _config(network.picking))]
    for name in ("threshold", "region"):
        value = network.asked.get(name)
        words += [] if value is None else [f"--{name}", f"{value}"]
    return words + [word for mask in network.asked.get("masks", ()) for word in ("--mask", mask)]


def _config(run: Path) -> list[str]:
    """Return the settings of a run as an option, where they are still there."""
    return ["--config", str(run / "config.toml")] if (run / "config.toml").exists() else []


def settings_rows(settings: Settings) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return every setting with its group.

    Parameters
    ----------
    settings : Settings
        All of them.

    Returns
    -------
    list[tuple[str, list[tuple[str, str]]]]
        Names of groups, and names and values in each; groups without any are left out.
    """
    groups = []
    for group, values in asdict(replace(settings, masks={})).items():
        rows = [(f"{name}.{inner}", _said(v)) for name, one in values.items() if isinstance(one, dict) for inner, v in one.items()]
        rows = [(name, _said(one)) for name, one in values.items() if not isinstance(one, dict)] + rows
        if rows:
            groups.append((group, rows))
    masks = [
        (name if name != EVERYWHERE else "all tomograms", mask_words({EVERYWHERE: one}, ())) for name, one in settings.masks.items()
    ]
    return [*groups, ("masks", [(name, ", ".join(words) or "none") for name, words in masks])] if masks else groups


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
