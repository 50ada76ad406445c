"""What a run is asked to do."""

import os
from dataclasses import dataclass

from ckptmatrix.knowledge.expectations import Expectations
from ckptmatrix.model import ShardRecord
from ckptmatrix.plan.config import Config
from ckptmatrix.plan.planning import Plan
from ckptmatrix.plan.selection import Selection


@dataclass(frozen=True)
class Job:
    """What a run is asked to do."""

    config: Config
    """The declared matrix."""
    selection: Selection
    """Tier and what narrows it."""
    plan: Plan
    """Environments and cells."""
    expectations: Expectations
    """Known outcomes."""
    device: str
    """`cpu` or `cuda`."""
    fresh: bool = False
    """Measure again what is known from earlier runs."""
    expression: str = ""
    """pytest's `-k` expression that narrowed the plan."""
    narrowed: bool = False
    """Whether the plan is less than the tier."""
    jobs: int = os.cpu_count() or 1
    """Processes at a time."""
    shard: ShardRecord | None = None
    """Which part of a plan `plan` is; None if it is all of it."""
