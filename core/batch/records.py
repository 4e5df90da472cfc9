"""What was finished: a small record beside the picks, good as long as network, settings and tomogram are the same."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from core.batch.orders import Outcome
from core.errors import ProjectError
from core.io.atomic import atomic_path
from core.masks.settings import volume_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from core.batch.orders import Order

VERSION = 1
BLOCKS, BLOCK = 16, 2**16  # how many places of a file are looked at to recognise it, and how many bytes at each
ELSEWHERE = ("device",)  # settings that do not change what is found


def content_hash(path: Path) -> str:
    """Hash every byte of a file, or of all files of a folder and their names.

    Parameters
    ----------
    path : Path
        The file or folder.

    Returns
    -------
    str
        BLAKE2b with 20 bytes, hexadecimal.
    """
    total = hashlib.blake2b(digest_size=20)
    for one in _files(path):
        total.update(f"{one.relative_to(path).as_posix()}\0{one.stat().st_size}\0".encode())
        with one.open("rb") as file:
            total.update(hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=20)).digest())
    return total.hexdigest()


def look(path: Path) -> dict[str, Any]:
    """Recognise a file or folder without reading all of it.

    Parameters
    ----------
    path : Path
        The file or folder.

    Returns
    -------
    dict[str, Any]
        ``size`` in bytes, ``changed`` (time of the latest change in ns) and ``sample``, a hash of `BLOCKS` places of each file,
        of `BLOCKS` to twice as many files where there are more.
    """
    files = list(_files(path))
    stats = [one.stat() for one in files]
    total = hashlib.blake2b(digest_size=20)
    for one in files[:: max(1, len(files) // BLOCKS)]:
        with one.open("rb") as file:
            _sample(file, one.stat().st_size, total.update)
    for one, stat in zip(files, stats, strict=True):
        total.update(f"{one.relative_to(path).as_posix()}\0{stat.st_size}\0".encode())
    return {
        "size": sum(stat.st_size for stat in stats),
        "changed": max((stat.st_mtime_ns for stat in stats), default=0),
        "sample": total.hexdigest(),
    }


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, inner, names in os.walk(path):
        inner.sort()
        yield from (Path(folder) / name for name in sorted(names))


def _sample(file: BinaryIO, size: int, add: Any) -> None:
    for place in range(BLOCKS):
        file.seek(max(0, size - BLOCK) * place // (BLOCKS - 1))
        add(file.read(BLOCK))


def order_hash(order: Order) -> str:
    """Hash what decides the picks besides the tomogram: network, settings, and how they are written.

    Parameters
    ----------
    order : Order
        The order.

    Returns
    -------
    str
        Hexadecimal.
    """
    settings = {name: value for name, value in order.settings.items() if name not in ELSEWHERE}
    ways = [
        order.format,
        order.threshold,
        order.region,
        order.voxel_size,
        order.pixel_size,
        order.signed,
        order.bring,
    ]
    text = json.dumps([VERSION, order.model_hash, settings, Path(order.picks).name, *ways, _masks(order)], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


def _masks(order: Order) -> Any:
    """Say which masks are on, and what is in their files."""
    files = [volume_path(part["path"], order.name) for part in (order.masks or {}).values() if part["on"] and part.get("path")]
    return order.masks, [look(file) for file in files if file.exists()]


def record_of(order: Order) -> Path:
    """Return where the record of an order lies.

    Parameters
    ----------
    order : Order
        The order.

    Returns
    -------
    Path
        A JSON file beside the picks.
    """
    picks = Path(order.picks)
    return picks.with_name(f"{picks.stem}.picked.json")


def finished(order: Order, thorough: bool = False) -> Outcome | None:
    """Tell whether an order was finished before.

    Parameters
    ----------
    order : Order
        The order.
    thorough : bool
        Read the whole tomogram where it looks changed but is as long as before, as after copying it.

    Returns
    -------
    Outcome | None
        What came of it; None if it must be done: no record, another network or other settings, a changed tomogram, or its
        files are gone.
    """
    try:
        noted = json.loads(record_of(order).read_text(encoding="utf-8"))
        told = {name: noted["outcome"][name] for name in ("name", "counts", "files", "notices", "seconds")}
        same = noted["order"] == order_hash(order) and all(Path(one).exists() for one in told["files"])
        if not same or not _unchanged(noted["tomogram"], Path(order.tomogram), thorough):
            return None
        return Outcome(**told, before=True)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def _unchanged(noted: dict[str, Any], path: Path, thorough: bool) -> bool:
    now = look(path)
    if all(noted[name] == now[name] for name in now):
        return True
    return thorough and bool(noted["size"] == now["size"] and noted["content"] == content_hash(path))


def keep_record(order: Order, tomogram: dict[str, Any], outcome: Outcome) -> None:
    """Write down that an order is finished.

    Parameters
    ----------
    order : Order
        The order.
    tomogram : dict[str, Any]
        What `look` said before it was picked, and its ``content``.
    outcome : Outcome
        What came of it.

    Raises
    ------
    PickerError
        If it cannot be written.
    """
    told = {name: getattr(outcome, name) for name in ("name", "counts", "files", "notices", "seconds")}
    values = {"version": VERSION, "order": order_hash(order), "tomogram": {"path": order.tomogram, **tomogram}, "outcome": told}
    with atomic_path(record_of(order)) as path:
        path.write_text(json.dumps(values, indent=1, ensure_ascii=False), encoding="utf-8")


def note_kept(order: Order, ids: Iterable[int], *, everything: bool) -> None:
    """Add to the record of an order where its candidates were put: only with that is it finished.

    Parameters
    ----------
    order : Order
        One whose candidates were brought.
    ids : Iterable[int]
        Of the particles that a project has of them.
    everything : bool
        Whether all candidates were put there, or only those above the threshold.

    Raises
    ------
    PickerError
        If it cannot be written.
    """
    try:
        noted = json.loads(record_of(order).read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise ProjectError(f"The record {record_of(order)} of what was picked cannot be read; give the same order again.") from exc
    with atomic_path(record_of(order)) as path:
        kept = {"ids": [int(number) for number in ids], "everything": everything}
        path.write_text(json.dumps({**noted, "kept": kept}, indent=None, ensure_ascii=False), encoding="utf-8")


def kept_before(order: Order, *, everything: bool) -> tuple[list[int], list[str]] | None:
    """Look up what was put where when an order was done before.

    Parameters
    ----------
    order : Order
        The order.
    everything : bool
        Whether all candidates must have been put there.

    Returns
    -------
    tuple[list[int], list[str]] | None
        Ids of the particles, and names of the classes that were looked for; None if it was not done, or in another way.
    """
    try:
        noted = json.loads(record_of(order).read_text(encoding="utf-8"))
        if noted["order"] != order_hash(order) or noted["kept"]["everything"] != everything:
            return None
        return [int(number) for number in noted["kept"]["ids"]], [str(name) for name in noted["outcome"]["counts"]]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def sweep(orders: Iterable[Order]) -> None:
    """Remove half-written files of workers that were ended; no worker may still be writing.

    Parameters
    ----------
    orders : Iterable[Order]
        What they were working on.
    """
    for order in orders:
        for target in (Path(order.picks), Path(order.score_map or order.picks)):
            for left in target.parent.glob("." + "[0-9a-f]" * 8 + f".{escape(target.stem)}*"):
                with suppress(OSError):
                    left.unlink()
