"""The scripts of docs/sharded.md show what the page says."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from ckptmatrix.measure.lab import Lab
from tests.support.places import NEWEST, ROOT

pytestmark = pytest.mark.environments

TRIES = 5
ABORTED = "terminate called without an active exception"
"""What gloo's threads of torch 2.15 now and then end a process with that has done everything."""
OPTIONS = ("--standalone", "--nproc_per_node", "2")
PAGE = (ROOT / "docs" / "sharded.md").read_text(encoding="utf-8")


SCRIPTS = list(re.finditer(r"```python\n(.*?)```(.*?)(?=\n## |\Z)", PAGE, re.DOTALL))


@pytest.mark.parametrize("script", SCRIPTS, ids=["lost", "shared"])
def test_a_script_shows_the_loss(script: re.Match[str], lab: Lab, tmp_path: Path) -> None:
    code, said = script.groups()
    assert len(code.splitlines()) <= 37
    (tmp_path / "lost.py").write_text(code, encoding="utf-8")
    python = lab.registry.installed(NEWEST).directory / "bin" / "python"
    told = ""
    for what in ("save", "load"):
        for _ in range(TRIES):
            done = subprocess.run(
                [python, "-m", "torch.distributed.run", *OPTIONS, "lost.py", what],
                cwd=tmp_path,
                env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            if ABORTED not in done.stderr:
                break
        assert done.returncode == 0, done.stderr
        told += done.stdout
    assert told.splitlines() == re.findall(r"`(after (?:save|load): [^`]+)`", said)
