"""Many tomograms, one task each, on the processes of one machine, on the workers of a Dask scheduler, or on SLURM."""

from __future__ import annotations

from core.batch.orders import Order, Outcome, mask_of, tomogram_files, unique_names
from core.batch.running import BatchResult, pick_all
from core.batch.sites import Local, Remote, Site, local
from core.batch.slurm import Slurm, slurm

__all__ = [
    "BatchResult",
    "Local",
    "Order",
    "Outcome",
    "Remote",
    "Site",
    "Slurm",
    "local",
    "mask_of",
    "pick_all",
    "slurm",
    "tomogram_files",
    "unique_names",
]
