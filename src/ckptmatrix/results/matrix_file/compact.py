"""`matrix.json.gz`, schema 2: distinct outcomes once, cells as columns of indices."""

import gzip
from dataclasses import dataclass, field

import msgspec

from ckptmatrix.model import (
    Cause,
    CheckpointRecord,
    ControlRecord,
    EnvironmentRecord,
    ErrorRecord,
    Matrix,
    Problem,
    Resume,
    RunRecord,
    Status,
    Treatment,
    Verdict,
)
from ckptmatrix.model.cell_table import OUTCOME_FIELDS, CellTable, Columns
from ckptmatrix.model.outcome import Difference
from ckptmatrix.results.matrix_file.encoding import encode_json

FILENAME = "matrix.json.gz"
"""Name of the file in a report's directory."""

SCHEMA = "ckptmatrix.matrix/2"
"""Its schema."""


@dataclass(frozen=True)
class Way:
    """One way to load."""

    loader: str
    treatment: Treatment


@dataclass(frozen=True)
class Outcome:
    """What cells have in common that came out the same: the fields of `CellRecord` but for its
    place in the grid and its times."""

    status: Status
    components: dict[str, Verdict] = field(default_factory=dict)
    resume: Resume | None = None
    error: ErrorRecord | None = None
    cause: str | None = None
    reason: str = ""
    expected: bool | None = None
    expectation: str = ""
    swallowed: tuple[ErrorRecord, ...] = ()
    differences: dict[str, Difference] = field(default_factory=dict)


@dataclass(frozen=True)
class CompactMatrix:
    """The whole file."""

    run: RunRecord
    """The run itself."""
    environments: dict[str, EnvironmentRecord]
    """Environment id -> record; `ends` names those that cells have."""
    ends: tuple[str, ...]
    """Ids of writers and readers, by their index in the columns."""
    scenarios: tuple[str, ...]
    """Names of scenarios, by their index in the columns."""
    ways: tuple[Way, ...]
    """Ways to load, by their index in the columns."""
    outcomes: tuple[Outcome, ...]
    """Distinct outcomes, by their index in the columns."""
    times: tuple[str, ...]
    """When loads were measured, by their index in the columns."""
    cells: Columns
    """One entry for each cell in every column."""
    checkpoints: tuple[CheckpointRecord, ...] = ()
    """One for each writer and scenario."""
    causes: dict[str, Cause] = field(default_factory=dict)
    """Cause id -> explanation."""
    controls: tuple[ControlRecord, ...] = ()
    """Every control of the run."""
    problems: tuple[Problem, ...] = ()
    """What makes the run fail beside its cells."""
    schema: str = SCHEMA
    """Always `SCHEMA`."""


def encode(matrix: Matrix) -> bytes:
    """Give the file, packed; the same run gives the same bytes."""
    table = CellTable.of(matrix.cells)
    document = CompactMatrix(
        run=matrix.run,
        environments=matrix.environments,
        ends=table.environments,
        scenarios=table.scenarios,
        ways=tuple(Way(*way) for way in table.ways),
        outcomes=tuple(Outcome(**values) for values in table.outcomes),
        times=table.times,
        cells=table.columns,
        checkpoints=matrix.checkpoints,
        causes=matrix.causes,
        controls=matrix.controls,
        problems=matrix.problems,
    )
    return gzip.compress(encode_json(document), compresslevel=6, mtime=0)


def decode(data: bytes) -> Matrix:
    """Read it back, unpacked already.

    Raises:
        msgspec.DecodeError: it is no JSON, or does not keep to its schema.
    """
    found = msgspec.json.decode(data, type=CompactMatrix)
    table = CellTable(
        found.ends,
        found.scenarios,
        tuple((way.loader, way.treatment) for way in found.ways),
        tuple({name: getattr(one, name) for name in OUTCOME_FIELDS} for one in found.outcomes),
        found.times,
        found.cells,
    )
    _check(table)
    return Matrix(
        found.run,
        found.environments,
        found.checkpoints,
        table,
        found.causes,
        found.controls,
        found.problems,
    )


def _check(table: CellTable) -> None:
    """Refuse columns that are not of one length, or an index that means nothing."""
    columns = table.columns
    for name, means in {
        "writer": table.environments,
        "reader": table.environments,
        "scenario": table.scenarios,
        "way": table.ways,
        "outcome": table.outcomes,
        "measured": table.times,
        "milliseconds": None,
    }.items():
        column: list[int] = getattr(columns, name)
        if len(column) != len(table):
            raise msgspec.ValidationError(f"columns differ in length - at `$.cells.{name}`")
        if means is not None and column and not 0 <= min(column) <= max(column) < len(means):
            raise msgspec.ValidationError(f"an index out of range - at `$.cells.{name}`")
