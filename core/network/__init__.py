"""Networks that turn normalised voxels into one logit map a channel."""

from core.network.build import Network, build

__all__ = ["Network", "build"]
