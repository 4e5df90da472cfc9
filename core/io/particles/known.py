"""All formats, in the order in which a file is held against them: those with a look of their own first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.io.particles.coords import COORDS
from core.io.particles.copick import COPICK
from core.io.particles.cryolo import CBOX, CRYOLO
from core.io.particles.delimited import CSV
from core.io.particles.dynamo import DYNAMO_TABLE
from core.io.particles.eman2 import EMAN2, EMAN_BOX
from core.io.particles.emmotl import EM_MOTL
from core.io.particles.imod import IMOD
from core.io.particles.imodtext import IMOD_TEXT
from core.io.particles.kaggle import KAGGLE
from core.io.particles.markers import MARKERS
from core.io.particles.peet import PEET
from core.io.particles.pointtables import ARTIAX, NAPARI
from core.io.particles.portal import PORTAL
from core.io.particles.relion import RELION3, RELION4
from core.io.particles.relion5 import RELION5
from core.io.particles.shrec import SHREC
from core.io.particles.stopgap import STOPGAP
from core.io.particles.warp import SPECIES_OF_M, WARP

if TYPE_CHECKING:
    from core.io.particles.formats import Format

FORMATS: tuple[Format, ...] = (
    RELION5,
    SPECIES_OF_M,
    WARP,
    RELION4,
    RELION3,
    CBOX,
    COPICK,
    PORTAL,
    MARKERS,
    STOPGAP,
    DYNAMO_TABLE,
    EM_MOTL,
    IMOD,
    PEET,
    EMAN2,
    EMAN_BOX,
    CSV,
    KAGGLE,
    NAPARI,
    ARTIAX,
    COORDS,
    CRYOLO,
    SHREC,
    IMOD_TEXT,
)
READABLE = tuple(known for known in FORMATS if known.read is not None)
WRITABLE = tuple(known for known in FORMATS if known.write is not None)
