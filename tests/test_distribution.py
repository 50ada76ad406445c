"""The wheel and the sdist hold what they should and nothing else, and work from an empty folder."""

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from ckptmatrix import __version__
from ckptmatrix.environments.index import uv_settings
from ckptmatrix.results.which_matrix import FURTHER
from ckptmatrix.util.home import Home
from tests.support.places import FOUNDING, ROOT

pytestmark = pytest.mark.environments

PACKAGE = ROOT / "src" / "ckptmatrix"
STACK = "torch2.15-np1"
INFO = f"ckptmatrix-{__version__}.dist-info"


def uv(*arguments: object) -> None:
    """Run uv with the machine's settings of the package index."""
    command = [sys.executable, "-m", "uv", *map(str, arguments)]
    settings = {**os.environ, **uv_settings(os.environ)}
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and with the wheel that was built from it."""
    place = tmp_path_factory.mktemp("dist")
    uv("build", ROOT, "--out-dir", place)
    return place


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    return next(built.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment that holds the wheel and what it asks for."""
    place = tmp_path_factory.mktemp("installed") / "venv"
    uv("venv", place, "--python", sys.executable)
    uv("pip", "install", "--python", place, wheel)
    return place / "bin"


def run(installed: Path, folder: Path, program: str, *arguments: object) -> tuple[int, str]:
    """Exit code and standard output of an installed program, which sees no checkout."""
    apart = {n: v for n, v in os.environ.items() if n not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [installed / program, *map(str, arguments)],
        cwd=folder,
        env={**apart, "CKPTMATRIX_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


def test_the_wheel_holds_the_package_and_the_sample(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    files = [path for path in PACKAGE.rglob("*") if path.is_file()]
    package = {
        f"ckptmatrix/{path.relative_to(PACKAGE).as_posix()}"
        for path in files
        if path.suffix != ".pyc"
    }
    assert {f"ckptmatrix/{n}" for n in ("py.typed", "resume.py", "worker/__main__.py")} <= package
    assert package <= held
    about = ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")
    more = {f"{INFO}/{name}" for name in about}
    assert held - package == {
        "ckptmatrix/sample/matrix.json.gz",
        "ckptmatrix/sample/matrix.toml",
        *(f"ckptmatrix/sample/{name}/matrix.json.gz" for name in FURTHER),
        *more,
    }


def test_the_wheel_says_what_an_index_shows(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        told = archive.read(f"{INFO}/METADATA").decode()
        entries = archive.read(f"{INFO}/entry_points.txt").decode()
    for line in (
        "Name: ckptmatrix",
        "License-Expression: Apache-2.0",
        "License-File: LICENSE",
        "Requires-Python: >=3.11",
        "Classifier: Framework :: Pytest",
        "Classifier: Typing :: Typed",
    ):
        assert line in told.splitlines()
    assert "ckptmatrix = ckptmatrix.cli:main" in entries
    assert "[pytest11]" in entries


def test_the_sdist_holds_what_tests_and_docs_need_and_nothing_that_a_run_left(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        held = {Path(*Path(name).parts[1:]).as_posix() for name in archive.getnames()}
    needed = ["LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
    needed += ["noxfile.py", "matrix.toml", "expectations.toml", "docs/README.md"]
    needed += ["tests/matrix/test_grid.py", "reports/sample/matrix.json.gz"]
    needed += [FOUNDING.relative_to(ROOT).as_posix() + "/optimizer.bin"]
    assert set(needed) <= held
    known = {".ci", "docs", "examples", "fixtures", "reports", "src", "tests", "tools"}
    assert {name.partition("/")[0] for name in held if "/" in name} == known
    assert not [name for name in held if "__pycache__" in name or "node_modules" in name]
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    committed = tuple(line[1:] for line in ignored if line.startswith("!reports/"))
    assert all(name.startswith(committed) for name in held if name.startswith("reports/"))


def test_the_program_says_its_version(installed: Path, tmp_path: Path) -> None:
    code, said = run(installed, tmp_path, "ckptmatrix", "--version")
    assert code == 0
    assert __version__ in said


def test_an_upgrade_is_answered_from_the_sample(installed: Path, tmp_path: Path) -> None:
    asked = ("upgrade", "1.14.0", "1.15.0", "--scenario", "basic", "--json")
    code, said = run(installed, tmp_path, "ckptmatrix", *asked)
    assert code == 0
    assert json.loads(said)["source"].startswith("the sample shipped with ckptmatrix")


def test_a_checkpoint_is_inspected_and_a_failure_explained(installed: Path, tmp_path: Path) -> None:
    code, said = run(installed, tmp_path, "ckptmatrix", "inspect", FOUNDING, "--json")
    assert code == 0
    (one,) = json.loads(said)["checkpoints"]
    assert one["stack"]["id"] == "kohya-network"
    (tmp_path / "log.txt").write_text("KeyError: 'step'\n")
    code, said = run(installed, tmp_path, "ckptmatrix", "explain", "log.txt", "--json")
    assert json.loads(said)["diagnoses"]


def test_a_checkpoint_is_repaired_and_tried_with_the_shipped_matrix(
    installed: Path, tmp_path: Path
) -> None:
    code, _ = run(installed, tmp_path, "ckptmatrix", "repair", FOUNDING, "repaired")
    assert code == 0
    asked = ("try", "repaired", "--accelerate", "1.15.0", "--stack", STACK, "--json")
    (tmp_path / "home").symlink_to(Home.of(ROOT).root, target_is_directory=True)
    code, said = run(installed, tmp_path, "ckptmatrix", *asked)
    assert code == 0
    assert json.loads(said)["whole"] == [f"accelerate-1.15.0+{STACK}"]


def test_where_a_project_is_needed_its_absence_is_told(installed: Path, tmp_path: Path) -> None:
    code, _ = run(installed, tmp_path, "ckptmatrix", "run")
    assert code == 2


def test_pytest_finds_the_plugin(installed: Path, tmp_path: Path) -> None:
    code, said = run(installed, tmp_path, "pytest", "--help")
    assert code == 0
    assert "--matrix-tier" in said
