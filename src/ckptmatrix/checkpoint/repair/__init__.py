"""Rewrite a checkpoint so that every release from 0.15.0 on can load it."""

from ckptmatrix.checkpoint.repair.repair_plan import RepairOptions
from ckptmatrix.checkpoint.repair.rewrite import Report, repair

__all__ = ["RepairOptions", "Report", "repair"]
