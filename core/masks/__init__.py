"""Where in a tomogram picks count: between surfaces, in a volume, near a membrane, off gold; each a `core.tomogram.Mask`."""

from core.masks.beads import Beads, find_beads
from core.masks.combining import Masks, masks_of, part_of, shade
from core.masks.settings import EVERYWHERE, GoldMask, MaskConfig, MembraneMask, SlabMask, VolumeMaskFile, config_for
from core.masks.slab import Slab, Surface, find_slab, given_slab
from core.masks.volumes import Segmented, VolumeMask, near_segmentation, volume_mask

__all__ = [
    "EVERYWHERE",
    "Beads",
    "GoldMask",
    "MaskConfig",
    "Masks",
    "MembraneMask",
    "Segmented",
    "Slab",
    "SlabMask",
    "Surface",
    "VolumeMask",
    "VolumeMaskFile",
    "config_for",
    "find_beads",
    "find_slab",
    "given_slab",
    "masks_of",
    "near_segmentation",
    "part_of",
    "shade",
    "volume_mask",
]
