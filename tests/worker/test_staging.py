"""Stages: prepared once, then each request in a child of its own."""

import os
import random
import signal
import threading
import time
from typing import Any

import pytest

from ckptmatrix.worker.forking import Ended
from ckptmatrix.worker.staging import Stage


def prepare() -> dict[str, Any]:
    random.seed(7)
    return {"built in": os.getpid(), "served": 0, "next": random.Random(7).random()}


def serve(prepared: dict[str, Any], request: str) -> Any:
    if request == "die":
        os.kill(os.getpid(), signal.SIGSEGV)
    if request == "hang":
        time.sleep(600)
    prepared["served"] += 1
    assert random.random() == prepared["next"]  # Python would seed it anew in a forked child
    return {**prepared, "pid": os.getpid(), "request": request}


@pytest.fixture
def stage() -> Any:
    stage = Stage(prepare, serve, 60)
    yield stage
    stage.close()


def test_each_request_starts_from_what_was_prepared(stage: Stage) -> None:
    first, second = (stage.ask(name, 60).value for name in ("first", "second"))
    assert first["request"] == "first"
    assert first["served"] == second["served"] == 1
    assert first["built in"] == second["built in"] != os.getpid()
    assert len({first["pid"], second["pid"], first["built in"]}) == 3


def test_a_crash_or_a_hang_is_that_requests_alone(stage: Stage) -> None:
    assert stage.ask("die", 60) == Ended("crashed", "killed by SIGSEGV")
    assert stage.ask("hang", 0.2).how == "timeout"
    assert stage.ask("again", 60).how == "returned"
    assert not stage.broken


def test_a_stage_that_is_killed_says_so(stage: Stage) -> None:
    os.kill(stage.ask("who", 60).value["built in"], signal.SIGKILL)
    assert stage.ask("again", 60) == Ended("crashed", "killed by SIGKILL")
    assert stage.broken


@pytest.mark.parametrize(
    ("prepares", "how"),
    [
        (lambda: [][1], "raised"),
        (lambda: os.abort(), "crashed"),
        (lambda: threading.Thread(target=time.sleep, args=(60,)).start(), "threads"),
    ],
)
def test_what_cannot_be_prepared_answers_every_request_so(prepares: Any, how: str) -> None:
    stage = Stage(prepares, serve, 60)
    assert stage.ended.how == how
    assert stage.ask("anything", 60) == stage.ended
    assert not stage.broken
    stage.close()


def test_preparing_has_a_time_limit() -> None:
    assert Stage(lambda: time.sleep(600), serve, 0.2).ended.how == "timeout"


def test_a_stage_ends_with_the_process_that_made_it() -> None:
    """Its line is closed then, whatever ended it."""
    stage = Stage(prepare, serve, 60)
    pid = stage.ask("who", 60).value["built in"]
    stage._line.close()
    assert os.waitpid(pid, 0) == (pid, 0)
