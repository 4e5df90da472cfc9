"""A project folder: its database, its trained networks, its runs."""

from __future__ import annotations

from core.project.contents import Project
from core.project.importing import Imported

__all__ = ["Imported", "Project"]
