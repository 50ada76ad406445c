"""Tensors made of others: in the neutral form and altered, by the torch of an environment."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.environments import python_of
from tests.support.places import NEWEST, ROOT

pytestmark = pytest.mark.environments

CODE = """
import json, sys, torch
from ckptmatrix.worker.alterations import alterations, apply, load
from ckptmatrix.worker.neutral import Neutral
from ckptmatrix.worker.scenarios.basic import Basic
from ckptmatrix.worker.words import AlterationKind
from tests.worker.halves import Halves

place = sys.argv[1]
made = Halves(torch.tensor([1, 2, 3], dtype=torch.uint8), torch.tensor([0.5]), torch.float32)
neutral = Neutral.of({"optimizer": {"exp_avg": made}})
neutral.save(place + "/truth")
read = Neutral.load(place + "/truth")
again = read.value("optimizer")["exp_avg"]
torch.save({"state": {0: {"exp_avg": made}}}, place + "/optimizer.bin")
whole = Neutral.of({"": load(place + "/optimizer.bin")}).leaves("")
turned = {}
for one in alterations(Basic(), place, ""):
    if one.file == "optimizer.bin" and one.path and one.kind is AlterationKind.FLIP:
        torch.save({"state": {0: {"exp_avg": made}}}, place + "/optimizer.bin")
        apply(one, place, "")
        leaves = Neutral.of({"": load(place + "/optimizer.bin")}).leaves("")
        turned["/".join(map(str, one.path))] = [p for p in whole if leaves.get(p) != whole[p]]
print(json.dumps({
    "kind": type(again).__name__,
    "codes": again.codes.tolist(),
    "context": str(again.appears),
    "same": read.leaves("optimizer") == neutral.leaves("optimizer"),
    "leaves": sorted(neutral.leaves("optimizer")),
    "turned": turned,
}))
"""


def test_every_part_is_kept_compared_and_altered(tmp_path: Path) -> None:
    python = python_of(NEWEST.accelerate, NEWEST.stack)
    command: list[str | Path] = [python, "-s", "-c", CODE, str(tmp_path)]
    variables = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {
        "kind": "Halves",
        "codes": [1, 2, 3],
        "context": "torch.float32",
        "same": True,
        "leaves": [
            "/exp_avg",
            "/exp_avg/appears",
            "/exp_avg/codes",
            "/exp_avg/scale",
        ],
        "turned": {
            "state/0/exp_avg/codes": ["/state/0/exp_avg/codes"],
            "state/0/exp_avg/scale": ["/state/0/exp_avg/scale"],
        },
    }
