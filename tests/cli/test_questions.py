"""`report`, `diff` and `upgrade` as a person types them, wrong input included."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ckptmatrix.cli import main
from ckptmatrix.results.report import FORMATS, write_reports
from tests.support import synthetic

Ask = Callable[..., tuple[int, str, str]]

RELEASES = ["0.24.1", "0.31.0", "0.33.0", "1.0.1", "1.1.1", "1.15.0"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("run")
    write_reports(synthetic.matrix(RELEASES), directory, formats=FORMATS)
    return directory


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run the command line; gives exit code, standard output and standard error."""

    def ask(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ckptmatrix", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return ask


def test_upgrade_exits_with_its_answer(ask: Ask, run: Path) -> None:
    code, out, _ = ask("upgrade", "0.33.0", "1.15.0", "--matrix", run)
    assert (code, out.splitlines()[0]) == (0, "Go. Nothing gets worse.")
    code, out, _ = ask("upgrade", "0.24.1", "0.33", "--matrix", run, "--scenario", "basic")
    assert code == 1
    assert out.startswith("Go, if you do this first: load with ckptmatrix.resume.\n")
    code, _, err = ask("upgrade", "0.28.0", "1.15.0", "--matrix", run)
    assert code == 4
    assert "accelerate 0.28.0: not measured: between 0.24.1 and 0.31.0, which write diff" in err
    assert 'ckptmatrix check --from "accelerate==0.28.0" --to "accelerate==1.15.0"' in err
    assert "tested are 0.24.1" in err


def test_upgrade_asks_for_exact_if_told_to(ask: Ask, run: Path) -> None:
    """0.31.0 loses its own random states on the new torch; going to 1.0.1 there is no worse."""
    asked = ("upgrade", "0.31", "v1.0.1", "--from-stack", "torch2.15-np1", "--matrix", run)
    assert ask(*asked)[0] == 0
    code, out, _ = ask(*asked, "--require", "exact", "--json")
    answer = json.loads(out)
    assert (code, answer["answer"], answer["exit_code"]) == (1, "go-if", 1)
    assert answer["required"] == "exact"


def test_upgrade_answers_as_json(ask: Ask, run: Path) -> None:
    stacks = ("--from-stack", "torch2.4-np1", "--to-stack", "torch2.15-np2")
    code, out, _ = ask("upgrade", "1.1.1", "1.15.0", *stacks, "--matrix", run, "--json")
    answer = json.loads(out)
    assert code == 1
    assert answer["answer"] == "go-if"
    assert answer["from"]["id"] == "accelerate-1.1.1+torch2.4-np1"
    forward = answer["forward"]
    assert (forward["worse"], forward["better"], forward["same"]) == (["basic"], [], [])
    lost = {one["group"]: list(one["newly_lost"]) for one in forward["groups"]}
    assert lost["place in the data and step"] == ["step"]
    assert lost["random states"] == ["rng.numpy", "rng.python", "rng.torch"]
    assert lost["weights"] == []
    assert [choice["kind"] for choice in answer["choices"]] == ["keep", "remedy", "all-at-once"]
    assert [choice["helps"] for choice in answer["choices"]] == [True, True, False]
    assert answer["back"]["worse"] == ["basic"]
    assert answer["causes"]["numpy-major"]["scenarios"] == ["basic"]
    assert "mends" not in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("0.33.0", "1.15.0", "--from-stack", "torch9"), "no stack 'torch9'"),
        (("0.33.0", "1.15.0", "--scenario", "nothing"), "no scenario 'nothing'"),
        (("0.33.0", "1.15.0", "--scenario", "basics"), "did you mean 'basic'?"),
        (("0.33.0", "next"), "'next' is no version of accelerate"),
        (("0.33.0",), "Missing argument 'TO'"),
    ],
)
def test_upgrade_refuses_what_it_cannot_mean(
    ask: Ask, run: Path, arguments: tuple[str, ...], told: str
) -> None:
    code, out, err = ask("upgrade", *arguments, "--matrix", run)
    assert code == 2
    assert told in err
    assert not out


def test_upgrade_answers_for_the_stack_that_is_given_or_not_at_all(ask: Ask, run: Path) -> None:
    asked = ("upgrade", "0.33.0", "1.15.0", "--matrix", run)
    code, out, err = ask(*asked, "--from-stack", "torch2.15-np2")
    assert (code, out) == (4, "")
    assert "0.33.0 was not run on torch2.15-np2: accelerate 0.33.0 asks for numpy<2.0.0" in err
    assert "it was run on torch2.4-np1, torch2.15-np1" in err
    assert "-> 1.15.0 on torch2.15-np1" in ask(*asked, "--from-stack", "torch2.15-np1")[1]


def test_diff_exits_1_only_for_a_regression(ask: Ask, run: Path, tmp_path: Path) -> None:
    text = (run / "matrix.json").read_text()
    worse = tmp_path / "worse.json"
    worse.write_text(text.replace('"status":"exact"', '"status":"crashed"', 3))
    code, out, _ = ask("diff", run, worse)
    assert code == 1
    assert "**3 regressed**" in out
    assert "| exact → crashed |" in out
    code, out, _ = ask("diff", worse, run)
    assert (code, "**3 fixed**" in out) == (0, True)
    code, out, _ = ask("diff", run, run, "--json")
    assert code == 0
    assert json.loads(out)["changes"] == []
    code, out, _ = ask("diff", run, worse, "--json")
    assert json.loads(out)["counts"]["regressed"] == 3
    assert json.loads(out)["changes"][0]["new"]["status"] == "crashed"


def test_the_name_without_gz_means_the_packed_file_where_only_that_lies(
    ask: Ask, run: Path, tmp_path: Path
) -> None:
    (tmp_path / "matrix.json.gz").write_bytes((run / "matrix.json.gz").read_bytes())
    for named in (tmp_path / "matrix.json", tmp_path):
        code, out, _ = ask("diff", named, run)
        assert (code, "nothing changed" in out) == (0, True)


def test_report_renders_again_from_the_matrix_alone(ask: Ask, run: Path, tmp_path: Path) -> None:
    alone = tmp_path / "matrix.json.gz"
    alone.write_bytes((run / "matrix.json.gz").read_bytes())
    code, out, _ = ask("report", alone)
    assert code == 0
    for name in ("matrix.json.gz", "index.html", "matrix.md", "junit.xml"):
        assert str(tmp_path / name) in out
        assert (tmp_path / name).read_bytes() == (run / name).read_bytes()
    assert not (tmp_path / "matrix.json").exists()
    code, _, _ = ask("report", run, "-o", tmp_path / "b", "--baseline", alone)
    assert code == 0
    assert "Nothing changed" in (tmp_path / "b" / "index.html").read_text()


def test_report_writes_every_cell_out_where_that_is_asked_for(
    ask: Ask, run: Path, tmp_path: Path
) -> None:
    code, out, _ = ask("report", run, "--format", "json", "-o", tmp_path)
    assert (code, out.strip()) == (0, str(tmp_path / "matrix.json"))
    assert [path.name for path in tmp_path.iterdir()] == ["matrix.json"]
    written = json.loads((tmp_path / "matrix.json").read_text())
    assert written["schema"] == "ckptmatrix.matrix/1"
    assert len(written["cells"]) == len(synthetic.matrix(RELEASES).cells)
    code, out, _ = ask("diff", tmp_path, run)
    assert (code, "nothing changed" in out) == (0, True)


@pytest.mark.parametrize(
    "command", [("report",), ("diff", "{}"), ("upgrade", "1", "2", "--matrix")]
)
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            '{"schema": "ckptmatrix.matrix/9"}',
            "'ckptmatrix.matrix/2' and 'ckptmatrix.matrix/1' only",
        ),
        ("<html>", "is no matrix.json"),
        (None, "No such file or directory"),
    ],
)
def test_a_file_that_is_no_matrix_is_refused_everywhere(
    ask: Ask, tmp_path: Path, command: tuple[str, ...], content: str | None, told: str
) -> None:
    path = tmp_path / "other.json"
    if content is not None:
        path.write_text(content)
    before = sorted(tmp_path.iterdir())
    arguments = [str(path) if part == "{}" else part for part in command]
    code, out, err = ask(*arguments, path)
    assert code == 2
    assert told in err
    assert "remedy:" in err
    assert not out
    assert sorted(tmp_path.iterdir()) == before


def test_a_directory_that_cannot_be_written_to_is_told(ask: Ask, run: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    code, _, err = ask("report", run, "-o", blocked / "below")
    assert code == 2
    assert "cannot be written to" in err


@pytest.mark.parametrize("name", ["report", "diff", "upgrade"])
def test_help_teaches_with_examples_and_exit_codes(ask: Ask, name: str) -> None:
    code, out, _ = ask(name, "--help")
    assert code == 0
    assert "Examples:" in out
    assert "Exit codes:" in out
