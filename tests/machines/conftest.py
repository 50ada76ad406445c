"""What stands in for the programs of a machine."""

import sys
from pathlib import Path

import pytest

from tests.machines.github import path_with
from tests.support.places import ROOT


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH with this ckptmatrix, the stand-in for sbatch, and a uv that installs no tool."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in {
        "ckptmatrix": f'#!/bin/sh\nexec "{sys.executable}" -m ckptmatrix "$@"\n',
        "sbatch": f'#!/bin/sh\nexec "{sys.executable}" "{ROOT}/tests/machines/sbatch.py" "$@"\n',
        "uv": "#!/bin/sh\n",
    }.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    return path_with(folder)
