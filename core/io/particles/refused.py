"""Files that are not opened for what opening them would do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from core.errors import FileFormatError

if TYPE_CHECKING:
    from core.io.particles.formats import Head

_PICKLE = re.compile(rb"\x80[\x02-\x05][\x95}](?s:.)|\x80[\x02-\x05]c|\x80[\x02-\x05]\(")


def refuse(head: Head) -> None:
    """Stop at Python pickles, such as the ``.tloc`` of TomoTwin: reading one can run any program that its maker put in.

    Parameters
    ----------
    head : Head
        The beginning of the file.

    Raises
    ------
    FileFormatError
        If it is a pickle.
    """
    located = head.path.suffix.lower() == ".tloc"
    if not (located or head.path.suffix.lower() in (".pkl", ".pickle") or _PICKLE.match(head.raw)):
        return
    way = (
        "tomotwin_pick.py writes a .coords file for each reference, and napari-boxmanager saves .cbox and .coords: import one of "
        "those"
    )
    other = "save the particles as a table with the columns x, y and z, and import that"
    raise FileFormatError(
        f"{head.path} is a Python pickle, which is not opened because it can run any program; {way if located else other}."
    )
