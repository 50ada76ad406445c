"""Why loads come out as they do: one file for each cause that a grid can have.

A cause's explanation, remedy and links are written by hand; whether it explains a cell is decided
from what was measured there (what was raised, what was swallowed, which components came back).
The first that explains a cell wins, in the order of `rank`.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache

from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import (
    MEASURED,
    Cause,
    CellRecord,
    CheckpointRecord,
    EnvironmentRecord,
    Status,
)


class CauseId(StrEnum):
    """Every cause, by the word that stands for it in reports, expectations and answers."""

    # Those that explain measured cells: each is a file of this package.
    ASSIGN_DETACHED = "assign-detached"
    ASSIGN_REFUSED = "assign-refused"
    COMPILED_NAMES = "compiled-names"
    COUNTER_OF_SAVES = "counter-of-saves"
    CUDA_KEY = "cuda-key"
    CUSTOM_COUNT = "custom-count"
    ENGINE_PROCESSES = "engine-processes"
    ENGINE_SCHEDULE = "engine-schedule"
    EPOCH_TAKEN_BACK = "epoch-taken-back"
    FSDP_KIND = "fsdp-kind"
    FSDP_NAMES = "fsdp-names"
    FSDP_NUMBERS = "fsdp-numbers"
    FSDP_SCALER_COUNTS = "fsdp-scaler-counts"
    FSDP_SHARED_STEP = "fsdp-shared-step"
    FSDP_WAITS = "fsdp-waits"
    GRADIENTS_UNSAVED = "gradients-unsaved"
    LOUD_REFUSAL = "loud-refusal"
    MISSING_STEP = "missing-step"
    NUMPY_CORE_MISSING = "numpy-core-missing"
    NUMPY_MAJOR = "numpy-major"
    NUMPY_REFUSED = "numpy-refused"
    NUMPY_TOO_OLD = "numpy-too-old"
    OPTIMIZER_KEYS_MISSING = "optimizer-keys-missing"
    OPTIMIZER_SHARDS_UNREAD = "optimizer-shards-unread"
    ORDER_UNSAVED = "order-unsaved"
    PARTIAL_VIEW = "partial-view"
    RANK_STATES_MISSING = "rank-states-missing"
    REFUSED_BY_RESUME = "refused-by-resume"
    REFUSED_STEP = "refused-step"
    SAFETENSORS_DEVICE = "safetensors-device"
    SAFETENSORS_UNKNOWN = "safetensors-unknown"
    SCALER_NOT_SAVED = "scaler-not-saved"
    SCHEDULER_COUNTS = "scheduler-counts"
    SCHEDULER_NOT_SAVED = "scheduler-not-saved"
    SCHEDULER_OVERLOOKED = "scheduler-overlooked"
    SEEDABLE_SAMPLER = "seedable-sampler"
    SHARDS_NEWER_TORCH = "shards-newer-torch"
    SHARDS_UNREAD = "shards-unread"
    STALE_FILES = "stale-files"
    STEP_IGNORED = "step-ignored"
    TENSORS_DROPPED = "tensors-dropped"
    TIED_WEIGHTS = "tied-weights"
    UNIVERSAL_BUFFERS = "universal-buffers"

    # Those that only `inspect` tells: of files that a grid's own checkpoints have always whole, and
    # of what is tried with one directory alone.
    DAMAGED_FILE = "damaged-file"
    DATALOADER_IGNORED = "dataloader-ignored"
    FILE_MISSING = "file-missing"
    FSDP_MISSING = "fsdp-missing"
    HOOKS_MISSING = "hooks-missing"
    OTHER_LOADER = "other-loader"
    PICKLE_REFUSED = "pickle-refused"
    RANDOM_STATES_DAMAGED = "random-states-damaged"
    RANDOM_STATES_MISSING = "random-states-missing"
    REQUIREMENTS = "requirements"
    STEP_NUMPY_MAJOR = "step-numpy-major"
    STEP_PICKLE_REFUSED = "step-pickle-refused"
    STEP_RANDOM_STATES_DAMAGED = "step-random-states-damaged"
    STEP_RANDOM_STATES_MISSING = "step-random-states-missing"
    WEIGHTS_MISSING = "weights-missing"


@dataclass(frozen=True)
class KnownCause:
    """A cause and how to tell it."""

    id: CauseId
    """Its word; the file is called the same, with underscores."""
    cause: Cause
    """What a person reads."""
    explains: Callable[[Evidence], bool]
    """Whether it explains a cell."""
    rank: int = 50
    """Lower ones are asked first: a more particular cause goes before a more general one."""
    statuses: tuple[Status, ...] = (Status.DEGRADED, Status.FAILED)
    """What the cells that it explains come out as."""


@cache
def known_causes() -> dict[CauseId, KnownCause]:
    """The causes that are files of this package, in the order in which they are asked."""
    found: list[KnownCause] = [
        importlib.import_module(f"{__name__}.{module.name}").known
        for module in pkgutil.iter_modules(__path__)
    ]
    return {known.id: known for known in sorted(found, key=lambda known: known.rank)}


def cause_of(evidence: Evidence) -> CauseId | None:
    """The cause of an outcome; None if it is exact, or fits no known cause."""
    for name, known in known_causes().items():
        if evidence.record.status in known.statuses and known.explains(evidence):
            return name
    return None


def explained(
    cells: Iterable[CellRecord],
    environments: Mapping[str, EnvironmentRecord],
    checkpoints: Iterable[CheckpointRecord],
) -> tuple[tuple[CellRecord, ...], dict[str, Cause]]:
    """The cells with the cause of each that was measured and is not exact.

    Args:
        cells: the outcomes.
        environments: id -> record of every writer and reader that a cell names.
        checkpoints: those that the cells loaded, by writer and scenario.

    Returns:
        The cells in their order, and the explanations of the causes that occur.
    """
    loaded = {(record.writer, record.scenario): record for record in checkpoints}

    def caused(cell: CellRecord) -> CellRecord:
        if cell.status is Status.EXACT or cell.status not in MEASURED:
            return cell
        ends = environments[cell.writer], environments[cell.reader]
        evidence = Evidence(cell, *ends, loaded[cell.writer, cell.scenario])
        return replace(cell, cause=cause_of(evidence))

    found = tuple(map(caused, cells))
    occurring = {cell.cause for cell in found}
    causes = {str(id_): known.cause for id_, known in known_causes().items() if id_ in occurring}
    return found, causes
