"""Grouping candidates, as an errand for another process: no network travels."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from core.clusters import Clusters
    from core.messages import Message
    from core.particles import ParticleTable
    from core.tomogram import Tomogram
    from core.types import Angstrom


def cluster_with(
    tomogram: Tomogram,
    candidates: ParticleTable,
    model: Path,
    diameter: Angstrom,
    kept: Path,
    smallest: int = 0,
    cache: Path | None = None,
) -> Generator[Message, None, Clusters]:
    """Group candidates by the features of a network from a file, and keep the groups.

    Parameters
    ----------
    tomogram : Tomogram
        Where they lie.
    candidates : ParticleTable
        n candidates with their ids.
    model : Path
        A saved network.
    diameter : Angstrom
        Of the particles, which crops follow.
    kept : Path
        File for the groups.
    smallest : int
        As for `core.clusters.grouped`.
    cache : Path | None
        Folder for filtered volumes.

    Yields
    ------
    Message
        As `core.embedding.embed`.

    Returns
    -------
    Clusters
        In the order of the candidates.

    Raises
    ------
    PickerError
        If there are too few, or something cannot be read or written.
    """
    from core.checkpoint import load_checkpoint
    from core.clusters import grouped, require_enough, save_clusters
    from core.embedding import embed

    require_enough(len(candidates))
    features = yield from embed(tomogram, load_checkpoint(model), candidates.positions, diameter, cache)
    found = grouped(candidates.ids, features, smallest, model.stem)
    save_clusters(found, kept)
    return found
