"""Long jobs beside the window: one at a time, cancelled within a second, never left running."""

from app.jobs.job import Job
from app.jobs.runner import Runner

__all__ = ["Job", "Runner"]
