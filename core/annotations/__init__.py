"""The one writable truth of a project: tomograms, classes and particles, with undo and redo that outlive the program."""

from __future__ import annotations

from core.annotations.records import Change, Kind, Link, Role, TomogramRecord
from core.annotations.store import AnnotationStore

__all__ = ["AnnotationStore", "Change", "Kind", "Link", "Role", "TomogramRecord"]
