"""A report on a project: one page of HTML that holds all its pictures and needs nothing else."""

from __future__ import annotations

from core.report.writing import write_report

__all__ = ["write_report"]
