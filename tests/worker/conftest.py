"""Tests of forking run where a worker's process is not: beside a thread of xdist's."""

import os

import pytest

from ckptmatrix.worker import forkable


@pytest.fixture(autouse=True)
def threads_of_xdist(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not count threads in a process of xdist's, which has one that a worker has not.

    Its children have no such thread: there they are counted.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    here, counted = os.getpid(), forkable._other_threads
    monkeypatch.setattr(
        forkable, "_other_threads", lambda: [] if os.getpid() == here else counted()
    )
