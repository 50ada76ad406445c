"""What the machine does to a run: a sentence, an exit code, nothing lost, and it goes on later."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ckptmatrix.environments.intact import damaged
from ckptmatrix.results.matrix_file.reading import read_matrix
from ckptmatrix.util.home import Home
from tests.support.places import NEWEST, ROOT

pytestmark = [pytest.mark.environments, pytest.mark.long]


class Project:
    """Runs of one cell in a home of its own, with the environments that are there already."""

    def __init__(self, home: Path, reports: Path) -> None:
        self.home = Home(home)
        self.reports = reports
        home.mkdir(exist_ok=True)
        if not self.home.environments.exists():
            self.home.environments.symlink_to(Home.of(ROOT).environments, target_is_directory=True)

    def start(self, reports: str = "reports", **variables: str) -> "subprocess.Popen[str]":
        narrowed = ("--accelerate", NEWEST.accelerate, "--stack", NEWEST.stack)
        command = (sys.executable, "-m", "ckptmatrix", "run", "--tier", "smoke", *narrowed)
        return subprocess.Popen(
            [
                *command,
                "--device",
                "cpu",
                "--no-remedies",
                "--reports",
                str(self.reports / reports),
            ],
            cwd=ROOT,
            env={**os.environ, "CKPTMATRIX_HOME": str(self.home.root), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, **variables: str) -> tuple[int, str]:
        """Exit code, and what was said, in one line."""
        with self.start(**variables) as process:
            said, _ = process.communicate()
        assert "Traceback" not in said
        return process.returncode, " ".join(said.split())

    def assert_refused(self, told: str, **variables: str) -> str:
        status, said = self.run(**variables)
        assert (status, told in said, "remedy:" in said) == (3, True, True), said
        return said

    def assert_goes_on(self) -> None:
        status, said = self.run()
        assert (status, "1 cells: 1 exact; 0 unexpected" in said) == (0, True), said


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "home", tmp_path)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, in memory."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"nothing can be mounted here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def remounted(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", disk], check=True)


@pytest.mark.parametrize("kilobytes", [200, 600])
def test_a_full_disk(disk: Path, tmp_path: Path, kilobytes: int) -> None:
    remounted(disk, f"size={kilobytes}k")
    project = Project(disk / "home", tmp_path)
    status, said = project.run()
    assert status == 3, said
    assert "remedy: free some space" in said
    remounted(disk, "size=64m")
    project.assert_goes_on()


def test_a_home_that_is_read_only(disk: Path, tmp_path: Path) -> None:
    project = Project(disk / "home", tmp_path)
    remounted(disk, "ro")
    project.assert_refused("outcomes.sqlite")
    remounted(disk, "rw")
    project.assert_goes_on()


def test_a_store_of_outcomes_that_is_damaged(project: Project) -> None:
    project.home.outcomes.write_bytes(b"no database" * 1000)
    said = project.assert_refused("file is not a database")
    remedy = said.partition("move it away (")[2].partition(")")[0]
    subprocess.run(remedy, shell=True, check=True)
    project.assert_goes_on()


def test_an_index_that_is_gone(project: Project, tmp_path: Path) -> None:
    project.home.environments.unlink()
    gone = "http://127.0.0.1:9/simple"
    nothing = {"UV_CACHE_DIR": str(tmp_path / "cache"), "UV_FIND_LINKS": "", "UV_HTTP_RETRIES": "0"}
    project.assert_refused("cannot be built at present", UV_DEFAULT_INDEX=gone, **nothing)
    project.assert_goes_on()


def test_an_environment_that_was_damaged_after_it_was_built(project: Project) -> None:
    project.home.environments.unlink()
    project.assert_goes_on()
    [environment] = project.home.environments.glob("accelerate-*/")
    [packages] = environment.glob("lib/python*/site-packages")
    altered, missing = packages / "accelerate/accelerator.py", packages / "torch/optim/sgd.py"
    source = altered.read_bytes()
    altered.unlink()  # uv's cache has the same file
    altered.write_bytes(source.replace(b"def save_state(", b"def save_nothing("))
    missing.unlink()
    names = ("accelerate/accelerator.py", "torch/optim/sgd.py")
    assert damaged(environment) == names
    for name in ("checkpoints", "outcomes.sqlite"):
        path = project.home.root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    project.assert_goes_on()
    assert damaged(environment) == ()
    log = (project.home.logs / f"{NEWEST.short}.log").read_text()
    assert f"is built anew: {names[0]} and 1 other files was damaged" in log


def test_two_runs_at_once(project: Project) -> None:
    runs = [project.start(reports) for reports in ("one", "other")]
    for run in runs:
        said, _ = run.communicate()
        assert run.returncode == 0, said
    one, other = (read_matrix(project.reports / name).cells for name in ("one", "other"))
    assert one == other
