"""The network that the program brings along: taught on invented shapes, it knows particles before the first click."""

from __future__ import annotations

import json
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from core.checkpoint import Checkpoint, from_plain, plain
from core.errors import CheckpointError, ConfigError, os_reason
from core.io.atomic import atomic_path

if TYPE_CHECKING:
    from pathlib import Path

FILE = "pretrained.safetensors"
FACTS = "deepetpicker"  # the entry of the file's metadata that holds all but the tensors, as JSON


def pretrained() -> Checkpoint:
    """Return the network that comes with the program.

    Returns
    -------
    Checkpoint
        Of the preset ``fast``; its classes are sorts of size and shape, which `core.transfer.handed_on` turns into others.

    Raises
    ------
    CheckpointError
        If the installation lacks the file or it is damaged.
    """
    with as_file(files("resources") / FILE) as path:
        return read_pretrained(path)


def read_pretrained(path: Path) -> Checkpoint:
    """Read a network from a safetensors file, which cannot hold code.

    Parameters
    ----------
    path : Path
        A file that `write_pretrained` wrote.

    Returns
    -------
    Checkpoint
        Whole and checked.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged or of something else.
    """
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {})[FACTS])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dictionary
        return from_plain({**facts, "weights": weights})
    except OSError as exc:
        raise CheckpointError(
            f"Expected the network that comes with the program at {path}, but it cannot be opened: {os_reason(exc)}; "
            'install the program again, or train with start = "scratch".'
        ) from exc
    except (SafetensorError, LookupError, TypeError, ValueError, AttributeError, ConfigError) as exc:
        raise CheckpointError(f"{path} is not a whole network of this program ({exc}): install the program again.") from exc


def write_pretrained(checkpoint: Checkpoint, path: Path) -> None:
    """Write a network as a safetensors file, whole or not at all.

    Parameters
    ----------
    checkpoint : Checkpoint
        What to write.
    path : Path
        Where to.

    Raises
    ------
    PickerError
        If the file cannot be written.
    """
    facts = {name: value for name, value in plain(checkpoint).items() if name != "weights"}
    with atomic_path(path) as temporary:
        save_file(checkpoint.weights, temporary, {FACTS: json.dumps(facts)})
