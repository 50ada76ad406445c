"""What can go wrong for a user: one class per exit code, each message a cause and its remedy."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager


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


_SPACE = "free some space, or point CKPTMATRIX_HOME to a disk that has some, and run again"
_ACCESS = "make it writable, or point CKPTMATRIX_HOME to a folder that is, and run again"
_OF_THE_MACHINE = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EFBIG: "raise the limit on the size of files (`ulimit -f`), and run again",
    errno.EROFS: _ACCESS,
    errno.EACCES: _ACCESS,
    errno.EPERM: _ACCESS,
    errno.EIO: "look after the disk, and run again",
    errno.EMFILE: "raise the limit on open files (`ulimit -n`), and run again",
    errno.ENOMEM: "free some memory, or take a lower --jobs, and run again",
}


class MachineError(CkptmatrixError):
    """The machine does not allow what has to be done; nothing that was kept is lost by it."""


@contextmanager
def machine_errors() -> Iterator[None]:
    """Say in a sentence what the machine does not allow.

    Raises:
        MachineError: an `OSError` that is no mistake of this program: no space, no access.
    """
    try:
        yield
    except OSError as error:
        remedy = _OF_THE_MACHINE.get(error.errno or 0)
        if remedy is None:
            raise
        where = f"{error.filename2 or error.filename}: " if error.filename else ""
        told = f"{where}{error.strerror or error}"
        raise MachineError(told, f"{remedy}; what was built and measured so far is kept") from error
