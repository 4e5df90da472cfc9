"""Large tables of numbers without a header, read and written fast."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import FileFormatError
from core.io.particles.checks import is_number
from core.io.particles.text import lines, split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray


def read_rows(path: Path, text: str, mark: str | None = None) -> NDArray[np.float64]:
    """Turn a text into numbers.

    Parameters
    ----------
    path : Path
        The file, for messages.
    text : str
        All of it; blank lines and those that start with ``#`` do not count.
    mark : str | None
        What separates the fields; None for blanks.

    Returns
    -------
    NDArray[np.float64]
        (n, m), at least one row.

    Raises
    ------
    FileFormatError
        If there are no rows, one has another number of columns than those before, or a word is not a number.
    """
    if next(lines(text), None) is None:
        raise FileFormatError(f"{path} holds no rows of numbers; check it or export it again.")
    table = _quickly(text, mark)
    if table is not None:
        return table
    try:
        return np.loadtxt(io.StringIO(text, newline=None), delimiter=mark, comments="#", ndmin=2)
    except ValueError as exc:
        raise FileFormatError(_reason(path, text, mark) or f"{path} is not a table of numbers ({exc}); correct it.") from exc


def _quickly(text: str, mark: str | None) -> NDArray[np.float64] | None:
    """Read the numbers, twice as fast, unless something is odd; short rows end in NaN here."""
    # slow to load, and few sessions read such a table
    import pandas as pd

    try:
        file = io.StringIO(text, newline=None)
        frame = pd.read_csv(file, sep=mark or r"\s+", header=None, comment="#", dtype=np.float64, quoting=csv.QUOTE_NONE)
    except (ValueError, TypeError, OverflowError):
        return None
    table = frame.to_numpy()
    return None if np.isnan(table).any() else table


def _reason(path: Path, text: str, mark: str | None) -> str:
    count = 0
    for number, line in lines(text):
        fields = split(line, mark)
        count = count or len(fields)
        if len(fields) != count:
            return f"{path}, line {number}: expected {count} columns as in the lines before, not {len(fields)}; correct the line."
        wrong = next((field for field in fields if not is_number(field)), None)
        if wrong is not None:
            return f"{path}, line {number}: expected a number, not {wrong[:40]!r}; correct the line."
    return ""


def rows_of(columns: Sequence[tuple[str, Any]], mark: str = " ") -> Iterator[str]:
    """Turn columns into lines.

    Parameters
    ----------
    columns : Sequence[tuple[str, Any]]
        How an entry is written, such as ``%d``, and the (n,) entries, or one for all rows; at least one column has n.
    mark : str
        What separates the fields.

    Yields
    ------
    str
        A line with its end, for each row.
    """
    words, varying = [], []
    for form, values in columns:
        if isinstance(values, np.ndarray):
            words.append(form)
            varying.append(values.tolist())
        else:
            words.append((form % values).replace("%", "%%"))
    row = mark.join(words) + "\n"
    yield from (row % entries for entries in zip(*varying, strict=True))
