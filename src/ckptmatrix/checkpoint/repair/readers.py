"""Which readers something is said of, in words and as ranges of versions."""

from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from ckptmatrix.knowledge.releases import ACCELERATE, TORCH
from ckptmatrix.knowledge.timeline import Span


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


def readers_with(accelerate: Span, torch: Span | None = None) -> Readers:
    """The readers of these releases, on any torch or on these."""
    words = f"accelerate {accelerate.words}"
    if torch is None:
        return Readers(words, (Range(accelerate.specifier),))
    range_ = Range(accelerate.specifier, torch.specifier)
    return Readers(f"{words} with torch {torch.words}", (range_,))


def _refusing() -> Readers:
    """Those that torch refuses by itself, and those whose accelerate asks it to."""
    by_default = TORCH.span_of(refuses_by_default=True)
    asking = ACCELERATE.span_of(asks_weights_only=True)
    asked = ACCELERATE.at(str(asking.first)).weights_only_from
    return Readers(
        f"any with torch {by_default.words}; accelerate {asking.words} with torch {asked} on",
        (Range("", by_default.specifier), Range(asking.specifier, f">={asked}")),
    )


REFUSING = _refusing()
"""Those that read pickles with `weights_only`."""
