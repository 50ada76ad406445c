"""A name that is not there is told with the one that was meant; long lines wrap in a terminal."""

import os
import pty
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from ckptmatrix.cli import _modules, main
from ckptmatrix.util.wrapping import wrapped
from tests.support.places import ROOT


def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *asked: str) -> str:
    """What an error says; the exit code is that of wrong use."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["ckptmatrix", *asked])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        (("upgrad", "1.14", "1.15"), "upgrade"),
        (("plan", "--tier", "smok"), "smoke"),
        (("plan", "--stack", "torch2.15np2"), "torch2.15-np2"),
        (("plan", "--scenario", "basics"), "basic"),
        (("plan", "--loader", "acelerate"), "accelerate"),
        (("plan", "--accelerate", "1.15.O"), "1.15.0"),
        (("run", "--scenario", "kohya-lorra"), "kohya-lora"),
        (("write", "x.zip", "--tier", "Smoke"), "smoke"),
        (("scenario", "check", "bassic"), "basic"),
        (("scenario", "check", "basic", "--loader", "ckptmatrx"), "ckptmatrix"),
        (("scenario", "check", "basic", "--stack", "torch2.15-np3"), "torch2.15-np"),
        (("scenario", "check", "basic", "--accelerate", "1.15.O"), "1.15.0"),
        (("upgrade", "1.14", "1.15", "--scenario", "basics"), "basic"),
    ],
)
def test_an_unknown_name_is_told_with_the_one_that_was_meant(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    asked: tuple[str, ...],
    meant: str,
) -> None:
    assert f"did you mean '{meant}" in told(monkeypatch, capsys, *asked)


def test_a_name_like_none_that_is_known_is_told_without(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "did you mean" not in told(monkeypatch, capsys, "plan", "--tier", "qqqq")


def test_help_imports_no_command() -> None:
    code = (
        "import sys; from ckptmatrix.cli import cli; cli(['--help'], standalone_mode=False); "
        "print([m for m in sys.modules if m.startswith('ckptmatrix.cli.')], file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert ended.stderr.strip() == "[]"
    for module in _modules():
        first = (import_module(f"ckptmatrix.cli.{module}").__doc__ or "").partition("\n")[0]
        name, _, about = first.partition("`: ")
        assert name.startswith(f"`ckptmatrix {module.strip('_')}")
        assert about.rstrip(".")[:40] in ended.stdout


def in_terminal(columns: int, *asked: str) -> list[str]:
    """Lines that a command writes into a terminal of some columns."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "ckptmatrix", *asked]
    environment = {**os.environ, "COLUMNS": str(columns)}
    with subprocess.Popen(
        command, stdout=theirs, stderr=theirs, cwd=ROOT, env=environment
    ) as running:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:  # the other end is closed
            pass
        running.wait()
    os.close(ours)
    return shown.decode().split("\r\n")


def test_an_error_wraps_in_a_terminal_and_is_one_line_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("plan", "--scenario", "nothing-like-it")
    [error, remedy, _] = told(monkeypatch, capsys, *asked).split("\n")
    lines = in_terminal(60, *asked)
    assert len(remedy) > 200
    assert lines[0] == error
    assert max(map(len, lines)) <= 60
    assert len(lines) > 4
    assert all(line.startswith("    ") for line in lines[2:-1])
    assert " ".join(line.strip() for line in lines if line) == f"{error} {remedy.strip()}"


def test_what_is_to_be_copied_is_not_taken_apart() -> None:
    command = "nox -s matrix -- --accelerate 0.33.0,1.15.0 --scenario basic -k 'saved-0.33.0'"
    text = f"the run has no such release, nor does any other; measure it with `{command}` " * 2
    assert wrapped(text).count(f"`{command}`") == 2
    assert len(wrapped(text).splitlines()) > 2


def test_a_file_name_in_an_error_is_shown_not_obeyed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    odd = str(tmp_path / "a\x1b[31m\u202eb\nc")
    for asked in (("diff", odd, odd), ("report", odd), ("plan", "--config", odd), ("plan", odd)):
        err = told(monkeypatch, capsys, *asked)
        assert "\x1b" not in err
        assert "\u202e" not in err
