"""What a user must be told: every message says what was expected, what came and what to do."""

from __future__ import annotations

import errno


class PickerError(Exception):
    """Base of all errors whose text is meant for the user; everything else is a defect."""


class ConfigError(PickerError):
    """A setting is outside its range, of the wrong type or unknown."""


class FileFormatError(PickerError):
    """A file cannot be read: missing, truncated, of another format or with values that make no sense."""


class AmbiguousFormatError(FileFormatError):
    """What a file holds means different things in different programs, and the user must say which.

    Attributes
    ----------
    formats : tuple[str, ...]
        Names of the formats to choose from.
    """

    def __init__(self, sentence: str, formats: tuple[str, ...]) -> None:
        super().__init__(sentence)
        self.formats = formats


class ProjectError(PickerError):
    """A project folder cannot be opened or changed."""


class CheckpointError(PickerError):
    """A checkpoint cannot be written or read, or does not fit the work at hand."""


class TrainingError(PickerError):
    """Training cannot start, or had to stop."""


_REASONS = {
    errno.ENOSPC: "the disk is full; free some space and try again",
    errno.EDQUOT: "your disk quota is used up; free some space and try again",
    errno.EACCES: "you have no permission; choose another place or ask for access",
    errno.EPERM: "you have no permission; choose another place or ask for access",
    errno.EROFS: "the disk is read-only; choose another place",
    errno.ENOENT: "there is no such file or folder; check the path",
    errno.ENOTDIR: "a part of the path is a file, not a folder; check the path",
    errno.EISDIR: "it is a folder, not a file; check the path",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}


def os_reason(exc: OSError) -> str:
    """Put the reason of a failed file operation in words, with what to do; no full stop.

    Parameters
    ----------
    exc : OSError
        What the system reported.

    Returns
    -------
    str
        The middle of a sentence.
    """
    return _REASONS.get(exc.errno or 0, exc.strerror or str(exc))
