"""Particles in files: read as they are meant, written whole or not at all."""

from __future__ import annotations

from core.io.particles.registry import read_particles, write_particles, write_parts
from core.io.particles.values import TiltSeriesGeometry, TomogramPicks

__all__ = ["TiltSeriesGeometry", "TomogramPicks", "read_particles", "write_particles", "write_parts"]
