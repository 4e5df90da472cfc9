"""The only place that touches napari's layers and their quirks."""
