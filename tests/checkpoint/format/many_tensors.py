"""Runs inside an environment, beside `resume.py`: writes an optimizer's state of many tensors, and
reads it back.

python many_tensors.py FILE TENSORS; it prints how many came back equal.
"""

import sys

import torch

import resume  # type: ignore[import-not-found]  # copied beside

path, count = sys.argv[1], int(sys.argv[2])
slots = ("step", "exp_avg", "exp_avg_sq")
state = {
    index: {slot: torch.tensor(float(index + at)) for at, slot in enumerate(slots)}
    for index in range(count // len(slots))
}
groups = [{"lr": 0.1, "params": list(state)}]
torch.save({"state": state, "param_groups": groups}, path)
read = resume.read(path)
print(sum(torch.equal(state[i][slot], read["state"][i][slot]) for i in state for slot in slots))
