"""Answers of workers and of their children."""

from typing import TypeVar

from ckptmatrix.worker.protocol import Answer, NotReturned, Returned
from ckptmatrix.worker.words import Ending

A = TypeVar("A")


def returned(answer: Answer[A]) -> A:
    """What was returned."""
    assert isinstance(answer, Returned), answer
    return answer.value


def ending(answer: Answer[A]) -> Ending:
    """How what did not return ended."""
    assert isinstance(answer, NotReturned), answer
    return answer.how


def crashed(detail: str) -> NotReturned:
    """The answer of a process that died."""
    return NotReturned(Ending.CRASHED, detail)


def killed() -> NotReturned:
    """The answer of a process that somebody killed."""
    return NotReturned(Ending.KILLED, "killed by SIGKILL")
