"""Exceptions of a text and how they belong together, as data."""

from dataclasses import dataclass, field
from enum import StrEnum

from ckptmatrix.checkpoint.explain.frames import Frame


class Link(StrEnum):
    """How an exception came to follow the one before it."""

    NONE = ""
    CAUSE = "direct cause"
    HANDLING = "during handling"


@dataclass(frozen=True)
class Failure:
    """One exception."""

    type: str
    """Class, without its module unless the traceback gives it; empty if the text ends before."""
    message: str
    """Its text, all lines."""
    frames: tuple[Frame, ...] = ()
    """Outermost first, as far as the text shows them."""
    rank: int | None = None
    """Process that it came from, where a launcher says so."""
    link: Link = Link.NONE
    """What ties it to the exception before it in its chain."""

    @property
    def name(self) -> str:
        """Its class without the module."""
        return self.type.rpartition(".")[2]

    @property
    def words(self) -> str:
        """Its message on one line: where it was wrapped is no matter."""
        return " ".join(self.message.split())

    @property
    def raised(self) -> Frame | None:
        """The frame that raised it; None if the text shows none."""
        return self.frames[-1] if self.frames else None


@dataclass(frozen=True)
class Trace:
    """Everything that was found in a text."""

    chains: tuple[tuple[Failure, ...], ...]
    """In the order of the text; in each chain the exception that was raised first stands first."""
    text: str
    """The text, cleaned of escapes and prefixes."""
    versions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Package -> versions that the text itself mentions."""

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Every exception."""
        return tuple(failure for chain in self.chains for failure in chain)
