"""A project folder on disk: made, opened, closed, with places for networks and runs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self
from zlib import crc32

from core.annotations import AnnotationStore
from core.errors import ProjectError, os_reason
from core.io.atomic import make_folder, safe_name

if TYPE_CHECKING:
    from pathlib import Path

DATABASE = "project.db"


class Folder:
    """An open project.

    Attributes
    ----------
    folder : Path
        Where it is.
    store : AnnotationStore
        Its tomograms, classes and particles.
    """

    def __init__(self, folder: Path, store: AnnotationStore) -> None:
        self.folder = folder
        self.store = store

    @classmethod
    def create(cls, folder: Path) -> Self:
        """Make a project in a folder, which may exist and hold other things.

        Parameters
        ----------
        folder : Path
            Where.

        Returns
        -------
        Self
            Open for writing.

        Raises
        ------
        PickerError
            If there is a project already, or the folder cannot be made or written.
        """
        if (folder / DATABASE).exists():
            raise ProjectError(f"{folder} is a project already; open it, or choose another folder.")
        for place in (folder, folder / "models", folder / "runs"):
            make_folder(place)
        return cls(folder, AnnotationStore.create(folder / DATABASE))

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open a project; read-only where another program has it open or it cannot be written: see `notice`.

        Parameters
        ----------
        folder : Path
            Its folder, or the database inside.

        Returns
        -------
        Self
            To be closed.

        Raises
        ------
        ProjectError
            If it is missing, not a project, damaged or of a newer version.
        """
        place = folder.parent if folder.name == DATABASE and not folder.is_dir() else folder
        if not place.exists():
            raise ProjectError(f"There is no folder {place}; check the path or create a project there.")
        if not (place / DATABASE).is_file():
            raise ProjectError(f"{place} is not a project: it has no {DATABASE}; choose a project folder or create a project.")
        return cls(place, AnnotationStore.open(place / DATABASE))

    def close(self) -> None:
        """Close the project and let other programs write to it."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def notice(self) -> str:
        """Why the project is read-only; empty where it can be changed."""
        return self.store.notice

    @property
    def models(self) -> Path:
        """The folder of trained networks."""
        return self.folder / "models"

    @property
    def runs(self) -> Path:
        """The folder of runs."""
        return self.folder / "runs"

    def score_map(self, tomogram_id: str) -> Path:
        """Return where the score map of a tomogram is kept.

        Parameters
        ----------
        tomogram_id : str
            Which tomogram.

        Returns
        -------
        Path
            An MRC file that need not exist.
        """
        return self.folder / "maps" / f"{file_name(tomogram_id)}.mrc"

    def clusters(self, tomogram_id: str) -> Path:
        """Return where the clusters of a tomogram's candidates are kept.

        Parameters
        ----------
        tomogram_id : str
            Which tomogram.

        Returns
        -------
        Path
            A file of `core.clusters.save_clusters` that need not exist.
        """
        return self.folder / "clusters" / f"{file_name(tomogram_id)}.npz"

    def new_run(self, kind: str) -> Path:
        """Make a folder for a run.

        Parameters
        ----------
        kind : str
            Such as ``train`` or ``pick``.

        Returns
        -------
        Path
            Named after the time and the kind, and empty.

        Raises
        ------
        PickerError
            If it cannot be made.
        """
        return new_run(self.runs, kind)


def new_run(runs: Path, kind: str) -> Path:
    """Make a folder for a run, which needs no open project.

    Parameters
    ----------
    runs : Path
        The folder of all runs; made if it is missing.
    kind : str
        As for `Folder.new_run`.

    Returns
    -------
    Path
        Named after the time and the kind, and empty.

    Raises
    ------
    PickerError
        If it cannot be made.
    """
    make_folder(runs)
    name = f"{datetime.now():%Y%m%d-%H%M%S}-{safe_name(kind)}"
    number = 1
    while True:
        folder = runs / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1  # another run of the same second, perhaps of another process
        except OSError as exc:
            raise ProjectError(f"Cannot make the folder {folder}: {os_reason(exc)}.") from exc
        else:
            return folder


def file_name(tomogram_id: str) -> str:
    """Return how files of a tomogram are called in a project, without ending.

    Parameters
    ----------
    tomogram_id : str
        Which tomogram.

    Returns
    -------
    str
        Its name where that can be a file name; otherwise with a number, so that no two tomograms have the same.
    """
    name = safe_name(tomogram_id)
    if name != tomogram_id:  # what the file system does not tell apart, the number does
        name += f"-{crc32(tomogram_id.encode()):08x}"
    return name
