"""Columns of words become numbers that make sense, or a sentence with file and line."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from core.errors import FileFormatError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from core.types import FloatArray, IntArray, Positions

    Column: TypeAlias = NDArray[np.float64]


def is_number(word: str) -> bool:
    """Tell whether a word is a number, NaN and infinity included.

    Parameters
    ----------
    word : str
        Any word.

    Returns
    -------
    bool
        True for what Python reads as a float.
    """
    try:
        float(word)
    except ValueError:
        return False
    return True


def numbers(path: Path, words: Sequence[str], places: Sequence[int], what: str) -> Column:
    """Turn a column of words into numbers.

    Parameters
    ----------
    path : Path
        The file, for messages.
    words : Sequence[str]
        n words.
    places : Sequence[int]
        n line numbers, for messages.
    what : str
        What the numbers are, for messages.

    Returns
    -------
    Column
        (n,) float64.

    Raises
    ------
    FileFormatError
        If one is not a number.
    """
    try:
        return np.array([float(word) for word in words])
    except ValueError:
        wrong = next(row for row, word in enumerate(words) if not is_number(word))
        raise FileFormatError(
            f"{path}, line {places[wrong]}: expected a number for {what}, not {words[wrong]!r}; correct the line."
        ) from None


def class_ids(path: Path, values: Column, places: Sequence[int]) -> IntArray:
    """Turn numbers into class ids.

    Parameters
    ----------
    path : Path
        The file, for messages.
    values : Column
        (n,) numbers.
    places : Sequence[int]
        n line numbers, for messages.

    Returns
    -------
    IntArray
        (n,) ids.

    Raises
    ------
    FileFormatError
        If one is not a whole number from 1 on.
    """
    wrong = np.flatnonzero(~((values >= 1) & (values < 2**31) & (values == np.floor(values))))
    if len(wrong):
        raise FileFormatError(
            f"{path}, line {places[wrong[0]]}: a class must be a whole number from 1 on, not {values[wrong[0]]:g}; "
            "correct the line."
        )
    return values.astype(np.int64)


def scores(path: Path, values: Column, places: Sequence[int]) -> FloatArray:
    """Turn numbers into scores.

    Parameters
    ----------
    path : Path
        The file, for messages.
    values : Column
        (n,) numbers, NaN where there is no score.
    places : Sequence[int]
        n line numbers, for messages.

    Returns
    -------
    FloatArray
        (n,) scores.

    Raises
    ------
    FileFormatError
        If one is infinite.
    """
    wrong = np.flatnonzero(np.abs(values) > np.finfo(np.float32).max)
    if len(wrong):
        raise FileFormatError(f"{path}, line {places[wrong[0]]}: a score must be a finite number; correct the line.")
    return values.astype(np.float32)


def positions(path: Path, xyz: Sequence[Column], places: Sequence[int]) -> Positions:
    """Turn columns x, y, z into positions.

    Parameters
    ----------
    path : Path
        The file, for messages.
    xyz : Sequence[Column]
        Three columns of n numbers.
    places : Sequence[int]
        n line numbers, for messages.

    Returns
    -------
    Positions
        (n, 3) zyx.

    Raises
    ------
    FileFormatError
        If one is NaN or infinite.
    """
    zyx = np.column_stack(xyz[::-1])
    wrong = np.flatnonzero(~np.isfinite(zyx).all(axis=1))
    if len(wrong):
        z, y, x = zyx[wrong[0]]
        raise FileFormatError(
            f"{path}, line {places[wrong[0]]}: a position must be three finite numbers, not x={x}, y={y}, z={z}; "
            "correct or remove the line."
        )
    return zyx
