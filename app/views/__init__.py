"""The three orthogonal canvases."""
