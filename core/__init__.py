"""The engine: tomograms, particles, labels, networks, picks and files; it has never heard of Qt."""

__version__ = "0.1.0"
