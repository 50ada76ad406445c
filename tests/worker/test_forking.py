"""Children: what they return, raise, how they crash or hang, alone and together."""

import os
import signal
import time

from ckptmatrix.worker.forking import run_forked, run_together
from ckptmatrix.worker.protocol import Answer, NotReturned, Returned
from ckptmatrix.worker.words import Ending
from tests.support.answers import crashed, ending, killed, returned


def dies() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hangs() -> None:
    time.sleep(600)


def test_a_value_comes_back() -> None:
    assert run_forked(lambda: {"a": [1, 2]}, 60) == Returned({"a": [1, 2]})


def test_a_large_value_comes_back_whole() -> None:
    assert returned(run_forked(lambda: b"x" * 5_000_000, 60)) == b"x" * 5_000_000


def test_what_a_child_raises_comes_back_as_its_traceback() -> None:
    ended: Answer[None] = run_forked(lambda: [][1], 60)
    assert isinstance(ended, NotReturned)
    assert ended.how is Ending.RAISED
    assert "IndexError" in ended.detail


def test_a_crash_is_told_by_its_signal() -> None:
    assert run_forked(dies, 60) == killed()


def test_an_exit_is_a_crash() -> None:
    assert run_forked(lambda: os._exit(3), 60) == crashed("exited with status 3")


def test_a_hang_ends_by_the_time_limit() -> None:
    assert ending(run_forked(hangs, 0.2)) is Ending.TIMEOUT


def test_values_come_back_in_the_order_of_the_functions() -> None:
    def late() -> str:
        time.sleep(0.1)
        return "late"

    assert run_together([late, lambda: "soon"], 60) == Returned(["late", "soon"])


def test_a_crash_ends_those_that_wait_for_it() -> None:
    assert run_together([hangs, dies], 600) == killed()


def test_one_that_raises_ends_the_others() -> None:
    def raises() -> None:
        raise KeyError("x")

    assert ending(run_together([hangs, raises], 600)) is Ending.RAISED


def test_no_child_is_left_behind() -> None:
    run_together([hangs, dies], 600)
    run_together([hangs, hangs], 0.1)
    try:
        left = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        left = (0, 0)
    assert left == (0, 0)
