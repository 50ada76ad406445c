"""What was measured in a cell, with what its writer and reader are known to do."""

from dataclasses import dataclass

from ckptmatrix.knowledge.releases import ACCELERATE, NUMPY, Release
from ckptmatrix.model import CellRecord, CheckpointRecord, EnvironmentRecord, Verdict


@dataclass(frozen=True)
class Evidence:
    """An outcome and both its ends."""

    record: CellRecord
    """The outcome."""
    writer: EnvironmentRecord
    """Who saved; the versions of a checkpoint from elsewhere are empty where they are not known."""
    reader: EnvironmentRecord
    """Who loaded."""
    checkpoint: CheckpointRecord
    """What was saved."""

    def raised(self, type_: str, text: str = "") -> bool:
        """Whether the load raised an exception of this type with this text in its message."""
        error = self.record.error
        return error is not None and error.type.endswith(type_) and text in error.message

    def swallowed(self, type_: str, text: str = "") -> bool:
        """Whether the load caught and only logged such an exception."""
        return any(e.type.endswith(type_) and text in e.message for e in self.record.swallowed)

    def named(self, verdict: Verdict) -> set[str]:
        """Components with this verdict in any process, without their ranks."""
        return {
            name.partition("@")[0]
            for name, found in self.record.components.items()
            if found == verdict
        }

    def training_differs_in(self, *quantities: str) -> bool:
        """Whether one of these is the first thing in which the training after the load differs."""
        resume = self.record.resume
        first = resume.first_difference if resume else None
        return first is not None and first.quantity in quantities

    @property
    def reads(self) -> Release:
        """What the reader's accelerate does."""
        return ACCELERATE.at(self.reader.accelerate)

    @property
    def writes(self) -> Release | None:
        """What the writer's accelerate does; None if it is not known which it was."""
        return ACCELERATE.at(self.writer.accelerate) if self.writer.accelerate else None

    @property
    def numpy_cores_differ(self) -> bool:
        """Whether writer and reader have numpy's core under different names: numpy 1 and 2."""
        ends = (self.writer.numpy, self.reader.numpy)
        return all(ends) and NUMPY.at(ends[0]).core != NUMPY.at(ends[1]).core
