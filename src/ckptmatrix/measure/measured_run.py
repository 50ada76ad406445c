"""A run whose cells have outcomes."""

from dataclasses import dataclass

from ckptmatrix.measure.job import Job
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import CheckpointRecord, ControlRecord


@dataclass(frozen=True)
class MeasuredRun:
    """A run whose cells have outcomes; what is left to do is to put them together."""

    job: Job
    """What was asked for."""
    lab: Lab
    """Where it was measured."""
    controls: tuple[ControlRecord, ...]
    """How the controls came out."""
    failures: dict[str, str]
    """Cell id -> what went wrong in ckptmatrix itself."""
    started: str
    """When the run began, ISO 8601 in UTC."""

    def checkpoints(self) -> tuple[CheckpointRecord, ...]:
        """What the writers that there are were asked to write."""
        return tuple(
            self.lab.registry.written(writer, scenario).record
            for writer, scenario in self.job.plan.checkpoints
            if self.lab.registry.installed(writer).ready
        )
