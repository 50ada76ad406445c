"""The command: its output, its JSON, its exit codes, and how much it takes."""

import faulthandler
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ckptmatrix.checkpoint.explain.diagnosis import diagnose
from tests.checkpoint.explain.corpus import HERE, examples, near_misses

COMMAND = (sys.executable, "-m", "ckptmatrix", "explain")


def _run(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], input=text, capture_output=True, text=True, check=False
    )


def _founding() -> str:
    return str(next(HERE.glob("examples/step-keyerror/founding--*.txt")))


def test_founding_case_in_words() -> None:
    done = _run(_founding())
    assert done.returncode == 0
    for word in ("0.33.0", "random_states_N.pkl", "train_state.json", "torch 2.6", "issues/2923"):
        assert word in done.stdout


def test_what_it_is_and_what_to_do_stand_first() -> None:
    done = _run(_founding(), "--with", "torch==2.7.0")
    lines = done.stdout.splitlines()
    assert lines[0] == "KeyError: 'step' in load_state: the random states were not read"
    assert lines[2].startswith("  raised in accelerate/accelerator.py, line 3156")
    assert lines[3].startswith("  accelerate 0.33.0")
    assert lines[4:6] == ["What to do", "    export TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1"]


def test_from_standard_input_as_json() -> None:
    done = _run("-", "--json", text=open(_founding()).read())  # noqa: PTH123, SIM115
    value = json.loads(done.stdout)
    assert value["known"] is True
    first = value["diagnoses"][0]
    assert (first["mode"], first["answer"]) == ("step-keyerror", "known")
    assert first["releases"] == ["0.33.0"]
    assert {weighed["verdict"] for weighed in first["causes"]} == {"possible"}


EXCLUDED = "KeyError: 'torch_cuda_manual_seed'\naccelerate==1.4.0\n"
LAUNCHER = "subprocess.CalledProcessError: Command '[x]' returned non-zero exit status 1.\n"


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("FooError: never heard of\n", 1, "None of the"),
        (EXCLUDED, 4, "the versions exclude it"),
        ("KeyError: 'step'\n", 4, "does not show where it was raised"),
        (LAUNCHER, 4, "Paste what stands above it"),
        ("nothing went wrong\n", 2, ""),
        ("", 2, ""),
    ],
)
def test_exit_codes(text: str, code: int, words: str) -> None:
    done = _run("-", text=text)
    assert done.returncode == code
    assert words in done.stdout
    assert "Traceback" not in done.stderr.replace("`Traceback", "")


def test_versions_that_are_none_are_an_error() -> None:
    done = _run(_founding(), "--with", "the newest")
    assert done.returncode == 2
    assert "names no version" in done.stderr


def test_with_versions_narrows_to_one_remedy() -> None:
    assert "ruled out" in _run(_founding(), "--with", "torch==2.5.1").stdout


def test_help_has_examples_and_exit_codes() -> None:
    done = _run("--help")
    assert done.returncode == 0
    assert "Exit codes" in done.stdout
    assert "ckptmatrix explain train.log" in done.stdout


@pytest.mark.parametrize(
    "text",
    [
        "FooError: \x1b]0;owned\x07 boo\n",
        "INFO Could not load random states \x1b[2J\x9b31m\x85\u202e\n",
        'Traceback (most recent call last):\n  File "\x1b[31m/x/accelerate/accelerator.py", '
        "line 1, in \x1b]8;;x\x07f\n    \x07x\nKeyError: '\x1b[5mstep'\n",
        "INFO Loading states from a\x1b[2Jb\nKeyError: 'exp_avg'\n",
    ],
)
@pytest.mark.parametrize("how", [(), ("--json",)])
def test_escape_sequences_do_not_reach_the_terminal(text: str | None, how: str) -> None:
    done = _run("-", *how, text=text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", done.stdout)


def test_every_answer_fits_a_terminal_and_is_short() -> None:
    """Links and commands to copy are never broken; all else fits 80 columns."""
    from io import StringIO

    from rich.console import Console

    from ckptmatrix.checkpoint.explain.console import show

    for one in (*examples(), *near_misses()):
        written = StringIO()
        console = Console(file=written, width=80)
        show(diagnose(one.text), console)
        lines = written.getvalue().splitlines()
        text = [x for x in lines if not x.startswith("    ") and "https://" not in x]
        assert max(map(len, text)) <= 80, one.name
        assert max(map(len, lines)) <= 140, one.name
        assert len(lines) <= 90, one.name
        assert not any(line.endswith(" ") for line in lines), one.name


def _log(lines: int) -> str:
    kinds = (
        "2025-03-16 18:48:13,{0:03d} - INFO - trainer - step {0} loss 0.1234 lr 1e-4 grad 0.321",
        "[rank{1}]: step {0} loss=0.5 file=/data/shard_{0:05d}.tar keys=layers.0.q_proj.weight",
        " {1}%|███     | {0}/100000 [00:11<1:00:00,  3.21it/s, avr_loss=0.09]\r {0}",
        "                    INFO     epoch is incremented. epoch: {0}      train_util.py:779",
        "/env/lib/python3.10/site-packages/x/module.py:{0}: UserWarning: torch {1}.1 numpy",
    )
    rows = [kinds[n % 5].format(n, n % 4) for n in range(lines)]
    rows.insert(1000, "INFO:accelerate.checkpointing:Could not load random states")
    return "\n".join(rows) + "\n"


MEASURED = """
import pathlib, re, sys
from ckptmatrix.checkpoint.explain.diagnosis import diagnose
found = diagnose(open(sys.argv[1], encoding="utf-8").read())
# The kernel's ru_maxrss has the size of the process that started this one; VmHWM has not.
status = pathlib.Path("/proc/self/status")
peak = re.search("VmHWM:\\s*(\\d+)", status.read_text())[1] if status.exists() else 0
print(found[0].modes[0], peak)
"""


def test_a_long_log_takes_little_memory(tmp_path: Path) -> None:
    """100,000 lines in 200 MB, the start of Python included; docs/explain.md has the seconds."""
    log = tmp_path / "train.log"
    log.write_text(_log(100_000), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(log)], capture_output=True, text=True, check=True
    )
    mode, kilobytes = done.stdout.split()
    assert mode == "random-states-not-loaded"
    assert int(kilobytes) < 200_000


def test_the_beginning_of_a_very_long_log_is_read_too(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    with log.open("w") as file:
        file.write("INFO:accelerate.checkpointing:Could not load random states\n")
        for number in range(400_000):
            file.write(f"step {number} loss 0.25 and so on, day after day after day\n")
        file.write("accelerate==1.0.1\ntorch==2.6.0\n")
    done = _run(str(log))
    assert done.returncode == 0
    assert "this is it" in done.stdout


HEADER = "Traceback (most recent call last):\n"
CHAIN = f'{HEADER}  File "a.py", line 1, in f\n    x\nKeyError: 1\n\nDuring handling of the above '
MEGABYTE = 1 << 20
HOSTILE = {
    "one line": "x" * MEGABYTE,
    "one message": "KeyError: " + "'" * MEGABYTE,
    "one path": '  File "' + "a" * MEGABYTE + '", line 1, in f',
    "blanks": " " * MEGABYTE,
    "escapes": "\x1b[" * MEGABYTE + "\x1b]" * MEGABYTE,
    "open links": "[a](" * (MEGABYTE // 4) + "[" + "a" * MEGABYTE + "](http",
    "headers": HEADER * 20_000,
    "prefixes": "".join(f"host{n}x: {HEADER}" for n in range(5000)),
    "chains": (CHAIN + "exception, another exception occurred:\n\n") * 5000,
    "exceptions": "ValueError: x\n" * 50_000,
    "many classes": "".join(f"A{'b' * (n % 97)}Error: {n}\n" for n in range(20_000)),
    "rows": "│ x │\n" * 50_000,
    "numbers": "a.py:" + "9" * 20_000 + ": in f\n",
    "missing keys": "RuntimeError: Error(s) in loading state_dict for X:\n\tMissing key(s) in "
    "state_dict: " + '"a.position_ids", ' * 60_000,
    "pins": "torch==2.6.0 " * 80_000 + "\n" + "torch 2.6.0\n" * 50_000,
    "values": '{"x": "' + "\\n  File" * 100_000,
    "wrapped": "                    INFO     a\n" + "                             b\n" * 50_000,
    "dots": "a." * MEGABYTE + "Error: x",
    "arrows": "----> 1 x\n" * 50_000 + "File a.py in f(x)\n" * 20_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_end(name: str) -> None:
    """Each takes a second or two; what grows faster than its input would take hours."""
    faulthandler.dump_traceback_later(300, exit=True)
    try:
        diagnose(HOSTILE[name])
    finally:
        faulthandler.cancel_dump_traceback_later()
