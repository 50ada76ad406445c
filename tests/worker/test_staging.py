"""Stages: prepared once, then each request in a child of its own."""

import os
import random
import signal
import threading
import time
from typing import Any

import pytest

from ckptmatrix.worker.staging import Stage
from ckptmatrix.worker.words import Ending
from tests.support.answers import crashed, ending, killed, returned


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


def test_each_request_starts_from_what_was_prepared(stage: Stage[str, Any]) -> None:
    first, second = (returned(stage.ask(name, 60)) for name in ("first", "second"))
    assert first["request"] == "first"
    assert first["served"] == second["served"] == 1
    assert first["built in"] == second["built in"] != os.getpid()
    assert len({first["pid"], second["pid"], first["built in"]}) == 3


def test_a_crash_or_a_hang_is_that_requests_alone(stage: Stage[str, Any]) -> None:
    assert stage.ask("die", 60) == crashed("killed by SIGSEGV")
    assert ending(stage.ask("hang", 0.2)) is Ending.TIMEOUT
    assert returned(stage.ask("again", 60))
    assert not stage.broken


def test_a_stage_that_is_killed_says_so(stage: Stage[str, Any]) -> None:
    os.kill(returned(stage.ask("who", 60))["built in"], signal.SIGKILL)
    assert stage.ask("again", 60) == killed()
    assert stage.broken


@pytest.mark.parametrize(
    ("prepares", "how"),
    [
        (lambda: [][1], Ending.RAISED),
        (lambda: os.abort(), Ending.CRASHED),
    ],
)
def test_what_cannot_be_prepared_answers_every_request_so(prepares: Any, how: Ending) -> None:
    stage: Stage[str, Any] = Stage(prepares, serve, 60)
    assert ending(stage.ready) is how
    assert stage.ask("anything", 60) == stage.ready
    assert not stage.broken
    stage.close()


def test_a_stage_that_started_threads_says_so() -> None:
    start: Any = threading.Thread(target=time.sleep, args=(60,)).start
    stage: Stage[str, Any] = Stage(start, serve, 60)
    assert stage.cannot_fork
    assert not stage.broken
    stage.close()


def test_a_stage_without_threads_is_none_such(stage: Any) -> None:
    assert not stage.cannot_fork


def test_preparing_has_a_time_limit() -> None:
    prepares: Any = lambda: time.sleep(600)  # noqa: E731
    assert ending(Stage(prepares, serve, 0.2).ready) is Ending.TIMEOUT


def test_a_stage_ends_with_the_process_that_made_it() -> None:
    """Its line is closed then, whatever ended it."""
    stage = Stage(prepare, serve, 60)
    pid = returned(stage.ask("who", 60))["built in"]
    stage._line.close()
    assert os.waitpid(pid, 0) == (pid, 0)
