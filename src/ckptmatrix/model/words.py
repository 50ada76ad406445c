"""The closed sets of words."""

from enum import StrEnum


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
    NOT_TOLD_APART = "not told apart"
    """As it was saved, but so it was before the load: whether it was loaded cannot be told."""
    ABSENT = "absent"
    """The scenario, or this release, has no such thing."""


BAD = (Verdict.LOST, Verdict.WRONG)
"""Verdicts that make a cell degraded."""


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


class ProblemKind(StrEnum):
    """What makes a run fail beside its cells."""

    HARNESS_FAILED = "harness-failed"
    """ckptmatrix itself failed on a cell, which therefore has no outcome."""
    EXPECTATION_EXPIRED = "expectation-expired"
    """The day until which an expectation counts is over."""
    EXPECTATION_STALE = "expectation-stale"
    """No outcome is as an expectation says any more."""
    OTHER = "other"
    """Written by a version that knew no kinds."""
