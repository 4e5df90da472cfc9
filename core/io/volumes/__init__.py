"""Tomograms on disk: opened without reading the voxels, written whole or not at all."""

from core.io.volumes.mrc_writer import MrcWriter, mrc_writer, write_mrc
from core.io.volumes.registry import open_tomogram

__all__ = ["MrcWriter", "mrc_writer", "open_tomogram", "write_mrc"]
