"""The GPUs of a machine: what an outcome on them depends on, and how many processes they hold."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Gpus:
    """The GPUs that are visible here, as the driver describes them."""

    name: str
    """What the driver calls the first."""
    count: int
    """How many there are."""
    capability: str
    """What the first can do, `9.0`; empty if the driver does not say."""
    driver: str
    """Version of the driver, and of the CUDA that it does."""
    free: tuple[int, ...] = ()
    """Bytes that are free on each; empty if the driver does not say."""

    @property
    def identity(self) -> str:
        """All of it that an outcome depends on."""
        return f"{self.count} x {self.name} ({self.capability}), driver {self.driver}"
