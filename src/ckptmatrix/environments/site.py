"""Where a project is measured: what it declares, where its results lie, and on which device."""

from dataclasses import dataclass

from ckptmatrix.model import Device, Environment, Stack
from ckptmatrix.plan.config import Config
from ckptmatrix.util.home import Home


@dataclass(frozen=True)
class Site:
    """Where a project is measured."""

    config: Config
    """The declared matrix."""
    home: Home
    """Where environments, checkpoints and outcomes lie."""
    device: Device
    """Where writers train and readers resume."""

    @classmethod
    def of(cls, config: Config, device: Device) -> "Site":
        """The site in the project's own home."""
        return cls(config, Home.of(config.root), device)

    def stack(self, environment: Environment) -> Stack:
        """What an environment consists of, but for accelerate."""
        return self.config.stacks[environment.stack]
