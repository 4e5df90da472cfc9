"""Tomograms on disk: opened without reading the voxels, written whole or not at all."""

from core.io.volumes.mrc_writer import MrcWriter, mrc_writer, write_mrc
from core.io.volumes.registry import fingerprint, format_of, is_tomogram_folder, name_of, open_tomogram, suffixes
from core.io.volumes.zarr_writer import write_zarr, writing_zarr

__all__ = [
    "MrcWriter",
    "fingerprint",
    "format_of",
    "is_tomogram_folder",
    "mrc_writer",
    "name_of",
    "open_tomogram",
    "suffixes",
    "write_mrc",
    "write_zarr",
    "writing_zarr",
]
