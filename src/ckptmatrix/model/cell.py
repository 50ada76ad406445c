"""What a plan is made of: stacks, environments, cells."""

from dataclasses import dataclass, replace

from ckptmatrix.model.words import Device, Treatment


@dataclass(frozen=True)
class Stack:
    """A named set of pinned packages that is not accelerate, on a device."""

    name: str
    """Name in `matrix.toml`, such as `torch2.15-np2`."""
    python: str
    """Python version that uv is asked for, such as `3.11`."""
    packages: tuple[str, ...]
    """Pinned requirements, such as `torch==2.15.0`."""
    device: Device = Device.CPU
    """What its trainings run on."""
    constraints: tuple[str, ...] = ()
    """Versions to keep to of what is not asked for by name, should something need it."""

    @property
    def label(self) -> str:
        """Its name everywhere but in `matrix.toml`: on a GPU `torch2.15-np2+cuda`."""
        return self.name if self.device is Device.CPU else f"{self.name}+{self.device}"

    def on(self, device: Device) -> "Stack":
        """The same packages on a device."""
        return replace(self, device=device)


@dataclass(frozen=True)
class Environment:
    """One stack plus one accelerate release."""

    accelerate: str
    """The accelerate release, such as `0.33.0`."""
    stack: str
    """Label of the stack: its name, and the device where that is not the CPU."""

    @property
    def id(self) -> str:
        """Its id everywhere: `accelerate-0.33.0+torch2.15-np2`."""
        return f"accelerate-{self.accelerate}+{self.stack}"

    @property
    def short(self) -> str:
        """Its id without the constant prefix, for names of tests and heads of tables."""
        return f"{self.accelerate}+{self.stack}"


@dataclass(frozen=True)
class Cell:
    """One load to measure: writer x reader x scenario x loader x treatment."""

    writer: Environment
    """Who saved the checkpoint."""
    reader: Environment
    """Who loads it."""
    scenario: str
    """Name of the scenario."""
    loader: str = "accelerate"
    """Name of the loader under test."""
    treatment: Treatment = Treatment.AS_SAVED
    """What was done to the checkpoint before the load."""

    @property
    def remedies(self) -> tuple["Cell", ...]:
        """What may turn a plain load whole: the other loader, a repaired checkpoint."""
        if (self.loader, self.treatment) != ("accelerate", Treatment.AS_SAVED):
            return ()
        return replace(self, loader="ckptmatrix"), replace(self, treatment=Treatment.REPAIRED)

    @property
    def id(self) -> str:
        """Readable and selectable with pytest's `-k`."""
        parts = [self.scenario, f"saved-{self.writer.short}", f"loaded-{self.reader.short}"]
        if self.loader != "accelerate":
            parts.append(f"by-{self.loader}")
        if self.treatment != Treatment.AS_SAVED:
            parts.append(self.treatment)
        return "/".join(parts)
