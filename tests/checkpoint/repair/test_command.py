"""`ckptmatrix repair` as a person types it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ckptmatrix.cli import main
from tests.support.places import TO_REPAIR

Ask = Callable[..., tuple[int, str, str]]

KOHYA = TO_REPAIR / "kohya-0.33.0"


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run the command line; gives exit code, standard output and standard error."""

    def ask(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ckptmatrix", "repair", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        return code, *capsys.readouterr()

    return ask


def test_tells_what_was_changed_and_why(ask: Ask, tmp_path: Path) -> None:
    code, out, _ = ask(KOHYA, tmp_path / "fixed")
    assert code == 0
    for said in ("random_states_0.pkl", "because", "step: 360", "verified equal"):
        assert said in out
    assert "\nWhat it still cannot do\n  accelerate before 0.32.0: step keeps" in out


def test_answers_in_json(ask: Ask, tmp_path: Path) -> None:
    code, out, _ = ask(KOHYA, tmp_path / "fixed", "--json", "--weights", "bin")
    report = json.loads(out)
    assert (code, report["weights"]) == (0, ["bin"])
    assert set(report["verified"]) == {path.name for path in (tmp_path / "fixed").iterdir()}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nowhere", "new"], 2, "no directory"),
        ([KOHYA, KOHYA], 2, "exists"),
        ([KOHYA, "new", "--tied", "a"], 2, "NAME=NAME"),
        ([KOHYA, "new", "--scheduler-step", 3], 2, "has a scheduler.bin"),
    ],
)
def test_refuses_with_a_reason(
    ask: Ask,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[object],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    found, _, error = ask(*arguments)
    assert (found, said in error) == (code, True)
    assert not list(tmp_path.iterdir())


def test_a_damaged_checkpoint_is_refused(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "optimizer.bin").write_bytes(b"PK")
    code, _, error = ask(tmp_path / "source", tmp_path / "fixed")
    assert (code, "optimizer.bin" in error, "Traceback" in error) == (3, True, False)
