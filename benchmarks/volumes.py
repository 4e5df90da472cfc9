"""Benchmark tomograms with reference centres: NAME.mrc beside NAME_truth.csv (class, x, y, z in voxels, diameter_voxels, tier)."""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from core.io.volumes import open_tomogram
from core.particles import ClassSpec, ParticleTable, Status
from core.tomogram import Box

if TYPE_CHECKING:
    from pathlib import Path

    from core.tomogram import Tomogram
    from core.types import Positions

TYPED_DIAMETER = {"ribosome": 250.0, "70S_ribosome": 250.0}
"""What a user would type, in Å; the files hold the largest extent of the density instead."""


def load(folder: Path, name: str) -> tuple[Tomogram, dict[str, list[dict[str, str]]]]:
    """Open a tomogram and read its reference rows by class."""
    rows: dict[str, list[dict[str, str]]] = {}
    with (folder / f"{name}_truth.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            rows.setdefault(row["class"], []).append(row)
    return open_tomogram(folder / f"{name}.mrc"), rows


def spec_of(rows: dict[str, list[dict[str, str]]], name: str, voxel_size: float, number: int = 1) -> ClassSpec:
    """Make a class of the rows that bear its name."""
    extent = float(np.median([float(row["diameter_voxels"]) for row in rows[name]])) * voxel_size
    return ClassSpec(id=number, name=name, diameter=TYPED_DIAMETER.get(name, extent))


def reach_of(rows: dict[str, list[dict[str, str]]], name: str, radius: float = 0.5) -> float:
    """Return how far from its reference a hit may lie, in voxels, by the scorer's rule."""
    return radius * float(np.median([float(row["diameter_voxels"]) for row in rows[name]])) / 2


def truth_of(tomogram: Tomogram, rows: dict[str, list[dict[str, str]]], spec: ClassSpec) -> ParticleTable:
    """Return the reference particles of a class; ambiguous ones are candidates, which are neutral."""
    chosen = rows[spec.name]
    positions = np.array([[float(row[axis]) for axis in "zyx"] for row in chosen])
    neutral = np.array([row.get("tier") == "ambiguous" for row in chosen])
    table = ParticleTable.build(tomogram.id, positions, spec.id)
    return replace(table, statuses=np.where(neutral, int(Status.CANDIDATE), int(Status.ACCEPTED)))


def split_along_y(tomogram: Tomogram, y: int) -> tuple[Box, Box]:
    """Return the part before and the part from a row on."""
    z, rows, x = tomogram.shape
    return Box((0, 0, 0), (z, y, x)), Box((0, y, 0), (z, rows, x))


def within(table: ParticleTable, box: Box) -> ParticleTable:
    """Return the particles of a part."""
    return table.select(box.contains(table.positions))


def draw_clicks(table: ParticleTable, clicks: int, seed: int) -> ParticleTable:
    """Draw simulated clicks from the accepted particles; 0 takes all particles, neutral ones included."""
    if not clicks:
        return table
    accepted = np.flatnonzero(table.statuses == Status.ACCEPTED)
    return table.select(np.random.default_rng(seed).choice(accepted, min(clicks, len(accepted)), replace=False))


def neutral_and_counted(table: ParticleTable) -> tuple[Positions, Positions]:
    """Return the positions that must be found and those that are neutral."""
    return table.positions[table.statuses == Status.ACCEPTED], table.positions[table.statuses == Status.CANDIDATE]
