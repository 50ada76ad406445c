"""The vocabulary of ckptmatrix as small frozen dataclasses.

`Matrix` and what it holds are the contract of `reports/matrix.json` (schema
`ckptmatrix.matrix/1`): fields may be added, none is renamed without a new schema number.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum

SCHEMA = "ckptmatrix.matrix/1"
"""The schema of `matrix.json`; readers refuse any other."""


class Status(StrEnum):
    """What was measured for a cell, in one word."""

    EXACT = "exact"
    """The load returned, nothing is lost or wrong, training went on as if never interrupted."""
    DEGRADED = "degraded"
    """The load returned normally, but a component or the training that followed differs."""
    FAILED = "failed"
    """The load raised."""
    CRASHED = "crashed"
    """The process died."""
    TIMEOUT = "timeout"
    """The load never came back."""
    UNSUPPORTED = "unsupported"
    """Writer or reader has no such feature; always with a reason, never derived from a failure."""
    NOT_RUN = "not-run"
    """No environment or no checkpoint; always with a reason."""


MEASURED = (Status.EXACT, Status.DEGRADED, Status.FAILED, Status.CRASHED, Status.TIMEOUT)
"""The statuses that a load really led to."""


class Device(StrEnum):
    """What a training runs on."""

    CPU = "cpu"
    CUDA = "cuda"


class Treatment(StrEnum):
    """What was done to a checkpoint before it was loaded."""

    AS_SAVED = "as-saved"
    """Nothing."""
    REPAIRED = "repaired"
    """It is the copy that `ckptmatrix repair` makes."""


class Verdict(StrEnum):
    """What became of one component of the training state."""

    RESTORED = "restored"
    """Equal, bit for bit, to what was saved."""
    LOST = "lost"
    """In the checkpoint, but still what it was before the load."""
    WRONG = "wrong"
    """Neither what was saved nor what was there before."""
    UNSAVED = "unsaved"
    """The training had it; the writer never put it (or not all of it) into the checkpoint."""
    ABSENT = "absent"
    """The scenario, or this release, has no such thing."""


class EnvironmentStatus(StrEnum):
    """Whether an environment can be used."""

    READY = "ready"
    UNAVAILABLE = "unavailable"


class CheckpointStatus(StrEnum):
    """What came of asking a writer for a checkpoint."""

    WRITTEN = "written"
    UNSUPPORTED = "unsupported"
    """The writer has no such feature."""
    FAILED = "failed"


class ControlsResult(StrEnum):
    """Whether the judge answered every control as it must."""

    PASSED = "passed"
    FAILED = "failed"

    @classmethod
    def of(cls, passed: bool) -> "ControlsResult":
        """The word for it."""
        return cls.PASSED if passed else cls.FAILED


@dataclass(frozen=True)
class Stack:
    """A named set of pinned packages that is not accelerate."""

    name: str
    """Name in `matrix.toml`, such as `torch2.13-np2`."""
    python: str
    """Python version that uv is asked for, such as `3.11`."""
    packages: tuple[str, ...]
    """Pinned requirements, such as `torch==2.13.0`."""


@dataclass(frozen=True)
class Environment:
    """One stack plus one accelerate release."""

    accelerate: str
    """The accelerate release, such as `0.33.0`."""
    stack: str
    """Name of the stack."""

    @property
    def id(self) -> str:
        """Its id everywhere: `accelerate-0.33.0+torch2.13-np2`."""
        return f"accelerate-{self.accelerate}+{self.stack}"

    @property
    def short(self) -> str:
        """Its id without the constant prefix, for names of tests and heads of tables."""
        return f"{self.accelerate}+{self.stack}"


@dataclass(frozen=True)
class Cell:
    """One load to measure: writer x reader x scenario x loader x treatment."""

    writer: Environment
    """Who saved the checkpoint."""
    reader: Environment
    """Who loads it."""
    scenario: str
    """Name of the scenario."""
    loader: str = "accelerate"
    """Name of the loader under test."""
    treatment: Treatment = Treatment.AS_SAVED
    """What was done to the checkpoint before the load."""

    @property
    def remedies(self) -> tuple["Cell", ...]:
        """What may turn a plain load whole: the other loader, a repaired checkpoint."""
        if (self.loader, self.treatment) != ("accelerate", Treatment.AS_SAVED):
            return ()
        return replace(self, loader="ckptmatrix"), replace(self, treatment=Treatment.REPAIRED)

    @property
    def id(self) -> str:
        """Readable and selectable with pytest's `-k`."""
        parts = [self.scenario, f"saved-{self.writer.short}", f"loaded-{self.reader.short}"]
        if self.loader != "accelerate":
            parts.append(f"by-{self.loader}")
        if self.treatment != Treatment.AS_SAVED:
            parts.append(self.treatment)
        return "/".join(parts)


@dataclass(frozen=True)
class EnvironmentRecord:
    """An environment as it was really installed."""

    accelerate: str
    """Installed accelerate release."""
    stack: str
    """Name of its stack."""
    status: EnvironmentStatus
    """Whether it can be used."""
    python: str = ""
    """Full Python version; empty when unavailable."""
    torch: str = ""
    """Installed torch version, local part included (`2.13.0+cpu`)."""
    numpy: str = ""
    """Installed numpy version."""
    safetensors: str = ""
    """Installed safetensors version."""
    reason: str = ""
    """Why it is unavailable, one sentence; or what was added so that it works."""
    packages: tuple[str, ...] = ()
    """The frozen list, `name==version`, sorted."""
    gpu: str = ""
    """What keeps it from using the GPU that was asked for, such as `driver too old`; `reason` says
    it in a sentence. Empty if nothing does, or none was asked for."""


@dataclass(frozen=True)
class CheckpointRecord:
    """A checkpoint that a writer was asked for."""

    writer: str
    """Id of the writing environment."""
    scenario: str
    """Name of the scenario."""
    status: CheckpointStatus
    """What came of it."""
    reason: str = ""
    """Why there is none, one sentence."""
    files: dict[str, int] = field(default_factory=dict)
    """Path relative to the checkpoint directory -> size in bytes."""
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Path -> the top-level keys that its pickle or safetensors header holds."""
    unsaved: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Component -> parts of it that the writer did not put into the checkpoint."""
    directory: str = ""
    """Name of the checkpoint directory, such as `name-000030-state`."""
    key: str = ""
    """What the checkpoint depends on, as a digest."""


@dataclass(frozen=True)
class Difference:
    """Where a component first differs."""

    where: str
    """Path of the leaf inside the component, such as `0/state/1/exp_avg`."""
    saved: str
    """What was saved there, shortened."""
    found: str
    """What is there after the load, shortened."""
    differing: int = 1
    """How many leaves of the component differ."""
    compared: int = 1
    """How many leaves of the component were compared."""


@dataclass(frozen=True)
class FirstDifference:
    """The first thing that differs in the training after the load."""

    step: int
    """Step after the load, from 1."""
    quantity: str
    """What differs first: `samples`, `loss`, `lr`, `rng.numpy`, ..."""
    expected: str
    """Value in the reference run of the reader's own environment."""
    found: str
    """Value after this load."""


@dataclass(frozen=True)
class Resume:
    """How training went on after the load."""

    exact: bool
    """True if every recorded quantity of every step equals the reference."""
    first_difference: FirstDifference | None = None
    """None when exact."""
    steps: int = 0
    """How many steps were compared; one process alone stops at the first that differs."""


@dataclass(frozen=True)
class ErrorRecord:
    """An exception, as the user would have seen it, or as it was swallowed."""

    type: str
    """Class name, such as `KeyError` or `_pickle.UnpicklingError`."""
    message: str
    """Its text, shortened."""
    traceback: str = ""
    """Its last frames."""
    rank: int = 0
    """The process that it was raised in; 0 is the main one."""


@dataclass(frozen=True)
class CellRecord:
    """The outcome of one cell."""

    writer: str
    """Id of the writing environment."""
    reader: str
    """Id of the reading environment."""
    scenario: str
    """Name of the scenario."""
    loader: str
    """Name of the loader."""
    treatment: Treatment
    """What was done to the checkpoint before the load."""
    status: Status
    """What was measured."""
    components: dict[str, Verdict] = field(default_factory=dict)
    """Verdict for each component; empty if the load did not return."""
    resume: Resume | None = None
    """How training went on; None if the load did not return, or there was no training (`try`)."""
    error: ErrorRecord | None = None
    """What the load raised."""
    cause: str | None = None
    """Id in `Matrix.causes`; None for `exact` and for what fits no known cause."""
    reason: str = ""
    """For `unsupported` and `not-run`: why."""
    expected: bool | None = None
    """True if an expectation covers it (or it is exact and none speaks against); None if not
    measured."""
    expectation: str = ""
    """The reason recorded with the expectation, or what the mismatch is."""
    seconds: float = 0.0
    """Wall-clock seconds of the measurement."""
    swallowed: tuple[ErrorRecord, ...] = ()
    """Exceptions that the load caught and only logged."""
    differences: dict[str, Difference] = field(default_factory=dict)
    """Component -> first difference, for what is lost, wrong or unsaved."""
    measured: str = ""
    """When it was measured, ISO 8601 in UTC."""


@dataclass(frozen=True)
class ControlRecord:
    """One check of the judge itself, made in every run."""

    name: str
    """What was done, such as `null loader` or `altered model`."""
    environment: str
    """Id of the environment it ran in."""
    scenario: str
    """Name of the scenario."""
    passed: bool
    """Whether the judge answered as it must."""
    detail: str = ""
    """What it answered instead."""


@dataclass(frozen=True)
class Cause:
    """Why cells come out as they do; the explanation is written by hand, the cells are measured."""

    title: str
    """One line."""
    explanation: str
    """Plain words."""
    remedy: str
    """What to do about it."""
    links: tuple[str, ...] = ()
    """Upstream issues and pull requests."""


@dataclass(frozen=True)
class ShardRecord:
    """Which part of a plan a run is, and what merging has to know of the whole."""

    number: int
    """Which shard, from 1."""
    of: int
    """Into how many the plan was dealt."""
    plan: str
    """Digest of the whole plan."""
    sources: str
    """Digest of the code that measures: the worker, scenarios, loaders, and what repairs."""
    environments: tuple[str, ...]
    """Ids of the whole plan's environments, in its order."""
    loaders: tuple[str, ...]
    """Names of the whole plan's loaders."""
    cells: int
    """How many cells the whole plan has."""
    tier: str = ""
    """Name of the tier if the whole plan is all of it; else empty."""

    @property
    def name(self) -> str:
        """As it is asked for: `3/8`."""
        return f"{self.number}/{self.of}"


@dataclass(frozen=True)
class RunRecord:
    """How, when and on what the matrix was measured."""

    tool_version: str
    """Version of ckptmatrix."""
    started: str
    """ISO 8601 in UTC."""
    finished: str
    """ISO 8601 in UTC."""
    device: Device
    """Where writers trained and readers resumed."""
    platform: str
    """Operating system, machine and Python of the host."""
    tier: str
    """Tier that was run, with what narrowed it."""
    controls: ControlsResult
    """How the controls of the run came out together."""
    measured: int = 0
    """Cells measured in this run; the others are from earlier ones."""
    device_name: str = ""
    """Name of the GPU; empty on the CPU."""
    variables: tuple[str, ...] = ()
    """Names of the machine's variables that workers were given for the sake of GPUs."""
    processes: int = 1
    """Most processes that any scenario of the run trained with."""
    newer: tuple[str, ...] = ()
    """Releases on the index that are newer than the newest one tested."""
    shard: ShardRecord | None = None
    """Which part of a plan it is; None for a whole run, merged ones included."""

    @property
    def scope(self) -> str:
        """The tier, and that it is a shard alone, so that a part is not taken for the whole."""
        return f"{self.tier}, shard {self.shard.name} alone" if self.shard else self.tier


@dataclass(frozen=True)
class Matrix:
    """Everything that a run found out; the whole of `reports/matrix.json`."""

    run: RunRecord
    """The run itself."""
    environments: dict[str, EnvironmentRecord]
    """Environment id -> record."""
    checkpoints: tuple[CheckpointRecord, ...]
    """One for each writer and scenario."""
    cells: tuple[CellRecord, ...]
    """One for each cell."""
    causes: dict[str, Cause] = field(default_factory=dict)
    """Cause id -> explanation, for the causes that occur."""
    controls: tuple[ControlRecord, ...] = ()
    """Every control of the run."""
    problems: tuple[str, ...] = ()
    """What makes the run fail beside its cells, such as an expectation that nothing matched."""
    schema: str = SCHEMA
    """Always `SCHEMA`."""


BAD = (Verdict.LOST, Verdict.WRONG)
"""Verdicts that make a cell degraded."""


def summary(record: CellRecord) -> str:
    """What happened, in one line; expectations are matched against it."""
    if record.error:
        first = record.error.message.strip().splitlines()
        return f"{record.error.type}: {first[0] if first else ''}"
    if record.reason:
        return record.reason
    parts = [
        f"{verdict} {', '.join(names)}"
        for verdict in (Verdict.LOST, Verdict.WRONG, Verdict.UNSAVED)
        if (names := [n for n, found in record.components.items() if found == verdict])
    ]
    first_difference = record.resume and record.resume.first_difference
    if first_difference:
        parts.append(f"training differs in {first_difference.quantity}")
    return "; ".join(parts) or "everything restored"
