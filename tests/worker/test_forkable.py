"""What keeps a process from being forked, looked at in a process that has one thread."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.places import ROOT
from tests.support.stand_in_driver import compiled, needs_gcc

THREAD = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"


def said(code: str, *arguments: str) -> str:
    """What `unforkable` says after some code."""
    lines = ("from ckptmatrix.worker.forkable import unforkable", code, "print(unforkable())")
    variables = {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-S", "-c", "\n".join(lines), *arguments]
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    return ended.stdout.strip()


def test_a_process_with_one_thread_may_be_forked() -> None:
    assert said("") == ""


def test_other_threads_are_counted_and_named() -> None:
    named = "import ctypes; ctypes.CDLL(None).prctl(15, b'keeper', 0, 0, 0)"
    told = said(f"{named}\n{THREAD}\n{THREAD}")
    assert told == "threads beside its first: keeper, keeper"


def test_a_thread_that_has_ended_does_not_count() -> None:
    assert said("import threading; t = threading.Thread(); t.start(); t.join()") == ""


@needs_gcc
@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("", ""),
        ("driver.cuDriverGetVersion(ctypes.byref(ctypes.c_int()))", ""),
        ("driver.cuInit(0)", "CUDA's driver initialised"),
    ],
)
def test_cuda_counts_once_it_is_initialised_whoever_did_it(
    tmp_path: Path, call: str, told: str
) -> None:
    library = compiled(tmp_path)
    soname = f"import ctypes, sys; driver = ctypes.CDLL(sys.argv[1]); {call}"
    assert said(soname, str(library)) == told
