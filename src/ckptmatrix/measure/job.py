"""What a run is asked to do."""

import os
from dataclasses import dataclass

from ckptmatrix.environments.site import Site
from ckptmatrix.knowledge.expectations import Expectations
from ckptmatrix.model import ShardRecord
from ckptmatrix.plan.planning import Plan
from ckptmatrix.plan.selected import Selected


@dataclass(frozen=True)
class Job:
    """What a run is asked to do."""

    site: Site
    """Where it runs."""
    selected: Selected
    """The plan, or a shard's part of it, and the options that it comes from."""
    expectations: Expectations
    """Known outcomes."""
    fresh: bool = False
    """Measure again what is known from earlier runs."""
    jobs: int = os.cpu_count() or 1
    """Processes at a time."""
    shard: ShardRecord | None = None
    """Which part of a plan it is; None if it is all of it."""
    part: bool = False
    """Whether it is what some readers do of a job."""

    @property
    def plan(self) -> Plan:
        """Environments and cells."""
        return self.selected.plan

    @property
    def narrowed(self) -> bool:
        """Whether the plan is less than the tier."""
        return self.selected.narrowed or self.part or self.shard is not None
