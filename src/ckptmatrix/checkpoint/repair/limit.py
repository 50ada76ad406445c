"""The form of a foretelling: which readers, under which script, and what they do not restore."""

from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from packaging.version import Version


@dataclass(frozen=True)
class Range:
    """Releases that have something in common."""

    accelerate: str = ""
    """Specifier, such as `>=0.25.0,<0.33.0`; empty for any."""
    torch: str = ""
    """Specifier; empty for any."""

    def holds(self, accelerate: str, torch: str) -> bool:
        """Whether a pair of versions lies within; a local part such as `+cpu` does not count."""
        pairs = ((self.accelerate, accelerate), (self.torch, torch))
        return all(SpecifierSet(s).contains(Version(v).public, True) for s, v in pairs)


@dataclass(frozen=True)
class Readers:
    """Some readers."""

    words: str
    """For people."""
    ranges: tuple[Range, ...]
    """For programs: a reader that lies in any of them."""

    def include(self, accelerate: str, torch: str) -> bool:
        """Whether these versions are among them."""
        return any(one.holds(accelerate, torch) for one in self.ranges)


EVERY = Readers("every release", (Range(),))


@dataclass(frozen=True)
class Foretold:
    """One thing that a reader will not restore."""

    readers: Readers
    """Which readers."""
    what: str
    """What happens."""
    why: str
    """The reason."""
    remedy: str
    """What can be done about it."""
    script: str = ""
    """What the script must do for it, which no file tells; empty if any script meets it."""
    loses: tuple[str, ...] = ()
    """Components that are not restored (`step@N`: on further processes alone); empty where
    `load_state` raises."""
    certain: bool = True
    """False where it hangs on something that no file tells."""

    @property
    def whom(self) -> str:
        """Readers and script in words."""
        return f"{self.readers.words}, if {self.script}" if self.script else self.readers.words
