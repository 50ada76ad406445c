"""A run whose cells have outcomes."""

from dataclasses import dataclass

from ckptmatrix.measure.job import Job
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import CheckpointRecord, ControlRecord, Fault


@dataclass(frozen=True)
class MeasuredRun:
    """A run whose cells have outcomes; what is left to do is to put them together."""

    job: Job
    """What was asked for."""
    lab: Lab
    """Where it was measured."""
    controls: tuple[ControlRecord, ...]
    """How the controls came out."""
    failures: dict[str, Fault]
    """Cell id -> what went wrong beside its load, so that it has no outcome."""
    started: str
    """When the run began, ISO 8601 in UTC."""

    def faults(self) -> tuple[Fault, ...]:
        """What went wrong in ckptmatrix or in a script, as writer or as reader."""
        of_writers = (
            self.lab.registry.written(writer, scenario).fault
            for writer, scenario in self.job.plan.checkpoints
            if self.lab.registry.installed(writer).ready
        )
        return (*filter(None, of_writers), *self.failures.values())

    def checkpoints(self) -> tuple[CheckpointRecord, ...]:
        """What the writers that there are were asked to write."""
        return tuple(
            self.lab.registry.written(writer, scenario).record
            for writer, scenario in self.job.plan.checkpoints
            if self.lab.registry.installed(writer).ready
        )
