"""What a user must be told: every message says what was expected, what came and what to do."""

from __future__ import annotations


class PickerError(Exception):
    """Base of all errors whose text is meant for the user; everything else is a defect."""


class ConfigError(PickerError):
    """A setting is outside its range, of the wrong type or unknown."""


class FileFormatError(PickerError):
    """A file cannot be read: missing, truncated, of another format or with values that make no sense."""


class ProjectError(PickerError):
    """A project folder cannot be opened or changed."""


class CheckpointError(PickerError):
    """A checkpoint cannot be written or read, or does not fit the work at hand."""


class TrainingError(PickerError):
    """Training cannot start, or had to stop."""
