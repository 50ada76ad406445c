"""What can go wrong for a user: one class per exit code, each message a cause and its remedy."""


class CkptmatrixError(Exception):
    """A problem that the user can act on; printed as one sentence and its remedy, no traceback.

    Args:
        message: what happened, one sentence.
        remedy: what to do about it, one sentence; may be empty.
    """

    exit_code = 3

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  remedy: {self.remedy}" if self.remedy else self.message


class UsageError(CkptmatrixError):
    """Wrong use or wrong configuration."""

    exit_code = 2


class NothingRanError(CkptmatrixError):
    """A control failed, or nothing could be run at all."""

    exit_code = 3


class NotMeasuredError(CkptmatrixError):
    """The question is about something that no run has measured."""

    exit_code = 4
