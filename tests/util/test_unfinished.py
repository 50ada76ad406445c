"""What a killed process leaves half-made is swept; what a living one makes is not."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ckptmatrix.environments.installation import lock_of
from ckptmatrix.environments.stamp import STAMP
from ckptmatrix.environments.sweeping import sweep_home
from ckptmatrix.util.files import write_atomically
from ckptmatrix.util.home import Home
from ckptmatrix.util.unfinished import folder_in, sweep, unfinished

MAKER = """
import sys, time
from pathlib import Path
from ckptmatrix.util.unfinished import file_for, folder_in
place = Path(sys.argv[1])
with folder_in(place) as folder, file_for(place / "it") as (handle, file):
    (folder / "half").write_text("made")
    print(folder, file, sep="\\n", flush=True)
    time.sleep(3600)
"""


@pytest.fixture
def maker(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that makes a folder and a file in `tmp_path`, and never finishes."""
    command = [sys.executable, "-c", MAKER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_what_a_killed_process_left_is_removed_and_not_before(
    maker: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    assert maker.stdout is not None
    made = {Path(maker.stdout.readline().strip()) for _ in range(2)}
    assert sweep([tmp_path]) == 0
    assert set(unfinished([tmp_path])) == made
    maker.kill()
    maker.wait()
    assert sweep([tmp_path, tmp_path / "not there"]) == 2
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_what_was_finished_or_given_up(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", b"content")
    with folder_in(tmp_path) as folder:
        folder.rename(tmp_path / "folder")
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path / "folder", b"content")
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder"}
    assert (tmp_path / "file").read_bytes() == b"content"


def test_environments_that_nobody_finishes_are_removed(tmp_path: Path) -> None:
    home = Home(tmp_path)
    names = ("accelerate-1.0+whole", "accelerate-1.0+half", "accelerate-1.0+being-built")
    whole, half, being_built = (home.environments / name for name in names)
    for directory in (whole, half, being_built):
        (directory / "lib").mkdir(parents=True)
    (whole / STAMP).touch()
    with lock_of(being_built):
        assert sweep_home(home) == 1
        assert (whole.exists(), half.exists(), being_built.exists()) == (True, False, True)
    assert sweep_home(home) == 1
    assert not being_built.exists()
