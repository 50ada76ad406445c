"""What is measured of a tier: all of it as declared, or what options narrow or widen it to."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ckptmatrix.model import Device
from ckptmatrix.plan.narrowings import DEFAULT_TIER, NARROWINGS, Narrowing


@dataclass(frozen=True)
class Selection:
    """What narrows or widens a tier; None leaves it as it is declared."""

    tier: str = DEFAULT_TIER
    """Name of the tier."""
    accelerate: tuple[str, ...] | None = None
    """Releases instead of the tier's."""
    stacks: tuple[str, ...] | None = None
    """Names of stacks instead of the tier's."""
    scenarios: tuple[str, ...] | None = None
    """Names of scenarios instead of the tier's."""
    loaders: tuple[str, ...] | None = None
    """Names of loaders instead of the tier's."""
    remedies: bool | None = None
    """Whether remedies are measured too, instead of what the tier says."""
    devices: tuple[Device, ...] = (Device.CPU,)
    """What trainings run on: the CPU, GPUs, or the tier on the CPU and, on GPUs, what it names."""

    @classmethod
    def of(
        cls,
        tier: str,
        texts: Mapping[str, Iterable[str] | None],
        remedies: bool | None = None,
        devices: tuple[Device, ...] = (Device.CPU,),
    ) -> "Selection":
        """Read what options say.

        Args:
            tier: name of the tier.
            texts: `Narrowing.option` -> what was given for it, each a list with commas.
            remedies: whether remedies are measured too; None as the tier says.
            devices: what trainings run on.
        """
        named = {one.field: split_names(texts.get(one.option) or ()) for one in NARROWINGS}
        return cls(tier, remedies=remedies, devices=devices, **named)

    def narrowings(self) -> Iterator[tuple[Narrowing, tuple[str, ...]]]:
        """Give what is replaced, each with the names that replace it."""
        for one in NARROWINGS:
            names = getattr(self, one.field)
            if names:
                yield one, names

    def describe(self) -> str:
        """The tier and what narrows it, for the head of a report."""
        parts = [f"{one.field} {', '.join(names)}" for one, names in self.narrowings()]
        if self.remedies is not None:
            parts.append("with remedies" if self.remedies else "without remedies")
        if self.devices != (Device.CPU,):
            parts.append(f"on {' and '.join(self.devices)}")
        return f"{self.tier} ({'; '.join(parts)})" if parts else self.tier

    @property
    def whole(self) -> bool:
        """Whether it is all of the tier on the CPU; what is measured on GPUs comes beside it."""
        plain = (self.accelerate, self.stacks, self.scenarios, self.loaders, self.remedies)
        return plain == (None,) * 5 and Device.CPU in self.devices


def split_names(values: Iterable[str]) -> tuple[str, ...] | None:
    """Names out of lists with commas; None if there is none."""
    names = (name.strip() for value in values for name in value.split(","))
    return tuple(name for name in names if name) or None
