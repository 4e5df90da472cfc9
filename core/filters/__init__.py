"""Pure functions on volumes: statistics, normalisation, Gaussian filters, binning, slab means."""

from core.filters.measuring import Affine, Statistics, measure, normalisation, statistics
from core.filters.spatial import binned, gaussian_sigma, high_pass, low_pass, slab_mean, smooth

__all__ = [
    "Affine",
    "Statistics",
    "binned",
    "gaussian_sigma",
    "high_pass",
    "low_pass",
    "measure",
    "normalisation",
    "slab_mean",
    "smooth",
    "statistics",
]
