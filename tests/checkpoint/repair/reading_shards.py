"""Runs inside an environment: reads weights and optimizer out of shards, by torch's own functions.

python reading_shards.py DIRECTORY; it prints JSON: name -> sum, and step and learning rate.
"""

import json
import sys
import tempfile
from pathlib import Path

import torch
from torch import distributed
from torch.distributed import checkpoint

directory = Path(sys.argv[1])
with tempfile.TemporaryDirectory() as scratch:
    distributed.init_process_group("gloo", f"file://{scratch}/store", rank=0, world_size=1)
    weights = {
        "0.weight": torch.zeros(4, 3),
        "0.bias": torch.ones(4, dtype=torch.bfloat16),
        "1.weight": torch.zeros(2, 3, 4, 4),
    }
    states = {"state": {"0.weight": {"step": torch.tensor(0.0), "exp_avg": torch.zeros(4, 3)}}}
    for name, content in {
        "pytorch_model_fsdp_0": {"model": weights},
        "optimizer_0": {"optimizer": states},
    }.items():
        reader = checkpoint.FileSystemReader(str(directory / name))
        checkpoint.load(content, storage_reader=reader)
    distributed.destroy_process_group()
found = {name: float(tensor.sum()) for name, tensor in weights.items()}
moment = states["state"]["0.weight"]
found["step"], found["exp_avg"] = float(moment["step"]), float(moment["exp_avg"].sum())
print(json.dumps(found))
