"""From measured cells to regions of `expectations.toml`: few of them, in words that a person reads.

A region of a whole tier is told by what it leaves out where that is shorter, and is open towards
releases, stacks and loaders that were not measured; one of a smaller run names what was measured.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
from packaging.version import InvalidVersion, Version

from ckptmatrix.knowledge.expectations.boxes import Box, Dimension, Point, Space
from ckptmatrix.knowledge.expectations.expectation import (
    ARROW,
    DEVICE,
    GENERATORS,
    NOT_BACK,
    ExpectedRegion,
    first_difference,
    matches_patterns,
    verdicts_of,
)
from ckptmatrix.knowledge.expectations.judging import with_ends
from ckptmatrix.model import MEASURED, CellRecord, Matrix, Verdict

WRITER, READER, STACKS, SCENARIO, LOADER, TREATMENT = range(6)
"""The dimensions of a run, by their numbers."""

Outcome = tuple[frozenset[tuple[Verdict, str]], str]
"""What a region tells of its cells: the verdicts, and what differs first."""


def outcome_of(cell: CellRecord) -> Outcome:
    """Return what a region has to tell of a cell; nothing of one that raised."""
    return (frozenset(), "") if cell.error else (verdicts_of(cell), first_difference(cell))


@dataclass(frozen=True)
class RunSpace:
    """The cells of a run as points of a space."""

    matrix: Matrix
    """The run."""
    whole: bool
    """Whether it is the whole tier that the file is written for."""

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """The place of every cell, in their order."""
        at = [{value: number for number, value in enumerate(values)} for values in self._values]
        return tuple(
            tuple(places[value] for places, value in zip(at, named, strict=True))
            for named in self._named()
        )

    def points_of(self, numbers: Iterable[int]) -> int:
        """Return the set of some cells, given by their numbers."""
        return self._space.points(self.points[number] for number in numbers)

    def regions(self, wanted: int, barred: int, outcome: Outcome) -> Iterator[ExpectedRegion]:
        """Yield regions that have every wanted cell between them, and none that is barred."""
        for box in self._space.cover(wanted, barred):
            yield self._region(self._opened(box) if self.whole else box, barred, outcome)

    def _named(self) -> Iterator[tuple[Hashable, ...]]:
        for cell, writer, reader in with_ends(self.matrix):
            stacks = (writer.stack, reader.stack)
            more = (cell.scenario, cell.loader, cell.treatment)
            yield (writer.accelerate, reader.accelerate, stacks, *more)

    @cached_property
    def _values(self) -> tuple[tuple[Any, ...], ...]:
        """The values that occur in each dimension, in order."""
        found = [set(values) for values in zip(*self._named(), strict=True)] or [set()] * 6
        keys: dict[int, Any] = {WRITER: _by_version, READER: _by_version}
        return tuple(tuple(sorted(one, key=keys.get(at))) for at, one in enumerate(found))

    @cached_property
    def _space(self) -> Space:
        sizes = [max(1, len(values)) for values in self._values]
        return Space(tuple(Dimension(n, at in (WRITER, READER)) for at, n in enumerate(sizes)))

    @cached_property
    def _measured(self) -> int:
        cells = enumerate(self.matrix.cells)
        return self.points_of(number for number, cell in cells if cell.status in MEASURED)

    def _opened(self, box: Box) -> Box:
        """The same box, open towards the oldest and newest releases if none there was measured."""
        for at in (WRITER, READER):
            every = range(len(self._values[at]))
            free = self._allowed(box, at, self._measured)
            taken = set(box[at])
            for end in (every[: box[at][0]], every[box[at][-1] :]):
                taken |= set(end) if free.issuperset(end) else set()
            box = _with(box, at, taken)
        return box

    def _region(self, box: Box, barred: int, outcome: Outcome) -> ExpectedRegion:
        stacks = self._stacks(box)
        region = ExpectedRegion(self._range(box, WRITER), self._range(box, READER), stacks)
        pairs = enumerate(self._values[STACKS])
        box = _with(box, STACKS, {at for at, pair in pairs if region.allows("stacks", pair)})
        verdicts, differs = outcome
        not_back = {
            str(verdict): _words(name for found, name in verdicts if found == verdict)
            for verdict in NOT_BACK
        }
        return msgspec.structs.replace(
            region,
            scenario=self._scenarios(box, barred),
            loader=self._all_or_named(box, LOADER),
            treatment=self._all_or_named(box, TREATMENT),
            differs=differs,
            **not_back,
        )

    def _range(self, box: Box, at: int) -> str:
        """A range of releases as a specifier; open where it reaches the end of a whole tier."""
        first, last, values = box[at][0], box[at][-1], self._values[at]
        lower = "" if self.whole and first == 0 else f">={values[first]}"
        upper = "" if self.whole and last == len(values) - 1 else f"<={values[last]}"
        return f"=={values[first]}" if first == last else ",".join(filter(None, (lower, upper)))

    def _stacks(self, box: Box) -> tuple[str, ...]:
        """Few pairs of patterns of stacks, none of which takes a measured cell beside the box's."""
        every: Sequence[tuple[str, str]] = self._values[STACKS]
        pairs = {every[at] for at in box[STACKS]}
        if not self.whole or len(every) == 1:
            return tuple(sorted(ARROW.join(pair) for pair in pairs))
        of_writers, of_readers = (
            stack_patterns(sorted(set(ends))) for ends in zip(*every, strict=True)
        )
        candidates = {
            writer + ARROW + reader: {
                pair for pair in every if pair[0] in writers and pair[1] in readers
            }
            for writer, writers in of_writers.items()
            for reader, readers in of_readers.items()
        }
        allowed = {every[at] for at in self._allowed(box, STACKS, self._measured)}
        return _fewest(pairs, allowed, candidates)

    def _scenarios(self, box: Box, barred: int) -> tuple[str, ...]:
        """Short patterns of scenarios, none of which takes a cell that is barred."""
        every: Sequence[str] = self._values[SCENARIO]
        needed = {every[at] for at in box[SCENARIO]}
        if not self.whole or len(every) == 1:
            return tuple(sorted(needed))
        allowed = {every[at] for at in self._allowed(box, SCENARIO, barred)}
        return scenario_patterns(needed, allowed, every)

    def _all_or_named(self, box: Box, at: int) -> tuple[str, ...]:
        every = self._values[at]
        everything = self.whole and len(box[at]) == len(every) > 1
        return ("*",) if everything else tuple(every[one] for one in box[at])

    def _allowed(self, box: Box, at: int, barred: int) -> set[int]:
        """The positions of a box in one dimension, and all others that have nothing barred."""
        return {*box[at], *self._space.free(box, at, barred)}


def _with(box: Box, at: int, taken: set[int]) -> Box:
    return (*box[:at], tuple(sorted(taken)), *box[at + 1 :])


def stack_patterns(names: Sequence[str]) -> dict[str, set[str]]:
    """Return patterns that part stacks by what their names begin or end with, and what each takes.

    Such as `torch2.15-*` and `*-np1`; each name by itself, and `*` for all; on a GPU `*+cuda`.
    """
    found: dict[str, set[str]] = {}
    for device in dict.fromkeys(name.partition(DEVICE)[2] for name in names):
        on = f"{DEVICE}{device}" if device else ""
        found |= _patterns_on(on, [n for n in names if n.partition(DEVICE)[2] == device])
    return found


def _patterns_on(on: str, names: Sequence[str]) -> dict[str, set[str]]:
    """Return the patterns of stacks on one device, `on` being how their labels end."""
    parts = [(name, *name.removesuffix(on).partition("-")[::2]) for name in names]
    found = {f"*{on}": set(names), **{name: {name} for name in names}}
    for _, first, last in parts:
        for pattern, position, part in ((f"{first}-*", 1, first), (f"*-{last}", 2, last)):
            taken = {one[0] for one in parts if one[position] == part}
            if first and last:
                found[pattern + on] = taken
    return found


def scenario_patterns(needed: set[str], allowed: set[str], every: Sequence[str]) -> tuple[str, ...]:
    """Return the shortest patterns that match all needed names and none that is not allowed.

    They name what is taken, or, with `!`, what is not.
    """
    if allowed.issuperset(every):
        return ("*",)
    out = set(every) - allowed
    globs = {
        f"{beginning}*": taken
        for name in every
        for beginning in _beginnings(name)
        if len(taken := {one for one in every if matches_patterns(one, [f"{beginning}*"])}) > 1
    }
    taking = _fewest(needed, allowed, {**globs, **{name: {name} for name in every}})
    without = _fewest(out, set(every) - needed, {**globs, **{name: {name} for name in every}})
    refused = tuple(f"!{pattern}" for pattern in without)
    return min(taking, refused, key=lambda patterns: sum(len(one) + 4 for one in patterns))


def _beginnings(name: str) -> list[str]:
    parts = name.split("-")
    return ["-".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _fewest(
    needed: set[Any], allowed: set[Any], candidates: dict[str, set[Any]]
) -> tuple[str, ...]:
    """Names of few candidates that have all that is needed and nothing that is not allowed."""
    fitting = {name: taken for name, taken in candidates.items() if taken <= allowed}
    left, chosen = set(needed), []
    while left:
        best = min(fitting, key=lambda name: (-len(fitting[name] & left), len(name), name))
        chosen.append(best)
        left -= fitting[best]
    return tuple(sorted(chosen))


def _words(names: Iterable[str]) -> tuple[str, ...]:
    """Components in order, those of the other processes last; `rng` for all generators of one."""
    ranks: dict[str, set[str]] = {}
    for name in names:
        word, at, rank = name.partition("@")
        ranks.setdefault(at + rank, set()).add(word)
    told = []
    for rank, words in sorted(ranks.items()):
        if words.issuperset(GENERATORS):
            words = words.difference(GENERATORS) | {"rng"}
        told += [word + rank for word in sorted(words)]
    return tuple(told)


def _by_version(release: str) -> tuple[int, Version, str]:
    try:
        return 1, Version(release), release
    except InvalidVersion:
        return 0, Version("0"), release
