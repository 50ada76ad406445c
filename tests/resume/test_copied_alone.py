"""The two files that users copy: which Python and which packages they need."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.places import ROOT

FILES = [ROOT / "src" / "ckptmatrix" / name for name in ("resume.py", "doctor.py")]
PACKAGES = {"torch", "accelerate", "numpy", "safetensors"}


def python_of_release(release: str) -> Path | None:
    """An interpreter of this release on the machine: pyenv's, or the one on PATH."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    on_path = shutil.which(f"python{release}")
    found = sorted(pyenv.glob(f"versions/{release}.*/bin/python"))
    for python in [*found, *([Path(on_path)] if on_path else [])]:
        asked = subprocess.run([python, "-V"], capture_output=True, text=True, check=False)
        if asked.stdout.startswith(f"Python {release}."):
            return python
    return None


@pytest.mark.parametrize("release", ["3.8", "3.9"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_they_are_accepted_by(file: Path, release: str) -> None:
    python = python_of_release(release)
    if python is None:
        pytest.skip(f"there is no Python {release} on this machine")
    code = "import sys; compile(open(sys.argv[1], encoding='utf-8').read(), sys.argv[1], 'exec')"
    done = subprocess.run(
        [python, "-W", "error", "-c", code, file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("release", ["3.8", "3.9"])
def test_doctor_answers_with(release: str, tmp_path: Path) -> None:
    """All of its main process runs; that this Python has no accelerate is the answer."""
    python = python_of_release(release)
    if python is None:
        pytest.skip(f"there is no Python {release} on this machine")
    shutil.copy(FILES[1], tmp_path / "doctor.py")
    done = subprocess.run(
        [python, "-I", "-S", tmp_path / "doctor.py"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stderr
    assert f"python       {release}." in done.stdout
    assert "No module named" in done.stdout


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_they_import_nothing_else(file: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add((node.module or "").split(".")[0])
    assert imported - set(sys.stdlib_module_names) <= PACKAGES
