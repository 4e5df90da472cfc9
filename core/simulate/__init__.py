"""Phantom tomograms with known centres, for the sample, tests and benchmarks."""

from core.simulate.phantom import Phantom, PhantomConfig, simulate

__all__ = ["Phantom", "PhantomConfig", "simulate"]
