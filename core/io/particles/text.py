"""Lines of numbers and words, however people separate them."""

from __future__ import annotations

import codecs
import csv
import io
from typing import TYPE_CHECKING

from core.errors import FileFormatError, os_reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAD_BYTES = 4096
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def read_head(path: Path) -> str:
    """Read the beginning of a text file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        Up to 4096 bytes of it, the last line possibly cut.

    Raises
    ------
    FileFormatError
        If it is missing, a folder, not to be read, empty or not text.
    """
    return decoded_head(path, read_bytes(path, HEAD_BYTES))


def decoded_head(path: Path, content: bytes) -> str:
    """Turn the beginning of a file into text.

    Parameters
    ----------
    path : Path
        The file, for messages.
    content : bytes
        Its first bytes; a character may be cut.

    Returns
    -------
    str
        The text.

    Raises
    ------
    FileFormatError
        If it is not text.
    """
    return _decoded(path, content, cut=True)


def read_text(path: Path) -> str:
    """Read a text file: UTF-8 or, with a byte order mark, UTF-16; any line ends.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        All of it, without the byte order mark.

    Raises
    ------
    FileFormatError
        If it is missing, a folder, not to be read, empty or not text.
    """
    read_head(path)  # a volume taken for a table is refused before it fills the memory
    return _decoded(path, read_bytes(path), cut=False)


def read_bytes(path: Path, count: int = -1) -> bytes:
    """Read a file.

    Parameters
    ----------
    path : Path
        The file.
    count : int
        How many bytes at most; -1 for all.

    Returns
    -------
    bytes
        At least one.

    Raises
    ------
    FileFormatError
        If it is missing, a folder, not to be read or empty.
    """
    if path.is_dir():
        raise FileFormatError(f"{path} is a folder, not a file of coordinates; choose a file inside it.")
    try:
        with path.open("rb") as file:
            content = file.read(count)
    except OSError as exc:
        raise FileFormatError(f"Cannot read {path}: {os_reason(exc)}.") from exc
    if not content:
        raise FileFormatError(f"{path} is empty (0 bytes): there are no coordinates in it.")
    return content


def _decoded(path: Path, content: bytes, *, cut: bool) -> str:
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        # a character that the cut divides waits for a rest that does not come
        text = codecs.getincrementaldecoder(encoding)().decode(content, final=not cut)
    except UnicodeDecodeError as exc:
        raise _not_text(path) from exc
    if "\0" in text:
        raise _not_text(path)
    return text


def _not_text(path: Path) -> FileFormatError:
    return FileFormatError(f"{path} is not a text file (UTF-8); expected a table of coordinates.")


def lines(text: str) -> Iterator[tuple[int, str]]:
    """Say which lines say something, by number; blank ones and those that start with ``#`` do not.

    Parameters
    ----------
    text : str
        A whole text, or the beginning of one.

    Yields
    ------
    tuple[int, str]
        Line number from 1, and the line without surrounding blanks.
    """
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield number, stripped


def separator(line: str) -> str | None:
    """Tell what separates the fields of a line.

    Parameters
    ----------
    line : str
        A line that says something.

    Returns
    -------
    str | None
        ``;``, a tab or ``,``; None for blanks.
    """
    return next((mark for mark in ";\t," if mark in line), None)


def split(line: str, mark: str | None) -> list[str]:
    """Divide a line of numbers into fields.

    Parameters
    ----------
    line : str
        The line.
    mark : str | None
        As `separator` told.

    Returns
    -------
    list[str]
        The fields; with ``;`` between them, a decimal comma has become a point.
    """
    if mark in (None, "\t"):
        return line.split()
    fields = [field.strip() for field in line.split(mark)]
    return [field.replace(",", ".") for field in fields] if mark == ";" else fields


def records(path: Path, text: str, mark: str | None, start: int) -> Iterator[tuple[int, list[str]]]:
    """Divide a table with quoted words into fields.

    Parameters
    ----------
    path : Path
        The file, for messages.
    text : str
        The whole text.
    mark : str | None
        As `separator` told.
    start : int
        Number of the first line that counts, from 1.

    Yields
    ------
    tuple[int, list[str]]
        Line number from 1, and the fields without surrounding blanks; blank lines are left out.

    Raises
    ------
    FileFormatError
        If a quotation does not end.
    """
    file = io.StringIO(text, newline="")
    for _ in range(start - 1):
        file.readline()
    if mark is None:
        yield from ((number, line.split()) for number, line in enumerate(file, start) if line.strip())
        return
    rows = csv.reader(file, delimiter=mark, skipinitialspace=True)
    try:
        for row in rows:
            fields = [word.strip() for word in row]
            if any(fields):
                yield start - 1 + rows.line_num, fields
    except csv.Error as exc:
        raise FileFormatError(f"{path}, line {start - 1 + rows.line_num}: not a row of a table ({exc}); correct the line.") from exc
