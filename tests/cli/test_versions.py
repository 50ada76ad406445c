"""`ckptmatrix versions`, asked of a real index on this machine."""

import json
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ckptmatrix.cli import main
from ckptmatrix.model import EnvironmentStatus, Matrix
from ckptmatrix.results.report import write_reports
from tests.support import synthetic
from tests.support.index import Index, ask_only, serving

CONFIG = """\
# my matrix
[stacks.old]
python = "3.11"
packages = ["torch==2.13.0", "numpy==2.4.1", "safetensors==0.8.0"]

[tiers.some]
accelerate = ["0.33.0", "1.15.0"]  # the newest last

[tiers.full]
accelerate = ">=0.10"
"""

Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run the command; gives exit code, standard output and standard error."""

    def ask(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ckptmatrix", "versions", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return ask


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a matrix.toml and a run: accelerate 1.15.0, torch 2.13.0, numpy 2.4.1."""
    (tmp_path / "matrix.toml").write_text(CONFIG)
    write_reports(measured(), tmp_path / "reports")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def measured() -> Matrix:
    matrix = synthetic.matrix(["0.33.0", "1.15.0"])
    return replace(
        matrix,
        environments={
            name: replace(
                record,
                python="3.11.7",
                safetensors="0.8.0",
                torch=record.torch.replace("2.15.0", "2.13.0+cpu"),
                numpy=record.numpy.replace("2.4.6", "2.4.1"),
            )
            for name, record in matrix.environments.items()
        },
    )


def days_ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """It has two newer releases of torch, the older one out for twenty days and a half."""
    with serving() as index:
        ask_only(monkeypatch, index.url)
        for package, version in (
            *(("accelerate", "1.15.0"), ("torch", "2.13.0"), ("numpy", "2.4.1")),
            *(("safetensors", "0.8.0"), ("safetensors", "0.9.0rc1")),
        ):
            index.release(package, version, days_ago(100))
        index.release("torch", "2.14.0", days_ago(20.5), ">=3.10")
        index.release("torch", "2.15.0", days_ago(3), ">=3.12")
        index.release("torch", "2.15.1", days_ago(30), yanked=True)
        yield index


PACKAGES = [
    part for name in ("accelerate", "torch", "numpy", "safetensors") for part in ("--package", name)
]


def test_what_is_newer_is_told(ask: Ask, index: Index) -> None:
    code, out, _ = ask()
    rows = [line.split() for line in out.splitlines()]
    day = (datetime.now(UTC) - timedelta(days=20.5)).date().isoformat()
    assert code == 0
    assert ["accelerate", "1.15.0", "1.15.0", "none"] in rows
    assert ["torch", "2.13.0", "2.13.0", "2.14.0", day, "20"] in rows
    assert rows[rows.index(["torch", "2.13.0", "2.13.0", "2.14.0", day, "20"]) + 1][0] == "2.15.0"
    assert "needs Python >=3.12" in out
    assert "2.15.1" not in out
    assert "0.9.0rc1" not in out
    assert "torch 2.14.0, 2.15.0; Python 3.12" in out
    assert out.rstrip().endswith("are out and not measured")
    assert f"measured: {Path('reports/matrix.json')}" in out


@pytest.mark.parametrize(("days", "code"), [(20, 1), (21, 0), (3, 1), (0, 1)])
def test_check_fails_on_what_has_been_out_so_long(
    ask: Ask, index: Index, days: int, code: int
) -> None:
    found, out, _ = ask("--check", days, *PACKAGES)
    assert found == code
    late = "torch 2.14.0" if code else "none of them"
    assert f"out {days} days or longer: {late}" in out


def test_a_release_that_is_declared_but_not_measured_counts(
    ask: Ask, index: Index, project: Path
) -> None:
    (project / "matrix.toml").write_text(CONFIG.replace("torch==2.13.0", "torch==2.14.0"))
    code, out, _ = ask("--check", 14, "--package", "torch")
    assert code == 1
    assert out.count("declared") == 3  # above the table, its head, and the release


def test_package_narrows_the_question(ask: Ask, index: Index) -> None:
    code, out, _ = ask("--check", 0, "--package", "numpy", "--package", "accelerate")
    assert code == 0
    assert sorted(index.asked) == ["accelerate", "numpy"]
    assert "nothing newer is out" in out
    assert "torch" not in out


def test_json(ask: Ask, index: Index) -> None:
    code, out, _ = ask("--json", "--check", 14, "--package", "torch", "--package", "python")
    answer = json.loads(out)
    assert code == 1
    torch = answer["packages"]["torch"]
    assert (torch["measured"], torch["declared"], torch["known"]) == ("2.13.0", "2.13.0", True)
    newest = torch["newer"][-1]
    assert (newest["version"], newest["days"], newest["declared"]) == ("2.15.0", 3, False)
    assert answer["check"]["days"] == 14
    assert answer["check"]["out"]["torch"] == ["2.14.0"]
    assert answer["sentence"].startswith("torch 2.14.0, 2.15.0; Python 3.12")
    assert answer["added"] is None
    assert json.loads(ask("--json", "--package", "torch")[1])["check"] is None


def test_an_index_without_dates_says_so(ask: Ask, index: Index) -> None:
    index.html_only = True
    code, out, _ = ask("--package", "torch")
    assert (code, out.count("not said")) == (0, 2)
    code, out, err = ask("--check", 14, "--package", "torch")
    assert code == 3
    assert "does not say since when torch 2.14.0, 2.15.0 has been out" in err
    assert "remedy: " in err
    assert ask("--check", 0, "--package", "torch")[0] == 1
    # What needs no date is answered all the same.
    assert ask("--check", 14, "--package", "numpy")[0] == 0


def test_one_date_that_is_old_enough_is_an_answer(ask: Ask, index: Index) -> None:
    index.release("torch", "2.15.2")
    code, out, _ = ask("--json", "--check", 14, "--package", "torch")
    assert code == 1
    assert json.loads(out)["check"]["undated"] == {"torch": ["2.15.2"]}


def test_pythons_that_are_not_known(
    ask: Ask, index: Index, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "list.json").write_text("{}")
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", str(project / "list.json"))
    code, out, _ = ask("--check", 30)
    assert code == 0
    assert ["Python", "3.11", "3.11", "not", "known"] in [line.split() for line in out.splitlines()]


def test_add_writes_new_releases_and_says_what(ask: Ask, index: Index, project: Path) -> None:
    index.release("accelerate", "1.17.0", days_ago(1))
    index.release("accelerate", "1.16.0", days_ago(2))
    index.release("accelerate", "1.18.0rc1", days_ago(1))
    code, out, _ = ask("--add")
    text = (project / "matrix.toml").read_text()
    assert code == 0
    assert 'accelerate = ["0.33.0", "1.15.0", "1.16.0", "1.17.0"]  # the newest last' in text
    assert text.replace(', "1.16.0", "1.17.0"', "") == CONFIG
    assert "matrix.toml: 1.16.0, 1.17.0 added to some" in out
    assert 'full is left as it is: ">=0.10" follows the index by itself' in out
    assert sorted(path.name for path in project.iterdir()) == ["matrix.toml", "reports"]
    # They are declared now, and not measured yet.
    code, out, _ = ask("--add", "--json", "--check", 1)
    answer = json.loads(out)
    assert code == 1
    assert answer["added"]["tiers"] == answer["added"]["releases"] == []
    assert [one["declared"] for one in answer["packages"]["accelerate"]["newer"]] == [True, True]
    assert (project / "matrix.toml").read_text() == text
    assert tomllib.loads(text)


def test_add_keeps_a_link_and_line_ends(ask: Ask, index: Index, project: Path) -> None:
    index.release("accelerate", "1.16.0", days_ago(2))
    real = project / "kept.toml"
    real.write_bytes(CONFIG.replace("\n", "\r\n").encode())
    (project / "matrix.toml").unlink()
    (project / "matrix.toml").symlink_to(real)
    assert ask("--add")[0] == 0
    assert (project / "matrix.toml").is_symlink()
    assert real.read_bytes().replace(b', "1.16.0"', b"") == CONFIG.replace("\n", "\r\n").encode()


def test_a_file_that_cannot_be_written_is_told(ask: Ask, index: Index, project: Path) -> None:
    index.release("accelerate", "1.16.0", days_ago(2))
    long = project / f"{'m' * 245}.toml"  # no room for the name of the file beside it
    long.write_text(CONFIG)
    code, _, err = ask("--add", "--config", long)
    assert code == 2
    assert "cannot be written" in err
    assert "remedy: add 1.16.0 to some by hand" in err
    assert long.read_text() == CONFIG


def test_an_index_that_is_not_there(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    ask_only(monkeypatch, "http://127.0.0.1:9/simple")
    code, out, err = ask("--check", 14)
    assert code == 3
    assert not out
    assert "could not be asked" in err
    assert "remedy: " in err


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (("--check", "soon"), "not a valid integer"),
        (("--check", -1), "-1 is not in the range"),
        (("--package", "keras"), "'keras' is not one of"),
        (("--config", "missing.toml"), "cannot read missing.toml"),
        (("--matrix", "missing.json"), "cannot be read"),
        (("--add", "--package", "torch"), "--add is about releases of accelerate"),
    ],
)
def test_wrong_use(ask: Ask, index: Index, wrong: tuple[object, ...], told: str) -> None:
    code, out, err = ask(*wrong)
    assert code == 2
    assert told in err
    assert not out
    assert not index.asked


def test_an_environment_that_could_not_be_built_measured_nothing(
    ask: Ask, index: Index, project: Path
) -> None:
    matrix = measured()
    broken = {
        name: replace(record, status=EnvironmentStatus.UNAVAILABLE)
        if record.torch.startswith("2.13")
        else record
        for name, record in matrix.environments.items()
    }
    write_reports(replace(matrix, environments=broken), project / "reports")
    _, out, _ = ask("--package", "torch")
    assert "torch 2.13.0, 2.14.0, 2.15.0 are out and not measured" in out


def test_the_machines_own_index(ask: Ask) -> None:
    code, out, err = ask("--json")
    if code == 3:
        pytest.skip(f"the machine's index cannot be asked: {err.strip().splitlines()[0]}")
    newer = json.loads(out)["packages"]["torch"]["newer"]
    assert {"2.14.0", "2.14.1", "2.15.0"} <= {release["version"] for release in newer}


def test_help_teaches_with_examples_and_exit_codes(ask: Ask) -> None:
    code, out, _ = ask("--help")
    assert code == 0
    for told in ("Examples:", "--check 14", "--add", "Exit codes:", "  3  the index"):
        assert told in out
