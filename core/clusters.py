"""Candidates that look alike to the network: principal components for the eye, clusters by density, and a lasso."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import PickerError
from core.io.atomic import atomic_path, make_folder
from core.particles import Status

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from core.particles import ParticleTable
    from core.types import BoolArray, FloatArray, IntArray

ALONE = -1
"""The label of what belongs to no cluster."""

ARRAYS = ("ids", "components", "labels", "explained")
COMPONENTS = 10
FEWEST = 10  # candidates without which there is nothing to group
_VERSION = 2
_DAMAGED = (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clusters:
    """Candidates of one tomogram, grouped.

    Attributes
    ----------
    ids : IntArray
        (n,) stable ids of the candidates.
    components : FloatArray
        (n, k) principal components of their features, the strongest first.
    labels : IntArray
        (n,) cluster of each, the largest cluster 0; `ALONE` for none.
    explained : FloatArray
        (k,) share of the variance that each component explains.
    network : str
        Name of the network whose features they are; empty where nobody said.
    """

    ids: IntArray = field(repr=False)
    components: FloatArray = field(repr=False)
    labels: IntArray = field(repr=False)
    explained: FloatArray = field(repr=False)
    network: str = ""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def count(self) -> int:
        """How many clusters there are."""
        return int(self.labels.max(initial=ALONE)) + 1

    def matched(self, table: ParticleTable) -> tuple[IntArray, IntArray]:
        """Find the particles of a table among those that were grouped.

        Parameters
        ----------
        table : ParticleTable
            Particles of the same tomogram, as they are now.

        Returns
        -------
        tuple[IntArray, IntArray]
            (m,) rows of the table, and (m,) places here, of those that are in both.
        """
        _, rows, places = np.intersect1d(table.ids, self.ids, assume_unique=True, return_indices=True)
        return rows, places

    def numbers(self, table: ParticleTable) -> FloatArray:
        """Return numbers of clusters, counted from 1.

        Parameters
        ----------
        table : ParticleTable
            n particles of the same tomogram.

        Returns
        -------
        FloatArray
            (n,) NaN for those in no cluster, and for those that were not grouped.
        """
        rows, places = self.matched(table)
        found = np.full(len(table), np.nan, np.float32)
        labels = self.labels[places]
        found[rows[labels != ALONE]] = labels[labels != ALONE] + 1
        return found


@dataclass(frozen=True, slots=True)
class Members:
    """What a cluster holds now.

    Attributes
    ----------
    label : int
        The cluster; `ALONE` for what belongs to none.
    score : float
        Mean score of its picks; NaN where none has one.
    candidates, accepted, rejected : int
        How many of its picks are open, and how the others were judged.
    """

    label: int
    score: float
    candidates: int
    accepted: int
    rejected: int

    @property
    def count(self) -> int:
        """How many picks there are."""
        return self.candidates + self.accepted + self.rejected


def members(labels: IntArray, scores: FloatArray, statuses: IntArray) -> tuple[Members, ...]:
    """Sum up clusters.

    Parameters
    ----------
    labels : IntArray
        (n,) cluster of each pick.
    scores : FloatArray
        (n,) score of each, NaN for none.
    statuses : IntArray
        (n,) `core.particles.Status` of each.

    Returns
    -------
    tuple[Members, ...]
        One for each cluster that has picks, by number; what belongs to none comes last.
    """
    found = []
    for label in sorted(set(labels.tolist()), key=lambda one: (one == ALONE, one)):
        mine = labels == label
        known = scores[mine & ~np.isnan(scores)]
        counts = [int((mine & (statuses == status)).sum()) for status in (Status.CANDIDATE, Status.ACCEPTED, Status.REJECTED)]
        found.append(Members(label, float(known.mean()) if len(known) else float("nan"), *counts))
    return tuple(found)


def grouped(ids: IntArray, features: FloatArray, smallest: int = 0, network: str = "") -> Clusters:
    """Group candidates by their features.

    Features are brought to mean 0 and deviation 1, reduced to ten principal components and grouped by HDBSCAN (Campello et al.
    2013, doi 10.1007/978-3-642-37456-2_14), which finds how many groups there are and leaves out what belongs to none.

    Parameters
    ----------
    ids : IntArray
        (n,) ids of the candidates.
    features : FloatArray
        (n, d) as `core.embedding.embed` returns them.
    smallest : int
        Members of the smallest group, at least 2; 0 for a fiftieth of the candidates, at least 5.
    network : str
        Name of the network whose features they are.

    Returns
    -------
    Clusters
        In the same order.

    Raises
    ------
    PickerError
        If there are fewer than ten candidates, or all are the same.
    """
    require_enough(len(ids))
    from sklearn.cluster import HDBSCAN
    from sklearn.decomposition import PCA

    values = np.asarray(features, np.float64)
    spread = values.std(axis=0)
    if not (spread > 1e-9).any():
        raise PickerError(f"All {len(ids)} picks are the same to the network: check that the tomogram is not empty there.")
    values = (values - values.mean(axis=0))[:, spread > 1e-9] / spread[spread > 1e-9]
    reduced = PCA(n_components=min(COMPONENTS, *values.shape), svd_solver="full")
    components = reduced.fit_transform(values)
    least = max(2, smallest) if smallest else max(5, len(ids) // 50)
    labels = HDBSCAN(min_cluster_size=min(least, len(ids) // 2), min_samples=5, copy=True).fit_predict(components)
    return Clusters(
        ids=np.asarray(ids, np.int64),
        components=np.asarray(components, np.float32),
        labels=_largest_first(labels),
        explained=np.asarray(reduced.explained_variance_ratio_, np.float32),
        network=network,
    )


def require_enough(count: int) -> None:
    """Refuse to group too few candidates.

    Parameters
    ----------
    count : int
        How many there are.

    Raises
    ------
    PickerError
        If there are fewer than ten.
    """
    if count < FEWEST:
        raise PickerError(f"{count} picks are too few to group; at least {FEWEST} are needed: pick first.")


def _largest_first(labels: NDArray[Any]) -> IntArray:
    numbers, counts = np.unique(labels[labels >= 0], return_counts=True)
    order = numbers[np.argsort(-counts, kind="stable")]
    renamed = np.full(len(labels), ALONE, np.int64)
    for new, old in enumerate(order.tolist()):
        renamed[labels == old] = new
    return renamed


def in_polygon(points: NDArray[Any], corners: NDArray[Any]) -> BoolArray:
    """Tell which points a closed line goes round, by counting how often a ray to the right crosses it.

    Parameters
    ----------
    points : ndarray
        (n, 2) places.
    corners : ndarray
        (m, 2) corners of the line, in order; the last is joined to the first.

    Returns
    -------
    BoolArray
        (n,) True inside; all False with fewer than three corners.
    """
    inside = np.zeros(len(points), np.bool_)
    if len(corners) < 3:
        return inside
    x, y = np.asarray(points, float).T
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y1 != y2:
            crossed = ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
            inside ^= crossed
    return inside


def save_clusters(found: Clusters, path: Path) -> None:
    """Write clusters, whole or not at all.

    Parameters
    ----------
    found : Clusters
        What was grouped.
    path : Path
        An npz file of plain arrays.

    Raises
    ------
    PickerError
        If it cannot be written.
    """
    make_folder(path.parent)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        arrays = {name: getattr(found, name) for name in ARRAYS}
        np.savez_compressed(file, version=np.int64(_VERSION), network=np.str_(found.network), **arrays)


def load_clusters(path: Path) -> Clusters | None:
    """Read what `save_clusters` wrote.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Clusters | None
        None where there is none, or it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                return None
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            ids, components, labels, explained = (file[name] for name in ARRAYS)
            network = str(file["network"])
            fits = file["version"] == _VERSION and len(ids) == len(components) == len(labels) and components.ndim == 2
    except _DAMAGED:
        return None
    return Clusters(ids=ids, components=components, labels=labels, explained=explained, network=network) if fits else None
