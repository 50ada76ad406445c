"""The command: its output, its JSON and its exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent / "examples"


def _run(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ckptmatrix", "explain", *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


def _founding() -> str:
    return str(next(EXAMPLES.glob("step-keyerror/founding--*.txt")))


def test_founding_case_in_words() -> None:
    done = _run(_founding())
    assert done.returncode == 0
    for word in ("0.33.0", "random_states_N.pkl", "train_state.json", "torch 2.6", "issues/2923"):
        assert word in done.stdout


def test_from_standard_input_as_json() -> None:
    done = _run("-", "--json", text=Path(_founding()).read_text())
    value = json.loads(done.stdout)
    assert value["known"] is True
    assert value["diagnoses"][0]["mode"] == "step-keyerror"
    assert value["diagnoses"][0]["releases"] == ["0.33.0"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("FooError: never heard of\n", 1),
        ("nothing went wrong\n", 2),
        ("", 2),
    ],
)
def test_exit_codes(text: str, code: int) -> None:
    done = _run("-", text=text)
    assert done.returncode == code
    assert "Traceback" not in done.stderr.replace("`Traceback", "")


def test_honest_about_the_unknown() -> None:
    done = _run("-", text="FooError: never heard of\n")
    assert "none of them" in done.stdout


def test_with_versions_narrows_to_one_remedy() -> None:
    done = _run(_founding(), "--with", "torch==2.5.1")
    assert "ruled out" in done.stdout


def test_escape_sequences_do_not_reach_the_terminal() -> None:
    done = _run("-", text="FooError: \x1b]0;owned\x07 boo\n")
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout
