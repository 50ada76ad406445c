"""What a process holds of a sharded state, by the torch of an environment."""

import subprocess
from pathlib import Path

import pytest

from tests.support.environments import python_of
from tests.support.places import NEWEST, ROOT

pytestmark = pytest.mark.environments

CODE = """
from typing import NamedTuple
import torch
from ckptmatrix.worker.neutral import Neutral
from ckptmatrix.worker.sharding import _mapped

class Left(NamedTuple):
    shape: torch.Size
    dtype: torch.dtype

left = Left(torch.Size([2, 3]), torch.float32)
mapped = _mapped({"state": {"weight": {"exp_avg": left, "step": torch.ones(1)}}}, torch.zeros_like)
assert mapped["state"]["weight"] == {"exp_avg": left, "step": torch.zeros(1)}, mapped
print(*sorted(Neutral.of({"optimizer": mapped}).leaves("optimizer")))
"""


def test_records_that_fsdp_leaves_for_missing_tensors_are_compared_too() -> None:
    command: list[str | Path] = [python_of(NEWEST.accelerate, NEWEST.stack), "-s", "-c", CODE]
    variables = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "/state/weight/exp_avg/1" in done.stdout.split()
