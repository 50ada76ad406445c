"""Rewrite a checkpoint so that every release from 0.15.0 on can load it."""

from ckptmatrix.repairing.plan import Options
from ckptmatrix.repairing.writing import Report, repair

__all__ = ["Options", "Report", "repair"]
