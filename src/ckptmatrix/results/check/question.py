"""What `check` is asked."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ckptmatrix.environments.device import Machine
from ckptmatrix.model import Device
from ckptmatrix.plan.config import Config
from ckptmatrix.plan.pinned import PinnedEnvironment


@dataclass(frozen=True)
class Question:
    """One upgrade, and over which trainings it is measured."""

    old: PinnedEnvironment
    """What the checkpoints are written with."""
    new: PinnedEnvironment
    """What shall load them."""
    config: Config
    """The project's matrix, for its scenarios and loaders."""
    scenarios: Mapping[str, str]
    """Scenario -> why it is measured, in a few words; empty if it was named."""
    machine: Machine
    """Where it is measured."""
    directory: Path | None = None
    """A checkpoint of one's own, which is loaded as well."""
    trust: bool = False
    """Load pickles of it that name what is not known to be harmless."""
    exact: bool = False
    """Ask for everything to resume whole."""
    fewer: bool = True
    """Where something gets worse, measure changing fewer things as well."""
    fresh: bool = False
    """Measure again what is known from earlier runs."""
    jobs: int = os.cpu_count() or 1
    """Processes at a time."""

    @property
    def devices(self) -> tuple[Device, ...]:
        """What it is measured on: a GPU where there is one."""
        return self.machine.devices[-1:]

    @property
    def named(self) -> tuple[str, ...]:
        """What was asked for by name, each of which has to be measured; none if it was chosen."""
        if any(self.scenarios.values()):
            return ()
        return (*self.scenarios, *([self.label] if self.directory else []))

    @property
    def label(self) -> str:
        """What the directory is called among the scenarios."""
        name = self.directory.resolve().name if self.directory else ""
        return f"{name}/" if name in self.config.scenarios else name
