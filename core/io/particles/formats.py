"""What the program knows about a format of particle files: enough for a dialog, the command line and the tests."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from core.configfile import config_from_dict
from core.errors import ConfigError, FileFormatError
from core.io.particles.text import decoded_head, read_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from core.io.particles.frames import Unit
    from core.io.particles.values import ReadPicks, TomogramPicks, Written
    from core.particles import ClassSpec


class Layout(StrEnum):
    """How particles of many tomograms become files."""

    ONE = "one file"
    """All in one file."""
    LIST = "a list, and a file for each tomogram"
    """A list that names the files, and a folder of the same name beside it with one for each tomogram."""
    EACH = "a file for each tomogram"
    """The file itself for one tomogram; for several, a folder of the same name without suffix with one for each."""
    MERGED = "merged into the files of the other program"
    """What is there already is kept."""


class Need(StrEnum):
    """What a format takes beyond positions; the value says what to ask for."""

    VOXEL_SIZE = "the voxel size of the tomogram in Å"
    PIXEL_SIZE = "the pixel size of its tilt series in Å (rlnTomoTiltSeriesPixelSize)"
    UNBINNED_SIZE = "the size of the unbinned tomogram in pixels of the tilt series (rlnTomoSizeX/Y/Z)"
    NUMBER = "the number of the tomogram"


@dataclass(frozen=True, kw_only=True)
class Options:
    """The choices that a format leaves to the user: none, unless a format has a class of its own.

    Fields have a default and are of type ``bool``, ``int``, ``float``, ``str`` or ``Literal`` of words; the section Attributes of
    the docstring says what each means, for forms and messages.
    """

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for entry in fields(self):
            choices, value = get_args(hints[entry.name]), getattr(self, entry.name)
            if choices and value not in choices:
                raise ConfigError(f"The option {entry.name} must be one of {', '.join(choices)}, not {value!r}.")


@dataclass(frozen=True)
class Head:
    """The beginning of a file, to tell its format by.

    Attributes
    ----------
    path : Path
        The file.
    """

    path: Path

    @cached_property
    def raw(self) -> bytes:
        """Up to 4096 bytes; a file that is missing, empty or a folder raises `FileFormatError`."""
        return read_bytes(self.path, 4096)

    @cached_property
    def text(self) -> str:
        """The same as text, the last line possibly cut; empty where it is none."""
        try:
            return decoded_head(self.path, self.raw)
        except FileFormatError:
            return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOrder:
    """How a file shall be read.

    Attributes
    ----------
    named : bool
        Whether the user named the format; without it, a format that shares its look with others raises
        `AmbiguousFormatError`.
    unit : Unit | None
        What the numbers count, where the user told.
    options : Options
        Of the format's own class.
    """

    named: bool = False
    unit: Unit | None = None
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOrder:
    """What shall be written.

    Attributes
    ----------
    parts : Sequence[TomogramPicks]
        The particles of each tomogram, at least one particle in all; what the format needs is known.
    classes : Sequence[ClassSpec]
        For the names and diameters of classes.
    options : Options
        Of the format's own class.
    """

    parts: Sequence[TomogramPicks]
    classes: Sequence[ClassSpec]
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """What comes back from the files of a format.

    Attributes
    ----------
    classes : bool
        Classes, from the files or from their names.
    scores : bool
        Scores.
    partial_scores : bool
        Scores even where some particles have none.
    rounding : float
        Voxels by which positions may be off, beyond the hundredth that every format may.
    """

    classes: bool = True
    scores: bool = True
    partial_scores: bool = True
    rounding: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A kind of file of particles.

    Attributes
    ----------
    name : str
        What users name it by on the command line.
    title : str
        What users look for: the program.
    suffixes : tuple[str, ...]
        Lower-case endings of its file names; the first format with an ending writes it.
    recognises : Callable[[Head], bool]
        Whether a file is of this kind; formats are asked in the order of ``FORMATS``.
    read : Callable[[Path, ReadOrder], ReadPicks] | None
        Read it, where it can be read.
    write : Callable[[Path, WriteOrder], Written] | None
        Write it, where it can be written; what was written is compared afterwards, in one place for all.
    options : type[Options]
        The choices it has.
    reading : tuple[str, ...]
        Those of its choices that reading heeds.
    layout : Layout
        Which files are written.
    needs : frozenset[Need]
        Without these, writing is refused.
    wants : frozenset[Need]
        These are worth asking for; the writer says in a notice what it took instead.
    called : Callable[[str], str] | None
        What its files call a tomogram of some name; None where they have numbers only.
    by_class : bool
        Whether particles come back ordered by class, not as they were.
    fidelity : Callable[[Options], Fidelity]
        What comes back from its files, with which choices.
    stays : Callable[[Path], str]
        What becomes of such a file if it is there already, as a sentence; empty where it is replaced.
    hint : str
        One sentence for the user: what to do with the file in the other program.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    recognises: Callable[[Head], bool]
    read: Callable[[Path, ReadOrder], ReadPicks] | None = None
    write: Callable[[Path, WriteOrder], Written] | None = None
    options: type[Options] = Options
    reading: tuple[str, ...] = ()
    layout: Layout = Layout.ONE
    needs: frozenset[Need] = frozenset()
    wants: frozenset[Need] = frozenset()
    called: Callable[[str], str] | None = str
    by_class: bool = False
    fidelity: Callable[[Options], Fidelity] = lambda _options: Fidelity()
    stays: Callable[[Path], str] = lambda _path: ""
    hint: str = ""

    def chosen(self, values: Mapping[str, Any] | Options | None = None) -> Options:
        """Return the choices of this format.

        Parameters
        ----------
        values : Mapping[str, Any] | Options | None
            By name, as plain data; what is left out keeps its default.

        Returns
        -------
        Options
            Of the class `options`.

        Raises
        ------
        ConfigError
            For names and values that it does not know.
        """
        if isinstance(values, self.options):
            return values
        if isinstance(values, Options):
            raise ConfigError(f"These are options of another format than {self.name}: {values}.")
        options: Options = config_from_dict(self.options, dict(values or {}), self.name)
        return options

    def parsed(self, words: Iterable[str]) -> dict[str, Any]:
        """Read choices as they stand on the command line.

        Parameters
        ----------
        words : Iterable[str]
            Such as ``centre=S/2``.

        Returns
        -------
        dict[str, Any]
            For `chosen`.

        Raises
        ------
        ConfigError
            If a word has no ``=``, the format has no such option, or a value is none of its type.
        """
        hints = get_type_hints(self.options)
        known = {entry.name for entry in fields(self.options)}
        found = {}
        for word in words:
            name, equals, value = word.partition("=")
            if not equals or name not in known:
                listed = ", ".join(sorted(known)) or "none"
                raise ConfigError(f"Expected an option of {self.name} such as NAME=VALUE, not {word!r}; its options are: {listed}.")
            found[name] = _typed(name, hints[name], value)
        return found


_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _typed(name: str, hint: Any, word: str) -> Any:
    try:
        if hint is bool:
            return _TRUTHS[word.lower()]
        return hint(word) if hint in (int, float) else word
    except (ValueError, KeyError):
        kind = {bool: "true or false", int: "a whole number", float: "a number"}[hint]
        raise ConfigError(f"The option {name} must be {kind}, not {word!r}.") from None
