"""Which bit of a generator's state is turned, in an environment's own torch."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.environments import python_of
from tests.support.places import NEWEST, ROOT

pytestmark = pytest.mark.environments

CODE = """
import json, sys, torch
from ckptmatrix.worker.alterations import apply, load
from ckptmatrix.worker.protocol import Alteration
from ckptmatrix.worker.words import AlterationKind

directory = sys.argv[1]
file = directory + "/random_states_0.pkl"
turned = {}
for size in (16, 816):
    state = torch.zeros(size, dtype=torch.uint8)
    saved = {"torch_cuda_manual_seed": [state, state], "torch_manual_seed": state}
    for path in (("torch_cuda_manual_seed", 1), ("torch_manual_seed",)):
        torch.save(saved, file)
        flip = Alteration(file.split("/")[-1], path, AlterationKind.FLIP, (), size, False)
        apply(flip, directory, "")
        found = load(file)
        for key in path:
            found = found[key]
        turned[f"{size} {path[0]}"] = found.nonzero().flatten().tolist()
print(json.dumps(turned))
"""


def test_of_a_cuda_generator_the_seed_is_turned_since_torch_refuses_such_an_offset(
    tmp_path: Path,
) -> None:
    python = python_of(NEWEST.accelerate, NEWEST.stack)
    command: list[str | Path] = [python, "-s", "-c", CODE, str(tmp_path)]
    variables = {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {
        "16 torch_cuda_manual_seed": [0],
        "16 torch_manual_seed": [8],
        "816 torch_cuda_manual_seed": [800],
        "816 torch_manual_seed": [408],
    }
