"""A copy of a checkpoint that a test may damage."""

import shutil
from pathlib import Path

import pytest

from tests.checkpoint.repair.copies import Copy


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """A copy of a checkpoint that the test may change."""

    def copy(checkpoint: Path) -> Path:
        return Path(shutil.copytree(checkpoint, tmp_path / "source"))

    return copy
