"""The engine: tomograms, particles, labels, networks, picks and files; it has never heard of Qt."""

import os

__version__ = "0.1.0"

# Threads of a parallel loop must sleep while they wait for each other: spinning beside any other busy program slows
# convolutions down tenfold. The setting is read when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
