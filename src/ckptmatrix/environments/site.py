"""Where a project is measured: what it declares, where its results lie, and on which hardware."""

from dataclasses import dataclass

from ckptmatrix.model import Device, Environment, Gpus, Stack
from ckptmatrix.plan.config import Config
from ckptmatrix.util.home import Home


@dataclass(frozen=True)
class Site:
    """Where a project is measured."""

    config: Config
    """The declared matrix."""
    home: Home
    """Where environments, checkpoints and outcomes lie."""
    gpus: Gpus | None = None
    """The GPUs of this machine; None if nothing is asked of one."""

    @classmethod
    def of(cls, config: Config, gpus: Gpus | None = None) -> "Site":
        """The site in the project's own home."""
        return cls(config, Home.of(config.root), gpus)

    def stack(self, environment: Environment) -> Stack:
        """What an environment consists of, but for accelerate.

        Raises:
            KeyError: its stack is not declared.
        """
        stack = self.config.stack(environment.stack)
        if stack is None:
            raise KeyError(environment.stack)
        return stack

    def device(self, environment: Environment) -> Device:
        """What trainings in an environment run on."""
        return self.stack(environment).device

    def hardware(self, environment: Environment) -> str:
        """All of the hardware that an outcome in an environment depends on.

        Of GPUs kind, number, capability and driver: what fails on some says nothing of others.
        """
        device = self.device(environment)
        if device is Device.CPU:
            return str(device)
        return f"{device}: {self.gpus.identity if self.gpus else 'none'}"
