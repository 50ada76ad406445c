"""The options by which every command narrows or widens a tier, and the plan that they come to."""

from dataclasses import dataclass

from ckptmatrix.plan.config import Config
from ckptmatrix.plan.planning import Plan
from ckptmatrix.plan.selection import Selection


@dataclass(frozen=True)
class Selected:
    """What the options of a command come to."""

    config: Config
    """The declared matrix."""
    selection: Selection
    """Tier and what narrows it."""
    expression: str
    """pytest's `-k` expression; empty for none."""
    plan: Plan
    """Environments and cells."""

    @property
    def narrowed(self) -> bool:
        """Whether it is less, or other, than the whole tier."""
        return bool(self.expression) or not self.selection.whole
