"""Merging: the shards of a plan become the run that it would have been on one machine. Pure.

What does not fit together is refused: a matrix with a hole in it would look like a whole one.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NoReturn, TypeVar

from packaging.version import Version

from ckptmatrix.environments.other_machine import unlike
from ckptmatrix.errors import NothingRanError, UsageError
from ckptmatrix.model import (
    MEASURED,
    CellRecord,
    CheckpointRecord,
    ControlsResult,
    Matrix,
    ProblemKind,
    RunRecord,
    ShardRecord,
    Treatment,
)
from ckptmatrix.results.assemble import with_causes

Shards = Mapping[str, tuple[ShardRecord, Matrix]]
"""What to call a shard in an error -> what it is; by their number."""

_AGAIN = "take the shards' matrix.json from their runs again; one was cut short or changed"
_OF_EXPECTATIONS = (ProblemKind.EXPECTATION_EXPIRED, ProblemKind.EXPECTATION_STALE)
"""Problems that come again with the expectations, which the merged run is compared with."""

_V = TypeVar("_V")


def merge(found: Mapping[str, Matrix]) -> Matrix:
    """Put shards together, with the causes found again; not compared with what is expected yet.

    Args:
        found: what to call it in an error (its path) -> what the shard found out.

    Raises:
        UsageError: a shard is missing, given twice, of another plan, measured by other code, on
            another device or in other environments, or cells are missing.
        NothingRanError: no shard measured anything.
    """
    shards = _known(found)
    _of_one_plan(shards)
    _each_once(shards)
    matrices = [matrix for _, matrix in shards.values()]
    whole = next(iter(shards.values()))[0]
    cells = _cells(shards, whole)
    environments = _united("environment", shards, lambda matrix: matrix.environments, unlike)
    checkpoints = _united("checkpoint", shards, _checkpoints, _saved_otherwise)
    if not any(cell.status in MEASURED for cell in cells):
        raise NothingRanError(f"no cell was measured in any shard: {cells[0].reason}")
    needed = {end for cell in cells for end in (cell.writer, cell.reader)}
    needed |= {_place(cell) for cell in cells if cell.status in MEASURED}
    absent = needed - environments.keys() - checkpoints.keys()
    if absent:
        _refuse(f"a hole: no shard describes {min(absent)}, which cells name", _AGAIN)
    written = dict.fromkeys(map(_place, cells))
    return with_causes(
        Matrix(
            _run(matrices),
            {id_: environments[id_] for id_ in whole.environments if id_ in environments},
            tuple(checkpoints[name] for name in written if name in checkpoints),
            cells,
            controls=tuple(control for matrix in matrices for control in matrix.controls),
            problems=tuple(
                problem
                for matrix in matrices
                for problem in matrix.problems
                if problem.kind not in _OF_EXPECTATIONS
            ),
        )
    )


def _known(found: Mapping[str, Matrix]) -> Shards:
    """The shards by their number."""
    shards = {}
    for name, matrix in found.items():
        shard = matrix.run.shard
        if shard is None:
            raise UsageError(
                f"{name} is no shard: it was run without --shard",
                "give what `ckptmatrix run --shard I/N` wrote",
            )
        shards[name] = (shard, matrix)
    return dict(sorted(shards.items(), key=lambda item: item[1][0].number))


def _of_one_plan(shards: Shards) -> None:
    """Refuse shards of different plans, naming what differs in a person's words first."""
    compared: tuple[tuple[str, Callable[[ShardRecord, Matrix], object]], ...] = (
        ("is of ckptmatrix", lambda shard, matrix: matrix.run.tool_version),
        ("is of tier", lambda shard, matrix: matrix.run.tier),
        ("was measured on", lambda shard, matrix: matrix.run.device),
        ("is one of", lambda shard, matrix: shard.of),
        ("is of the plan", lambda shard, matrix: shard.plan[:12]),
        ("was measured by the code", lambda shard, matrix: shard.sources[:12]),
    )
    (first, one), *others = shards.items()
    for what, value in compared:
        for name, other in others:
            if value(*one) != value(*other):
                _refuse(
                    f"different plans: {first} {what} {value(*one)}, {name} {value(*other)}",
                    "run every shard from the same checkout with the same options",
                )


def _each_once(shards: Shards) -> None:
    """Refuse a shard that is given twice, and a number that is not given."""
    names: dict[int, str] = {}
    for name, (shard, _) in shards.items():
        if shard.number in names:
            _refuse(
                f"an overlap: {names[shard.number]} and {name} both are shard {shard.name}",
                "give each shard once",
            )
        names[shard.number] = name
    of = next(iter(shards.values()))[0].of
    missing = [f"{number}/{of}" for number in range(1, of + 1) if number not in names]
    if missing:
        _refuse(
            f"a hole: shard {', '.join(missing)} is missing",
            f"run `ckptmatrix run --shard {missing[0]}` with the same options, and merge again",
        )


def _cells(shards: Shards, whole: ShardRecord) -> tuple[CellRecord, ...]:
    """All cells, reader by reader as planned; what a reader added stays where it put it."""
    owners: dict[str, str] = {}
    for name, (_, matrix) in shards.items():
        for reader in {cell.reader for cell in matrix.cells}:
            if reader in owners:
                _refuse(
                    f"an overlap: both {owners[reader]} and {name} have cells of {reader}",
                    "run the shards again: a reader belongs to one of them",
                )
            owners[reader] = name
    place = {reader: position for position, reader in enumerate(whole.environments)}
    for reader, name in owners.items():
        if reader not in place:
            _refuse(f"{name} has cells of {reader}, which the plan does not know", _AGAIN)
    cells = [cell for _, matrix in shards.values() for cell in matrix.cells]
    planned = {
        (cell.writer, cell.reader, cell.scenario, cell.loader)
        for cell in cells
        if cell.loader in whole.loaders and cell.treatment == Treatment.AS_SAVED
    }
    if len(planned) != whole.cells:
        have = Counter(owners[reader] for _, reader, _, _ in planned)
        listed = ", ".join(f"{have[name]} in {name}" for name in shards)
        _refuse(
            f"a hole: of the plan's {whole.cells} cells there are {len(planned)} ({listed})",
            _AGAIN,
        )
    return tuple(sorted(cells, key=lambda cell: place[cell.reader]))


def _united(
    what: str,
    shards: Shards,
    items: Callable[[Matrix], Mapping[str, _V]],
    differs: Callable[[_V, _V], str],
) -> dict[str, _V]:
    """What several shards know, once; it must be the same for all that know it."""
    known: dict[str, tuple[str, _V]] = {}
    for name, (_, matrix) in shards.items():
        for key, value in items(matrix).items():
            other, there = known.setdefault(key, (name, value))
            difference = differs(there, value)
            if difference:
                _refuse(
                    f"the {what} {key} is not the same in {other} and in {name}: {difference}",
                    "give every shard the checkpoints of one `ckptmatrix write`, and run it again",
                )
    return {key: value for key, (_, value) in known.items()}


def _checkpoints(matrix: Matrix) -> dict[str, CheckpointRecord]:
    return {_place(record): record for record in matrix.checkpoints}


def _place(one: CellRecord | CheckpointRecord) -> str:
    return f"{one.writer} / {one.scenario}"


def _saved_otherwise(one: CheckpointRecord, other: CheckpointRecord) -> str:
    fields = ("status", "key", "directory", "files", "keys", "unsaved")
    return ", ".join(name for name in fields if getattr(one, name) != getattr(other, name))


def _run(matrices: list[Matrix]) -> RunRecord:
    runs = [matrix.run for matrix in matrices]
    # A shard that measured nothing has no control; the whole run must have some.
    passed = any(matrix.controls for matrix in matrices) and all(
        run.controls == ControlsResult.PASSED for run in runs
    )
    return replace(
        runs[0],
        started=min(run.started for run in runs),
        finished=max(run.finished for run in runs),
        platform="; ".join(dict.fromkeys(run.platform for run in runs)),
        controls=ControlsResult.of(passed),
        measured=sum(run.measured for run in runs),
        device_name="; ".join(dict.fromkeys(run.device_name for run in runs if run.device_name)),
        variables=tuple(sorted({name for run in runs for name in run.variables})),
        processes=max(run.processes for run in runs),
        newer=tuple(dict.fromkeys(release for run in runs for release in run.newer)),
        newer_packages=_newer_packages(runs),
        shard=None,
    )


def _newer_packages(runs: list[RunRecord]) -> dict[str, tuple[str, ...]]:
    """What any shard knows of; each has the environments of the whole plan to compare with."""
    known: dict[str, set[str]] = {}
    for run in runs:
        for name, versions in run.newer_packages.items():
            known.setdefault(name, set()).update(versions)
    return {name: tuple(sorted(versions, key=Version)) for name, versions in known.items()}


def _refuse(message: str, remedy: str) -> NoReturn:
    raise UsageError(f"the shards do not make one run: {message}", remedy)
