"""Runs inside an environment: writes weights as FSDP does, by torch's own functions.

python writing_shards.py DIRECTORY
"""

import sys
import tempfile
from pathlib import Path

import torch
from torch import distributed
from torch.distributed import checkpoint
from torch.distributed._tensor import Shard, distribute_tensor
from torch.distributed.device_mesh import init_device_mesh

directory = Path(sys.argv[1])
with tempfile.TemporaryDirectory() as scratch:
    distributed.init_process_group("gloo", f"file://{scratch}/store", rank=0, world_size=1)
    mesh = init_device_mesh("cpu", (1,))
    weights = {
        "0.weight": distribute_tensor(torch.ones(4, 3), mesh, [Shard(0)]),
        "0.bias": torch.zeros(4, dtype=torch.bfloat16),
        "1.weight": torch.ones(2, 3, 4, 4).to(memory_format=torch.channels_last),
    }
    states = {"state": {"0.weight": {"step": torch.tensor(3.0), "exp_avg": weights["0.weight"]}}}
    groups = {"param_groups": [{"lr": 0.1, "betas": (0.9, 0.999), "params": ["0.weight"]}]}
    for name, content in {
        "pytorch_model_fsdp_0": {"model": weights},
        "optimizer_0": {"optimizer": {**states, **groups}},
    }.items():
        writer = checkpoint.FileSystemWriter(str(directory / name))
        checkpoint.save(content, storage_writer=writer)
    distributed.destroy_process_group()
gathered = torch.ones(4, 3)
gathered._has_been_cloned = True  # as FSDP1 does
torch.save({"0.weight": gathered}, directory / "pytorch_model_fsdp.bin")
