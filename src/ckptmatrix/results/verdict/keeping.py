"""Changing fewer things than all at once: what may be kept, and how it is installed."""

from collections.abc import Iterator
from dataclasses import dataclass

from ckptmatrix.model import EnvironmentRecord
from ckptmatrix.results.findings.stacks import Factor, StackVersions, differing

ACCELERATE = "accelerate"
"""The one thing that may be kept which is of no stack."""


@dataclass(frozen=True)
class Keeping:
    """One way to change fewer things than all at once."""

    stack: str
    """The stack it leads to."""
    release: bool
    """Whether the release of accelerate is kept as well."""
    kept: tuple[str, ...]
    """What is kept, with its version: `numpy 1.26.4`; `accelerate` without."""

    @property
    def factors(self) -> tuple[str, ...]:
        """What is kept, without versions."""
        return tuple(one.partition(" ")[0] for one in self.kept)


def keepings(versions: StackVersions, old: str, new: str, new_release: bool) -> Iterator[Keeping]:
    """List the ways to change fewer things: each factor as on the old stack, or as on the new one.

    Args:
        versions: what the stacks hold.
        old: name of the old stack.
        new: name of the new stack.
        new_release: whether the release of accelerate changes as well.
    """
    changed = differing(versions, old, new)
    for stack, here in versions.items():
        if not here:  # nothing could be built on it
            continue
        known = [factor for factor in changed if factor in here]
        kept = tuple(factor for factor in known if here[factor] == versions[old].get(factor))
        rest = versions.get(old, {}) if len(kept) == len(changed) else versions.get(new, {})
        if any(here.get(f) != rest.get(f) for f in Factor if f not in kept):
            continue
        named = tuple(f"{factor} {here[factor]}" for factor in kept)
        if kept and (new_release or len(kept) < len(changed)):
            yield Keeping(stack, False, named)
        if new_release and len(kept) < len(changed):
            yield Keeping(stack, True, (ACCELERATE, *named))


def keep_title(keeping: Keeping, release: str) -> str:
    """Say what to keep: `Keep torch 2.4.1 and numpy 1.26.4 for now`."""
    *most, last = (f"{one} {release}" if one == ACCELERATE else one for one in keeping.kept)
    return f"Keep {', '.join(most)} and {last} for now" if most else f"Keep {last} for now"


def install_line(record: EnvironmentRecord) -> str:
    """Give the command that installs what was measured, without builds such as `+cpu`."""
    pins = ((name, getattr(record, name).partition("+")[0]) for name in ("torch", "numpy"))
    named = [f"accelerate=={record.accelerate}", *(f"{name}=={pin}" for name, pin in pins if pin)]
    return f"pip install {' '.join(named)}"
