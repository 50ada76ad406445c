"""The vocabulary of ckptmatrix as small frozen dataclasses and closed sets of words.

`Matrix` and what it holds are the contract of a run's file (docs/matrix-json.md): fields may be
added, none is renamed without a new schema number.
"""

from ckptmatrix.model.cell import Cell, Environment, Stack
from ckptmatrix.model.gpus import Gpus
from ckptmatrix.model.matrix import (
    Cause,
    CheckpointRecord,
    ControlRecord,
    EnvironmentRecord,
    Fault,
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
    "Fault",
    "FirstDifference",
    "Gpus",
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
