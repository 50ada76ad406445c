"""What narrows or widens a tier: one table, from which commands and the plugin have options."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

DEFAULT_TIER = "eras"
"""The tier of every command; the pytest plugin takes a smaller one."""


@dataclass(frozen=True)
class Narrowing:
    """A part of a tier that can be replaced by names."""

    option: str
    """What it is called where one is given: `--stack`, `--matrix-stack`."""
    field: str
    """The field of `Selection` that holds it."""
    help: str
    """What `--help` says of it."""


NARROWINGS = (
    Narrowing("accelerate", "accelerate", "Releases instead of the tier's, such as 0.33.0,1.15.0."),
    Narrowing("stack", "stacks", "Names of stacks instead of the tier's."),
    Narrowing("scenario", "scenarios", "Names of scenarios instead of the tier's."),
    Narrowing("loader", "loaders", "Names of loaders instead of the tier's."),
)


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

    @classmethod
    def of(
        cls, tier: str, texts: Mapping[str, Iterable[str] | None], remedies: bool | None = None
    ) -> "Selection":
        """Read what options say.

        Args:
            tier: name of the tier.
            texts: `Narrowing.option` -> what was given for it, each a list with commas.
            remedies: whether remedies are measured too; None as the tier says.
        """
        named = {one.field: split_names(texts.get(one.option) or ()) for one in NARROWINGS}
        return cls(tier, remedies=remedies, **named)

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
        return f"{self.tier} ({'; '.join(parts)})" if parts else self.tier


def split_names(values: Iterable[str]) -> tuple[str, ...] | None:
    """Names out of lists with commas; None if there is none."""
    names = (name.strip() for value in values for name in value.split(","))
    return tuple(name for name in names if name) or None
