"""How one package changed from version to version; answers in words and specifiers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Generic, TypeVar

import msgspec
from packaging.version import Version


@dataclass(frozen=True)
class Span:
    """Consecutive versions of one package."""

    first: Version | None = None
    """The first of them; None: from the beginning."""
    end: Version | None = None
    """The first version after them; None: no end."""
    last: Version | None = None
    """The newest of them; None where there is no end, or where the table does not name it."""

    def __contains__(self, version: str | Version) -> bool:
        """Whether a version lies within; a local part such as `+cpu` makes no difference."""
        found = version if isinstance(version, Version) else Version(version)
        return (self.first is None or found >= self.first) and (
            self.end is None or found < self.end
        )

    @property
    def specifier(self) -> str:
        """Such as `>=0.25.0,<0.33.0`; empty for all versions."""
        parts = [f">={self.first}"] if self.first else []
        return ",".join(parts + ([f"<{self.end}"] if self.end else []))

    @property
    def excluded(self) -> str:
        """A specifier of all other versions; such as `!=0.32.*,!=0.33.*` for a span in between."""
        if self.first is None and self.end is not None:
            return f">={self.end}"
        if self.end is None and self.first is not None:
            return f"<{self.first}"
        if self.first == self.last:
            return f"!={self.first}"
        return ",".join(f"!={series}.*" for series in self.series)

    @property
    def series(self) -> tuple[str, ...]:
        """The `major.minor` in a span that both begins and ends within one major version."""
        if self.first is None or self.end is None or self.first.major != self.end.major:
            raise ValueError(f"{self} is no span within one major version")
        last = self.end.minor if self.end.micro else self.end.minor - 1
        return tuple(f"{self.first.major}.{n}" for n in range(self.first.minor, last + 1))

    @property
    def words(self) -> str:
        """For people: `0.25.0 to 0.32.1`, `before 0.25.0`, `0.33.0 and newer`."""
        if self.first is None:
            return "any" if self.end is None else f"before {self.end}"
        if self.end is None:
            return f"{self.first} and newer"
        if self.first == self.last:
            return str(self.first)
        return f"{self.first} to {self.last}" if self.last else f"{self.first} to before {self.end}"

    @property
    def up_to(self) -> str:
        """The same by its last version, where it has no first: `up to 0.24.1`."""
        return f"up to {self.last}" if self.first is None and self.last else self.words

    def __str__(self) -> str:
        return self.specifier or "any"


class TableEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a package does from one version on."""

    since: str
    """The first version that does so."""
    source: str
    """Who says so: a pull request, or what was seen."""
    sets: dict[str, str | bool | int]
    """Names of settings -> what they are from here on."""
    previous: str = ""
    """The newest version that does not; empty where only the border matters."""


State = TypeVar("State", bound=msgspec.Struct)


class Timeline(Generic[State]):
    """What each version of one package does; its first entry stands for all before it too."""

    def __init__(self, state: type[State], entries: Sequence[TableEntry]) -> None:
        self._state = state
        self._entries = tuple(entries)
        self.at = lru_cache(maxsize=None)(self._at)

    @cached_property
    def starts(self) -> tuple[Version, ...]:
        """The versions at which something changes, oldest first."""
        return tuple(Version(entry.since) for entry in self._entries)

    def starts_of(self, *names: str) -> tuple[Version, ...]:
        """The first version, and those at which one of these settings changes."""
        states = [self.at(str(start)) for start in self.starts]
        values = [tuple(getattr(state, name) for name in names) for state in states]
        return tuple(s for i, s in enumerate(self.starts) if i == 0 or values[i] != values[i - 1])

    def _at(self, version: str) -> State:
        """What a version does."""
        asked = max(Version(version), self.starts[0])
        settings: dict[str, str | bool | int] = {}
        for entry, start in zip(self._entries, self.starts, strict=True):
            if start <= asked:
                settings.update(entry.sets)
        return msgspec.convert(settings, self._state)

    def spans_of(self, **wanted: object) -> tuple[Span, ...]:
        """The versions in which all of these settings hold, oldest first; there must be some.

        Args:
            **wanted: fields or properties of the state -> the value asked for.
        """
        holds = [self._holds(entry.since, wanted) for entry in self._entries]
        if not any(holds):
            raise ValueError(f"no version has {wanted}")
        spans: list[Span] = []
        for index, (entry, start) in enumerate(zip(self._entries, self.starts, strict=True)):
            before = index > 0 and holds[index - 1]
            if holds[index] and not before:
                spans.append(Span(start if index else None))
            elif before and not holds[index]:
                last = Version(entry.previous) if entry.previous else None
                spans[-1] = Span(spans[-1].first, start, last)
        return tuple(spans)

    def span_of(self, **wanted: object) -> Span:
        """The same where they are one span; else a ValueError."""
        (span,) = self.spans_of(**wanted)
        return span

    def first_with(self, **wanted: object) -> Version:
        """The first version at which all of these settings hold."""
        return self.spans_of(**wanted)[0].first or self.starts[0]

    def _holds(self, version: str, wanted: dict[str, object]) -> bool:
        state = self.at(version)
        return all(getattr(state, name) == value for name, value in wanted.items())
