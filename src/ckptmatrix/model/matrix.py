"""Everything that a run found out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ckptmatrix.model.outcome import CellRecord
from ckptmatrix.model.words import (
    CheckpointStatus,
    ControlsResult,
    Device,
    EnvironmentStatus,
    ProblemKind,
)


@dataclass(frozen=True)
class EnvironmentRecord:
    """An environment as it was really installed."""

    accelerate: str
    """Installed accelerate release."""
    stack: str
    """Label of its stack."""
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
    device: Device = Device.CPU
    """What its trainings run on; the label of the stack names it where it is not the CPU."""


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
    note: str = ""
    """What is to be said of it and of each load of it, such as how it could be measured."""


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
class Fault:
    """What went wrong in ckptmatrix or in a scenario's script, so that there is no outcome."""

    scenario: str
    """Name of the scenario."""
    environment: str
    """Id of the environment it ran in."""
    phase: str
    """The scenario's method that was running, such as `build`, or what else was done."""
    type: str
    """Class name of the exception; `crashed` or `timeout` where there is none."""
    message: str
    """Its text, without this machine's paths where they tell nothing."""
    file: str = ""
    """The script's own file that raised or called what raised; empty if it is not known."""
    line: int = 0
    """Line in it, from 1; 0 if it is not known."""
    traceback: str = ""
    """Its last frames, as Python prints them."""
    log: str = ""
    """Path of the worker's log."""

    @property
    def sentence(self) -> str:
        """What happened and where, in one line."""
        place = f" ({self.file}, line {self.line})" if self.file else ""
        said = self.message.strip().splitlines()
        told = f"{self.type}: {said[0]}" if said else self.type
        return f"{self.phase or 'ckptmatrix'}: {told}{place}"


@dataclass(frozen=True)
class Problem:
    """One thing that makes a run fail beside its cells."""

    kind: ProblemKind
    """What it is; exit codes depend on this alone."""
    text: str
    """One sentence, to be read."""


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
    """`cuda` if any environment was on a GPU; each says its own."""
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
    """Releases of accelerate on the index that are newer than the newest one measured."""
    newer_packages: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The same of what accelerate ran on: package, or `python` for its minor versions -> releases,
    oldest first. Empty if the index has never answered."""
    shard: ShardRecord | None = None
    """Which part of a plan it is; None for a whole run, merged ones included."""

    @property
    def scope(self) -> str:
        """The tier, and that it is a shard alone, so that a part is not taken for the whole."""
        return f"{self.tier}, shard {self.shard.name} alone" if self.shard else self.tier


@dataclass(frozen=True)
class Matrix:
    """Everything that a run found out."""

    run: RunRecord
    """The run itself."""
    environments: dict[str, EnvironmentRecord]
    """Environment id -> record."""
    checkpoints: tuple[CheckpointRecord, ...]
    """One for each writer and scenario."""
    cells: Sequence[CellRecord]
    """One for each cell; a `CellTable` where they were read from a file."""
    causes: dict[str, Cause] = field(default_factory=dict)
    """Cause id -> explanation, for the causes that occur."""
    controls: tuple[ControlRecord, ...] = ()
    """Every control of the run."""
    problems: tuple[Problem, ...] = ()
    """What makes the run fail beside its cells, such as an expectation that nothing matched."""
