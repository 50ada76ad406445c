"""Tests of forking run where a worker's process is not: beside a thread of xdist's."""

import os

import pytest

from ckptmatrix.worker import forkable


@pytest.fixture(autouse=True)
def threads_of_xdist(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not count threads in a process of xdist's, which has one that a worker has not."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        monkeypatch.setattr(forkable, "_other_threads", list)
