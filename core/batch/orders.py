"""What one task is told and what it answers: paths and plain values, since they travel between processes and machines."""

from __future__ import annotations

import glob
import os
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import PickerError
from core.io.atomic import safe_name
from core.io.volumes import is_tomogram_folder, name_of, suffixes
from core.masks import config_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from core.masks import MaskConfig
    from core.particles import PickResult

TOPIC = "deepetpicker"  # of the events in which workers say how far they have come


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One tomogram to pick.

    Attributes
    ----------
    name : str
        Of the tomogram; unique among the orders of a batch.
    tomogram, model : str
        Absolute paths, which workers on other machines must see as well.
    model_hash : str
        From `core.batch.records.content_hash`; a network that was replaced since is refused.
    settings : dict[str, Any]
        Fields of `PickConfig` as plain data.
    picks : str
        Absolute path of the file to write; its record lies beside it.
    format : str | None
        Format of that file; None goes by its ending.
    threshold : float | None
        Least score, in place of what training found.
    region : str | None
        Part of the tomogram, as `core.tomogram.parsed_box` reads it.
    masks : dict[str, Any] | None
        Fields of `MaskConfig` as plain data; None for no mask.
    voxel_size, pixel_size : float | None
        Å per voxel in place of what the file says; unbinned pixel size of the tilt series.
    signed : bool | None
        How to read 8-bit voxels, where that is known.
    cache, score_map : str | None
        Folder for filtered volumes; file for the score map.
    bring : bool
        Whether all candidates come back with the answer; the file then holds all of them, whatever the threshold.
    kept : bool
        Whether what came back earlier is still where it was put, so that it need not come again.
    """

    name: str
    tomogram: str
    model: str
    model_hash: str
    settings: dict[str, Any]
    picks: str
    format: str | None = None
    threshold: float | None = None
    region: str | None = None
    masks: dict[str, Any] | None = None
    voxel_size: float | None = None
    pixel_size: float | None = None
    signed: bool | None = None
    cache: str | None = None
    score_map: str | None = None
    bring: bool = False
    kept: bool = False

    @property
    def anew(self) -> bool:
        """Whether it must be done even if it was finished before."""
        return self.bring and not self.kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one order.

    Attributes
    ----------
    name : str
        Of the tomogram.
    refused : str
        Why it could not be picked, in a sentence; empty where it was.
    counts : dict[str, dict[str, float]]
        By class: threshold, picks, and candidates above the floor.
    files : list[str]
        What was written.
    notices : list[str]
        What the user should know.
    seconds : float
        How long it took.
    before : bool
        Whether it had been finished before.
    result : PickResult | None
        All candidates, where they were to be brought.
    """

    name: str
    refused: str = ""
    counts: dict[str, dict[str, float]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    seconds: float = 0.0
    before: bool = False
    result: PickResult | None = None


def pick_order(values: dict[str, Any]) -> Outcome:
    """Do one order; the task that workers get. Whoever sends it loads no torch.

    Parameters
    ----------
    values : dict[str, Any]
        Fields of an `Order`.

    Returns
    -------
    Outcome
        Also where it could not be done.
    """
    from core.batch.work import work_on

    return work_on(Order(**values))


def mask_of(configs: Mapping[str, MaskConfig], name: str) -> dict[str, Any] | None:
    """Return the masks of a tomogram as plain data.

    Parameters
    ----------
    configs : Mapping[str, MaskConfig]
        By name of the tomogram.
    name : str
        Which.

    Returns
    -------
    dict[str, Any] | None
        None where no mask is on.
    """
    config = config_for(configs, name)
    return asdict(config) if config.active else None


def tomogram_files(targets: Iterable[str]) -> list[Path]:
    """Find the tomograms that words on the command line mean.

    Parameters
    ----------
    targets : Iterable[str]
        Files, OME-Zarr folders, folders of tomograms, and patterns such as ``data/*.mrc`` or ``data/**/*.mrc``.

    Returns
    -------
    list[Path]
        Each once, in the order of the words and by name within one.

    Raises
    ------
    PickerError
        If a word means none.
    """
    found: dict[Path, None] = {}
    for word in targets:
        path = Path(word)
        matches = [path] if path.exists() else sorted(Path(one) for one in glob.glob(word, recursive=True))
        inside = [one for match in matches for one in ([match] if _is_tomogram(match) else _tomograms_in(match))]
        if not inside:
            what = "it holds no tomograms" if path.is_dir() else "there is no such file, and no file matches it"
            raise PickerError(f"Expected tomograms at {word}, but {what}; tomograms end in {', '.join(suffixes())} or .zarr.")
        found |= dict.fromkeys(inside)
    return list(found)


def _is_tomogram(path: Path) -> bool:
    return path.is_file() or is_tomogram_folder(path)


def _tomograms_in(folder: Path) -> list[Path]:
    endings = tuple(end + packed for end in suffixes() for packed in ("", ".gz", ".bz2"))
    inside = (one for one in folder.iterdir() if not one.name.startswith("."))
    return sorted(one for one in inside if (one.is_file() and one.name.lower().endswith(endings)) or is_tomogram_folder(one))


def unique_names(paths: Sequence[Path]) -> list[str]:
    """Name tomograms by their files; files that are called alike get their folders' names before their own.

    Parameters
    ----------
    paths : Sequence[Path]
        Their files, each once.

    Returns
    -------
    list[str]
        One for each, none twice, fit for a file name.
    """
    whole = [path.absolute() for path in paths]
    top = Path(os.path.commonpath([path.parent for path in whole])) if whole else Path()
    names = [safe_name(name_of(path)) for path in whole]
    longer = [safe_name("_".join((*path.relative_to(top).parent.parts, name_of(path)))) for path in whole]
    longest = [safe_name("_".join(path.relative_to(top).parts)) for path in whole]
    for other in (longer, longest):
        often = Counter(name.lower() for name in names)
        names = [more if often[name.lower()] > 1 else name for name, more in zip(names, other, strict=True)]
    often = Counter(name.lower() for name in names)
    return [f"{name}-{place}" if often[name.lower()] > 1 else name for place, name in enumerate(names, 1)]
