"""Loads that are not as they were, or not as expected, alike ones together: said once, everywhere.

The page, Markdown and the console write down what is worked out here.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from ckptmatrix.model import MEASURED, CellRecord, Matrix, Status
from ckptmatrix.model.severity import bases, by_severity
from ckptmatrix.results.findings.axis import axis_of
from ckptmatrix.results.findings.comparison import CellChange, ChangeKind, Diff, key_of
from ckptmatrix.results.findings.newest import environments_text
from ckptmatrix.results.findings.reproducing import command_for
from ckptmatrix.results.findings.tally import losses
from ckptmatrix.results.findings.views import TODAY, View, view_of


@dataclass(frozen=True)
class TurnArea:
    """Readers, writers and scenarios in which loads turned alike."""

    readers: str
    """In words: `1.15.0 on every stack`."""
    writers: str
    """The same; every one that was measured, or some of them."""
    scenarios: tuple[str, ...]
    """Their names."""
    cells: tuple[CellRecord, ...]
    """The loads."""
    command: str
    """What measures them again, or one of them where all would be too long a line."""


@dataclass(frozen=True)
class Turn:
    """What became of loads, where, and how to see it again."""

    what: str
    """`exact → failed (KeyError)`."""
    change: ChangeKind | None
    """Against the baseline; None where there is none, or it is as it was there."""
    unexpected: bool
    """Whether it was expected otherwise."""
    expected: str
    """What was expected, where all of them say the same of it."""
    cause: str
    """Title of the cause; empty if none is known."""
    lost: tuple[str, ...]
    """Components that some of them lose, the worst to lose first."""
    view: View
    """The way they were loaded."""
    areas: tuple[TurnArea, ...]
    """Where, the largest area first; no load is in two."""

    @property
    def cells(self) -> int:
        """How many loads."""
        return sum(len(area.cells) for area in self.areas)

    @property
    def title(self) -> str:
        """What became of them, in one line."""
        way = f" [{self.view.title}]" if self.view != TODAY else ""
        loses = f"; loses {', '.join(bases(self.lost))}" if self.lost else ""
        return f"{self.what}{way}{loses}"


def wrong_turns(matrix: Matrix, diff: Diff | None) -> tuple[Turn, ...]:
    """Group what makes a run red: loads that are worse than before, and unexpected ones."""
    changes = {key_of(item.cell): item for item in diff.changes} if diff else {}
    worse = {key for key, item in changes.items() if item.change is ChangeKind.REGRESSED}
    found = [
        (cell, changes.get(key_of(cell)))
        for cell in matrix.cells
        if cell.expected is False or (worse and key_of(cell) in worse)
    ]
    return _turns(matrix, diff, found)


def changed_turns(matrix: Matrix, diff: Diff, kinds: Iterable[ChangeKind]) -> tuple[Turn, ...]:
    """Group what changed since the baseline, of the kinds that are asked for, in their order."""
    return tuple(
        turn
        for kind in kinds
        for turn in _turns(matrix, diff, [(item.cell, item) for item in diff.of(kind)])
    )


_Found = tuple[CellRecord, CellChange | None]


def _turns(matrix: Matrix, diff: Diff | None, found: list[_Found]) -> tuple[Turn, ...]:
    if not found:
        return ()
    # What only the earlier run had is named as well.
    both = replace(matrix, environments=diff.environments) if diff else matrix
    naming = _naming(both)
    measured = _writers_measured(matrix)
    alike: dict[tuple[object, ...], list[_Found]] = {}
    for cell, change in found:
        kind = change.change if change else None
        key = (cell.expected is False, kind, _what(cell, change), cell.cause, view_of(cell))
        alike.setdefault(key, []).append((cell, change))
    turns = [
        Turn(
            what=_what(*members[0]),
            change=members[0][1].change if members[0][1] else None,
            unexpected=members[0][0].expected is False,
            expected=_agreed(cell.expectation for cell, _ in members if cell.expected is False),
            cause=_cause(matrix, members[0][0]),
            lost=_lost(cell for cell, _ in members),
            view=view_of(members[0][0]),
            areas=tuple(_areas(both, naming, measured, [cell for cell, _ in members])),
        )
        for members in alike.values()
    ]
    return tuple(
        sorted(turns, key=lambda t: (t.change is not ChangeKind.REGRESSED, -t.cells, t.what))
    )


_Naming = Callable[[Iterable[str]], str]
_Row = tuple[View, str, str]


def _naming(matrix: Matrix) -> _Naming:
    axis = axis_of(matrix)

    def named(ids: Iterable[str]) -> str:
        chosen = set(ids)
        known = chosen & set(matrix.environments)
        told = [environments_text(matrix, axis, known)] if known else []
        return "; ".join((*told, *sorted(chosen - known)))

    return named


def _writers_measured(matrix: Matrix) -> dict[_Row, int]:
    """How many writers' checkpoints a reader loaded, for each way to load and scenario."""
    counted: dict[_Row, int] = {}
    for cell in matrix.cells:
        if cell.status in MEASURED:
            row = (view_of(cell), cell.reader, cell.scenario)
            counted[row] = counted.get(row, 0) + 1
    return counted


def _areas(
    matrix: Matrix, naming: _Naming, measured: dict[_Row, int], cells: list[CellRecord]
) -> Iterator[TurnArea]:
    """Put readers together that do the same in the same scenarios with the same writers.

    Scenarios that lack some writers are not kept apart by that where all that were measured turned.
    """
    writers: dict[_Row, set[str]] = {}
    for cell in cells:
        writers.setdefault((view_of(cell), cell.reader, cell.scenario), set()).add(cell.writer)
    readers: dict[tuple[str, frozenset[str] | None], list[str]] = {}
    for row, found in writers.items():
        which = None if len(found) == measured.get(row) else frozenset(found)
        readers.setdefault((row[2], which), []).append(row[1])
    scenarios: dict[tuple[frozenset[str] | None, frozenset[str]], list[str]] = {}
    for (scenario, which), who in readers.items():
        scenarios.setdefault((which, frozenset(who)), []).append(scenario)
    area_of = {
        (reader, scenario, which): number
        for number, ((which, who), names) in enumerate(scenarios.items())
        for reader in who
        for scenario in names
    }
    members: dict[int, list[CellRecord]] = {}
    for cell in cells:
        row = (view_of(cell), cell.reader, cell.scenario)
        found = writers[row]
        which = None if len(found) == measured.get(row) else frozenset(found)
        members.setdefault(area_of[cell.reader, cell.scenario, which], []).append(cell)
    for inside in sorted(members.values(), key=len, reverse=True):
        yield TurnArea(
            readers=naming(cell.reader for cell in inside),
            writers=naming(cell.writer for cell in inside),
            scenarios=tuple(dict.fromkeys(cell.scenario for cell in inside)),
            cells=tuple(inside),
            command=command_for(matrix, inside),
        )


def _what(cell: CellRecord, change: CellChange | None) -> str:
    """Say what became of a load: from what it was before, or from what was expected of it."""
    if change is None:
        return _state(cell)
    states = [_state(one) for one in (change.old, change.new) if one is not None]
    return " → ".join(state for state, _ in groupby(states))


def _state(cell: CellRecord) -> str:
    return f"{cell.status} ({cell.error.type})" if cell.error else str(cell.status)


def _lost(cells: Iterable[CellRecord]) -> tuple[str, ...]:
    names = {name for cell in cells if cell.status is Status.DEGRADED for name in losses(cell)}
    return tuple(name for group in by_severity(sorted(names)).values() for name in group)


def _cause(matrix: Matrix, cell: CellRecord) -> str:
    cause = matrix.causes.get(cell.cause) if cell.cause else None
    return cause.title if cause else ""


def _agreed(texts: Iterable[str]) -> str:
    found = set(texts)
    return found.pop() if len(found) == 1 else ""
