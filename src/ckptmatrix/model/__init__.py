"""The vocabulary of ckptmatrix as small frozen dataclasses and closed sets of words.

`Matrix` and what it holds are the contract of `reports/matrix.json` (schema
`ckptmatrix.matrix/1`): fields may be added, none is renamed without a new schema number.
"""

from ckptmatrix.model.cell import Cell, Environment, Stack
from ckptmatrix.model.matrix import (
    SCHEMA,
    Cause,
    CheckpointRecord,
    ControlRecord,
    EnvironmentRecord,
    Matrix,
    Problem,
    RunRecord,
    ShardRecord,
)
from ckptmatrix.model.outcome import (
    CellRecord,
    Difference,
    ErrorRecord,
    FirstDifference,
    Resume,
    summary,
)
from ckptmatrix.model.words import (
    BAD,
    MEASURED,
    CheckpointStatus,
    ControlsResult,
    Device,
    EnvironmentStatus,
    ProblemKind,
    Status,
    Treatment,
    Verdict,
)

__all__ = [
    "BAD",
    "MEASURED",
    "SCHEMA",
    "Cause",
    "Cell",
    "CellRecord",
    "CheckpointRecord",
    "CheckpointStatus",
    "ControlRecord",
    "ControlsResult",
    "Device",
    "Difference",
    "Environment",
    "EnvironmentRecord",
    "EnvironmentStatus",
    "ErrorRecord",
    "FirstDifference",
    "Matrix",
    "Problem",
    "ProblemKind",
    "Resume",
    "RunRecord",
    "ShardRecord",
    "Stack",
    "Status",
    "Treatment",
    "Verdict",
    "summary",
]
